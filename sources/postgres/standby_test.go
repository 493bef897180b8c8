package postgres

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/sources/postgres/pgserver/pgtest"
)

// A spared is a database whose tables are copied from a standby.
type spared struct {
	*db
	near *db // the same database on the standby
	c    Config
}

// spare makes a database on the primary, and waits until the standby has it.
func (f *failover) spare(t *testing.T, name string) *spared {
	t.Helper()
	pgtest.Database(t, f.primary, name)
	s := &spared{db: dbAt(t, f.primary.URL(name))}
	s.do(tableOfT)
	s.replays(dbAt(t, f.near.URL("postgres")))
	s.near = dbAt(t, f.near.URL(name))
	t.Cleanup(func() { _ = f.near.Exec(context.Background(), name, "SELECT pg_wal_replay_resume()") })
	s.c = chunked(s.db, 7)
	s.c.SnapshotURL = func(context.Context) (string, error) { return s.near.url, nil }
	return s
}

// replays waits until a standby has replayed what is committed now.
func (s *spared) replays(near *db) {
	s.t.Helper()
	place := s.get("SELECT pg_current_wal_flush_lsn()")
	eventually(s.t, "the standby to replay", func() bool { return near.get("SELECT pg_last_wal_replay_lsn() >= '%s'", place) == "t" })
}

// pause lets the standby replay nothing from here on.
func (s *spared) pause() {
	s.t.Helper()
	s.near.do("SELECT pg_wal_replay_pause()")
	eventually(s.t, "the standby to pause", func() bool {
		s.do("SELECT pg_logical_emit_message(true, 'pause', '')") // it looks between two records
		return s.near.get("SELECT pg_get_wal_replay_pause_state()") == "paused"
	})
}

func (s *spared) goOn() { s.near.do("SELECT pg_wal_replay_resume()") }

// lags writes log until the primary sees that the standby replays it two seconds late.
func (s *spared) lags() {
	s.t.Helper()
	eventually(s.t, "a standby that lags", func() bool {
		s.do("SELECT pg_logical_emit_message(true, 'lag', '')")
		return s.get("SELECT max(replay_lag) > '2s' FROM pg_stat_replication") == "t"
	})
}

func (s *spared) waits(r *run, why string) {
	s.t.Helper()
	eventually(s.t, "the copy that waits: "+why, func() bool { return strings.Contains(r.source.Stats().WaitingFor, why) })
}

// Chunks are read from a standby, whenever it is as far as the stream.
func TestCopyFromAStandby(t *testing.T) {
	t.Parallel()
	f := withStandbys(t, false)
	if dbAt(t, f.primary.URL("postgres")).major() < 14 {
		return // has no pg_get_wal_replay_pause_state
	}
	t.Run("P12 while rows come, go, change and move", func(t *testing.T) {
		s := f.spare(t, "spared")
		s.delay("10ms")
		defer s.delay("0")
		s.copies(seed(t))
	})
	t.Run("P12 a chunk ends behind all that it shows", func(t *testing.T) {
		s := f.spare(t, "placed")
		r := open(t, s.c, pipeline.Resume{})
		fold := newFold(t, r)
		r.each("0/1", fold.take)
		fold.until(1)
		s.do("UPDATE t SET ver = 1")
		s.replays(s.near)
		from := standbyOf(&s.c)
		defer from.close()
		j := &chunkJob{source: r.source, shape: r.source.shapes[0], rows: map[string]int{}, system: r.source.system}
		if err := j.run(t.Context(), dbAt(t, s.url).conn, from); err != nil {
			t.Fatal(err)
		}
		if at := s.near.get("SELECT pg_last_wal_replay_lsn() <= '%s'", j.place); at != "t" || j.count != s.c.ChunkRows {
			t.Errorf("%d rows end at %s, before what the standby has replayed", j.count, j.place)
		}
	})
	t.Run("P11 one that does not replay holds up the copy alone", func(t *testing.T) {
		s := f.spare(t, "halting")
		s.pause()
		s.do("UPDATE t SET ver = 5 WHERE id % 2 = 0")
		r := open(t, s.c, pipeline.Resume{})
		fold := newFold(t, r)
		r.each("0/1", fold.take)
		s.waits(r, "does not replay: it is at ")
		s.do("UPDATE t SET ver = 6 WHERE id = 4; INSERT INTO t VALUES (1000, 1)")
		fold.sync(s.db)
		if fold.reads != 0 || len(fold.rows) != 2 {
			t.Errorf("%d rows were copied, the topic has %d", fold.reads, len(fold.rows))
		}
		s.goOn()
		fold.until(1)
		fold.sync(s.db)
		fold.is(s.db, fold.table, rowsOfT)
	})
	t.Run("check says whose standby it is, and how far", func(t *testing.T) {
		s := f.spare(t, "checked")
		url := s.near.url
		s.c.SnapshotURL = func(context.Context) (string, error) { return url, nil }
		if got := fineText(t, s.c, nil); !strings.Contains(got, "it is a standby of the source's server, and has replayed the log up to") {
			t.Errorf("fine: %s", got)
		}
		s.pause()
		s.do("SELECT pg_logical_emit_message(true, 'log', repeat('x', %d))", farBehind+1<<20)
		if got := found(t, s.c, nil, CodeSnapshotStandby); len(got) != 1 || got[0].Severity != pipeline.Warns || !strings.Contains(got[0].What, "MiB of log behind") {
			t.Errorf("behind: %v", got)
		}
		s.goOn()
		for to, says := range map[string]string{newDB(t).url: "it is a server of system ", s.url: "it is no standby", "postgres://127.0.0.1:1/x?sslmode=disable": "it cannot be asked"} {
			url = to
			if got := found(t, s.c, nil, CodeSnapshotStandby); len(got) != 1 || got[0].Severity != pipeline.Fails || !strings.Contains(got[0].What, says) {
				t.Errorf("%s: %v", says, got)
			}
		}
	})
	t.Run("another server, and one that is no standby, are not read", func(t *testing.T) {
		s := f.spare(t, "astray")
		other := newDB(t)
		slot := s.c.Slot
		for i, w := range []struct{ url, why string }{
			{other.url, "it is a server of system "},
			{f.near.URL("postgres"), "it is database postgres, and the source's is astray"},
			{s.url, "is no standby"},
			{"postgres://nobody@127.0.0.1:1/astray?sslmode=disable", "read from the standby of snapshot.url"},
		} {
			s.c.Slot = fmt.Sprint(slot, i)
			s.c.SnapshotURL = func(context.Context) (string, error) { return w.url, nil }
			r := open(t, s.c, pipeline.Resume{})
			fold := newFold(t, r)
			r.each("0/1", fold.take)
			s.waits(r, w.why)
			fold.sync(s.db)
			if r.close(); fold.reads != 0 {
				t.Errorf("%d rows were copied", fold.reads)
			}
		}
	})
	t.Run("P11 copies of the primary pause while it replays late", func(t *testing.T) {
		s := f.spare(t, "lagging")
		c := s.config()
		r := open(t, c, pipeline.Resume{})
		r.snapshot()
		from := r.close()
		s.pause()
		s.lags()
		c.Pause.ReplicaLag = time.Second
		r = open(t, c, from)
		r.sync(s.db)
		r.copyIt("a")
		s.waits(r, "a standby is ")
		s.goOn()
		if rows := s.get("SELECT count(*) FROM t"); fmt.Sprint(len(r.until(done))) != rows {
			t.Errorf("not %s rows were copied", rows)
		}
	})
	t.Run("P38 one that is promoted is read no more", func(t *testing.T) {
		s := f.spare(t, "promoted")
		s.c.QueueBatches = 1
		r := open(t, s.c, pipeline.Resume{})
		fold := newFold(t, r)
		for fold.reads < 20 {
			b, err := r.next()
			if err != nil {
				t.Fatal(err)
			}
			fold.take(b)
		}
		s.near.do("SELECT pg_promote()")
		s.near.do("UPDATE t SET ver = 666")
		for !strings.Contains(r.source.Stats().WaitingFor, "on timeline 2, and the source's server on timeline 1") {
			s.do("SELECT pg_logical_emit_message(true, 'sync', '')")
			b, err := r.next()
			if err != nil {
				t.Fatal(err)
			}
			fold.take(b)
		}
		s.do("UPDATE t SET ver = 7 WHERE id IN (1, 300)")
		fold.sync(s.db)
		for key, row := range fold.rows {
			if row[1].Int() == 666 {
				t.Errorf("the topic has row %q of the promoted server", key)
			}
		}
		from := r.close()
		s.c.SnapshotURL = nil // the copy goes on where it was
		r = open(t, s.c, from)
		fold.r = r
		fold.until(1)
		fold.sync(s.db)
		fold.is(s.db, fold.table, rowsOfT)
		if fold.begun != 1 {
			t.Errorf("the copy began %d times", fold.begun)
		}
	})
}

// delay lets the standby replay each commit so much later.
func (s *spared) delay(by string) {
	s.near.do("ALTER SYSTEM SET recovery_min_apply_delay = '%s'", by)
	s.near.do("SELECT pg_reload_conf()")
}

// copies copies t again and again while others change it and the source is made anew.
func (s *spared) copies(rnd *rand.Rand) {
	t := s.t
	s.do("DELETE FROM t WHERE id > %d", hotRows)
	r := open(t, s.c, pipeline.Resume{})
	fold := newFold(t, r)
	const rounds = 3
	words := make(chan struct{}, 6)
	var workers sync.WaitGroup
	over := sync.OnceFunc(func() { close(words); workers.Wait() })
	defer over()
	for range 3 {
		conn, own := dbAt(t, s.url), rand.New(rand.NewPCG(rnd.Uint64(), 2))
		conn.do("SET lock_timeout = '100ms'")
		workers.Go(func() { worker(conn, own, words) })
	}
	asked := false
	for n := 0; fold.done < rounds; n++ {
		for range 6 * (1 - min(1, n%4)) { // some at once, and then the stream comes after them
			words <- struct{}{}
		}
		b, err := r.next()
		if err != nil {
			t.Fatal(err)
		}
		done := fold.done
		if fold.take(b); fold.done > done && fold.done < rounds {
			r.copyIt(fmt.Sprint("round ", fold.done))
		}
		if !asked && fold.reads > 0 {
			asked = s.near.get("SELECT count(*) > 0 FROM pg_stat_activity WHERE application_name LIKE 'evert%'") == "t"
		}
		if b.End != nil && b.End.Whole() && rnd.IntN(40) == 0 { // made anew: nothing but Resume is left
			r = open(t, s.c, r.close())
			fold.r = r
			if fold.done > 0 {
				r.copyIt(fmt.Sprint("round ", fold.done))
			}
		}
	}
	over()
	fold.sync(s.db)
	fold.is(s.db, fold.table, rowsOfT)
	if fold.begun != rounds || !asked {
		t.Errorf("%d copies began, with %d rows; the standby was asked: %v", fold.begun, fold.reads, asked)
	}
}
