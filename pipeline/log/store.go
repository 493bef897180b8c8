package log

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/evertdb/evert/pipeline"
)

// A Store keeps keys and values in a compacted topic of one partition: what the
// embedded registry needs to live in whichever log is in use. Read may be called
// from any goroutine; one at a time uses the rest.
//
//	Take: fence older Stores ─► Read: see all that they committed ─► Append: nobody came between
//
// An Append that fails leaves its outcome open; Take and Read find out.
type Store struct {
	Log   Log
	Topic string

	writer Writer
	id     string // the topic's identity, by Take
}

// Take fences every older Store of the topic, settles what it left open, and
// makes the topic if there is none.
func (s *Store) Take(ctx context.Context) error {
	if err := s.Close(); err != nil {
		return err
	}
	w, err := s.Log.Writer(ctx, "store."+s.Topic)
	if err != nil {
		return fmt.Errorf("take the writer of %s: %w", s.Topic, err)
	}
	s.writer = w
	infos, err := s.Log.Admin().Ensure(ctx, TopicSpec{Name: s.Topic, Partitions: 1, Compact: true})
	if err != nil {
		return err
	}
	s.id = infos[0].ID
	return nil
}

// Read calls fn for each record of the topic from a mark on, in order, up to the
// end that is stable now, and gives the mark there. fn gets a nil value for a
// tombstone and keeps neither. A mark that is not of this topic, as the zero one,
// begins anew. Read fences nobody: what others commit meanwhile may be missing.
func (s *Store) Read(ctx context.Context, from string, fn func(key, value []byte) error) (to string, anew bool, err error) {
	infos, err := s.Log.Admin().Topics(ctx, s.Topic)
	if err != nil {
		return from, false, err
	}
	if len(infos) == 0 {
		return "", true, nil
	}
	bounds := infos[0].Ends[0]
	next, ok := offsetOf(from, infos[0].ID)
	if ok && next <= bounds.Stable {
		bounds.Start = max(bounds.Start, next)
	} else {
		anew = true
	}
	err = Scan(ctx, s.Log, s.partition(), bounds, func(r *Record) error { return fn(r.Key, r.Value) })
	if err != nil {
		return from, anew, fmt.Errorf("read %s: %w", s.Topic, err)
	}
	return mark(infos[0].ID, bounds.Stable), anew, nil
}

// A mark is where reading goes on, in which topic: offset@identity.
func mark(id string, next int64) string { return strconv.FormatInt(next, 10) + "@" + id }

func offsetOf(mark, id string) (next int64, ok bool) {
	text, of, found := strings.Cut(mark, "@")
	next, err := strconv.ParseInt(text, 10, 64)
	return next, found && of == id && err == nil
}

// Append commits the records in one step, and gives the mark behind them; a nil
// value is a tombstone. When it returns, every Read sees them. It is ErrFenced if
// somebody else took the topic since, and ErrClosed before the first Take.
func (s *Store) Append(ctx context.Context, pairs ...struct{ Key, Value []byte }) (to string, err error) {
	if s.writer == nil {
		return "", ErrClosed
	}
	recs := make([]Record, len(pairs))
	for i, p := range pairs {
		recs[i] = Record{TopicPartition: s.partition(), Key: p.Key, Value: p.Value}
	}
	if err := s.writer.Append(ctx, recs...); err != nil {
		return "", fmt.Errorf("append to %s: %w", s.Topic, err)
	}
	ends, err := s.writer.Flush(ctx)
	if err != nil {
		return "", fmt.Errorf("append to %s: %w", s.Topic, err)
	}
	if err := s.writer.Commit(ctx, nil); err != nil {
		return "", fmt.Errorf("commit to %s: %w", s.Topic, err)
	}
	if err := awaitStable(ctx, s.Log, s.partition(), ends[s.partition()]); err != nil {
		return "", fmt.Errorf("await what was committed to %s: %w", s.Topic, err)
	}
	return mark(s.id, ends[s.partition()]), nil
}

// stablePeriod is how often is asked whether a commit is visible, after the first
// time.
const stablePeriod = 2 * time.Millisecond

// awaitStable returns when readers see all of a partition below next: on Kafka,
// that is a moment after a commit was decided. A Read before it would not know
// the mark that Append gives, and begin anew without what was appended.
func awaitStable(ctx context.Context, l Log, tp TopicPartition, next int64) error {
	for {
		infos, err := l.Admin().Topics(ctx, tp.Topic)
		switch {
		case err != nil:
			return err
		case len(infos) == 0:
			return fmt.Errorf("topic %s is gone", tp.Topic)
		case infos[0].Ends[tp.Partition].Stable >= next:
			return nil
		}
		if err := pipeline.Pause(ctx, stablePeriod); err != nil {
			return err
		}
	}
}

// Close frees the writer. It may be called again.
func (s *Store) Close() error {
	if s.writer == nil {
		return nil
	}
	w := s.writer
	s.writer = nil
	return w.Close()
}

func (s *Store) partition() TopicPartition { return TopicPartition{Topic: s.Topic} }
