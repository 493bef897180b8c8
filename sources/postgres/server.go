package postgres

import (
	"fmt"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/sources/postgres/pgvalue"
)

// serverRefusals looks at the server as a whole. A new slot needs a free place.
func (f *facts) serverRefusals(c *Config, newSlot bool) []error {
	var out []error
	say := func(code pipeline.Code, what, mend string) {
		out = append(out, &pipeline.Refusal{Code: code, Where: f.database, What: what, Mend: mend})
	}
	if f.version < 120000 {
		say(CodeVersion, fmt.Sprintf("the server is version %d; 12 is the oldest that is captured from", f.version/10000), "upgrade the server")
	}
	if f.inRecovery {
		say(CodeStandby, f.standbyText(), "url: that of the primary")
	}
	if f.walLevel != "logical" {
		say(CodeWALLevel, "wal_level is "+f.walLevel+" and must be logical", f.platform.set("wal_level", "logical", true))
	}
	switch trusted := c.InvalidText == pgvalue.Trust; {
	case f.encoding == sqlASCII && trusted:
		say(CodeEncoding, "the database has encoding SQL_ASCII", "invalid_text: latin1 # or replace, below postgres\nor dump and restore it into a database with ENCODING 'UTF8'")
	case f.encoding != sqlASCII && !trusted:
		say(CodeEncoding, "invalid_text is for databases of encoding SQL_ASCII, and this one has "+f.encoding, "remove invalid_text")
	}
	if newSlot && f.slots >= f.maxSlots {
		say(CodeNoFreeSlot, fmt.Sprintf("all %d replication slots are taken", f.maxSlots),
			f.platform.set("max_replication_slots", fmt.Sprint(f.maxSlots+5), true)+"\nor drop one that nobody reads: SELECT slot_name, active FROM pg_replication_slots;")
	}
	if f.senders >= f.maxSenders {
		say(CodeNoFreeSender, fmt.Sprintf("all %d walsenders are taken", f.maxSenders),
			f.platform.set("max_wal_senders", fmt.Sprint(f.maxSenders+5), true))
	}
	return out
}

// standbyText says why it must be the primary (P40).
func (f *facts) standbyText() string {
	if f.version < 160000 {
		return "the server is a standby, and logical decoding cannot be used while in recovery before Postgres 16"
	}
	return "the server is a standby; decoding there would need hot_standby_feedback, and wal_level = logical on its primary, and still lose its slot to a conflict"
}

var invalidWords = map[pgvalue.Invalid]string{pgvalue.Latin1: "read as Latin-1", pgvalue.Replace: "kept with U+FFFD in place of what fits nothing"}

// warnings are worth knowing at each start and keep nothing from it.
func (f *facts) warnings(c *Config) (out []pipeline.Finding) {
	if f.encoding == sqlASCII && c.InvalidText != pgvalue.Trust {
		out = append(out, pipeline.Found(pipeline.Warns, pipeline.Refusal{
			Code: CodeEncoding, Where: f.database, What: "the database has no encoding (SQL_ASCII): a text that is not UTF-8 is " + invalidWords[c.InvalidText],
			Mend: "dump and restore it into a database with ENCODING 'UTF8'",
		}))
	}
	if f.keepSizeMB >= 0 || f.version < 130000 {
		return out
	}
	return append(out, pipeline.Found(pipeline.Warns, pipeline.Refusal{ // P05
		Code: CodeRetention, Where: f.database, What: "nothing limits the log that a slot may hold back while Evert is down (max_slot_wal_keep_size = -1)",
		Mend: f.platform.set("max_slot_wal_keep_size", f.platform.megabytes(20<<10), false),
	}))
}
