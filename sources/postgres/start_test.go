package postgres

import (
	"context"
	"errors"
	"io"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/sources/postgres/pgsql"
	"github.com/evertdb/evert/sources/postgres/preflight"
)

// refused opens a source that must refuse with the given code.
func refusedWith(t *testing.T, c Config, from pipeline.Resume, code pipeline.Code) *pipeline.Refusal {
	t.Helper()
	r, err := tryOpen(t, c, from)
	if err == nil {
		err = r.fails()
	}
	_ = r.source.Close()
	return wantCode(t, err, code)
}

// mended runs the SQL of a refusal as printed, and opens again.
func mended(t *testing.T, d *db, c Config, r *pipeline.Refusal) *run {
	t.Helper()
	d.do("%s", strings.Split(r.Mend, "\n")[0])
	again := open(t, c, pipeline.Resume{})
	again.snapshot()
	return again
}

func TestTablesAreChecked(t *testing.T) {
	t.Parallel()
	t.Run("P15 identity nothing is refused before the first row and mended", func(t *testing.T) {
		d := newDB(t)
		d.do("CREATE TABLE t (id int PRIMARY KEY); ALTER TABLE t REPLICA IDENTITY NOTHING; INSERT INTO t VALUES (1)")
		r := mended(t, d, d.config(), refusedWith(t, d.config(), pipeline.Resume{}, CodeIdentity))
		d.do("DELETE FROM t")
		wantLines(t, r.sync(d), "d t 1 →")
	})
	t.Run("P17 table without a key", func(t *testing.T) {
		d := newDB(t)
		d.do("CREATE TABLE good (id int PRIMARY KEY); CREATE TABLE bare (a int NOT NULL, b int); CREATE UNIQUE INDEX bare_a ON bare (a)")
		r := open(t, d.config(), pipeline.Resume{})
		r.snapshot()
		if len(r.tables) != 1 || r.tables[0].Name != "good" {
			t.Errorf("captured %v", r.tables)
		}
		if left := r.source.Stats().NotCaptured; len(left) != 1 || !strings.HasPrefix(left[0], "public.bare: ") {
			t.Errorf("left out: %v", left)
		}
		_ = r.source.Close()

		c := d.config()
		c.Slot, c.Publication, c.Named = "p17", "p17", []pgsql.TableName{{Schema: "public", Name: "bare"}}
		refusal := refusedWith(t, c, pipeline.Resume{}, CodeNoKey)
		if !strings.Contains(refusal.Mend, `USING INDEX "bare_a"`) || !strings.Contains(refusal.Mend, "key:") {
			t.Errorf("choices: %s", refusal.Mend)
		}
		again := mended(t, d, c, refusal)
		d.do("INSERT INTO bare VALUES (1, 2)")
		d.do("DELETE FROM bare")
		wantLines(t, again.sync(d), "c bare 1|2", "d bare 1|? →")
	})
	t.Run("key from the configuration", func(t *testing.T) {
		d := newDB(t)
		d.do("CREATE TABLE t (a int NOT NULL, b int); ALTER TABLE t REPLICA IDENTITY FULL")
		c := d.config()
		c.Keys = func(_, table string) []string { return []string{"a"} }
		refusal := refusedWith(t, c, pipeline.Resume{}, CodeBadKey)
		d.do("CREATE UNIQUE INDEX ON t (a)")
		_ = refusal
		r := open(t, c, pipeline.Resume{})
		r.snapshot()
		c.Slot, c.Keys = "other", func(_, table string) []string { return []string{"b"} }
		refusedWith(t, c, pipeline.Resume{}, CodeBadKey)
	})
	t.Run("named table that is missing, and unlogged", func(t *testing.T) {
		d := newDB(t)
		d.do("CREATE UNLOGGED TABLE u (id int PRIMARY KEY)")
		c := d.config()
		c.Named = []pgsql.TableName{{Schema: "public", Name: "nope"}}
		refusedWith(t, c, pipeline.Resume{}, CodeTableMissing)
		c.Named = []pgsql.TableName{{Schema: "public", Name: "u"}}
		refusedWith(t, c, pipeline.Resume{}, CodeUnlogged)
	})
}

func TestPublicationIsChecked(t *testing.T) {
	t.Parallel()
	t.Run("P16 a publication for all tables that breaks the application", func(t *testing.T) {
		d := newDB(t)
		d.do("CREATE TABLE t (id int PRIMARY KEY); CREATE TABLE bare (a int); CREATE PUBLICATION evert_pub FOR ALL TABLES")
		mended(t, d, d.config(), refusedWith(t, d.config(), pipeline.Resume{}, CodeAllTables))
		if all := d.get("SELECT puballtables FROM pg_publication WHERE pubname = 'evert_pub'"); all != "f" {
			t.Error("we made a publication FOR ALL TABLES")
		}
		d.do("UPDATE bare SET a = 1") // the application's keyless table still works
	})
	t.Run("P34 the publication is made before the slot, and dropped later", func(t *testing.T) {
		d := newDB(t)
		d.do("CREATE TABLE t (id int PRIMARY KEY)")
		c := d.config()
		c.PollInterval = 1 << 40
		r := open(t, c, pipeline.Resume{})
		r.snapshot()
		d.do("INSERT INTO t VALUES (1)")
		d.do("DROP PUBLICATION evert_pub")
		d.do("INSERT INTO t VALUES (2)")
		d.do("CREATE PUBLICATION evert_pub FOR TABLE t")
		wantCode(t, r.fails(), CodePublicationGone)
		from := r.close()
		d.do("DROP PUBLICATION evert_pub")
		refusedWith(t, c, from, CodePublicationGone)
	})
	t.Run("P35 a table leaves the publication", func(t *testing.T) {
		d := newDB(t)
		d.do("CREATE TABLE t (id int PRIMARY KEY); CREATE TABLE other (id int PRIMARY KEY)")
		r := open(t, d.config(), pipeline.Resume{})
		r.snapshot()
		d.do("ALTER PUBLICATION evert_pub DROP TABLE other")
		refusal := wantCode(t, r.stops("public.other"), CodeUnpublished)
		if !strings.Contains(refusal.Mend, `ADD TABLE "public"."other"`) {
			t.Errorf("mend: %s", refusal.Mend)
		}
		d.do("INSERT INTO t VALUES (1)")
		wantLines(t, r.sync(d), "c t 1")
		wantCode(t, open(t, d.config(), r.close()).stops("public.other"), CodeUnpublished)
	})
	t.Run("P35 a table is missing from the publication at the start", func(t *testing.T) {
		d := newDB(t)
		d.do("CREATE TABLE t (id int PRIMARY KEY); CREATE TABLE late (id int PRIMARY KEY); INSERT INTO late VALUES (5); CREATE PUBLICATION evert_pub FOR TABLE t")
		r := open(t, d.config(), pipeline.Resume{}) // we may add it
		wantLines(t, r.snapshot(), "r late 5")
	})
	t.Run("a publication that leaves out deletes", func(t *testing.T) {
		d := newDB(t)
		d.do("CREATE TABLE t (id int PRIMARY KEY); CREATE PUBLICATION evert_pub FOR TABLE t WITH (publish = 'insert, update')")
		mended(t, d, d.config(), refusedWith(t, d.config(), pipeline.Resume{}, CodePublication))
	})
	t.Run("a user without rights gets the SQL for the DBA", func(t *testing.T) {
		d := newDB(t)
		d.do("CREATE TABLE t (id int PRIMARY KEY); DROP ROLE IF EXISTS cdc; CREATE ROLE cdc LOGIN PASSWORD 'secret-canary'")
		c := d.config()
		c.URL = func(context.Context) (string, error) {
			_, host, _ := strings.Cut(d.url, "@")
			return "postgres://cdc:secret-canary@" + host, nil
		}
		for _, code := range []pipeline.Code{preflight.CodeRight, preflight.CodeRight, CodePublication} {
			r, err := tryOpen(t, c, pipeline.Resume{})
			_ = r.source.Close()
			if err == nil || strings.Contains(err.Error(), "canary") {
				t.Fatalf("got %v", err)
			}
			refusal := wantCode(t, err, code)
			d.do("%s", refusal.Mend)
		}
		open(t, c, pipeline.Resume{}).snapshot()
		d.do("DROP OWNED BY cdc CASCADE")
	})
}

func TestCloseAtTheStart(t *testing.T) {
	t.Parallel()
	d := newDB(t)
	c := d.config()
	for name, from := range map[string]pipeline.Resume{"resumed": copied(t, d, c), "fresh": {}} {
		t.Run("nothing stays connected, "+name, func(t *testing.T) {
			c := c
			if from.IsZero() {
				c.Slot += "_f"
			}
			for range 8 {
				s := New(c)
				if err := s.Open(t.Context(), from); err != nil {
					t.Fatal(err)
				}
				_ = s.Close()
			}
			for range 4 {
				s := New(c)
				opened := make(chan error, 1)
				go func() { opened <- s.Open(t.Context(), from) }()
				eventually(t, "a connection", func() bool { return d.connections() > 0 || len(opened) > 0 })
				_ = s.Close()
				<-opened
			}
			eventually(t, "every connection to be closed", func() bool { return d.connections() == 0 })
		})
	}
	s := New(c)
	_ = s.Close()
	if err := s.Open(t.Context(), pipeline.Resume{}); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("opened after Close: %v", err)
	}
}

// connections of sources to this database.
func (d *db) connections() int {
	d.t.Helper()
	n, err := strconv.Atoi(d.get("SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'evert %%' AND datname = current_database()"))
	if err != nil {
		d.t.Fatal(err)
	}
	return n
}

func TestChecksTellEverything(t *testing.T) {
	t.Parallel()
	d := newDB(t)
	d.do("CREATE TABLE bare (a int)")
	c := d.config()
	c.Named = []pgsql.TableName{{Schema: "public", Name: "bare"}, {Schema: "public", Name: "nope"}}
	found, err := Check(t.Context(), c, nil)
	if err != nil {
		t.Fatal(err)
	}
	var codes []string
	for _, f := range found.Findings {
		if f.Severity != pipeline.Fine {
			codes = append(codes, string(f.Code))
		}
	}
	slices.Sort(codes)
	want := []string{"PG_BASE_BACKUP", "PG_NO_KEY", "PG_RETENTION", "PG_SUPERUSER", "PG_TABLE_MISSING"}
	if d.major() < 13 { // nothing there can limit retention
		want = slices.DeleteFunc(want, func(code string) bool { return code == "PG_RETENTION" })
	}
	wantLines(t, codes, want...)

	c.URL = func(context.Context) (string, error) {
		return "postgres://u:canary@127.0.0.1:1/db?sslmode=disable", nil
	}
	found, err = Check(t.Context(), c, nil)
	if err != nil || len(found.Findings) != 1 || found.Findings[0].Code != preflight.CodeConnect || strings.Contains(found.Findings[0].Error(), "canary") {
		t.Errorf("unreachable: %v %v", found, err)
	}
	c.URL = func(context.Context) (string, error) {
		_, host, _ := strings.Cut(d.url, "@")
		return "postgres://postgres:wrong@" + host, nil
	}
	if found, err = Check(t.Context(), c, nil); err != nil || len(found.Findings) != 1 || found.Findings[0].Code != preflight.CodeAuth {
		t.Errorf("wrong password: %v %v", found, err)
	}
}

func TestTablesAreAnnounced(t *testing.T) {
	t.Parallel()
	d := newDB(t)
	d.do("CREATE TABLE empty (id int PRIMARY KEY); CREATE TABLE t (id int PRIMARY KEY)")
	c := d.config()
	c.BatchRows = 10
	first := func(from pipeline.Resume) *run {
		t.Helper()
		r := open(t, c, from)
		b, err := r.next()
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, table := range b.Tables {
			names = append(names, table.Name)
		}
		slices.Sort(names)
		wantLines(t, names, "empty", "t")
		return r
	}
	r := first(pipeline.Resume{})
	r = first(r.close()) // inside the snapshot
	r.snapshot()
	r = first(r.close()) // between transactions
	d.do("INSERT INTO t SELECT generate_series(1, 50)")
	r.until(func(b pipeline.Batch) bool { return b.End != nil && b.End.Rows > 10 })
	r = first(r.close()) // inside a transaction
	if n := len(r.sync(d)); n == 0 || n >= 40 {
		t.Errorf("%d more rows", n)
	}
}
