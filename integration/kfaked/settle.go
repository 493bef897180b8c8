package main

import (
	"context"
	"fmt"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/kversion"
)

// settle ends the transactions that were open when a fake was killed. The fake
// itself drops them without a marker, so that readers take what the same
// producer writes next for aborted too, and it would answer a late EndTxn with
// success. An abort by a new epoch writes the markers and fences the old one.
func settle(ctx context.Context, cluster *kfake.Cluster) error {
	versions := kversion.Stable()
	versions.SetMaxKeyVersion(int16(kmsg.AddPartitionsToTxn), 3) // from 4 on it is for brokers
	versions.SetMaxKeyVersion(int16(kmsg.EndTxn), 4)
	cl, err := kgo.NewClient(kgo.SeedBrokers(cluster.ListenAddrs()...), kgo.MaxVersions(versions))
	if err != nil {
		return err
	}
	defer cl.Close()
	admin := kadm.NewClient(cl)
	topics, err := admin.ListTopics(ctx)
	if err != nil {
		return err
	}
	transactions, err := admin.ListTransactions(ctx, nil, nil)
	if err != nil {
		return err
	}
	for id := range transactions {
		if err := abort(ctx, cl, id, topics); err != nil {
			return fmt.Errorf("settle %s: %w", id, err)
		}
	}
	return nil
}

// abort opens a transaction of id on all partitions and aborts it.
func abort(ctx context.Context, cl *kgo.Client, id string, topics kadm.TopicDetails) error {
	fence := kmsg.NewPtrInitProducerIDRequest()
	fence.TransactionalID, fence.TransactionTimeoutMillis = &id, 60_000
	fence.ProducerID, fence.ProducerEpoch = -1, -1
	producer, err := fence.RequestWith(ctx, cl)
	if err != nil {
		return err
	}
	if err := kerr.ErrorForCode(producer.ErrorCode); err != nil {
		return err
	}
	add := kmsg.NewPtrAddPartitionsToTxnRequest()
	add.TransactionalID, add.ProducerID, add.ProducerEpoch = id, producer.ProducerID, producer.ProducerEpoch
	for name, t := range topics {
		rt := kmsg.NewAddPartitionsToTxnRequestTopic()
		rt.Topic, rt.Partitions = name, t.Partitions.Numbers()
		add.Topics = append(add.Topics, rt)
	}
	if len(add.Topics) == 0 {
		return nil
	}
	if _, err := add.RequestWith(ctx, cl); err != nil {
		return err
	}
	end := kmsg.NewPtrEndTxnRequest()
	end.TransactionalID, end.ProducerID, end.ProducerEpoch = id, producer.ProducerID, producer.ProducerEpoch
	ended, err := end.RequestWith(ctx, cl)
	if err != nil {
		return err
	}
	return kerr.ErrorForCode(ended.ErrorCode)
}
