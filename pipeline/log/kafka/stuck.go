package kafka

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/log"
	"github.com/twmb/franz-go/pkg/kadm"
)

// A Stuck is an open transaction that holds the stable end of a partition: no
// reader sees what lies behind it, and nothing there is compacted (K09).
type Stuck struct {
	log.TopicPartition
	Stable          int64 // the first offset of the transaction
	ProducerID      int64
	TransactionalID string    // empty if no coordinator knows the transaction: it hangs
	Since           time.Time // begin of the transaction, or its last record here
	Ours            bool      // of a writer of this deployment
	Command         string    // ends the transaction; its records are lost. Empty for ours: they may be committed
}

// Refusal says it with its code.
func (s Stuck) Refusal() *pipeline.Refusal {
	who := fmt.Sprintf("producer %d, which no coordinator knows", s.ProducerID)
	if s.TransactionalID != "" {
		who = fmt.Sprintf("producer %d with the transactional id %q", s.ProducerID, s.TransactionalID)
	}
	mend := s.Command + "   # what it wrote is dropped"
	if s.Ours {
		mend = "evert run   # a new start ends it, as it was decided"
	}
	return &pipeline.Refusal{Code: codeStuck, Where: s.TopicPartition.String(), Mend: mend,
		What: fmt.Sprintf("a transaction of %s is open since %s: committed readers see nothing behind offset %d, and nothing there is compacted",
			who, s.Since.UTC().Format(time.RFC3339), s.Stable)}
}

// Stuck gives the transactions that are open on the topics for longer than the
// given time. A transaction in good health is over after the transaction
// timeout, so twice that is a sign of trouble.
func (l *Log) Stuck(ctx context.Context, longer time.Duration, topics ...string) ([]Stuck, error) {
	set, err := l.held(ctx, topics)
	if len(set) == 0 {
		return nil, err
	}
	producers, err := l.admin.DescribeProducers(ctx, set)
	if err != nil {
		return nil, fmt.Errorf("ask for open transactions: %w", err)
	}
	var all []Stuck
	for _, p := range producers.SortedProducers() {
		if p.CurrentTxnStartOffset >= 0 {
			all = append(all, l.newStuck(p))
		}
	}
	l.nameTransactions(ctx, all)
	return slices.DeleteFunc(all, func(s Stuck) bool { return time.Since(s.Since) < longer }), nil
}

// held gives the partitions whose stable end is not their end: with an error those that
// are known in spite of it.
func (l *Log) held(ctx context.Context, topics []string) (set kadm.TopicsSet, err error) {
	if len(topics) == 0 {
		return nil, nil
	}
	// In this order: what is committed meanwhile makes no false alarm.
	ends, err := l.admin.ListEndOffsets(ctx, topics...)
	if err != nil {
		return nil, fmt.Errorf("ask for the ends of topics: %w", err)
	}
	stables, err := l.admin.ListCommittedOffsets(ctx, topics...)
	if err != nil {
		return nil, fmt.Errorf("ask for the stable ends of topics: %w", err)
	}
	ends.Each(func(end kadm.ListedOffset) {
		stable, known := stables.Lookup(end.Topic, end.Partition)
		switch failed := cmp.Or(end.Err, stable.Err); {
		case failed != nil && err == nil:
			err = fmt.Errorf("ask for the ends of %s/%d: %w", end.Topic, end.Partition, failed)
		case failed == nil && known && stable.Offset < end.Offset:
			set.Add(end.Topic, end.Partition)
		}
	})
	return set, err
}

func (l *Log) newStuck(p kadm.DescribedProducer) Stuck {
	return Stuck{
		TopicPartition: log.TopicPartition{Topic: p.Topic, Partition: p.Partition},
		Stable:         p.CurrentTxnStartOffset, ProducerID: p.ProducerID, Since: time.UnixMilli(p.LastTimestamp),
		Command: fmt.Sprintf("kafka-transactions.sh --bootstrap-server %s abort --topic %s --partition %d --start-offset %d",
			l.cfg.Brokers[0], p.Topic, p.Partition, p.CurrentTxnStartOffset),
	}
}

// nameTransactions adds what the coordinators know; they may know nothing.
func (l *Log) nameTransactions(ctx context.Context, all []Stuck) {
	var ids []int64
	for i := range all {
		ids = append(ids, all[i].ProducerID)
	}
	if len(ids) == 0 {
		return
	}
	listed, err := l.admin.ListTransactions(ctx, ids, nil)
	if err != nil {
		return
	}
	byProducer := map[int64]kadm.ListedTransaction{}
	for _, t := range listed {
		byProducer[t.ProducerID] = t
	}
	for i := range all {
		l.name(&all[i], byProducer[all[i].ProducerID])
		l.addStart(ctx, &all[i])
	}
}

// name says whose a transaction is. Somebody else's that is over for its
// coordinator hangs; of ours, the coordinator forgot to end what it decided.
func (l *Log) name(s *Stuck, t kadm.ListedTransaction) {
	s.Ours = strings.HasPrefix(t.TxnID, l.cfg.Deployment+".")
	if s.Ours {
		s.Command = ""
	}
	if s.Ours || t.State == stateOngoing {
		s.TransactionalID = t.TxnID
	}
}

func (l *Log) addStart(ctx context.Context, s *Stuck) {
	if s.TransactionalID == "" {
		return
	}
	described, err := l.admin.DescribeTransactions(ctx, s.TransactionalID)
	if err != nil {
		return
	}
	if d, ok := described[s.TransactionalID]; ok && d.Err == nil && d.StartTimestamp > 0 {
		s.Since = time.UnixMilli(d.StartTimestamp)
	}
}

// tellStuck names the transaction that a reader waits for.
func (l *Log) tellStuck(ctx context.Context, tp log.TopicPartition) {
	f := l.cfg.Events.Stuck
	if f == nil {
		return
	}
	all, err := l.Stuck(ctx, 0, tp.Topic)
	if err != nil {
		l.retrying("look for the open transaction on "+tp.String(), err)
		return
	}
	for _, s := range all {
		if s.TopicPartition == tp {
			f(s)
		}
	}
}
