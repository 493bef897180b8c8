package preflight

import (
	"context"
	"fmt"
	"strconv"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/sources/postgres/pgsql"
	"github.com/evertdb/evert/sources/postgres/pgvalue"
)

// A Server is what it says of itself as a whole, and of the user who asks.
type Server struct {
	User, Database  string
	Version         int // server_version_num
	inRecovery      bool
	Encoding        string
	WALLevel        string
	MaxSlots, Slots int
	MaxSenders      int
	Senders         int
	SenderTimeoutMS int64
	KeepSizeMB      int64 // max_slot_wal_keep_size; -1 unlimited (also before 13)
	MayCreate       bool  // CREATE on the database
	Platform        Platform
}

const serverSQL = `
SELECT current_user, current_database(), current_setting('server_version_num'), pg_is_in_recovery(), current_setting('server_encoding'),
       current_setting('wal_level'), current_setting('max_replication_slots'), (SELECT count(*) FROM pg_replication_slots),
       current_setting('max_wal_senders'), (SELECT count(*) FROM pg_stat_get_wal_senders()),
       (SELECT setting FROM pg_settings WHERE name = 'wal_sender_timeout'),
       (SELECT setting FROM pg_settings WHERE name = 'max_slot_wal_keep_size'),
       has_database_privilege(current_database(), 'CREATE'), ` + platformSQL

// LoadServer asks for all of it at once.
func LoadServer(ctx context.Context, ask pgsql.Ask) (Server, error) {
	rs, err := ask(ctx, serverSQL)
	if err != nil {
		return Server{}, fmt.Errorf("read the server's settings: %w", err)
	}
	r := pgsql.Record{Cols: rs[0]}
	f := Server{
		User: r.Text(), Database: r.Text(), Version: int(r.Int()), inRecovery: r.Bool(), Encoding: r.Text(),
		WALLevel: r.Text(), MaxSlots: int(r.Int()), Slots: int(r.Int()), MaxSenders: int(r.Int()), Senders: int(r.Int()),
		SenderTimeoutMS: r.Int(),
	}
	f.KeepSizeMB = -1
	if keep := r.Text(); keep != "" {
		f.KeepSizeMB, _ = strconv.ParseInt(keep, 10, 64)
	}
	f.MayCreate = r.Bool()
	f.Platform = platformOf(r.Text(), r.Bool())
	return f, nil
}

// Refusals are what keeps a source from starting. A new slot needs a free place; invalid
// is what becomes of texts that are not UTF-8.
func (f *Server) Refusals(invalid pgvalue.Invalid, newSlot bool) []error {
	var out []error
	say := func(code pipeline.Code, what, mend string) {
		out = append(out, &pipeline.Refusal{Code: code, Where: f.Database, What: what, Mend: mend})
	}
	if f.Version < 120000 {
		say(CodeVersion, fmt.Sprintf("the server is version %d; 12 is the oldest that is captured from", f.Version/10000), "upgrade the server")
	}
	if f.inRecovery {
		say(CodeStandby, f.standbyText(), "url: that of the primary")
	}
	if f.WALLevel != "logical" {
		say(CodeWALLevel, "wal_level is "+f.WALLevel+" and must be logical", f.Platform.Set("wal_level", "logical", true))
	}
	switch trusted := invalid == pgvalue.Trust; {
	case f.Encoding == SQLASCII && trusted:
		say(CodeEncoding, "the database has encoding SQL_ASCII", "invalid_text: latin1 # or replace, below postgres\nor dump and restore it into a database with ENCODING 'UTF8'")
	case f.Encoding != SQLASCII && !trusted:
		say(CodeEncoding, "invalid_text is for databases of encoding SQL_ASCII, and this one has "+f.Encoding, "remove invalid_text")
	}
	if newSlot && f.Slots >= f.MaxSlots {
		say(CodeNoFreeSlot, fmt.Sprintf("all %d replication slots are taken", f.MaxSlots),
			f.Platform.Set("max_replication_slots", fmt.Sprint(f.MaxSlots+5), true)+"\nor drop one that nobody reads: SELECT slot_name, active FROM pg_replication_slots;")
	}
	if f.Senders >= f.MaxSenders {
		say(CodeNoFreeSender, fmt.Sprintf("all %d walsenders are taken", f.MaxSenders),
			f.Platform.Set("max_wal_senders", fmt.Sprint(f.MaxSenders+5), true))
	}
	return out
}

// standbyText says why it must be the primary (P40).
func (f *Server) standbyText() string {
	if f.Version < 160000 {
		return "the server is a standby, and logical decoding cannot be used while in recovery before Postgres 16"
	}
	return "the server is a standby; decoding there would need hot_standby_feedback, and wal_level = logical on its primary, and still lose its slot to a conflict"
}

var invalidWords = map[pgvalue.Invalid]string{pgvalue.Latin1: "read as Latin-1", pgvalue.Replace: "kept with U+FFFD in place of what fits nothing"}

// Warnings are worth knowing at each start and keep nothing from it.
func (f *Server) Warnings(invalid pgvalue.Invalid) (out []pipeline.Finding) {
	if f.Encoding == SQLASCII && invalid != pgvalue.Trust {
		out = append(out, pipeline.Found(pipeline.Warns, pipeline.Refusal{
			Code: CodeEncoding, Where: f.Database, What: "the database has no encoding (SQL_ASCII): a text that is not UTF-8 is " + invalidWords[invalid],
			Mend: "dump and restore it into a database with ENCODING 'UTF8'",
		}))
	}
	if f.KeepSizeMB >= 0 || f.Version < 130000 {
		return out
	}
	return append(out, pipeline.Found(pipeline.Warns, pipeline.Refusal{ // P05
		Code: CodeRetention, Where: f.Database, What: "nothing limits the log that a slot may hold back while Evert is down (max_slot_wal_keep_size = -1)",
		Mend: f.Platform.Set("max_slot_wal_keep_size", f.Platform.megabytes(20<<10), false),
	}))
}

// VersionText writes the server's version as its makers do.
func (f *Server) VersionText() string {
	return fmt.Sprintf("%d.%d", f.Version/10000, f.Version%10000)
}

// SQLASCII is the encoding of a database that has none.
const SQLASCII = "SQL_ASCII"
