package mysql

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/handover"
)

// own is the owner goroutine: the snapshot if there is none yet, then one stream after
// the other until a refusal or Close.
//
//	          ┌─ transient error: pause, new connection ─┐
//	snapshot ─┴─► stream ──────────────────────────────────┘
//	    └─ error ──┴─ refusal ──► ended
func (s *Source) own() {
	defer s.a.xa.drop()
	err := s.begin()
	for err == nil && s.life.Ended.Err() == nil {
		err = s.reconnect(s.session())
	}
	s.life.End(err) // after Close this changes nothing
}

// begin announces the tables and copies them, or announces them alone.
func (s *Source) begin() error {
	b := s.queue.Get()
	for _, rel := range s.tables.all() {
		if rel.shape == nil {
			continue // it is announced when its copy begins
		}
		b.Tables = append(b.Tables, rel.shape.table)
		if rel.stopped != nil {
			b.Stopped = append(b.Stopped, pipeline.TableStop{Table: rel.shape.table, Why: rel.stopped})
		}
	}
	if s.a.state.Copied {
		return s.queue.Put(s.life.Ended, b)
	}
	for _, t := range s.copies.tables { // large ones
		b.Copies = append(b.Copies, pipeline.TableCopy{Table: t.rel.shape.table})
	}
	b.EndWhole(pipeline.Resume{State: s.a.encoded}, s.config.Now())
	if err := s.queue.Put(s.life.Ended, b); err != nil {
		return err
	}
	if err := s.snapshot(s.life.Ended); err != nil {
		return fmt.Errorf("snapshot: %w", err)
	}
	return nil
}

// session streams over one connection until it ends.
func (s *Source) session() error {
	ctx, cancel := context.WithCancel(s.life.Ended)
	defer cancel()
	from := s.a.set
	if r := s.a.state.Restart; r != "" { // read prepared transactions again
		p, err := parsePlace(r)
		if err != nil {
			return err
		}
		from = p
	}
	s.a.xa.drop()
	st, err := s.startStream(ctx, from)
	if err != nil {
		return err
	}
	began := time.Now()
	s.stats.connected()
	err = st.run(ctx)
	st.close()
	s.stats.disconnected(err)
	s.a.interrupt()
	s.copies.interrupted()
	s.copies.idle.hangUp()
	if flush := s.a.flush(); flush != nil {
		return flush
	}
	if lived := time.Since(began); lived > 10*time.Second {
		s.attempts = 0
		if lived > s.config.ServerIDWait {
			s.takenSince = time.Time{}
		}
	}
	return err
}

// reconnect decides what an ended session means: nil to go on after a pause, or the
// error that ends the source.
func (s *Source) reconnect(err error) error {
	if s.life.Ended.Err() != nil {
		return s.life.Why()
	}
	if errors.Is(err, errTaken) {
		if err := s.taken(err); err != nil {
			return err
		}
	} else if final(err) || s.a.catchUp != nil {
		return err // a snapshot that was interrupted begins again
	}
	s.attempts++
	limit := s.config.BackoffMax
	if pipeline.CodeOf(err) == CodeAuth {
		limit = max(limit, time.Minute) // do not lock the account
	}
	pause := handover.Backoff(s.attempts, limit)
	s.stats.disconnected(err)
	s.config.Log.Warn("connection lost; trying again", "source", s.config.Name, "error", err, "pause", pause)
	return s.life.Sleep(pause)
}

// taken waits a while for a reader of the same server_id to go: our own dying
// predecessor. Two that live would throw each other out for ever (M19).
func (s *Source) taken(err error) error {
	if s.takenSince.IsZero() {
		s.takenSince = time.Now()
	}
	s.stats.waitFor(err.Error())
	if time.Since(s.takenSince) < s.config.ServerIDWait {
		return nil
	}
	return &pipeline.Refusal{
		Code: CodeServerID, What: fmt.Sprintf("another reader replicates under server_id %d", s.config.ServerID),
		Mend: "stop the other reader\nor server_id: another number",
	}
}

// final reports whether an error needs a person.
func final(err error) bool {
	var r *pipeline.Refusal
	if !errors.As(err, &r) {
		return false
	}
	switch r.Code {
	case CodeConnect, CodeAuth, CodeConfig, CodeTLS:
		return false
	}
	return true
}
