package capture

import (
	"context"
	"fmt"
	"slices"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/log"
)

// truncate makes everything the topic holds void: one line in the frontier for
// our readers; the tombstones for others are owed (P19).
func (s *Sink) truncate(ctx context.Context, tab *table) error {
	if err := s.flushRecords(ctx); err != nil {
		return err
	}
	touched, err := s.writer.Flush(ctx)
	if err != nil {
		return fmt.Errorf("flush: %w", err)
	}
	state := s.next.Tables[tab.topic]
	state.Generation++
	state.Owed = true
	state.From = make([]int64, tab.partitions)
	for p := range state.From {
		tp := log.TopicPartition{Topic: tab.topic, Partition: int32(p)}
		state.From[p] = max(touched[tp], s.next.Offsets[tp])
	}
	s.next.Tables[tab.topic] = state
	if !slices.Contains(s.void, tab.topic) {
		s.void = append(s.void, tab.topic)
	}
	return nil
}

// voidBatch is how many tombstones go in one commit.
const voidBatch = 10_000

// payOwed writes tombstones for void rows whose key has no newer row, in
// commits of their own at the same position, until all are written or the
// budget is spent; what is left is paid after the next commit.
func (s *Sink) payOwed(ctx context.Context, at pipeline.Resume) error {
	until := s.Now().Add(s.VoidBudget)
	for len(s.void) > 0 && s.index != nil && s.Now().Before(until) {
		n, err := s.pay(ctx, s.void[0], at)
		if err != nil {
			return fmt.Errorf("tombstones for void rows of %s: %w", s.void[0], err)
		}
		if n < voidBatch {
			s.settle(s.void[0])
		}
		if err := s.commitWhole(ctx, at); err != nil {
			return err
		}
	}
	return nil
}

// settle notes that a topic owes nothing more.
func (s *Sink) settle(topic string) {
	state := s.next.Tables[topic]
	state.Owed = false
	s.next.Tables[topic] = state
	s.void = slices.DeleteFunc(s.void, func(t string) bool { return t == topic })
}

// pay appends up to voidBatch tombstones of one topic.
func (s *Sink) pay(ctx context.Context, topic string, at pipeline.Resume) (int, error) {
	s.recycle()
	paid := 0
	for p, from := range s.next.Tables[topic].From {
		tp := log.TopicPartition{Topic: topic, Partition: int32(p)}
		keys, err := s.index.Stale(ctx, tp, from, nil, voidBatch-paid)
		if err != nil {
			return paid, err
		}
		for _, key := range keys {
			s.records = append(s.records, s.tombstone(tp, key, at, paid))
			paid++
		}
		if err := s.flushRecords(ctx); err != nil {
			return paid, err
		}
	}
	if paid > 0 && s.Events.Voided != nil {
		s.Events.Voided(topic, paid)
	}
	return paid, nil
}

// tombstone is one that is owed. Its place lies behind all rows of the
// transaction it is written at, and before those of the next.
func (s *Sink) tombstone(tp log.TopicPartition, key []byte, at pipeline.Resume, n int) log.Record {
	from := len(s.arena)
	s.arena = append(s.arena, key...)
	key = s.arena[from:len(s.arena):len(s.arena)]
	pos := log.Pos{Incarnation: s.incarnation, Seq: at.At.Seq, Row: 1<<40 + uint64(n)}
	return log.Record{TopicPartition: tp, Key: key, Headers: s.placed(pos, nil)}
}
