//go:build unix

package kafkatest

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/evertdb/evert/pipeline/log/kafka/kafkaserver"
)

// EagerCleaner are settings of brokers whose cleaner looks all the time.
var EagerCleaner = map[string]string{
	"log.cleaner.backoff.ms":          "50",
	"log.retention.check.interval.ms": "200",
}

// Clean returns when the cleaner of a cluster of one broker has passed all that
// was committed in topics, young or not. It lowers what holds the cleaner back,
// and puts it as it was.
func Clean(ctx context.Context, c *kafkaserver.Cluster, topics ...string) error {
	cl, err := kgo.NewClient(kgo.SeedBrokers(c.Brokers()...), kgo.TransactionalID("cleaner-"+rand.Text()), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err != nil {
		return err
	}
	defer cl.Close()
	w := cleaning{cluster: c, client: cl, admin: kadm.NewClient(cl)}
	for _, topic := range topics {
		if err := w.topic(ctx, topic); err != nil {
			return fmt.Errorf("clean %s: %w", topic, err)
		}
	}
	return nil
}

type cleaning struct {
	cluster *kafkaserver.Cluster
	client  *kgo.Client
	admin   *kadm.Client
}

// hastened are what holds a cleaner back: the age of records, the part of a topic
// that is dirty, and the age at which a segment is closed.
var hastened = map[string]string{"min.compaction.lag.ms": "0", "min.cleanable.dirty.ratio": "0", "segment.ms": "1"}

func (w *cleaning) topic(ctx context.Context, topic string) (err error) {
	was, err := w.hasten(ctx, topic)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.alter(ctx, topic, was)) }()
	ends, err := w.admin.ListCommittedOffsets(ctx, topic)
	if err != nil {
		return err
	}
	for _, end := range ends[topic] {
		if err := w.abortOne(ctx, topic, end.Partition); err != nil {
			return err
		}
		if err := w.await(ctx, topic, end.Partition, end.Offset); err != nil {
			return err
		}
	}
	return nil
}

// hasten lowers the settings, and gives what makes them as they were.
func (w *cleaning) hasten(ctx context.Context, topic string) (was []kadm.AlterConfig, err error) {
	found, err := w.admin.DescribeTopicConfigs(ctx, topic)
	if err != nil {
		return nil, err
	}
	now := make([]kadm.AlterConfig, 0, len(hastened))
	for name, value := range hastened {
		now = append(now, kadm.AlterConfig{Op: kadm.SetConfig, Name: name, Value: &value})
		was = append(was, kadm.AlterConfig{Op: kadm.DeleteConfig, Name: name})
	}
	for _, r := range found {
		for _, s := range r.Configs {
			for i := range was {
				if was[i].Name == s.Key && s.Source == kmsg.ConfigSourceDynamicTopicConfig {
					was[i] = kadm.AlterConfig{Op: kadm.SetConfig, Name: s.Key, Value: s.Value}
				}
			}
		}
	}
	return was, w.alter(ctx, topic, now)
}

func (w *cleaning) alter(ctx context.Context, topic string, settings []kadm.AlterConfig) error {
	answers, err := w.admin.AlterTopicConfigs(ctx, settings, topic)
	if err != nil {
		return err
	}
	_, err = answers.On(topic, func(r *kadm.AlterConfigsResponse) error { return r.Err })
	return err
}

// abortOne leaves an aborted record, which nobody sees: a segment is not cleaned
// while it is written to, and this begins the next one.
func (w *cleaning) abortOne(ctx context.Context, topic string, partition int32) error {
	if err := w.client.BeginTransaction(); err != nil {
		return err
	}
	r := &kgo.Record{Topic: topic, Partition: partition, Key: []byte("aborted")}
	return errors.Join(w.client.ProduceSync(ctx, r).FirstErr(), w.client.EndTransaction(ctx, kgo.TryAbort))
}

// await waits until the cleaner's own note says that it got as far as the last
// segment that begins at or below an offset.
func (w *cleaning) await(ctx context.Context, topic string, partition int32, to int64) error {
	data := w.cluster.Node(1).Data()
	target, err := segmentBelow(data, topic, partition, to)
	if err != nil {
		return err
	}
	for cleanedTo(data, topic, partition) < target {
		select {
		case <-ctx.Done():
			return fmt.Errorf("the cleaner does not pass offset %d of partition %d: %w", target, partition, ctx.Err())
		case <-time.After(10 * time.Millisecond): // the period of looking
		}
	}
	return nil
}

// segmentBelow gives the greatest base offset of a segment that is not above to.
func segmentBelow(data, topic string, partition int32, to int64) (base int64, err error) {
	files, err := filepath.Glob(filepath.Join(data, fmt.Sprintf("%s-%d", topic, partition), "*.log"))
	if err != nil || len(files) == 0 {
		return 0, fmt.Errorf("partition %d has no segments: %w", partition, errors.Join(err, os.ErrNotExist))
	}
	for _, f := range files {
		n, err := strconv.ParseInt(strings.TrimSuffix(filepath.Base(f), ".log"), 10, 64)
		if err == nil && n <= to {
			base = max(base, n)
		}
	}
	return base, nil
}

// cleanedTo reads how far the cleaner got: lines of topic, partition, offset.
func cleanedTo(data, topic string, partition int32) int64 {
	text, err := os.ReadFile(filepath.Join(data, "cleaner-offset-checkpoint"))
	if err != nil {
		return 0 // it has not begun
	}
	for line := range strings.Lines(string(text)) {
		f := strings.Fields(line)
		if len(f) == 3 && f[0] == topic && f[1] == strconv.Itoa(int(partition)) {
			n, _ := strconv.ParseInt(f[2], 10, 64)
			return n
		}
	}
	return 0
}
