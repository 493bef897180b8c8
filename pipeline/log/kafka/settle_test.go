package kafka

import (
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/log"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// A forgetful cluster says that a transaction is open in a partition until
// somebody writes its marker, as Apache Kafka does after it forgot to.
type forgetful struct {
	*kfake.Cluster
	tp     log.TopicPartition
	hidden atomic.Pointer[kmsg.DescribeProducersResponseTopicPartitionActiveProducer] // nil: none
	state  atomic.Pointer[kmsg.DescribeTransactionsResponseTransactionState]          // of the writer; kfake knows no decisions
	answer atomic.Int32                                                               // to a marker
	marks  chan kmsg.WriteTxnMarkersRequestMarker
}

func newForgetful(t *testing.T) (*forgetful, Config) {
	t.Helper()
	f := &forgetful{Cluster: cluster(t), tp: part0("forgotten"), marks: make(chan kmsg.WriteTxnMarkersRequestMarker, 10)}
	f.ControlKey(int16(kmsg.DescribeProducers), f.describe)
	f.ControlKey(int16(kmsg.WriteTxnMarkers), f.mark)
	f.ControlKey(int16(kmsg.DescribeTransactions), f.tell)
	return f, config(f.Cluster)
}

// forget makes the last transaction of the writer hidden, or one so many epochs
// before it.
func (f *forgetful) forget(w *Writer, before int16, state string) {
	tx := kmsg.NewDescribeTransactionsResponseTransactionState()
	tx.TransactionalID, tx.State, tx.ProducerID, tx.ProducerEpoch = w.id, state, w.pid, w.epoch+1
	f.state.Store(&tx)
	p := kmsg.NewDescribeProducersResponseTopicPartitionActiveProducer()
	p.ProducerID, p.ProducerEpoch, p.CoordinatorEpoch = w.pid, int32(w.epoch-before), -1
	p.CurrentTxnStartOffset = 0
	f.hidden.Store(&p)
}

func (f *forgetful) describe(r kmsg.Request) (kmsg.Response, error, bool) {
	f.KeepControl()
	hidden := f.hidden.Load()
	if hidden == nil {
		return nil, nil, false
	}
	resp := r.ResponseKind().(*kmsg.DescribeProducersResponse)
	for _, asked := range r.(*kmsg.DescribeProducersRequest).Topics {
		topic := kmsg.NewDescribeProducersResponseTopic()
		topic.Topic = asked.Topic
		for _, n := range asked.Partitions {
			p := kmsg.NewDescribeProducersResponseTopicPartition()
			p.Partition = n
			if asked.Topic == f.tp.Topic {
				p.ActiveProducers = append(p.ActiveProducers, *hidden)
			}
			topic.Partitions = append(topic.Partitions, p)
		}
		resp.Topics = append(resp.Topics, topic)
	}
	return resp, nil, true
}

func (f *forgetful) tell(r kmsg.Request) (kmsg.Response, error, bool) {
	f.KeepControl()
	if f.hidden.Load() == nil {
		return nil, nil, false
	}
	resp := r.ResponseKind().(*kmsg.DescribeTransactionsResponse)
	resp.TransactionStates = append(resp.TransactionStates, *f.state.Load())
	return resp, nil, true
}

func (f *forgetful) mark(r kmsg.Request) (kmsg.Response, error, bool) {
	f.KeepControl()
	resp := r.ResponseKind().(*kmsg.WriteTxnMarkersResponse)
	for _, m := range r.(*kmsg.WriteTxnMarkersRequest).Markers {
		marker := kmsg.NewWriteTxnMarkersResponseMarker()
		marker.ProducerID = m.ProducerID
		topic := kmsg.NewWriteTxnMarkersResponseMarkerTopic()
		topic.Topic = m.Topics[0].Topic
		p := kmsg.NewWriteTxnMarkersResponseMarkerTopicPartition()
		p.ErrorCode = int16(f.answer.Load())
		topic.Partitions = append(topic.Partitions, p)
		marker.Topics = append(marker.Topics, topic)
		resp.Markers = append(resp.Markers, marker)
		f.marks <- m
	}
	if f.answer.Load() == 0 {
		f.hidden.Store(nil)
	}
	return resp, nil, true
}

// wantMark takes the only marker that was written.
func (f *forgetful) wantMark(t *testing.T, w *Writer, committed bool) {
	t.Helper()
	if len(f.marks) != 1 {
		t.Fatalf("%d markers were written", len(f.marks))
	}
	m := <-f.marks
	if m.ProducerID != w.pid || m.ProducerEpoch != w.epoch || m.Committed != committed || m.CoordinatorEpoch != 0 || m.Topics[0].Topic != f.tp.Topic {
		t.Errorf("the marker is %+v; the writer is %d/%d", m, w.pid, w.epoch)
	}
}

// holder leaves a transaction of somebody else open, so that the partition's
// stable end is not its end.
func holder(t *testing.T, cfg Config, tp log.TopicPartition) {
	t.Helper()
	cfg.Deployment = "other"
	w := writer(t, open(t, cfg), "holder")
	if err := w.Append(t.Context(), rec(tp, "x", "open")); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// wantCode tells that err is this refusal and that it says these words.
func wantCode(t *testing.T, err error, code pipeline.Code, words ...string) {
	t.Helper()
	if pipeline.CodeOf(err) != code {
		t.Fatalf("got %v, want %s", err, code)
	}
	for _, word := range words {
		if !strings.Contains(err.Error(), word) {
			t.Errorf("%v does not say %q", err, word)
		}
	}
	if strings.Contains(err.Error(), "kafka-transactions.sh") {
		t.Errorf("what may be committed is to be aborted: %v", err)
	}
}

// K07 the next writer ends what was decided, as it was decided, before it fences.
func TestSettle(t *testing.T) {
	t.Parallel()
	for _, committed := range []bool{true, false} {
		f, cfg := newForgetful(t)
		var told []log.TopicPartition
		cfg.Events.Ended = func(id string, tp log.TopicPartition, c bool) {
			if id == "test.w" && c == committed {
				told = append(told, tp)
			}
		}
		l := open(t, cfg)
		topic(t, l, f.tp.Topic, 1)
		w := writer(t, l, "w")
		if err := w.Append(t.Context(), rec(f.tp, "a", "1")); err != nil {
			t.Fatal(err)
		}
		end, state := func() error { return w.Commit(t.Context(), nil) }, stateCompleteCommit
		if !committed {
			end, state = func() error { return w.Abort(t.Context()) }, stateCompleteAbort
		}
		if err := end(); err != nil {
			t.Fatal(err)
		}
		holder(t, cfg, f.tp)
		f.forget(w, 0, state)
		writer(t, l, "w")
		f.wantMark(t, w, committed)
		if len(told) != 1 || told[0] != f.tp {
			t.Errorf("told of %v", told)
		}
	}
}

// K07 what is open when another writer comes is aborted, and what it committed
// before is not.
func TestSettleOpen(t *testing.T) {
	t.Parallel()
	_, cfg := newForgetful(t)
	l := open(t, cfg)
	tp := part0(topic(t, l, "left", 1).Name)
	w := writer(t, l, "w")
	put(t, w, rec(tp, "a", "1"))
	if err := w.Append(t.Context(), rec(tp, "b", "dropped")); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := l.settle(t.Context(), w.id); err != nil {
		t.Fatal(err)
	}
	wantErr(t, w.Commit(t.Context(), nil), log.ErrFenced)
	put(t, writer(t, l, "w"), rec(tp, "c", "3"))
	same(t, all(t, l, tp), "a=1 c=3")
}

// K07 a transaction whose decision nobody knows is refused, and stays as it is.
func TestUndecided(t *testing.T) {
	t.Parallel()
	f, cfg := newForgetful(t)
	l := open(t, cfg)
	topic(t, l, f.tp.Topic, 1)
	w := writer(t, l, "w")
	for range 3 {
		put(t, w, rec(f.tp, "a", "1"))
	}
	holder(t, cfg, f.tp)
	f.forget(w, 1, stateCompleteCommit) // a later transaction ended elsewhere since
	for range 2 {
		_, err := l.Writer(t.Context(), "w")
		wantCode(t, err, codeUndecided, "forgotten/0", "test.w", "offset 0")
	}
	same(t, len(f.marks), 0)
	f.forget(w, 0, "Empty") // somebody has fenced since
	_, err := l.Writer(t.Context(), "w")
	wantCode(t, err, codeUndecided)
}

// K07 a partition that has no leader for a while is asked again: what is hidden there is
// neither overlooked nor an error.
func TestUndecidedWhilePartitionsMove(t *testing.T) {
	t.Parallel()
	f, cfg := newForgetful(t)
	cfg.RetryFor = time.Minute
	l := open(t, cfg)
	topic(t, l, f.tp.Topic, 1)
	w := writer(t, l, "w")
	put(t, w, rec(f.tp, "a", "1"))
	holder(t, cfg, f.tp)
	f.forget(w, 0, "Empty")
	var asked atomic.Int32
	f.ControlKey(int16(kmsg.ListOffsets), func(r kmsg.Request) (kmsg.Response, error, bool) {
		f.KeepControl()
		if asked.Add(1) > 6 {
			return nil, nil, false
		}
		resp := r.ResponseKind().(*kmsg.ListOffsetsResponse)
		for _, of := range r.(*kmsg.ListOffsetsRequest).Topics {
			t := kmsg.NewListOffsetsResponseTopic()
			t.Topic = of.Topic
			for _, has := range of.Partitions {
				p := kmsg.NewListOffsetsResponseTopicPartition()
				p.Partition, p.ErrorCode = has.Partition, kerr.UnknownTopicOrPartition.Code
				t.Partitions = append(t.Partitions, p)
			}
			resp.Topics = append(resp.Topics, t)
		}
		return resp, nil, true
	})
	wantCode(t, l.unsettled(t.Context(), w.id, w.pid), codeUndecided, "forgotten/0")
	if n := asked.Load(); n <= 6 {
		t.Errorf("it was asked %d times", n)
	}
}

// K07 without the right to end it, the commit stays hidden, and the right is named.
func TestHiddenDenied(t *testing.T) {
	t.Parallel()
	f, cfg := newForgetful(t)
	l := open(t, cfg)
	topic(t, l, f.tp.Topic, 1)
	w := writer(t, l, "w")
	put(t, w, rec(f.tp, "a", "1"))
	holder(t, cfg, f.tp)
	f.forget(w, 0, stateCompleteCommit)
	f.answer.Store(int32(kerr.ClusterAuthorizationFailed.Code))
	_, err := l.Writer(t.Context(), "w")
	wantCode(t, err, codeHidden, "decided to commit", "test.w", "kafka-acls.sh", "--operation Alter --cluster")
	<-f.marks
	f.answer.Store(0)
	writer(t, l, "w")
	f.wantMark(t, w, true)
}

// K07 a writer that lives on makes no new connection before its last transaction
// is ended everywhere; else the end of its next one would end that too.
func TestEndingBeforeConnection(t *testing.T) {
	t.Parallel()
	f, cfg := newForgetful(t)
	wire := newWire()
	cfg.Dial = wire.dial
	l := open(t, cfg)
	topic(t, l, f.tp.Topic, 1)
	w := writer(t, l, "w")
	put(t, w, rec(f.tp, "a", "1"))
	f.forget(w, 0, stateCompleteCommit)
	ended := Writer{pid: w.pid, epoch: w.epoch}
	wire.cut()
	put(t, w, rec(f.tp, "b", "2"))
	f.wantMark(t, &ended, true)
	wire.cut()
	put(t, w, rec(f.tp, "c", "3")) // nothing was hidden
	same(t, len(f.marks), 0)
	same(t, all(t, l, f.tp), "a=1 b=2 c=3")
}

// K07 where it cannot be ended, the writer that lives on is at its end, and
// neither waits nor writes.
func TestEndingDenied(t *testing.T) {
	t.Parallel()
	f, cfg := newForgetful(t)
	wire := newWire()
	cfg.Dial = wire.dial
	l := open(t, cfg)
	topic(t, l, f.tp.Topic, 1)
	w := writer(t, l, "w")
	put(t, w, rec(f.tp, "a", "1"))
	f.forget(w, 0, stateCompleteCommit)
	f.answer.Store(int32(kerr.ClusterAuthorizationFailed.Code))
	wire.cut()
	if err := w.Append(t.Context(), rec(f.tp, "b", "2")); err != nil {
		t.Fatal(err)
	}
	_, err := w.Flush(within(t, 3*time.Minute))
	wantCode(t, err, codeHidden)
	wantCode(t, w.Append(t.Context(), rec(f.tp, "b", "2")), codeHidden)
	w.Close()
	ends, err := l.admin.ListEndOffsets(t.Context(), f.tp.Topic)
	if end, _ := ends.Lookup(f.tp.Topic, 0); err != nil || end.Offset != 2 { // a and its marker
		t.Errorf("the partition ends at %d (%v)", end.Offset, err)
	}
}
