package postgres

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/sources/postgres/pgsql"
)

// drainable opens a source of a database that is read-only, with no session from before.
func drainable(t *testing.T) (*db, Config, *run) {
	t.Helper()
	d := newDB(t)
	d.do("CREATE TABLE t (id int PRIMARY KEY, s text)")
	c := d.config()
	r := open(t, c, pipeline.Resume{})
	wantLines(t, r.snapshot())
	d.fenceOff(r)
	return d, c, r
}

// P41: who asked for a drain and goes away when its end was handed over does not keep
// the source from ending there.
func TestDrainWhoseAskerGoesAway(t *testing.T) {
	t.Parallel()
	_, c, r := drainable(t)
	r.ack = false
	ctx, leave := context.WithCancelCause(t.Context())
	gone := make(chan error, 1)
	go func() {
		_, err := r.source.Drain(ctx, DrainOptions{})
		gone <- err
	}()
	r.until(func(b pipeline.Batch) bool {
		was, err := decodeState(r.resume.State)
		return b.End != nil && err == nil && was.Drained != nil
	})
	left := errors.New("left")
	leave(left)
	if err := <-gone; !errors.Is(err, left) {
		t.Fatalf("the asker got %v", err)
	}
	if err := r.source.Ack(t.Context(), r.resume.At); err != nil {
		t.Fatal(err)
	}
	wantCode(t, r.fails(), CodeDrained)
	_, err := tryOpen(t, c, r.close())
	wantCode(t, err, CodeDrained)
}

// P41: the server is told the place of a drained source, without which pg_upgrade from
// version 17 on refuses the slot.
func TestDrainedSlotHasCaughtUp(t *testing.T) {
	t.Parallel()
	d, _, r := drainable(t)
	d.do("BEGIN READ WRITE; INSERT INTO t VALUES (1, 'last'); COMMIT")
	done := r.drain(false)
	eventually(t, "the slot at the place", func() bool {
		return d.get("SELECT confirmed_flush_lsn >= '%s' FROM pg_replication_slots WHERE database = current_database()", done.Position) == "t"
	})
}

// P41: a database that was opened and closed again since it was first seen read-only has
// sessions that can write.
func TestDrainBehindAFenceThatWasOpened(t *testing.T) {
	t.Parallel()
	d, _, r := drainable(t)
	if _, _, err := r.source.prepareDrain(t.Context(), DrainOptions{}); err != nil {
		t.Fatal(err)
	}
	d.do("BEGIN READ WRITE; ALTER DATABASE %s RESET default_transaction_read_only; COMMIT", pgsql.QuoteIdent(d.name()))
	writer := dbAt(t, d.url)
	writer.do("SELECT 1")
	d.do("BEGIN READ WRITE; ALTER DATABASE %s SET default_transaction_read_only = on; COMMIT", pgsql.QuoteIdent(d.name()))
	_, _, err := r.source.prepareDrain(t.Context(), DrainOptions{})
	if got := wantCode(t, err, CodeNotDrained); !strings.Contains(got.What, "pid "+writer.get("SELECT pg_backend_pid()")) {
		t.Errorf("got %v", got)
	}
}

// P41: a role that was excepted when the database was first seen read-only, and is not
// any more, has sessions that can write.
func TestDrainBehindARoleThatWasExcepted(t *testing.T) {
	t.Parallel()
	d := newDB(t)
	d.do("CREATE TABLE t (id int PRIMARY KEY, s text)")
	r := open(t, d.config(), pipeline.Resume{})
	wantLines(t, r.snapshot())
	me := pgsql.QuoteIdent(d.get("SELECT current_user"))
	d.do("ALTER ROLE %s IN DATABASE %s SET default_transaction_read_only = off", me, pgsql.QuoteIdent(d.name()))
	d.do("ALTER DATABASE %s SET default_transaction_read_only = on", pgsql.QuoteIdent(d.name()))
	refused := func() *pipeline.Refusal {
		t.Helper()
		_, _, err := r.source.prepareDrain(t.Context(), DrainOptions{})
		return wantCode(t, err, CodeNotDrained)
	}
	if got := refused(); !strings.Contains(got.What, "setting of their own") {
		t.Fatalf("got %v", got)
	}
	d.afresh()
	if got := d.get("SHOW transaction_read_only"); got != "off" {
		t.Fatalf("the role is not excepted: %s", got)
	}
	d.do("ALTER ROLE %s IN DATABASE %s RESET default_transaction_read_only", me, pgsql.QuoteIdent(d.name()))
	if got := refused(); !strings.Contains(got.What, "begun before") {
		t.Errorf("got %v", got)
	}
}

// P41: who writes although the database is read-only keeps a source from being drained.
func TestDrainBesideThoseWhoPassTheFence(t *testing.T) {
	t.Parallel()
	d, _, r := drainable(t)
	refused := func(t *testing.T, what string) *pipeline.Refusal {
		t.Helper()
		_, _, err := r.source.prepareDrain(t.Context(), DrainOptions{})
		got := wantCode(t, err, CodeNotDrained)
		if !strings.Contains(got.What, what) {
			t.Fatalf("got %v, want %q", got, what)
		}
		return got
	}
	t.Run("P41 a subscription", func(t *testing.T) {
		d.do("BEGIN READ WRITE; CREATE SUBSCRIPTION s_passes CONNECTION 'host=127.0.0.1 port=1 connect_timeout=1' PUBLICATION p WITH (connect = false); COMMIT")
		t.Cleanup(func() {
			d.do("BEGIN READ WRITE; ALTER SUBSCRIPTION s_passes DISABLE; ALTER SUBSCRIPTION s_passes SET (slot_name = NONE); DROP SUBSCRIPTION s_passes; COMMIT")
		})
		d.do("BEGIN READ WRITE; ALTER SUBSCRIPTION s_passes ENABLE; COMMIT")
		mend, _, _ := strings.Cut(refused(t, "subscriptions write to it").Mend, "\n")
		d.do(mend)
		eventually(t, "the end of its worker", func() bool {
			_, _, err := r.source.prepareDrain(t.Context(), DrainOptions{})
			return err == nil
		})
	})
	t.Run("P41 a sink", func(t *testing.T) {
		sink := dbAt(t, d.url)
		sink.do("SET application_name = 'evert sink s'")
		refused(t, "sinks of Evert write")
		pid := sink.get("SELECT pg_backend_pid()")
		_ = sink.conn.Close(context.Background())
		eventually(t, "the end of the sink's session", func() bool {
			return d.get("SELECT count(*) FROM pg_stat_activity WHERE pid = %s", pid) == "0"
		})
		if _, _, err := r.source.prepareDrain(t.Context(), DrainOptions{}); err != nil {
			t.Error(err)
		}
	})
}
