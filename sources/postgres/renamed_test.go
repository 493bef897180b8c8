package postgres

import (
	"maps"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/sources/postgres/pgsql"
)

// tenRows makes a database whose table other was copied, and reads on.
func tenRows(t *testing.T) (*db, *run) {
	t.Helper()
	d := newDB(t)
	d.do("CREATE SCHEMA elsewhere; CREATE TABLE t (id int PRIMARY KEY); CREATE TABLE other (id int PRIMARY KEY, v text)")
	d.do("INSERT INTO other SELECT i, 'before' FROM generate_series(1, 10) AS i")
	r := open(t, d.config(), pipeline.Resume{})
	if got := r.snapshot(); len(got) != 10 {
		t.Fatalf("copied %v", got)
	}
	return d, r
}

func TestTableIsRenamed(t *testing.T) {
	t.Parallel()
	for what, c := range map[string]struct{ ddl, now, mend string }{
		"to a name that matches":     {"ALTER TABLE other RENAME TO others", "public.others", `ALTER TABLE "public"."others" RENAME TO "other";`},
		"to a schema that does not":  {"ALTER TABLE other SET SCHEMA elsewhere", "elsewhere.other", `ALTER TABLE "elsewhere"."other" SET SCHEMA "public";`},
		"to another schema and name": {"ALTER TABLE other SET SCHEMA elsewhere; ALTER TABLE elsewhere.other RENAME TO x", "elsewhere.x", `ALTER TABLE "elsewhere"."x" SET SCHEMA "public"; ALTER TABLE "public"."x" RENAME TO "other";`},
	} {
		told := func(t *testing.T, r *pipeline.Refusal) {
			t.Helper()
			if r.Where != "public.other" || !strings.HasPrefix(r.What, "it was renamed to "+c.now+":") || r.Mend != c.mend+"\nevert snapshot shop.public.other\nor evert reset shop --resnapshot" {
				t.Errorf("says %s: %s; mend:\n%s", r.Where, r.What, r.Mend)
			}
		}
		t.Run("I8 R23 while it is read, "+what, func(t *testing.T) {
			d, r := tenRows(t)
			d.do("INSERT INTO other VALUES (11, 'old name')")
			wantLines(t, r.sync(d), "c other 11|old name")
			d.do("%s", c.ddl)
			d.do("INSERT INTO %s VALUES (12, 'new name')", c.now)
			told(t, r.stops("public.other"))
			d.do("INSERT INTO t VALUES (1)")
			wantLines(t, r.sync(d), "c t 1")
			for _, table := range r.tables {
				if table.Name != "other" && table.Name != "t" {
					t.Errorf("%s was announced", table)
				}
			}
			from := r.close()
			r = open(t, d.config(), from)
			told(t, r.stops("public.other"))
			_ = r.close()
			d.do("%s", c.mend)
			d.do("INSERT INTO other VALUES (13, 'old name'); INSERT INTO t VALUES (2)")
			r = open(t, d.config(), from)
			told(t, r.stops("public.other")) // rows under the new name were left out
			wantLines(t, r.sync(d), "c t 2")
		})
		t.Run("I8 R23 while down, and no row tells, "+what, func(t *testing.T) {
			d, r := tenRows(t)
			from := r.close()
			d.do("%s", c.ddl)
			told(t, open(t, d.config(), from).stops("public.other"))
			found(t, d.config(), &from, CodeTableRenamed)
		})
	}
	t.Run("I8 R23 and another one made under its name", func(t *testing.T) {
		d, r := tenRows(t)
		const swap = "ALTER TABLE other RENAME TO other_old; ALTER INDEX other_pkey RENAME TO other_old_pkey; CREATE TABLE other (id int PRIMARY KEY, v text)"
		d.do(swap)
		d.do("INSERT INTO other_old VALUES (11, 'old table'); INSERT INTO other VALUES (1, 'new table')")
		for _, refusal := range []*pipeline.Refusal{
			r.stops("public.other"), open(t, d.config(), r.close()).stops("public.other"),
		} {
			if wantCode(t, refusal, CodeTableRenamed); refusal.Mend != "evert snapshot shop.public.other" {
				t.Errorf("mend: %s", refusal.Mend)
			}
		}
	})
	t.Run("left out by the configuration, it may be called anything", func(t *testing.T) {
		d, r := tenRows(t)
		from := r.close()
		d.do("ALTER TABLE other RENAME TO others; INSERT INTO others VALUES (11); INSERT INTO t VALUES (1)")
		c := d.config()
		c.Match = func(_, table string) bool { return table == "t" }
		wantLines(t, open(t, c, from).sync(d), "c t 1")
	})
	t.Run("a state without names takes those of its first start", func(t *testing.T) {
		d, r := tenRows(t)
		from := r.close()
		was, err := decodeState(from.State)
		if err != nil {
			t.Fatal(err)
		}
		from.State = was.call(nil).encode()
		r = open(t, d.config(), from)
		d.do("ALTER TABLE other RENAME TO others; INSERT INTO others VALUES (11)")
		wantCode(t, r.stops("public.other"), CodeTableRenamed)
	})
}

func TestKeptNames(t *testing.T) {
	t.Parallel()
	t.Run("what is packed is read again", func(t *testing.T) {
		name := rapid.Custom(func(t *rapid.T) pgsql.TableName {
			return pgsql.TableName{Schema: rapid.String().Draw(t, "schema"), Name: rapid.String().Draw(t, "name")}
		})
		rapid.Check(t, func(t *rapid.T) {
			n := names(rapid.MapOf(rapid.Uint32(), name).Draw(t, "names"))
			s, err := decodeState(state{Slot: "s"}.call(n).encode())
			if err != nil || !maps.Equal(n, s.names) {
				t.Fatalf("%v is read as %v (%v)", n, s.names, err)
			}
		})
	})
	t.Run("damage is told", func(t *testing.T) {
		whole := names{7: {Schema: "public", Name: "t"}}.pack()
		for _, b := range [][]byte{whole[:len(whole)/2], []byte("nonsense"), deflated([]byte{7, 1, 'p'}), deflated([]byte{7, 1, 'p', 9, 't'})} {
			_, err := decodeState(state{Names: b}.encode())
			wantCode(t, err, CodeState)
		}
	})
}

// P20: a table that has stopped and is renamed while the source starts is not announced
// under the new name, as one whose rows are all there.
func TestStoppedTableIsRenamedDuringTheStart(t *testing.T) {
	t.Parallel()
	d := newDB(t)
	d.do("CREATE TABLE t (id int PRIMARY KEY); CREATE TABLE p (id int PRIMARY KEY); INSERT INTO p VALUES (1)")
	r := open(t, d.config(), pipeline.Resume{})
	r.snapshot()
	d.do("ALTER TABLE p REPLICA IDENTITY NOTHING")
	r.stops("public.p")
	d.do("ALTER TABLE p REPLICA IDENTITY DEFAULT")
	from := r.close()
	for _, name := range []string{"p", "q"} {
		s := New(d.config())
		was, err := s.ready(t.Context(), from)
		if err != nil {
			t.Fatal(err)
		}
		s.stopped = s.standing(was)
		d.do("ALTER TABLE p RENAME TO zz; ALTER TABLE zz RENAME TO %s", name)
		if err := s.describeStopped(t.Context()); err != nil {
			t.Fatal(err)
		}
		if known := len(s.resting); known != 1 && name == "p" || known != 0 && name == "q" {
			t.Errorf("it is called %s, and %v are announced", name, s.resting)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
