package kafka

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/log"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// sendOffsets adds a group's offsets to the open transaction. The group's
// coordinator refuses them if the generation is not the present one (K05).
func (w *Writer) sendOffsets(ctx context.Context, in *log.Inputs) error {
	ids, err := w.log.topicIDs(ctx, w.cl, in.Offsets)
	if err != nil {
		return fmt.Errorf("writer %s: %w", w.id, err)
	}
	err = w.repeat(ctx, func() error {
		if err := w.addGroup(ctx, w.log.groupName(in.Generation.Group)); err != nil {
			return err
		}
		return w.txnOffsetCommit(ctx, in, ids)
	})
	return w.offsetsError(in, err)
}

func (w *Writer) offsetsError(in *log.Inputs, err error) error {
	if isStale(err) {
		return fmt.Errorf("writer %s: offsets of group %s: the member's generation %d is over (%w): %w", w.id, in.Generation.Group, in.Generation.ID, err, log.ErrFenced)
	}
	if err != nil {
		return fmt.Errorf("writer %s: offsets of group %s: %w", w.id, in.Generation.Group, w.log.cfg.denied("Read", err, w.log.groupName(in.Generation.Group)))
	}
	return nil
}

// repeat calls f until it succeeds or fails for good.
func (w *Writer) repeat(ctx context.Context, f func() error) error {
	for n := 1; ; n++ {
		err := f()
		if !kerr.IsRetriable(err) && !errors.Is(err, kerr.ConcurrentTransactions) {
			return err
		}
		w.log.retrying("writer "+w.id, err)
		if pipeline.Pause(ctx, backoff(n)) != nil {
			return err
		}
	}
}

// addGroup tells the coordinator of the group's part in the transaction. With
// transaction.version 2 the commit of the offsets does that.
func (w *Writer) addGroup(ctx context.Context, group string) error {
	if w.log.info.ExactlyOnce() {
		return nil
	}
	req := kmsg.NewPtrAddOffsetsToTxnRequest()
	req.TransactionalID, req.Group = w.id, group
	req.ProducerID, req.ProducerEpoch = w.pid, w.epoch
	resp, err := req.RequestWith(ctx, w.cl)
	if err != nil {
		return err
	}
	return kerr.ErrorForCode(resp.ErrorCode)
}

func (w *Writer) txnOffsetCommit(ctx context.Context, in *log.Inputs, ids map[string][16]byte) error {
	req := kmsg.NewPtrTxnOffsetCommitRequest()
	req.TransactionalID, req.Group = w.id, w.log.groupName(in.Generation.Group)
	req.ProducerID, req.ProducerEpoch = w.pid, w.epoch
	req.MemberID, req.Generation = in.Generation.Member, in.Generation.ID
	byTopic := map[string]int{}
	for tp, offset := range in.Offsets {
		i, ok := byTopic[tp.Topic]
		if !ok {
			t := kmsg.NewTxnOffsetCommitRequestTopic()
			t.Topic, t.TopicID = tp.Topic, ids[tp.Topic]
			i = len(req.Topics)
			byTopic[tp.Topic] = i
			req.Topics = append(req.Topics, t)
		}
		p := kmsg.NewTxnOffsetCommitRequestTopicPartition()
		p.Partition, p.Offset, p.LeaderEpoch = tp.Partition, offset, -1
		req.Topics[i].Partitions = append(req.Topics[i].Partitions, p)
	}
	resp, err := req.RequestWith(ctx, w.cl)
	if err != nil {
		return err
	}
	for i := range resp.Topics {
		for j := range resp.Topics[i].Partitions {
			if err := kerr.ErrorForCode(resp.Topics[i].Partitions[j].ErrorCode); err != nil {
				return err
			}
		}
	}
	return nil
}

// commitOffsets commits a group's offsets where there is no transaction.
func (w *Writer) commitOffsets(ctx context.Context, in *log.Inputs) error {
	ids, err := w.log.topicIDs(ctx, w.cl, in.Offsets)
	if err != nil {
		return fmt.Errorf("writer %s: %w", w.id, err)
	}
	err = w.repeat(ctx, func() error { return w.offsetCommit(ctx, in, ids) })
	return w.offsetsError(in, err)
}

func (w *Writer) offsetCommit(ctx context.Context, in *log.Inputs, ids map[string][16]byte) error {
	req := kmsg.NewPtrOffsetCommitRequest()
	req.Group, req.MemberID, req.Generation = w.log.groupName(in.Generation.Group), in.Generation.Member, in.Generation.ID
	byTopic := map[string]int{}
	for tp, offset := range in.Offsets {
		i, ok := byTopic[tp.Topic]
		if !ok {
			t := kmsg.NewOffsetCommitRequestTopic()
			t.Topic, t.TopicID = tp.Topic, ids[tp.Topic]
			i = len(req.Topics)
			byTopic[tp.Topic] = i
			req.Topics = append(req.Topics, t)
		}
		p := kmsg.NewOffsetCommitRequestTopicPartition()
		p.Partition, p.Offset, p.LeaderEpoch = tp.Partition, offset, -1
		req.Topics[i].Partitions = append(req.Topics[i].Partitions, p)
	}
	resp, err := req.RequestWith(ctx, w.cl)
	if err != nil {
		return err
	}
	for i := range resp.Topics {
		for j := range resp.Topics[i].Partitions {
			if err := kerr.ErrorForCode(resp.Topics[i].Partitions[j].ErrorCode); err != nil {
				return err
			}
		}
	}
	return nil
}

func (l *Log) topicIDs(ctx context.Context, cl *kgo.Client, offsets log.Offsets) (map[string][16]byte, error) {
	ids := map[string][16]byte{}
	for tp := range offsets {
		ids[tp.Topic] = [16]byte{}
	}
	names := make([]string, 0, len(ids))
	for topic := range ids {
		names = append(names, topic)
	}
	topics, err := l.describe(ctx, cl, names...)
	if err != nil {
		return nil, err
	}
	for _, topic := range names {
		meta, ok := topics[topic]
		if !ok {
			return nil, fmt.Errorf("%s: %w", topic, log.ErrNoTopic)
		}
		ids[topic] = meta.id
	}
	return ids, nil
}

// fail makes err the writer's last word, translated to the log's errors.
func (w *Writer) fail(ctx context.Context, err error) error {
	if err == nil || w.dead != nil {
		return w.dead
	}
	if refused := context.Cause(w.life); refused != nil {
		err = fmt.Errorf("writer %s: %w", w.id, refused)
	}
	switch {
	case isEnded(err) && w.timedOut(ctx):
		err = fmt.Errorf("writer %s: the transaction was open for %s, above its timeout of %s, and the cluster aborted it: open the writer again: %w",
			w.id, time.Since(w.since).Round(time.Second), w.log.cfg.TransactionTimeout, err)
	case isEnded(err):
		err = fmt.Errorf("%w: %w", log.ErrFenced, err)
	case errors.Is(err, kerr.MessageTooLarge), errors.Is(err, kerr.RecordListTooLarge):
		err = fmt.Errorf("%w: %w", log.ErrTooLarge, err)
	case errors.Is(err, kerr.UnknownTopicOrPartition), errors.Is(err, kerr.UnknownTopicID):
		err = fmt.Errorf("%w: %w", log.ErrNoTopic, err)
	case errors.Is(err, kgo.ErrClientClosed):
		err = fmt.Errorf("%w: %w", log.ErrClosed, err)
	default:
		err = w.log.cfg.denied("Write", err, w.id)
	}
	w.dead = err
	return err
}

// timedOut tells a fence by the cluster's own timeout from one by a newer
// writer, which answer alike (K05, K08): a timeout raises the epoch by one and
// leaves nothing open, a newer writer over an open transaction by two at least.
func (w *Writer) timedOut(ctx context.Context) bool {
	if !w.open || time.Since(w.since) < w.log.cfg.TransactionTimeout {
		return false
	}
	tx, err := w.log.transaction(ctx, w.id)
	if err != nil {
		return true // nobody can tell; opening again is safe, and fences
	}
	return tx.producer == w.pid && tx.epoch == w.epoch+1 && tx.state != stateOngoing
}
