package postgres

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/handover"
	"github.com/evertdb/evert/sources/postgres/pgsql"
	"github.com/evertdb/evert/sources/postgres/preflight"
)

// own is the owner goroutine: the snapshot if there is none yet, then one stream
// after the other until a refusal or Close.
//
//	           ┌─ transient error: pause, new connection ─┐
//	snapshot ──► stream ────────────────────────────────────┘
//	    └─ error ──┴─ refusal ──► ended
func (s *Source) own(conn *replConn) {
	err := s.begin(conn)
	s.form = s.firstForm()
	for err == nil && s.life.Ended.Err() == nil {
		err = s.reconnect(s.session(conn))
		conn = nil
	}
	if conn != nil {
		closeConn(conn.PgConn) // no session took it
	}
	s.life.End(pgsql.WithoutValues(err)) // after Close this changes nothing
}

// begin announces the tables and copies them, or announces them alone.
func (s *Source) begin(conn *replConn) error {
	b := s.queue.Get()
	b.Tables = append(s.tables(), s.resting...)
	for _, t := range s.stopped {
		b.Stopped = append(b.Stopped, t.told(s.system.database))
	}
	if s.initial.Copied {
		if s.moved != nil {
			b.EndWhole(s.a.resume(), s.config.Now())
		}
		return s.queue.Put(s.life.Ended, b)
	}
	b.EndWhole(pipeline.Resume{State: s.a.encoded}, s.config.Now())
	if err := s.queue.Put(s.life.Ended, b); err != nil {
		return err
	}
	if err := s.snapshot(s.life.Ended, conn); err != nil {
		return fmt.Errorf("snapshot: %w", err)
	}
	return nil
}

// session streams over one connection, its own or a new one, until it ends.
func (s *Source) session(conn *replConn) (err error) {
	if s.a.state.Drained != nil { // the connection ended before that was committed
		return s.awaitDrained()
	}
	if conn == nil {
		if conn, err = s.dial(s.life.Ended); err != nil {
			return err
		}
	}
	defer closeConn(conn.PgConn)
	if err := s.awaitSlot(conn); err != nil {
		return err
	}
	st, err := s.startStream(s.life.Ended, conn)
	if err != nil {
		return s.explain(err)
	}
	s.a.busy, s.a.emit = st.busy, func(b *handover.Batch) error { return st.emit(s.life.Ended, b) }
	err = st.run(s.life.Ended)
	s.cutOff(err)
	s.copying.drop()
	s.stats.disconnected(err)
	if cleanup := s.a.interrupt(); cleanup != nil {
		return cleanup
	}
	if flush := s.handOver(); flush != nil {
		return flush
	}
	if st.received {
		s.stats.attempts = 0
	}
	return s.explain(err)
}

// handOver puts out the whole transactions that were gathered when the
// connection ended.
func (s *Source) handOver() error {
	s.a.emit = func(b *handover.Batch) error { return s.queue.Put(s.life.Ended, b) }
	if err := s.copying.flush(); err != nil {
		return err
	}
	return s.a.flush()
}

// awaitSlot checks the slot before each stream, and waits a while for one that
// is still held by a dead predecessor, naming the holder (P33).
func (s *Source) awaitSlot(conn *replConn) error {
	began := time.Now()
	for pause := 50 * time.Millisecond; ; pause = min(2*pause, 2*time.Second) {
		slot, err := s.slotNow(conn)
		if err != nil {
			return fmt.Errorf("look at the slot: %w", err)
		}
		if problems := s.slotRefusals(slot, s.a.at.Native); len(problems) > 0 {
			return errors.Join(problems...)
		}
		if !slot.active {
			return nil
		}
		holder := s.holder(conn, slot.activePID)
		if time.Since(began) > s.config.SlotWait {
			return &pipeline.Refusal{
				Code: CodeSlotActive, Where: "slot " + s.config.Slot, What: "another process reads from it: " + holder,
				Mend: "stop the other instance\nor, if there is none: SELECT pg_terminate_backend(" + fmt.Sprint(slot.activePID) + ");",
			}
		}
		s.stats.waitFor("the slot is held by " + holder)
		s.config.Log.Warn("slot is held by another process; waiting", "slot", s.config.Slot, "holder", holder)
		if err := s.life.Sleep(pause); err != nil {
			return err
		}
	}
}

// slotNow looks at the slot. A server that says nothing is given up (P32).
func (s *Source) slotNow(conn *replConn) (*slotFacts, error) {
	ctx, cancel := context.WithTimeout(s.life.Ended, connectTimeout)
	defer cancel()
	return slotOn(ctx, conn.PgConn, s.config.Slot)
}

func (s *Source) holder(conn *replConn, pid int64) string {
	ctx, cancel := context.WithTimeout(s.life.Ended, connectTimeout)
	defer cancel()
	rs, err := pgsql.SimpleQuery(ctx, conn.PgConn, fmt.Sprintf(
		"SELECT coalesce(application_name, ''), coalesce(usename, ''), coalesce(client_addr::text, 'local') FROM pg_stat_activity WHERE pid = %d", pid))
	if err != nil || len(rs) == 0 {
		return fmt.Sprintf("pid %d", pid)
	}
	return fmt.Sprintf("pid %d (%q, user %s, from %s)", pid, rs.Text(0, 0), rs.Text(0, 1), rs.Text(0, 2))
}

// reconnect decides what an ended session means: nil to go on after a pause, or
// the error that ends the source.
func (s *Source) reconnect(err error) error {
	if s.life.Ended.Err() != nil {
		return s.life.Why()
	}
	if errors.Is(err, errForm) {
		return nil
	}
	if final(err) {
		return err
	}
	s.stats.attempts++
	limit := s.config.BackoffMax
	if pipeline.CodeOf(err) == preflight.CodeAuth {
		limit = max(limit, time.Minute) // do not lock the account
	}
	pause := handover.Backoff(s.stats.attempts, limit)
	s.stats.disconnected(err)
	s.config.Log.Warn("connection lost; trying again", "slot", s.config.Slot, "error", pgsql.WithoutValues(err), "pause", pause)
	return s.life.Sleep(pause)
}

// final reports whether an error needs a person. What a server or network says
// while it restarts does not.
func final(err error) bool {
	var r *pipeline.Refusal
	if !errors.As(err, &r) {
		return false
	}
	switch r.Code {
	case preflight.CodeConnect, preflight.CodeAuth, preflight.CodeNoFreeSender, CodeConfig:
		return false
	}
	return true
}
