package kafka

import (
	"context"
	"encoding/base64"
	"fmt"
	"slices"
	"time"

	"github.com/evertdb/evert/pipeline/log"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/kversion"
)

// A Log is a Kafka cluster as one deployment sees it. Its methods may be called
// from any goroutine. Close it after everything that came from it.
type Log struct {
	cfg   Config
	opts  []kgo.Opt
	cl    *kgo.Client // for requests only: never produces, never consumes
	admin *kadm.Client
	info  Info

	settles bool // the cluster tells of transactions, and lets them be ended by hand
}

var _ log.Log = (*Log)(nil)

// Info is what the cluster told at Open.
type Info struct {
	ClusterID string
	Brokers   int
	Version   string // a guess from the requests it knows
	// TransactionVersion is the cluster's finalized transaction.version. Below 2
	// a late end of a transaction can strike the next one, so exactly-once is
	// not the cluster's promise, and readers drop duplicates by position (I2).
	TransactionVersion int16
}

// ExactlyOnce reports whether the cluster fences late ends of transactions.
func (i Info) ExactlyOnce() bool { return i.TransactionVersion >= 2 }

// Open reaches the cluster and asks what it can do. ctx bounds that.
func Open(ctx context.Context, cfg Config) (*Log, error) {
	cfg = cfg.withDefaults()
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	opts, err := cfg.options()
	if err != nil {
		return nil, err
	}
	// What was asked before a topic was made must not be believed after it.
	cl, err := kgo.NewClient(append(opts[:len(opts):len(opts)], kgo.MetadataMinAge(10*time.Millisecond))...)
	if err != nil {
		return nil, fmt.Errorf("kafka: %w", err)
	}
	l := &Log{cfg: cfg, opts: opts, cl: cl, admin: kadm.NewClient(cl)}
	if err := l.ask(ctx); err != nil {
		cl.Close()
		return nil, cfg.unreachable(err)
	}
	return l, nil
}

func (l *Log) ask(ctx context.Context) error {
	meta, err := l.admin.BrokerMetadata(ctx)
	if err != nil {
		return err
	}
	l.info.ClusterID, l.info.Brokers = meta.Cluster, len(meta.Brokers)
	req := kmsg.NewPtrApiVersionsRequest()
	req.ClientSoftwareName, req.ClientSoftwareVersion = software, softwareVersion
	resp, err := req.RequestWith(ctx, l.cl)
	if err != nil {
		return err
	}
	if err := kerr.ErrorForCode(resp.ErrorCode); err != nil {
		return err
	}
	l.info.Version = kversion.FromApiVersionsResponse(resp).VersionGuess()
	knows := 0
	for _, k := range resp.ApiKeys {
		if slices.Contains(settleKeys[:], kmsg.Key(k.ApiKey)) {
			knows++
		}
	}
	l.settles = knows == len(settleKeys)
	for _, f := range resp.FinalizedFeatures {
		if f.Name == "transaction.version" {
			l.info.TransactionVersion = f.MaxVersionLevel
		}
	}
	return nil
}

// Info gives what the cluster told at Open.
func (l *Log) Info() Info { return l.info }

// Admin manages topics.
func (l *Log) Admin() log.Admin { return &admin{l} }

// Close ends the connections of the log itself; writers, readers and memberships
// have their own.
func (l *Log) Close() error {
	l.cl.Close()
	return nil
}

// client makes a client of its own for a writer, reader or member.
func (l *Log) client(opts ...kgo.Opt) (*kgo.Client, error) {
	return kgo.NewClient(append(append([]kgo.Opt(nil), l.opts...), opts...)...)
}

func (l *Log) retrying(where string, err error) {
	if f := l.cfg.Events.Retrying; f != nil {
		f(where, err)
	}
}

// A topicMeta is what a topic is, for those who write to it or read it.
type topicMeta struct {
	id         [16]byte
	partitions []partitionMeta
}

type partitionMeta struct {
	leader int32 // -1: none at present
	epoch  int32
}

// describe asks for topics as they are now. A topic that does not exist is
// missing from the answer.
func (l *Log) describe(ctx context.Context, cl *kgo.Client, names ...string) (map[string]topicMeta, error) {
	req := kmsg.NewPtrMetadataRequest()
	for _, name := range names {
		t := kmsg.NewMetadataRequestTopic()
		t.Topic = kmsg.StringPtr(name)
		req.Topics = append(req.Topics, t)
	}
	resp, err := req.RequestWith(ctx, cl)
	if err != nil {
		return nil, err
	}
	topics := make(map[string]topicMeta, len(resp.Topics))
	for i := range resp.Topics {
		t := &resp.Topics[i]
		if t.Topic == nil || t.ErrorCode == kerr.UnknownTopicOrPartition.Code {
			continue
		}
		if err := kerr.ErrorForCode(t.ErrorCode); err != nil && !kerr.IsRetriable(err) {
			return nil, l.cfg.denied("Describe", err, *t.Topic)
		}
		topics[*t.Topic] = newTopicMeta(t)
	}
	return topics, nil
}

func newTopicMeta(t *kmsg.MetadataResponseTopic) topicMeta {
	m := topicMeta{id: t.TopicID, partitions: make([]partitionMeta, len(t.Partitions))}
	for i := range m.partitions {
		m.partitions[i] = partitionMeta{leader: -1, epoch: -1}
	}
	for i := range t.Partitions {
		p := &t.Partitions[i]
		if int(p.Partition) < len(m.partitions) && p.Leader >= 0 {
			m.partitions[p.Partition] = partitionMeta{leader: p.Leader, epoch: p.LeaderEpoch}
		}
	}
	return m
}

// formatID prints a topic's id as Kafka's tools do.
func formatID(id [16]byte) string {
	if id == [16]byte{} {
		return ""
	}
	return base64.RawURLEncoding.EncodeToString(id[:])
}
