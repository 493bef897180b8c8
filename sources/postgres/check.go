package postgres

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/evertdb/evert/pipeline"
)

// A Finding is one thing that Check has to say. A warning does not keep the
// source from starting.
type Finding struct {
	*pipeline.Refusal
	Warning bool
}

// Check connects and gives everything that would keep a source from starting
// from nothing, and what is worth knowing besides. It changes nothing. An error
// means that the server could not be asked.
func Check(ctx context.Context, c Config) ([]Finding, error) {
	c = c.withDefaults()
	if err := c.check(); err != nil {
		return refused(err), nil
	}
	s := &side{config: &c}
	defer s.close()
	f, err := loadFacts(ctx, &c, s)
	if err != nil {
		return asFindings(err)
	}
	conn, err := c.connect(ctx, true)
	if err != nil {
		found, err := asFindings(err)
		if err != nil {
			return nil, err
		}
		return append(found, refused(f.serverRefusals(&c, true)...)...), nil
	}
	closeConn(conn)
	ch, err := choose(ctx, &c, s, f)
	if err != nil {
		return nil, err
	}
	out := refused(append(f.serverRefusals(&c, f.slot == nil), ch.refusals...)...)
	out = append(out, refused(f.publicationRefusals(&c, ch, true)...)...)
	return append(out, f.warnings(&c, ch)...), nil
}

func asFindings(err error) ([]Finding, error) {
	var r *pipeline.Refusal
	if errors.As(err, &r) {
		return []Finding{{Refusal: r}}, nil
	}
	return nil, err
}

func refused(errs ...error) []Finding {
	var out []Finding
	for _, err := range errs {
		var r *pipeline.Refusal
		if errors.As(err, &r) {
			out = append(out, Finding{Refusal: r})
		}
	}
	return out
}

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
		say(CodeStandby, "the server is a standby", "url: that of the primary")
	}
	if f.walLevel != "logical" {
		say(CodeWALLevel, "wal_level is "+f.walLevel+" and must be logical", "ALTER SYSTEM SET wal_level = 'logical'; -- then restart the server")
	}
	if f.encoding == "SQL_ASCII" {
		say(CodeEncoding, "the database has encoding SQL_ASCII", "dump and restore it into a database with ENCODING 'UTF8'")
	}
	if newSlot && f.slots >= f.maxSlots {
		say(CodeNoFreeSlot, fmt.Sprintf("all %d replication slots are taken", f.maxSlots),
			fmt.Sprintf("ALTER SYSTEM SET max_replication_slots = %d; -- then restart the server\nor drop one that nobody reads: SELECT slot_name, active FROM pg_replication_slots;", f.maxSlots+5))
	}
	if f.senders >= f.maxSenders {
		say(CodeNoFreeSender, fmt.Sprintf("all %d walsenders are taken", f.maxSenders),
			fmt.Sprintf("ALTER SYSTEM SET max_wal_senders = %d; -- then restart the server", f.maxSenders+5))
	}
	return out
}

// publicationRefusals looks at the publication. A fresh start makes or extends
// it when it may; a resumed one needs it as it is.
func (f *facts) publicationRefusals(c *Config, ch *chosen, fresh bool) []error {
	p := f.publication
	switch {
	case p == nil && !fresh:
		return []error{publicationGone(c)}
	case p == nil:
		return f.mayPublish(c, ch.tables)
	case p.allTables && len(ch.keyless) > 0:
		return []error{&pipeline.Refusal{
			Code: CodeAllTables, Where: "publication " + c.Publication,
			What: "it is FOR ALL TABLES, so that the server rejects updates and deletes of tables without a primary key: " + strings.Join(ch.keyless, ", "),
			Mend: "DROP PUBLICATION " + QuoteIdent(c.Publication) + "; -- a new one for the captured tables alone is made at the next start",
		}}
	case !p.all:
		return []error{&pipeline.Refusal{
			Code: CodePublication, Where: "publication " + c.Publication, What: "it leaves out inserts, updates, deletes or truncates",
			Mend: "ALTER PUBLICATION " + QuoteIdent(c.Publication) + " SET (publish = 'insert, update, delete, truncate');",
		}}
	}
	missing := unpublished(ch.tables)
	if len(missing) == 0 || fresh && p.owned && allOwned(missing) {
		return nil
	}
	return []error{unpublishedRefusal(c, missing, fresh)}
}

func unpublished(tables []*tableInfo) []*tableInfo {
	return slices.DeleteFunc(slices.Clone(tables), func(t *tableInfo) bool { return t.published })
}

func allOwned(tables []*tableInfo) bool {
	return !slices.ContainsFunc(tables, func(t *tableInfo) bool { return !t.owned })
}

func (f *facts) mayPublish(c *Config, tables []*tableInfo) []error {
	if len(tables) == 0 || f.mayCreate && allOwned(tables) {
		return nil
	}
	return []error{&pipeline.Refusal{
		Code: CodePublication, Where: "publication " + c.Publication,
		What: "it does not exist, and user " + f.user + " may not make it (CREATE on the database and ownership of the tables are needed)",
		Mend: createPublicationSQL(c, tables, f.version),
	}}
}

func createPublicationSQL(c *Config, tables []*tableInfo, version int) string {
	sql := "CREATE PUBLICATION " + QuoteIdent(c.Publication) + " FOR TABLE " + tableList(tables)
	if version >= 130000 {
		sql += " WITH (publish_via_partition_root = true)"
	}
	return sql + ";"
}

func addTablesSQL(c *Config, tables []*tableInfo) string {
	return "ALTER PUBLICATION " + QuoteIdent(c.Publication) + " ADD TABLE " + tableList(tables) + ";"
}

func tableList(tables []*tableInfo) string {
	var names []string
	for _, t := range tables {
		names = append(names, t.sql())
	}
	return strings.Join(names, ", ")
}

func unpublishedRefusal(c *Config, missing []*tableInfo, fresh bool) error {
	mend := addTablesSQL(c, missing)
	if !fresh {
		mend += "\n" + c.ResetCommand + "   # changes made meanwhile did not arrive, so the tables are copied again"
	}
	return &pipeline.Refusal{
		Code: CodeUnpublished, Where: "publication " + c.Publication,
		What: "it does not have " + tableList(missing), Mend: mend,
	}
}

func publicationGone(c *Config) error {
	return &pipeline.Refusal{
		Code: CodePublicationGone, Where: "publication " + c.Publication,
		What: "it was dropped after the slot was made; making it again does not help, because the log is read with the catalog of its own time",
		Mend: c.ResetCommand,
	}
}

// warnings are worth knowing and keep nothing from starting.
func (f *facts) warnings(c *Config, ch *chosen) []Finding {
	var out []Finding
	if f.keepSizeMB < 0 && f.version >= 130000 {
		out = append(out, Finding{Warning: true, Refusal: &pipeline.Refusal{
			Code: CodeRetention, Where: f.database, What: "nothing limits the log that a slot may hold back while Evert is down (max_slot_wal_keep_size = -1)",
			Mend: "ALTER SYSTEM SET max_slot_wal_keep_size = '20GB';\nSELECT pg_reload_conf();",
		}})
	}
	for _, r := range ch.skipped {
		out = append(out, Finding{Warning: true, Refusal: r})
	}
	return out
}
