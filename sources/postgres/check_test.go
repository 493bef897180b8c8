package postgres

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/sources/postgres/pgserver"
	"github.com/evertdb/evert/sources/postgres/pgserver/pgtest"
	"github.com/evertdb/evert/sources/postgres/pgsql"
	"github.com/evertdb/evert/sources/postgres/preflight"
)

// found gives the findings of a check with this code.
func found(t *testing.T, c Config, from *pipeline.Resume, code pipeline.Code) (out []pipeline.Finding) {
	t.Helper()
	all, err := Check(t.Context(), c, from)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range all.Findings {
		if f.Code == code {
			out = append(out, f)
		}
	}
	return out
}

// fineText joins what a check found fine.
func fineText(t *testing.T, c Config, from *pipeline.Resume) string {
	t.Helper()
	all, err := Check(t.Context(), c, from)
	if err != nil {
		t.Fatal(err)
	}
	text := ""
	for _, f := range all.Findings {
		if f.Severity == pipeline.Fine {
			text += f.What + "\n"
		}
	}
	return text
}

var statement = regexp.MustCompile(`^(ALTER|CREATE|DROP|GRANT|SELECT|ROLLBACK|REVOKE) `)

// obey runs the statements of a mend, one a line.
func (d *db) obey(mend string) {
	d.t.Helper()
	ran := 0
	for line := range strings.Lines(mend) {
		if line = strings.TrimSpace(line); statement.MatchString(line) {
			d.do("%s", line)
			ran++
		}
	}
	if ran == 0 {
		d.t.Fatalf("nothing to run in %q", mend)
	}
}

// A wrong is one thing that is not as it has to be, and what says so.
type wrong struct {
	what     string
	sql      string
	named    []pgsql.TableName
	code     pipeline.Code
	severity pipeline.Severity
	says     string // part of the sentence
	prose    bool   // the mend is nothing to run
	since    int    // major version of the server that knows it
}

func wrongs() []wrong {
	const table = "CREATE TABLE t (id int PRIMARY KEY, v text); "
	return []wrong{
		{what: "P05 nothing limits the retained log", sql: table, code: preflight.CodeRetention, severity: pipeline.Warns, says: "max_slot_wal_keep_size", prose: true, since: 13}, // of the shared server
		{what: "P16 for all tables, with one without a key", sql: table + "CREATE TABLE bare (v text); CREATE PUBLICATION evert_pub FOR ALL TABLES", code: CodeAllTables, says: "public.bare"},
		{what: "P16 for all tables, each with a key", sql: table + "CREATE PUBLICATION evert_pub FOR ALL TABLES", code: CodeAllTables, severity: pipeline.Warns, says: "the first table without a primary key"},
		{what: "P17 a table without a key, by pattern", sql: table + "CREATE TABLE bare (v text NOT NULL); CREATE UNIQUE INDEX ON bare (v)", code: CodeNoKey, severity: pipeline.Warns, says: "no primary key"},
		{what: "P24 a row filter", sql: table + "CREATE PUBLICATION evert_pub FOR TABLE t WHERE (id > 3)", code: CodePublishedPart, severity: pipeline.Warns, says: "(id > 3)", since: 15},
		{what: "P24 a column list", sql: table + "CREATE PUBLICATION evert_pub FOR TABLE t (id)", code: CodePublishedPart, severity: pipeline.Warns, says: "the columns id alone", since: 15},
		{what: "P25 a generated column", sql: "CREATE TABLE t (id int PRIMARY KEY, g int GENERATED ALWAYS AS (id + 1) STORED)", code: CodeGenerated, severity: pipeline.Warns, says: "topic: g", prose: true},
		{what: "P29 a materialized view", sql: table + "CREATE MATERIALIZED VIEW m AS SELECT * FROM t", code: CodeNotInLog, severity: pipeline.Warns, says: "materialized", prose: true},
		{what: "P29 a foreign table", sql: table + "CREATE FOREIGN DATA WRAPPER w; CREATE SERVER s FOREIGN DATA WRAPPER w; CREATE FOREIGN TABLE f (id int) SERVER s", code: CodeNotInLog, severity: pipeline.Warns, says: "a foreign table", prose: true},
		{what: "P29 a large object", sql: table + "SELECT lo_create(0)", code: CodeNotInLog, severity: pipeline.Warns, says: "large objects", prose: true},
		{what: "P29 an unlogged table, by pattern", sql: table + "CREATE UNLOGGED TABLE u (id int PRIMARY KEY)", code: CodeUnlogged, severity: pipeline.Warns, says: "unlogged"},
		{what: "P29 a partition that is named", sql: "CREATE TABLE p (id int PRIMARY KEY) PARTITION BY RANGE (id); CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (9)",
			named: []pgsql.TableName{{Schema: "public", Name: "p1"}}, code: CodePartition, says: "under the name of public.p", prose: true, since: 13},
		{what: "P29 a root whose publication sends partitions", sql: "CREATE TABLE p (id int PRIMARY KEY) PARTITION BY RANGE (id); CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (9); CREATE PUBLICATION evert_pub FOR TABLE p",
			named: []pgsql.TableName{{Schema: "public", Name: "p"}}, code: CodePartition, says: "names of its partitions", since: 13},
		{what: "P56 an orphan slot", sql: "SELECT pg_create_logical_replication_slot('orphan_of_' || current_database(), 'pgoutput')", code: preflight.CodeOrphanSlot, severity: pipeline.Warns, says: "nobody reads"},
		{what: "P36 a superuser", sql: table, code: preflight.CodeSuperuser, severity: pipeline.Warns, says: "superuser", prose: true},
		{what: "X05 a line of pg_hba.conf for base backups", sql: table, code: CodeBaseBackup, severity: pipeline.Warns, says: "keyword `replication`", prose: true},
	}
}

// TestCheckTellsAndMends makes one thing wrong after the other; each is told, and
// its mend, where it is SQL, mends it.
func TestCheckTellsAndMends(t *testing.T) {
	t.Parallel()
	for _, w := range wrongs() {
		t.Run(w.what, func(t *testing.T) {
			d := newDB(t)
			if d.major() < w.since {
				return // there is no such thing to be wrong
			}
			d.do("%s", w.sql)
			c := d.config()
			c.Named = w.named
			got := found(t, c, nil, w.code)
			if len(got) != 1 || got[0].Severity != w.severity || !strings.Contains(got[0].What, w.says) {
				t.Fatalf("got %v, want one %s %s that says %q", got, w.severity, w.code, w.says)
			}
			if w.prose {
				return
			}
			d.obey(got[0].Mend)
			if left := found(t, c, nil, w.code); len(left) > 0 {
				t.Fatalf("not mended: %v", left)
			}
			if strings.Contains(w.sql, "FOREIGN") {
				d.do("DROP FOREIGN DATA WRAPPER w CASCADE")
			}
		})
	}
}

// TestCheckKnowsWhereWeAre compares a stored position with what the server says.
func TestCheckKnowsWhereWeAre(t *testing.T) {
	t.Parallel()
	d := newDB(t)
	d.do("CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1)")
	c := d.config()
	r := open(t, c, pipeline.Resume{})
	r.snapshot()
	from := r.close()
	if text := fineText(t, c, &from); !strings.Contains(text, "has not moved past it") || !strings.Contains(text, "is of this server") {
		t.Errorf("nothing is wrong:\n%s", text)
	}
	for _, story := range []struct {
		what string
		do   func(c *Config, from *pipeline.Resume)
		code pipeline.Code
	}{
		{"P02 the slot was moved on", func(*Config, *pipeline.Resume) {
			d.do("INSERT INTO t VALUES (2)")
			d.freeSlot(c.Slot)
			d.do("SELECT pg_replication_slot_advance('%s', pg_current_wal_lsn())", c.Slot)
		}, CodeGap},
		{"P39 another server", func(_ *Config, from *pipeline.Resume) {
			from.State = []byte(strings.Replace(string(from.State), `"system":"`, `"system":"1`, 1))
		}, CodeOtherServer},
		{"another slot in the file", func(c *Config, _ *pipeline.Resume) { c.Slot += "_2" }, CodeOtherServer},
		{"P34 the publication was dropped", func(*Config, *pipeline.Resume) { d.do("DROP PUBLICATION evert_pub") }, CodePublicationGone},
		{"P02 the slot is gone", func(*Config, *pipeline.Resume) { d.dropSlot(c.Slot) }, CodeSlotMissing},
	} {
		t.Run(story.what, func(t *testing.T) {
			c, from := c, from
			story.do(&c, &from)
			if got := found(t, c, &from, story.code); len(got) != 1 || got[0].Severity != pipeline.Fails {
				t.Errorf("got %v, want one %s", got, story.code)
			}
		})
	}
}

// TestCheckOfTheWholeServer has a server of its own, because what it looks at
// belongs to all of its databases.
func TestCheckOfTheWholeServer(t *testing.T) {
	t.Parallel()
	dir := pgtest.Dir(t)
	server := pgtest.Start(t, pgtest.Options{Dir: dir, Settings: map[string]string{"max_prepared_transactions": "2", "max_connections": "20", "superuser_reserved_connections": "0"}})
	d := dbAt(t, server.URL("postgres"))
	d.do("CREATE TABLE t (id int PRIMARY KEY)")
	c := d.config()
	c.OldTransaction = time.Millisecond
	mends := func(t *testing.T, code pipeline.Code) {
		t.Helper()
		got := found(t, c, nil, code)
		if len(got) != 1 || got[0].Severity != pipeline.Warns {
			t.Fatalf("got %v, want one %s", got, code)
		}
		d.obey(got[0].Mend)
		eventually(t, "the mend to mend", func() bool { return len(found(t, c, nil, code)) == 0 })
	}
	t.Run("P28 a prepared transaction", func(t *testing.T) {
		d.do("BEGIN; INSERT INTO t VALUES (1); PREPARE TRANSACTION 'it''s left'")
		mends(t, preflight.CodePrepared)
	})
	t.Run("P08 an open transaction that writes", func(t *testing.T) {
		writer := dbAt(t, d.url)
		writer.do("BEGIN; INSERT INTO t VALUES (1)")
		mends(t, preflight.CodeOldTransaction)
		if text := fineText(t, c, nil); !strings.Contains(text, "no transaction has been open") {
			t.Errorf("it has ended:\n%s", text)
		}
	})
	t.Run("P54 the catalog's age", func(t *testing.T) {
		d.do("SELECT pg_create_logical_replication_slot('%s', 'pgoutput')", c.Slot)
		for range 6 {
			d.do("SELECT txid_current()")
		}
		c := c
		c.OldCatalog = 5
		if got := found(t, c, nil, preflight.CodeCatalogAge); len(got) != 1 {
			t.Errorf("got %v", got)
		}
		if got := found(t, c, &pipeline.Resume{}, CodeSlotExists); len(got) != 1 || got[0].Severity != pipeline.Fails {
			t.Errorf("a slot before the first start: %v", got)
		}
		d.do("SELECT pg_drop_replication_slot('%s')", c.Slot)
	})
	t.Run("P55 connections", func(t *testing.T) {
		c := c
		c.SnapshotWorkers = 30
		got := found(t, c, nil, preflight.CodeNoFreeConnection)
		if len(got) != 1 || got[0].Severity != pipeline.Warns {
			t.Fatalf("got %v", got)
		}
		d.obey(got[0].Mend) // and a restart, which below overrides: the server's settings are on its command line
		if set := d.get("SELECT setting FROM pg_file_settings WHERE name = 'max_connections' AND sourcefile LIKE '%%auto.conf'"); set != "52" {
			t.Errorf("max_connections = %s", set)
		}
	})
	t.Run("P40 a standby", func(t *testing.T) {
		if err := server.Stop(pgserver.Fast); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "data", "standby.signal"), nil, 0o644); err != nil {
			t.Fatal(err)
		}
		if err := server.Restart(t.Context(), pgserver.Fast); err != nil {
			t.Fatal(err)
		}
		got := found(t, c, nil, preflight.CodeStandby)
		if len(got) != 1 || got[0].Severity != pipeline.Fails || !regexp.MustCompile("while in recovery|hot_standby_feedback").MatchString(got[0].What) {
			t.Errorf("got %v", got)
		}
	})
}

// TestCheckSaysWhatIsFine has a story of its own for what is looked at in vain.
func TestCheckSaysWhatIsFine(t *testing.T) {
	t.Parallel()
	d := newDB(t)
	d.do("CREATE TABLE a (id serial PRIMARY KEY); CREATE TABLE b (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY); ALTER TABLE b REPLICA IDENTITY FULL")
	text := fineText(t, d.config(), &pipeline.Resume{})
	for _, want := range []string{
		"is a primary with wal_level logical and encoding UTF8", "replication slots and", // P55
		"DateStyle = ISO, MDY", // P44
		"1 tables carry their primary key in old rows, 1 tables carry every column in old", // P15
		"sequences are not captured (there are 2)",                                         // P29
		"read the 2 captured tables", "is made at the first start",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not in:\n%s", want, text)
		}
	}
	all, err := Check(t.Context(), d.config(), nil)
	if err != nil || len(all.Tables) != 2 || slices.ContainsFunc(all.Findings, func(f pipeline.Finding) bool { return f.Severity == pipeline.Fails }) {
		t.Errorf("%v, %v", all, err)
	}
}
