package kafka

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/log"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/kversion"
)

// closeTimeout bounds what Close asks of the cluster, of a writer and of a
// member: past it the cluster aborts by itself when the transaction times out,
// or when a writer with this id opens; and its group goes on when the session
// times out.
const closeTimeout = 3 * time.Second

// Writer implements log.Writer with a transactional producer.
type Writer struct {
	log     *Log
	cl      *kgo.Client
	id      string // transactional
	arena   arena
	room    *room
	targets map[string]*target
	known   map[string]bool // topics that learned has seen
	limits  limits
	promise func(*kgo.Record, error) // onAck, bound once

	open  bool // there is a transaction
	since time.Time
	pid   int64 // of the open transaction
	epoch int16
	dead  error // sticky; classified

	life   context.Context // ends when a connection is refused for good
	kill   context.CancelCauseFunc
	ending ending

	late atomic.Bool // an EndTxn may still be under way (K06)

	mu    sync.Mutex
	acked acked // fields below are written by the client's promises
	cause error // the first failure of a record, as the client gave it
}

// A target is a topic as a writer needs it.
type target struct {
	partitions int32
	maxBytes   int // of a record, as written
}

var _ log.Writer = (*Writer)(nil)

// Writer opens the writer id. It fences older holders of the id and returns when
// the transaction they left is ended and its markers are written: the stable
// ends are final then (K05, K07).
func (l *Log) Writer(ctx context.Context, id string) (log.Writer, error) {
	w := &Writer{
		log: l, id: l.cfg.Deployment + "." + id, targets: map[string]*target{}, known: map[string]bool{},
		room: newRoom(l.cfg.Limits.WriteRecords, l.cfg.Limits.WriteBytes),
	}
	w.promise = w.onAck
	w.life, w.kill = context.WithCancelCause(context.Background())
	w.limits.bytes = map[string]int32{}
	w.acked.next = map[log.TopicPartition]*int64{}
	if err := l.settle(ctx, w.id); err != nil {
		return nil, w.openError(err)
	}
	cl, err := l.client(w.options()...)
	if err != nil {
		return nil, fmt.Errorf("writer %s: %w", w.id, err)
	}
	w.cl = cl
	if err := w.fence(ctx); err != nil {
		cl.Close()
		return nil, w.openError(err)
	}
	return w, nil
}

// fence sends InitProducerID: not until the first record, but now.
func (w *Writer) fence(ctx context.Context) error {
	producer, _, err := w.cl.ProducerID(ctx)
	if err != nil {
		return err
	}
	return w.log.unsettled(ctx, w.id, producer)
}

// linger is how long a batch is filled while nobody flushes. A client that sends
// at once puts a few records each into the five requests that a broker may have
// under way, and all that Limits allow into the next, and then waits for that one.
const linger = 5 * time.Millisecond

func (w *Writer) options() []kgo.Opt {
	opts := []kgo.Opt{
		kgo.TransactionalID(w.id),
		kgo.TransactionTimeout(w.log.cfg.TransactionTimeout),
		kgo.RequiredAcks(kgo.AllISRAcks()),
		kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.ProducerLinger(linger),
		kgo.ProduceRequestTimeout(silence),
		kgo.MaxBufferedRecords(w.log.cfg.Limits.WriteRecords + 1), // room bounds, and waits with the caller's context
		kgo.ProducerBatchMaxBytesFn(w.limits.of),
		kgo.WithHooks(w),
		kgo.Dialer(w.dial),
	}
	if !w.log.info.ExactlyOnce() {
		// From version 5 on the group is added to the transaction by the
		// commit itself, which needs transaction.version 2.
		v := kversion.Stable()
		v.SetMaxKeyVersion(int16(kmsg.TxnOffsetCommit), 4)
		opts = append(opts, kgo.MaxVersions(v))
	}
	return opts
}

func (w *Writer) openError(err error) error {
	if errors.Is(err, kerr.InvalidTransactionTimeout) { // K08
		return &pipeline.Refusal{
			Code: codeTimeout, Where: "writer " + w.id, Err: err,
			What: fmt.Sprintf("the brokers do not allow a transaction timeout of %s", w.log.cfg.TransactionTimeout),
			Mend: "lower kafka.transaction_timeout; or raise transaction.max.timeout.ms in the configuration of every broker, and restart them",
		}
	}
	return fmt.Errorf("open writer %s: %w", w.id, w.log.cfg.denied("Write", err, w.id))
}

// OnBrokerE2E sees every request end. An EndTxn without an answer may still
// reach the coordinator after the repetition was answered.
func (w *Writer) OnBrokerE2E(_ kgo.BrokerMetadata, key int16, e2e kgo.BrokerE2E) {
	if key == int16(kmsg.EndTxn) && (e2e.WriteErr != nil || e2e.ReadErr != nil) {
		w.late.Store(true)
	}
}

// Append checks all records before the first is kept: a record that is too
// large, or goes nowhere, leaves the open commit as it was (K03).
func (w *Writer) Append(ctx context.Context, recs ...log.Record) error {
	if w.dead != nil || len(recs) == 0 {
		return w.dead
	}
	ctx, cancel := w.alive(ctx)
	defer cancel()
	if err := w.check(ctx, recs); err != nil {
		return err
	}
	if err := w.begin(ctx); err != nil {
		return w.fail(ctx, err)
	}
	now := time.Now()
	for i := range recs {
		if err := w.room.take(ctx, recs[i].Size()); err != nil {
			return w.fail(ctx, fmt.Errorf("writer %s: append: %w", w.id, err))
		}
		w.cl.Produce(context.Background(), w.arena.add(&recs[i], now), w.promise)
	}
	return w.failed(ctx)
}

// begin opens a transaction if there is none. It costs no request: the cluster
// hears of it with the first record.
func (w *Writer) begin(ctx context.Context) (err error) {
	if w.open {
		return nil
	}
	if w.pid, w.epoch, err = w.cl.ProducerID(ctx); err != nil {
		return err
	}
	if err = w.cl.BeginTransaction(); err != nil {
		return err
	}
	w.acked.reset()
	w.open, w.since = true, time.Now()
	return nil
}

// onAck is the promise of every record. The client calls it from one goroutine.
func (w *Writer) onAck(r *kgo.Record, err error) {
	if err == nil && r.Offset < 0 {
		err = errNoOffset
	}
	w.room.give(size(r))
	w.mu.Lock()
	if err == nil {
		w.acked.note(r.Topic, r.Partition, r.Offset+1)
	} else if w.cause == nil {
		w.cause = fmt.Errorf("%s/%d: %w", r.Topic, r.Partition, w.log.cfg.denied("Write", err, r.Topic))
	}
	w.mu.Unlock()
	if err == nil {
		w.arena.release(r.Context.(*block))
	}
}

// size is log.Record.Size of the record that r is a copy of.
func size(r *kgo.Record) int {
	n := 24 + len(r.Key) + len(r.Value)
	for i := range r.Headers {
		n += 4 + len(r.Headers[i].Key) + len(r.Headers[i].Value)
	}
	return n
}

// Flush waits for the acknowledgement of all records.
func (w *Writer) Flush(ctx context.Context) (log.Offsets, error) {
	if w.dead != nil {
		return nil, w.dead
	}
	if !w.open {
		return log.Offsets{}, nil
	}
	if err := w.flush(ctx); err != nil {
		return nil, err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	offsets := make(log.Offsets, len(w.acked.next))
	for tp, next := range w.acked.next {
		offsets[tp] = *next
	}
	return offsets, nil
}

func (w *Writer) flush(ctx context.Context) error {
	ctx, cancel := w.alive(ctx)
	defer cancel()
	if err := w.cl.Flush(ctx); err != nil {
		return w.fail(ctx, fmt.Errorf("writer %s: flush: %w", w.id, err))
	}
	return w.failed(ctx)
}

// Commit ends the transaction. Any error but a refusal before the end leaves it
// open what became of it: the writer is dead.
func (w *Writer) Commit(ctx context.Context, in *log.Inputs) error {
	switch {
	case w.dead != nil:
		return w.dead
	case !w.open && in == nil:
		return nil
	case !w.open:
		return w.fail(ctx, w.commitOffsets(ctx, in))
	}
	if err := w.flush(ctx); err != nil {
		return err
	}
	if in != nil {
		if err := w.sendOffsets(ctx, in); err != nil {
			return w.fail(ctx, err)
		}
	}
	return w.end(ctx, kgo.TryCommit)
}

// end sends EndTxn (I1: rows, frontier and offsets become visible here).
func (w *Writer) end(ctx context.Context, how kgo.TransactionEndTry) error {
	ctx, cancel := w.alive(ctx)
	defer cancel()
	if err := w.learned(ctx); err != nil {
		return w.fail(ctx, fmt.Errorf("writer %s: end of transaction: %w", w.id, err))
	}
	w.ending.begin(w.pid, w.acked.next, how == kgo.TryCommit)
	if err := w.cl.EndTransaction(ctx, how); err != nil {
		return w.fail(ctx, fmt.Errorf("writer %s: end of transaction: %w", w.id, err))
	}
	w.ending.decided()
	w.open = false
	if w.late.Swap(false) && !w.log.info.ExactlyOnce() { // K06
		w.dead = fmt.Errorf("writer %s: a connection died under the end of a transaction, and this cluster does not fence late ones: open it again", w.id)
	}
	return nil
}

// Abort drops what is open.
func (w *Writer) Abort(ctx context.Context) error {
	if w.dead != nil || !w.open {
		return w.dead
	}
	if err := w.cl.AbortBufferedRecords(ctx); err != nil {
		return w.fail(ctx, fmt.Errorf("writer %s: abort: %w", w.id, err))
	}
	if err := w.failed(ctx); err != nil && !errors.Is(err, kgo.ErrAborting) {
		return err
	}
	w.dead, w.cause = nil, nil
	return w.end(ctx, kgo.TryAbort)
}

// Close aborts what is open, if the cluster answers in time, and ends the
// client. It may be called again.
func (w *Writer) Close() error {
	if w.cl == nil {
		return nil
	}
	if w.open && !errors.Is(w.dead, log.ErrFenced) {
		ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
		_ = w.cl.AbortBufferedRecords(ctx) // whoever opens this id next settles what remains
		_ = w.cl.EndTransaction(ctx, kgo.TryAbort)
		cancel()
	}
	w.cl.Close()
	w.kill(log.ErrClosed)
	w.cl, w.open, w.dead = nil, false, log.ErrClosed
	return nil
}

// failed reports a record that was refused.
func (w *Writer) failed(ctx context.Context) error {
	w.mu.Lock()
	cause := w.cause
	w.mu.Unlock()
	if cause == nil {
		return nil
	}
	return w.fail(ctx, fmt.Errorf("writer %s: %w", w.id, cause))
}

// acked are the next offsets of the open transaction, by partition.
type acked struct {
	next map[log.TopicPartition]*int64
	tp   log.TopicPartition // the last one noted
	last *int64             // its entry; records come in runs
}

func (a *acked) reset() { *a = acked{next: map[log.TopicPartition]*int64{}} }

func (a *acked) note(topic string, partition int32, next int64) {
	if a.last == nil || a.tp.Partition != partition || a.tp.Topic != topic {
		a.tp = log.TopicPartition{Topic: topic, Partition: partition}
		if a.last = a.next[a.tp]; a.last == nil {
			a.last = new(int64)
			a.next[a.tp] = a.last
		}
	}
	*a.last = max(*a.last, next)
}

// limits are the largest batch of each topic. The client asks for it when it
// first meets a partition.
type limits struct {
	mu    sync.Mutex
	bytes map[string]int32
}

// defaultMaxBytes is Kafka's own default of max.message.bytes, which holds where
// a topic's settings may not be read.
const defaultMaxBytes = 1048588

// batchSlack is what the client counts beyond the batch itself.
const batchSlack = 16

func (l *limits) of(topic string) int32 {
	l.mu.Lock()
	defer l.mu.Unlock()
	if n, ok := l.bytes[topic]; ok {
		return n
	}
	return defaultMaxBytes
}

func (l *limits) set(topic string, n int32) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.bytes[topic] = n
}

// check looks at topic, partition and size of each record.
func (w *Writer) check(ctx context.Context, recs []log.Record) error {
	var topic string
	var t *target
	for i := range recs {
		r := &recs[i]
		if t == nil || r.Topic != topic {
			var err error
			if t, err = w.target(ctx, r.Topic); err != nil {
				return err
			}
			topic = r.Topic
		}
		if r.Partition < 0 || r.Partition >= t.partitions {
			return noTopic(r.TopicPartition)
		}
		if n := batchSize(r); n > t.maxBytes {
			return fmt.Errorf("%s: a record of %d bytes, above max.message.bytes=%d: %w", r.TopicPartition, n, t.maxBytes, log.ErrTooLarge)
		}
	}
	return nil
}

// batchSize is at least what r takes as the only record of an uncompressed
// batch: 61 bytes of header, then the record with its varints.
func batchSize(r *log.Record) int {
	n := 61 + 5*5 + len(r.Key) + len(r.Value)
	for i := range r.Headers {
		n += 10 + len(r.Headers[i].Key) + len(r.Headers[i].Value)
	}
	return n
}

// target gives the topic as it was when this writer first wrote to it.
func (w *Writer) target(ctx context.Context, topic string) (*target, error) {
	if t := w.targets[topic]; t != nil {
		return t, nil
	}
	topics, err := w.log.describe(ctx, w.cl, topic)
	if err != nil {
		return nil, fmt.Errorf("writer %s: %w", w.id, err)
	}
	meta, ok := topics[topic]
	if !ok {
		return nil, fmt.Errorf("%s: %w", topic, log.ErrNoTopic)
	}
	limit := w.log.maxBytes(ctx, topic)
	w.limits.set(topic, limit)
	t := &target{partitions: int32(len(meta.partitions)), maxBytes: int(limit) - batchSlack}
	w.targets[topic] = t
	return t, nil
}

// maxBytes asks for a topic's max.message.bytes.
func (l *Log) maxBytes(ctx context.Context, topic string) int32 {
	configs, err := l.settings(ctx, topic)
	if err != nil {
		return defaultMaxBytes
	}
	n, err := strconv.ParseInt(configs[topic].all["max.message.bytes"], 10, 64)
	if err != nil {
		return defaultMaxBytes
	}
	return int32(min(max(n, 512), math.MaxInt32/4)) // the client's own bounds
}
