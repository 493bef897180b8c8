package log_test

import (
	"context"
	"errors"
	"testing"

	"github.com/evertdb/evert/pipeline/log"
)

// lagging is as much of a log as a Store needs to append: its stable end passes a
// commit a while after that was decided, as on Kafka.
type lagging struct {
	log.Log
	log.Admin
	log.Writer
	end, stable int64
	asked, lag  int // how often the ends were asked for, and are until they move
}

type laggingLog struct{ *lagging }

func (l laggingLog) Admin() log.Admin                                   { return l.lagging }
func (l laggingLog) Writer(context.Context, string) (log.Writer, error) { return l.lagging, nil }

func (l *lagging) Append(_ context.Context, recs ...log.Record) error {
	l.end += int64(len(recs))
	return nil
}

func (l *lagging) Flush(context.Context) (log.Offsets, error) {
	return log.Offsets{{Topic: "t"}: l.end}, nil
}

func (l *lagging) Commit(context.Context, *log.Inputs) error { l.asked = 0; return nil }
func (l *lagging) Close() error                              { return nil }

func (l *lagging) info() []log.TopicInfo {
	return []log.TopicInfo{{TopicSpec: log.TopicSpec{Name: "t", ID: "1"}, Ends: []log.Ends{{Stable: l.stable}}}}
}

func (l *lagging) Ensure(context.Context, ...log.TopicSpec) ([]log.TopicInfo, error) {
	return l.info(), nil
}

func (l *lagging) Topics(context.Context, ...string) ([]log.TopicInfo, error) {
	if l.asked++; l.asked > l.lag {
		l.stable = l.end
	}
	return l.info(), nil
}

// TestStoreAppendIsSeen: a mark that Append gives is one that Read knows.
func TestStoreAppendIsSeen(t *testing.T) {
	pair := struct{ Key, Value []byte }{[]byte("k"), []byte("v")}
	l := &lagging{lag: 3}
	s := &log.Store{Log: laggingLog{l}, Topic: "t"}
	if err := s.Take(t.Context()); err != nil {
		t.Fatal(err)
	}
	if to, err := s.Append(t.Context(), pair); err != nil || to != "1@1" || l.stable != 1 {
		t.Errorf("Append gives %q, %v, and readers see up to %d", to, err, l.stable)
	}
	l.lag = 1 << 30
	gone, end := context.WithCancel(t.Context())
	end()
	if _, err := s.Append(gone, pair); !errors.Is(err, context.Canceled) {
		t.Errorf("a commit that nobody sees: %v", err)
	}
}
