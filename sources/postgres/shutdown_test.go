package postgres

import (
	"strings"
	"testing"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/sources/postgres/pgserver"
	"github.com/evertdb/evert/sources/postgres/pgserver/pgtest"
)

// untilShutdown begins a drain that lasts until the server is shut down.
func (r *run) untilShutdown() (done chan Drained, failed chan error) {
	r.t.Helper()
	done, failed = make(chan Drained, 1), make(chan error, 1)
	go func() {
		d, err := r.source.Drain(r.t.Context(), DrainOptions{UntilShutdown: true})
		if err != nil {
			failed <- err
			return
		}
		done <- d
	}()
	eventually(r.t, "the drain", func() bool { return r.source.draining.Load() != nil || len(failed) > 0 })
	return done, failed
}

// isDrained reports the batch that ends a source.
func (r *run) isDrained(b pipeline.Batch) bool {
	was, err := decodeState(r.resume.State)
	return err == nil && was.Drained != nil
}

// P41: a drain that ends with its server has what was committed until then, by whoever
// passes the fence; and what was not is not there.
func TestDrainUntilShutdown(t *testing.T) {
	t.Parallel()
	server := pgtest.Start(t, pgtest.Options{})
	d := dbAt(t, server.URL("postgres"))
	d.do("CREATE TABLE t (id int PRIMARY KEY, s text)")
	c := d.config()
	r := open(t, c, pipeline.Resume{})
	r.snapshot()
	early := dbAt(t, d.url) // can write, and is not asked for
	early.do("SELECT 1")

	_, failed := r.untilShutdown()
	if got := wantCode(t, soon(t, "the refusal", failed), CodeNotDrained); !strings.Contains(got.What, "not read-only") || !strings.HasSuffix(got.Mend, "--until-shutdown") && !strings.Contains(got.Mend, "--until-shutdown\n") {
		t.Errorf("got %v", got)
	}
	d.do("ALTER DATABASE postgres SET default_transaction_read_only = on")

	t.Run("P41 a server that is ended by force is not drained", func(t *testing.T) {
		_, failed := r.untilShutdown()
		if err := server.Restart(t.Context(), pgserver.Immediate); err != nil {
			t.Fatal(err)
		}
		if got := wantCode(t, soon(t, "the refusal", failed), CodeNotDrained); !strings.Contains(got.What, "had not said") {
			t.Errorf("got %v", got)
		}
		d.reconnect()
		early.reconnect()
		wantLines(t, r.sync(d))
	})

	done, _ := r.untilShutdown()
	open := dbAt(t, d.url)
	open.do("BEGIN READ WRITE; INSERT INTO t VALUES (1, 'open')")
	early.do("BEGIN READ WRITE; INSERT INTO t SELECT g, 'late' FROM generate_series(2, 4) g; COMMIT")
	stopped := make(chan error, 1)
	go func() { stopped <- server.Stop(pgserver.Fast) }()
	wantLines(t, r.until(r.isDrained), "c t 2|late", "c t 3|late", "c t 4|late")
	wantCode(t, r.fails(), CodeDrained)
	got := soon(t, "the end of the drain", done)
	if err := soon(t, "the end of the server", stopped); err != nil {
		t.Fatal(err)
	}
	from := r.close()
	if !got.Fenced || got.Position != from.At.Native || !strings.HasPrefix(got.Next[1], "upgrade") {
		t.Errorf("drained as %+v, and goes on at %s", got, from.At)
	}

	if err := server.Restart(t.Context(), pgserver.Fast); err != nil {
		t.Fatal(err)
	}
	d.reconnect()
	if _, err := tryOpen(t, c, from); err == nil {
		t.Error("it goes on by itself")
	} else {
		wantCode(t, err, CodeDrained)
	}
	if more := d.get("SELECT count(*) FROM pg_logical_slot_peek_binary_changes('%s', NULL, NULL, 'proto_version', '1', 'publication_names', 'evert_pub') WHERE lsn > '%s'", c.Slot, from.At.Native); more != "0" {
		t.Errorf("the slot has %s messages behind the place", more)
	}
	r = undrained(t, c, from)
	d.do("BEGIN READ WRITE; INSERT INTO t VALUES (5, 'after'); COMMIT")
	wantLines(t, r.sync(d), "c t 5|after")
}
