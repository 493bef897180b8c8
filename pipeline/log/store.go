package log

import (
	"context"
	"fmt"
)

// A Store keeps keys and values in a compacted topic of one partition: what the
// embedded registry needs to live in whichever log is in use. One goroutine
// uses it.
//
// Load takes ownership: it fences every older Store of the topic and reads what
// they committed, so that whoever appends after it has seen everything. An
// Append that fails leaves its outcome open; the next Load finds out.
type Store struct {
	Log   Log
	Topic string

	writer Writer
}

// Load fences older writers and calls fn for each record of the topic, in
// order; fn gets a nil value for a tombstone.
func (s *Store) Load(ctx context.Context, fn func(key, value []byte) error) error {
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
	return Scan(ctx, s.Log, s.partition(), infos[0].Ends[0], func(r *Record) error { return fn(r.Key, r.Value) })
}

// Read calls fn for each record of the topic, in order, and fences nobody: what
// others commit meanwhile may be missing. It may be called from any goroutine.
func (s *Store) Read(ctx context.Context, fn func(key, value []byte) error) error {
	infos, err := s.Log.Admin().Topics(ctx, s.Topic)
	if err != nil || len(infos) == 0 {
		return err
	}
	return Scan(ctx, s.Log, s.partition(), infos[0].Ends[0], func(r *Record) error { return fn(r.Key, r.Value) })
}

// Append commits one record. It is ErrFenced if somebody else loaded the store
// since, and ErrClosed before the first Load.
func (s *Store) Append(ctx context.Context, key, value []byte) error {
	if s.writer == nil {
		return ErrClosed
	}
	if err := s.writer.Append(ctx, Record{TopicPartition: s.partition(), Key: key, Value: value}); err != nil {
		return fmt.Errorf("append to %s: %w", s.Topic, err)
	}
	if err := s.writer.Commit(ctx, nil); err != nil {
		return fmt.Errorf("commit to %s: %w", s.Topic, err)
	}
	return nil
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
