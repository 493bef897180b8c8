//go:build unix

package main

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// A tape is what Evert committed to a topic, to be produced again without it:
// the records of each transaction, and the one that each wrote to the frontier.
type tape struct {
	transactions [][]*kgo.Record
	frontier     []*kgo.Record
	rows         int
	took         time.Duration // from the first record of a row to the last commit, by the times that the log has of them
}

// record reads a table topic and the frontier. A control record ends each
// transaction.
func record(ctx context.Context, brokers []string, table, frontier string) (*tape, error) {
	rows, took, err := readTransactions(ctx, brokers, table)
	if err != nil {
		return nil, err
	}
	ends, _, err := readTransactions(ctx, brokers, frontier)
	if err != nil {
		return nil, err
	}
	if len(ends) < len(rows) {
		return nil, fmt.Errorf("%s has %d transactions, %s only %d", table, len(rows), frontier, len(ends))
	}
	t := &tape{transactions: rows, took: took}
	for i, records := range rows {
		t.rows += len(records)
		t.frontier = append(t.frontier, ends[len(ends)-len(rows)+i]...)
	}
	return t, nil
}

// readTransactions reads a topic of one partition to its end, and gives what it took to
// write it: from the time of the first record to that of the last commit.
func readTransactions(ctx context.Context, brokers []string, topic string) (all [][]*kgo.Record, took time.Duration, err error) {
	cl, err := kgo.NewClient(kgo.SeedBrokers(brokers...), kgo.ConsumeTopics(topic), kgo.KeepControlRecords(),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.FetchIsolationLevel(kgo.ReadCommitted()))
	if err != nil {
		return nil, 0, err
	}
	defer cl.Close()
	ends, err := kadm.NewClient(cl).ListEndOffsets(ctx, topic)
	if err != nil {
		return nil, 0, err
	}
	end, ok := ends.Lookup(topic, 0)
	if !ok || end.Err != nil {
		return nil, 0, fmt.Errorf("the end of %s: %w", topic, end.Err)
	}
	var open []*kgo.Record
	var first time.Time
	for next := int64(0); next < end.Offset; {
		fetches := cl.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			return nil, 0, err
		}
		for r := range fetches.RecordsAll() {
			next = r.Offset + 1
			if !r.Attrs.IsControl() {
				open = append(open, r)
				if first.IsZero() {
					first = r.Timestamp
				}
			} else if len(open) > 0 {
				all, open, took = append(all, open), nil, r.Timestamp.Sub(first)
			}
		}
	}
	return all, took, nil
}

// play produces the tape into topics of its own, transaction by transaction, and
// gives the time from the first record to the last commit, and to the end of what
// runs beside it.
func (t *tape) play(ctx context.Context, brokers []string, name string, beside func() error) (time.Duration, error) {
	p, err := newBare(ctx, brokers, name)
	if err != nil {
		return 0, err
	}
	defer p.cl.Close()
	defer uncollected()()
	done := make(chan error, 1)
	began := time.Now()
	go func() { done <- beside() }()
	if err := errors.Join(t.produce(ctx, p), <-done); err != nil {
		return 0, err
	}
	return time.Since(began), nil
}

func (t *tape) produce(ctx context.Context, p *bare) error {
	for i, records := range t.transactions {
		if err := p.transaction(ctx, records, t.frontier[i]); err != nil {
			return err
		}
	}
	return nil
}

// uncollected keeps the collector away from the tape, which is large and would
// hold up the producer, until the memory is used up.
func uncollected() (restore func()) {
	runtime.GC()
	percent, limit := debug.SetGCPercent(-1), debug.SetMemoryLimit(4<<30)
	return func() {
		debug.SetMemoryLimit(limit)
		debug.SetGCPercent(percent)
	}
}

// A bare is a transactional producer and nothing else.
type bare struct {
	cl              *kgo.Client
	table, frontier string
}

// newBare makes a producer and its topics, which are set as Evert's are.
func newBare(ctx context.Context, brokers []string, name string) (*bare, error) {
	p := &bare{table: name + ".table", frontier: name + ".frontier"}
	var err error
	p.cl, err = kgo.NewClient(kgo.SeedBrokers(brokers...), kgo.TransactionalID(name), kgo.RequiredAcks(kgo.AllISRAcks()),
		kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerLinger(0), kgo.MaxBufferedRecords(50_000))
	if err != nil {
		return nil, err
	}
	compact, lag, size := "compact", "3600000", "16777216"
	made, err := kadm.NewClient(p.cl).CreateTopics(ctx, 1, -1,
		map[string]*string{"cleanup.policy": &compact, "min.compaction.lag.ms": &lag, "max.message.bytes": &size}, p.table, p.frontier)
	if err == nil {
		err = made.Error()
	}
	if err == nil {
		_, _, err = p.cl.ProducerID(ctx)
	}
	if err == nil { // the first transaction also looks up leaders and coordinator
		err = p.transaction(ctx, []*kgo.Record{{Key: []byte("warm"), Value: []byte("up")}}, &kgo.Record{Key: []byte("warm")})
	}
	if err != nil {
		p.cl.Close()
		return nil, fmt.Errorf("bare producer: %w", err)
	}
	return p, nil
}

// transaction produces records and a frontier record, and commits.
func (p *bare) transaction(ctx context.Context, records []*kgo.Record, frontier *kgo.Record) error {
	if err := p.cl.BeginTransaction(); err != nil {
		return err
	}
	for _, r := range records {
		p.produce(ctx, p.table, r)
	}
	p.produce(ctx, p.frontier, frontier)
	if err := p.cl.Flush(ctx); err != nil {
		return err
	}
	return p.cl.EndTransaction(ctx, kgo.TryCommit) // fails if a record did
}

// produce sends the bytes of r. A record of its own each time: the client writes
// into it.
func (p *bare) produce(ctx context.Context, topic string, r *kgo.Record) {
	p.cl.Produce(ctx, &kgo.Record{Topic: topic, Partition: r.Partition, Key: r.Key, Value: r.Value, Headers: r.Headers}, nil)
}
