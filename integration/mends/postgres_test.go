//go:build unix

package mends

import (
	"slices"
	"testing"

	"github.com/evertdb/evert/integration/harness"
	"github.com/evertdb/evert/pipeline"
)

// stories are those that one server can play side by side.
func stories() []story {
	return slices.Concat(ofRights(), ofTables(), ofSlots(), ofTopics())
}

// ofRights are stories of what the capturing role may, and of publications.
func ofRights() []story {
	return []story{
		{
			code: "PG_RIGHT", what: "schema and table of somebody else", then: []pipeline.Code{"PG_RIGHT", "PG_PUBLICATION"},
			options: harness.Options{Tables: `['"Back Office"."Odd ""table"""']`},
			arrange: func(s *stage) {
				s.admin(`CREATE SCHEMA "Back Office"`, `CREATE TABLE "Back Office"."Odd ""table""" (id int PRIMARY KEY, "a b" text)`,
					`INSERT INTO "Back Office"."Odd ""table""" VALUES (1, 'x'), (2, NULL)`)
			},
			compare: func(s *stage) { s.compareRows(`"Back Office"."Odd ""table"""`, "db.Back_Office.Odd__table_") },
		},
		{
			code: "PG_PUBLICATION", what: "leaves out deletes", arrange: func(s *stage) {
				s.own("CREATE PUBLICATION " + s.slot() + " FOR TABLE t WITH (publish = 'insert, update')")
			},
		},
		{
			code: "PG_PUBLICATION_ALL_TABLES", what: "beside a table without a key", options: harness.Options{Tables: "[public.t]"}, arrange: func(s *stage) {
				s.own("CREATE TABLE bare (v text)")
				s.admin("CREATE PUBLICATION " + s.slot() + " FOR ALL TABLES")
			},
		},
		{
			code: "PG_TABLE_UNPUBLISHED", what: "in a publication of somebody else", tables: []string{"t", "u"}, arrange: func(s *stage) {
				s.own("CREATE TABLE u (id int PRIMARY KEY)", "INSERT INTO u VALUES (1)")
				s.admin("CREATE PUBLICATION " + s.slot() + " FOR TABLE t")
			},
		},
		{
			code: "PG_TABLE_UNPUBLISHED", what: "taken out later", tables: []string{"t", "u"}, arrange: func(s *stage) {
				s.own("CREATE TABLE u (id int PRIMARY KEY)", "INSERT INTO u VALUES (1)")
				s.caughtUp()
				s.own("ALTER PUBLICATION "+s.slot()+" DROP TABLE u", "INSERT INTO u VALUES (2)")
			},
		},
		{
			code: "PG_PUBLICATION_GONE", what: "dropped", arrange: func(s *stage) {
				s.caughtUp()
				s.own("DROP PUBLICATION "+s.slot(), "INSERT INTO t VALUES (4)")
			},
		},
	}
}

// ofTables are stories of keys and shapes.
func ofTables() []story {
	odd := harness.Options{Tables: `['public."Odd ""table"""']`}
	oddTopic := func(s *stage) { s.compareRows(`"Odd ""table"""`, "db.public.Odd__table_") }
	return []story{
		{
			code: "PG_NO_KEY", what: "but a unique index", options: odd, compare: oddTopic, arrange: func(s *stage) {
				s.own(`CREATE TABLE "Odd ""table""" ("a b" int NOT NULL, v text)`, `CREATE UNIQUE INDEX "odd index" ON "Odd ""table""" ("a b")`,
					`INSERT INTO "Odd ""table""" VALUES (1, 'x'), (2, NULL)`)
			},
		},
		{
			code: "PG_BAD_KEY", what: "neither unique nor not null nor carried", then: []pipeline.Code{"PG_BAD_KEY", "PG_REPLICA_IDENTITY"}, compare: oddTopic,
			options: harness.Options{Tables: odd.Tables, Source: `overrides: {'public."Odd ""table"""': {key: [a b]}}`},
			arrange: func(s *stage) {
				s.own(`CREATE TABLE "Odd ""table""" (id int PRIMARY KEY, "a b" int)`, `INSERT INTO "Odd ""table""" VALUES (1, 11), (2, 12)`)
			},
		},
		{
			code: "PG_REPLICA_IDENTITY", what: "nothing", arrange: func(s *stage) { s.own("ALTER TABLE t REPLICA IDENTITY NOTHING") },
		},
		{
			code: "PG_UNLOGGED", what: "and named", options: harness.Options{Tables: "[public.t]"},
			arrange: func(s *stage) { s.own("ALTER TABLE t SET UNLOGGED") },
		},
		{
			code: "PG_TABLE_ADDED", what: "by name", tables: []string{"t", "late"}, options: harness.Options{Tables: "[public.t]"}, arrange: func(s *stage) {
				s.caughtUp()
				s.admin("CREATE TABLE late (id int PRIMARY KEY)", "INSERT INTO late VALUES (1)", "GRANT SELECT ON late TO PUBLIC")
				s.Options.Tables = "[public.t, public.late]"
				s.Write()
			},
		},
		{
			code: "PG_TABLE_CHANGED", what: "column renamed", arrange: func(s *stage) {
				s.caughtUp()
				s.own("ALTER TABLE t RENAME COLUMN v TO w", "INSERT INTO t VALUES (4, 'four')")
			},
		},
		{
			code: "PG_TABLE_RENAMED", what: "and renamed back", tables: []string{"t", "u"}, arrange: tableRenamed,
		},
		{
			code: "PG_TABLE_RENAMED", what: "and copied again", tables: []string{"t", "u_new"}, other: true, arrange: tableRenamed,
		},
		{
			code: "PG_TABLE_DROPPED", what: "and made anew", tables: []string{"t", "u"}, other: true, arrange: func(s *stage) {
				s.own("CREATE TABLE u (id int PRIMARY KEY)", "INSERT INTO u VALUES (1), (2)")
				s.caughtUp()
				s.own("INSERT INTO u VALUES (3)", "DROP TABLE u", "CREATE TABLE u (id int PRIMARY KEY)", "INSERT INTO u VALUES (4)")
			},
		},
		{
			code: "SCHEMA_INCOMPATIBLE", what: "a column of another type", first: []pipeline.Code{"PG_TABLE_CHANGED"}, arrange: func(s *stage) {
				s.caughtUp()
				s.own("ALTER TABLE t ALTER COLUMN v TYPE int USING id", "INSERT INTO t VALUES (4, 44)")
			},
		},
	}
}

func tableRenamed(s *stage) {
	s.own("CREATE TABLE u (id int PRIMARY KEY)", "INSERT INTO u VALUES (1), (2)")
	s.caughtUp()
	s.own("ALTER TABLE u RENAME TO u_new", "INSERT INTO u_new VALUES (3)")
}

// ofSlots are stories of the slot and of the place in it.
func ofSlots() []story {
	pgoutput := func(s *stage) string {
		return "SELECT pg_create_logical_replication_slot('" + s.slot() + "', 'pgoutput')"
	}
	return []story{
		{code: "PG_SLOT_EXISTS", what: "before the first start", arrange: func(s *stage) { s.own(pgoutput(s)) }},
		{
			code: "PG_SLOT_MISSING", what: "dropped", arrange: func(s *stage) {
				s.caughtUp()
				s.dropSlot()
				s.own("DELETE FROM t WHERE id = 1")
			},
		},
		{
			code: "PG_SLOT_FOREIGN", what: "of another database", arrange: func(s *stage) {
				s.caughtUp()
				s.dropSlot()
				s.own("DELETE FROM t WHERE id = 1")
				s.SQL("postgres", pgoutput(s))
			},
		},
		{
			code: "PG_GAP", what: "moved by somebody else", arrange: func(s *stage) {
				s.caughtUp()
				s.own("INSERT INTO t VALUES (4)", "SELECT pg_replication_slot_advance('"+s.slot()+"', pg_current_wal_lsn())")
			},
		},
		{
			code: "PG_SLOT_ACTIVE", what: "read by another process", other: true, options: harness.Options{Postgres: "slot_wait: 100ms"}, arrange: func(s *stage) {
				s.caughtUp()
				s.own("INSERT INTO t VALUES (4)")
				s.readSlot()
			},
		},
		{
			code: "PG_OTHER_SERVER", what: "another slot", other: true, arrange: func(s *stage) {
				s.caughtUp()
				s.own("INSERT INTO t VALUES (4)")
				s.Options.Postgres = "slot: " + s.slot() + "_2"
				s.Write()
			},
		},
		{
			code: "PG_OTHER_SERVER", what: "another database", other: true, arrange: func(s *stage) {
				other := newStage(s.TB.(*testing.T), s.Postgres, harness.Options{})
				s.caughtUp()
				s.Options.Name, s.Database = s.Database, other.Database
				s.own("DELETE FROM t WHERE id = 1", "INSERT INTO t VALUES (4)")
				s.Write()
			},
		},
		{
			code: "PG_STATE", what: "unreadable", arrange: func(s *stage) {
				s.caughtUp()
				s.own("INSERT INTO t VALUES (4)")
				s.forge(func(f *frontier) { f.Resume.State = []byte("{") })
			},
		},
	}
}
