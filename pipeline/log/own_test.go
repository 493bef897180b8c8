package log_test

import (
	"context"
	"errors"
	"testing"

	"github.com/evertdb/evert/pipeline/log"
)

// shared is as much of a log as ownership needs: its members get the events
// that the test sends.
type shared struct {
	log.Log
	log.Admin
	events   chan log.Event
	released []log.TopicPartition
}

type sharedLog struct{ *shared }

func (l sharedLog) Admin() log.Admin { return l.shared }
func (l sharedLog) Join(context.Context, string, []string) (log.Membership, error) {
	return member(l), nil
}
func (s *shared) Ensure(context.Context, ...log.TopicSpec) ([]log.TopicInfo, error) { return nil, nil }

type member struct{ *shared }

func (m member) Events() <-chan log.Event   { return m.events }
func (m member) Generation() log.Generation { return log.Generation{} }
func (m member) Close() error               { return nil }
func (m member) Release(ps []log.TopicPartition) error {
	m.released = append(m.released, ps...)
	return nil
}

// TestOwn tells when work runs: from the assignment until it ends or is taken
// away, and a revoked partition is released only after the work has stopped
// (O04 double start).
func TestOwn(t *testing.T) {
	frontier := []log.TopicPartition{{Topic: "f"}}
	t.Run("runs while it owns", func(t *testing.T) {
		s := &shared{events: make(chan log.Event, 4)}
		s.events <- log.Event{Kind: log.Assigned}
		s.events <- log.Event{Kind: log.Assigned, Partitions: frontier}
		done := errors.New("done")
		err := log.Own(context.Background(), sharedLog{s}, "g", "f", nil, func(context.Context) error { return done })
		if !errors.Is(err, done) || errors.Is(err, log.ErrLost) {
			t.Errorf("got %v", err)
		}
	})
	for _, kind := range []log.EventKind{log.Revoked, log.Lost} {
		s := &shared{events: make(chan log.Event, 4)}
		s.events <- log.Event{Kind: log.Assigned, Partitions: frontier}
		err := log.Own(context.Background(), sharedLog{s}, "g", "f", nil, func(ctx context.Context) error {
			s.events <- log.Event{Kind: kind, Partitions: frontier}
			<-ctx.Done()
			if len(s.released) != 0 {
				t.Error("released while the work still ran")
			}
			return context.Cause(ctx)
		})
		if !errors.Is(err, log.ErrLost) {
			t.Errorf("event %d: got %v", kind, err)
		}
		if released := len(s.released) == 1; released != (kind == log.Revoked) {
			t.Errorf("event %d: released %v", kind, s.released)
		}
	}
	t.Run("stands by until stopped", func(t *testing.T) {
		ctx, stop := context.WithCancel(context.Background())
		s := &shared{events: make(chan log.Event)}
		err := log.Own(ctx, sharedLog{s}, "g", "f", stop, func(context.Context) error { t.Error("ran"); return nil })
		if !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
	})
}
