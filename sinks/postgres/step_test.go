package postgres

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/deliver"
	"github.com/evertdb/evert/schema"
)

// items is the table of most stories.
func items() *schema.Table { return shape(1, intColumn("id"), textColumn("v")) }

// filled brings a target with n rows to its first cut.
func (r *run) filled(s *schema.Table, n int64) {
	r.t.Helper()
	if from := r.open(); !from.IsZero() {
		r.t.Fatalf("a new sink goes on from %+v", from)
	}
	r.write(rows(s, 1, n, "first")...)
	r.commit()
}

func rows(s *schema.Table, lo, hi int64, v string) (out []pipeline.Change) {
	for id := lo; id <= hi; id++ {
		out = append(out, put(s, schema.Int(id), text(v)))
	}
	return out
}

// rounds is how often something random happens.
func rounds(few, many int) int {
	if os.Getenv("EVERT_FULL") == "1" {
		return many
	}
	return few
}

func TestDeadlock(t *testing.T) {
	t.Run("S11 an application updates the same rows in reverse order", func(t *testing.T) {
		d := newDB(t)
		r, s := d.run(), items()
		r.filled(s, 9)
		d.do("DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET deadlock_timeout = ''1s''', current_database()); END $$")
		r.open() // the sink notices a deadlock long before the application does, and is the one that gives way
		app := d.dial()
		do := func(sql string) {
			if _, err := app.Exec(t.Context(), sql); err != nil {
				t.Error(err)
			}
		}
		do("SET deadlock_timeout = '5min'")
		do("BEGIN")
		do("UPDATE items SET v = 'app' WHERE id = 9")
		r.write(rows(s, 1, 9, "second")...)
		done := make(chan error)
		go func() { done <- r.tryCommit() }()
		d.await("SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'evert sink%' AND wait_event_type = 'Lock' AND datname = current_database()", "1")
		do("UPDATE items SET v = 'app' WHERE id = 1")
		do("COMMIT")
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		d.wants("SELECT v, count(*) FROM items GROUP BY v", "second|9")
		d.await("SELECT deadlocks > 0 FROM pg_stat_database WHERE datname = current_database()", "t")
	})
	for name, change := range map[string]func(*Config){"small": func(*Config) {}, "by the temporary table": func(c *Config) { c.BufferBytes, c.SmallRows = 1, 1 }} {
		t.Run("S11 serialization failures, "+name, func(t *testing.T) {
			d := newDB(t)
			r, s := d.run(change), items()
			r.filled(s, 3)
			d.do(`CREATE SEQUENCE tries; CREATE FUNCTION busy() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
				IF nextval('public.tries') < 4 THEN RAISE EXCEPTION 'not now' USING ERRCODE = '40001'; END IF; RETURN NULL; END $$;
				CREATE TRIGGER busy AFTER UPDATE ON items FOR EACH STATEMENT EXECUTE FUNCTION busy()`)
			r.write(append(rows(s, 1, 3, "second"), gone1(s, schema.Int(2)))...)
			r.commit()
			d.wants("SELECT * FROM items ORDER BY id", "1|second", "3|second")
			d.wants("SELECT last_value >= 4 FROM tries", "t")
			d.do("ALTER SEQUENCE tries MINVALUE -1000 RESTART WITH -1000")
			r.write(rows(s, 1, 1, "third")...)
			wantCode(t, r.tryCommit(), CodeBusy)
			d.wants("SELECT * FROM items ORDER BY id", "1|second", "3|second")
		})
	}
}

// await asks until a query gives the wanted answer.
func (d *db) await(sql, want string) {
	d.t.Helper()
	deadline := time.Now().Add(time.Minute)
	for d.get(sql) != want {
		if time.Now().After(deadline) {
			d.t.Fatalf("%s did not become %s", sql, want)
		}
		d.do("SELECT pg_stat_clear_snapshot(), pg_sleep(0.01)")
	}
}

func wantCode(t testing.TB, err error, code pipeline.Code) *pipeline.Refusal {
	t.Helper()
	for e := err; e != nil; {
		if r, ok := e.(*pipeline.Refusal); ok && r.Code == code {
			return r
		}
		u, ok := e.(interface{ Unwrap() error })
		if !ok {
			break
		}
		e = u.Unwrap()
	}
	t.Fatalf("got %v, want a refusal with code %s", err, code)
	return nil
}

func TestCommitIsCut(t *testing.T) {
	t.Run("S12 the connection is cut around COMMIT", func(t *testing.T) {
		seed := uint64(time.Now().UnixNano())
		random := rand.New(rand.NewPCG(seed, 0))
		d := newDB(t)
		cutter := newCutter(t, d.url)
		r, s := d.run(func(c *Config) {
			c.URL = func(context.Context) (string, error) { return cutter.url, nil }
			c.Rejects = deliver.Stop{}
		}), items()
		r.filled(s, 10)
		seen, order := map[bool]int{}, []int(nil)
		for n := range rounds(20, 500) {
			// A transfer: each step moves one unit, so that one made twice or not at all shows.
			step := []pipeline.Change{put(s, schema.Int(1), text(fmt.Sprint(r.seq+1))), put(s, schema.Int(int64(2+n%9)), text(fmt.Sprint("at ", r.seq+1)))}
			r.write(step...)
			if len(order) == 0 {
				order = random.Perm(int(moments)) // each comes as often as the others
			}
			cutter.arm(moment(order[0]))
			order = order[1:]
			err := r.tryCommit()
			was := r.seq
			from := r.open()
			kept := from.At.Seq != was || err == nil
			if got := d.get("SELECT v FROM items WHERE id = 1"); from.At.Seq > 1 && got != fmt.Sprint(from.At.Seq) {
				t.Fatalf("seed %d, round %d: the position is %d, and the rows are at %s", seed, n, from.At.Seq, got)
			}
			if err == nil && from.At.Seq != was {
				t.Fatalf("seed %d, round %d: a commit that was confirmed is gone", seed, n)
			}
			seen[kept]++
			if !kept {
				r.write(step...)
				r.commit()
			}
		}
		if seen[true] == 0 || seen[false] == 0 {
			t.Errorf("seed %d: %d commits took effect and %d did not: one of the two was never tried", seed, seen[true], seen[false])
		}
		if got, want := d.get("SELECT v FROM items WHERE id = 1"), fmt.Sprint(r.seq); got != want {
			t.Errorf("seed %d: the rows end at %s, and the position at %s", seed, got, want)
		}
	})
}

func TestSameBatch(t *testing.T) {
	for name, change := range map[string]func(*Config){"small": func(*Config) {}, "by the temporary table": func(c *Config) { c.BufferBytes = 1 }} {
		t.Run("S15 insert and update in one batch, "+name, func(t *testing.T) {
			d := newDB(t)
			r := d.run(change)
			s := shape(1, intColumn("id"), textColumn("v"), textColumn("w"))
			r.open()
			r.write(put(s, schema.Int(1), text("a"), text("kept")))
			r.commit()
			r.write(put(s, schema.Int(2), text("b"), text("new")), put(s, schema.Int(2), text("c"), text("new")), put(s, schema.Int(1), text("d"), text("kept")),
				put(s, schema.Int(3), text("x"), schema.Null()), gone1(s, schema.Int(3)), put(s, schema.Int(3), schema.Null(), text("")))
			r.commit()
			d.wants("SELECT * FROM items ORDER BY id", "1|d|kept", "2|c|new", "3|NULL|")
			if err := r.tryWrite(put(s, schema.Int(1), text("e"), schema.Unknown())); err == nil {
				t.Error("a row with a value that nobody sent was taken") // it would be NULL
			}
		})
	}
}

func TestLargeTransaction(t *testing.T) {
	d := newDB(t)
	r, s := d.run(func(c *Config) { c.BufferBytes = 256 << 10 }), items()
	r.filled(s, 100)
	const n = 30_000
	long := strings.Repeat("x", 100)
	for lo := int64(1); lo <= n; lo += 1000 {
		r.write(rows(s, lo, lo+999, long)...)
		if size := r.target.step.size(); size > 512<<10 {
			t.Fatalf("%d bytes are held in memory", size)
		}
	}
	r.write(rows(s, 1, 10, "again")...)
	r.write(gone1(s, schema.Int(7)))
	d.wants("SELECT count(*), count(*) FILTER (WHERE v = 'first') FROM items", "100|100")
	r.commit()
	d.wants("SELECT count(*), count(*) FILTER (WHERE v = 'again') FROM items", fmt.Sprintf("%d|9", n-1))
	r.write(rows(s, 1, 2, "and on")...)
	r.commit()
	d.wants("SELECT id FROM items WHERE v = 'and on' ORDER BY id", "1", "2")
}

func TestZombieInATransaction(t *testing.T) {
	t.Run("K05 a holder that hangs inside its transaction is ended", func(t *testing.T) {
		d := newDB(t)
		r, s := d.run(func(c *Config) { c.LockWait, c.Retries = 100*time.Millisecond, 1000 }), items() // however late the session ends
		r.filled(s, 1)
		zombie := r.target
		if _, err := begin(context.Background(), whole(9), []*Target{zombie}); err != nil {
			t.Fatal(err)
		}
		r.target = nil
		if from := r.open(); from.At.Seq != 1 {
			t.Errorf("goes on from %+v", from)
		}
		if err := zombie.commit(context.Background()); err == nil {
			t.Error("the zombie committed")
		}
		_ = zombie.Close()
	})
}

func TestZombieBeforeAFill(t *testing.T) {
	t.Run("K05 a holder that was replaced neither drops nor makes a fill", func(t *testing.T) {
		d, s := newDB(t), items()
		zombie, r := New(d.config()), d.run()
		defer zombie.Close()
		if err := zombie.connect(t.Context(), false); err != nil {
			t.Fatal(err)
		}
		r.open()
		r.write(rows(s, 1, 1, "first")...)
		if err := r.target.Commit(t.Context(), filling("half")); err != nil {
			t.Fatal(err)
		}
		if err := zombie.survey(t.Context()); pipeline.CodeOf(err) != CodeFenced {
			t.Errorf("looks at what there is: %v", err)
		}
		zombie.fill = nil
		if err := zombie.Write(t.Context(), pipeline.Batch{Changes: rows(s, 2, 2, "late")}); pipeline.CodeOf(err) != CodeFenced {
			t.Errorf("makes a fill: %v", err)
		}
		r.write(rows(s, 2, 2, "second")...)
		r.commit()
		d.wants("SELECT id FROM items ORDER BY id", "1", "2")
	})
}
