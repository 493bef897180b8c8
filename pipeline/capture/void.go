package capture

import (
	"bytes"
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
	delete(s.awaited, tab.topic)
	state := s.next.Tables[tab.topic]
	state.Generation++
	state.From = make([]int64, tab.partitions)
	for p := range state.From {
		tp := log.TopicPartition{Topic: tab.topic, Partition: int32(p)}
		state.From[p] = max(touched[tp], s.next.Offsets[tp])
	}
	if state.State == log.Copying && !state.Owed {
		s.set(tab.topic, state) // the copy goes on, and pays for all when it is done
		return nil
	}
	state.Owed = true
	s.set(tab.topic, state)
	s.owe(tab.topic)
	return nil
}

// truncated says that a table stopped because its rows are to stay.
func (s *Sink) truncated(tab *table) error {
	why := "on_truncate is stop_table"
	if s.cannotTell(tab) {
		why = "envelope: row has no record for that in an append-only topic"
	}
	return &pipeline.Refusal{Code: codeTruncated, Where: "table " + tab.String(),
		What: "it was truncated, and " + why + ": the topic keeps the rows from before, and takes no new ones",
		Mend: s.copyCommand(tab.Table)}
}

// A debt is a topic that owes tombstones, and how far they are paid.
type debt struct {
	topic     string
	partition int
	after     []byte // keys up to this one are paid
}

// forgive drops what a topic owes.
func (s *Sink) forgive(topic string) {
	s.debts = slices.DeleteFunc(s.debts, func(d *debt) bool { return d.topic == topic })
}

// owe notes that a topic owes tombstones, from its first key on.
func (s *Sink) owe(topic string) {
	s.forgive(topic)
	s.debts = append(s.debts, &debt{topic: topic})
}

// voidBatch is how many tombstones go in one commit.
const voidBatch = 10_000

// payOwed writes tombstones for void rows whose key has no newer row, in
// commits of their own at the same position, until all are written or the
// budget is spent; what is left is paid after the next commit.
func (s *Sink) payOwed(ctx context.Context, at pipeline.Resume) error {
	until := s.Now().Add(s.VoidBudget)
	s.debts = slices.DeleteFunc(s.debts, func(d *debt) bool { return s.isStopped(d.topic) })
	for d := s.due(); d != nil && s.index != nil && s.Now().Before(until); d = s.due() {
		if err := s.pay(ctx, d, at); err != nil {
			return fmt.Errorf("tombstones for void rows of %s: %w", d.topic, err)
		}
		if d.partition == len(s.next.Tables[d.topic].From) {
			s.settle(d)
		}
		if err := s.commitWhole(ctx, at); err != nil {
			return err
		}
	}
	return nil
}

// settle notes that a topic owes nothing more. Behind the last tombstone, and in one
// commit with it, a copy is whole.
func (s *Sink) settle(d *debt) {
	state := s.next.Tables[d.topic]
	state.Owed = false
	if state.State == log.Copying {
		state.State = log.OK
	}
	s.set(d.topic, state)
	s.forgive(d.topic)
}

// due is the first debt of a topic whose copy waits for no key; nil: none.
func (s *Sink) due() *debt {
	for _, d := range s.debts {
		if len(s.awaited[d.topic]) == 0 {
			return d
		}
	}
	return nil
}

// pay appends up to voidBatch tombstones of one partition.
func (s *Sink) pay(ctx context.Context, d *debt, at pipeline.Resume) error {
	s.recycle()
	tp := log.TopicPartition{Topic: d.topic, Partition: int32(d.partition)}
	keys, err := s.index.Stale(ctx, tp, s.next.Tables[d.topic].From[d.partition], d.after, voidBatch)
	if err != nil {
		return err
	}
	for _, key := range keys {
		s.records = append(s.records, s.tombstone(tp, key, at))
	}
	if len(keys) < voidBatch {
		d.partition, d.after = d.partition+1, nil
	} else {
		d.after = bytes.Clone(keys[len(keys)-1])
	}
	if len(keys) > 0 && s.Events.Voided != nil {
		s.Events.Voided(d.topic, len(keys))
	}
	return s.flushRecords(ctx)
}

// tombstone is one that is owed. Its place lies behind all rows of the transaction
// it is written at, and before the rows of the next one.
func (s *Sink) tombstone(tp log.TopicPartition, key []byte, at pipeline.Resume) log.Record {
	from := len(s.arena)
	s.arena = append(s.arena, key...)
	key = s.arena[from:len(s.arena):len(s.arena)]
	pos := log.Pos{Incarnation: s.incarnation, Seq: at.At.Seq, Row: s.placeBehind()}
	return log.Record{TopicPartition: tp, Key: key, Headers: s.placed(pos, nil)}
}
