package kafka

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/log"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/kversion"
)

func TestWriterFaults(t *testing.T) {
	t.Parallel()
	t.Run("K07 one lost answer to EndTxn is made good by its repetition", lostOnce)
	t.Run("K07 an EndTxn that is never answered leaves the outcome to the next writer", lostForEver)
	t.Run("K06 without transaction.version 2 a late EndTxn ends the writer", lateEnd)
	t.Run("K05 a writer that was paused while another took over is fenced", paused)
	t.Run("K02 NOT_ENOUGH_REPLICAS is waited for", notEnoughReplicas)
	t.Run("K04 a partition that is slow keeps its order and the others go on", slowPartition)
	t.Run("K11 a coordinator that moves is found again", coordinatorMoves)
	t.Run("K01 a broker that is down is waited for and its partitions move", brokerDown)
	t.Run("K08 a transaction that timed out ends the writer, not the ownership", timedOut)
	t.Run("K08 a timeout that the brokers do not allow is refused", timeoutRefused)
	t.Run("I9 Append waits while the buffer is full, until its context ends", bufferFull)
	t.Run("K01 closing does not wait for a cluster that is silent", silentClose)
	t.Run("K04 an acknowledgement without an offset fails the commit", noOffset)
	t.Run("K03 a limit that was lowered after the check is told as such", loweredLimit)
}

// wired opens a log through a wire.
func wired(t *testing.T, c *kfake.Cluster) (*Log, *wire) {
	w := newWire()
	cfg := config(c)
	cfg.Dial = w.dial
	return open(t, cfg), w
}

func lostOnce(t *testing.T) {
	l, net := wired(t, cluster(t))
	topic(t, l, "t", 1)
	w := writer(t, l, "w")
	net.lose(kmsg.EndTxn, true, 1)
	put(t, w, rec(part0("t"), "a", "1"))
	put(t, w, rec(part0("t"), "b", "2"))
	same(t, all(t, l, part0("t")), "a=1 b=2")
}

func lostForEver(t *testing.T) {
	for _, after := range []bool{true, false} {
		l, net := wired(t, cluster(t))
		topic(t, l, "t", 1)
		w := writer(t, l, "w")
		if err := w.Append(t.Context(), rec(part0("t"), "a", "1")); err != nil {
			t.Fatal(err)
		}
		net.lose(kmsg.EndTxn, after, -1)
		err := w.Commit(within(t, 200*time.Millisecond), nil)
		if err == nil || errors.Is(err, log.ErrFenced) {
			t.Fatalf("an unknown outcome came back as %v", err)
		}
		if again := w.Append(t.Context(), rec(part0("t"), "x", "dropped")); again == nil {
			t.Fatal("a writer with an unknown outcome went on")
		}
		net.mend()
		w.Close()
		next := writer(t, l, "w")
		before := ends(t, l, part0("t")).Stable
		seen := all(t, l, part0("t"))
		put(t, next, rec(part0("t"), "b", "2"))
		want := "b=2"
		if after {
			same(t, seen, "a=1")
			want = "a=1 b=2"
		}
		same(t, all(t, l, part0("t")), want)
		if before == 0 {
			t.Fatal("the stable end was not final when the next writer opened")
		}
	}
}

func lateEnd(t *testing.T) {
	c := cluster(t, kfake.MaxVersions(kversion.V3_8_0()))
	l, net := wired(t, c)
	same(t, l.Info().ExactlyOnce(), false)
	topic(t, l, "t", 1)
	w := writer(t, l, "w")
	net.lose(kmsg.EndTxn, false, 1)
	put(t, w, rec(part0("t"), "a", "1"))
	err := w.Append(t.Context(), rec(part0("t"), "x", "dropped"))
	if err == nil || errors.Is(err, log.ErrFenced) {
		t.Fatalf("the epoch went on after a late EndTxn: %v", err)
	}
	w.Close()
	put(t, writer(t, l, "w"), rec(part0("t"), "b", "2"))
	same(t, all(t, l, part0("t")), "a=1 b=2")
	same(t, open(t, config(cluster(t))).Info().ExactlyOnce(), true)
}

func paused(t *testing.T) {
	l, _ := wired(t, cluster(t))
	topic(t, l, "t", 1)
	a := writer(t, l, "w")
	put(t, a, rec(part0("t"), "a", "1"))
	if err := a.Append(t.Context(), rec(part0("t"), "b", "dropped")); err != nil {
		t.Fatal(err)
	}
	b := writer(t, l, "w")
	end := ends(t, l, part0("t")).Stable
	put(t, b, rec(part0("t"), "c", "3"))
	_ = a.Append(t.Context(), rec(part0("t"), "d", "dropped"))
	wantErr(t, a.Commit(t.Context(), nil), log.ErrFenced)
	wantErr(t, a.Append(t.Context(), rec(part0("t"), "e", "dropped")), log.ErrFenced)
	wantErr(t, a.Abort(t.Context()), log.ErrFenced)
	a.Close()
	put(t, b, rec(part0("t"), "f", "4"))
	same(t, all(t, l, part0("t")), "a=1 c=3 f=4")
	if end == 0 {
		t.Fatal("the stable end was not settled")
	}
}

func notEnoughReplicas(t *testing.T) {
	c := cluster(t)
	l := open(t, config(c))
	topic(t, l, "t", 1)
	w := writer(t, l, "w")
	fault := c.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Err: kerr.NotEnoughReplicas, Count: -1})
	if err := w.Append(t.Context(), rec(part0("t"), "a", "1"), rec(part0("t"), "b", "2")); err != nil {
		t.Fatal(err)
	}
	if err := fault.Wait(within(t, 3*time.Minute), 3); err != nil {
		t.Fatal(err)
	}
	fault.Remove()
	put(t, w, rec(part0("t"), "c", "3"))
	same(t, all(t, l, part0("t")), "a=1 b=2 c=3")
}

func slowPartition(t *testing.T) {
	c := cluster(t, kfake.NumBrokers(2), kfake.SleepOutOfOrder())
	l := open(t, config(c))
	topic(t, l, "t", 2)
	slow, fast := part0("t"), log.TopicPartition{Topic: "t", Partition: 1}
	for p, node := range map[int32]int32{0: 0, 1: 1} {
		if err := c.MoveTopicPartition("t", p, node); err != nil {
			t.Fatal(err)
		}
	}
	w := writer(t, l, "w")
	put(t, w, rec(slow, "a", "0"), rec(fast, "a", "0"))
	release := make(chan struct{})
	var held atomic.Int32
	c.ControlKey(int16(kmsg.Produce), func(kmsg.Request) (kmsg.Response, error, bool) {
		c.KeepControl()
		if c.CurrentNode() == 0 && held.Add(1) == 1 {
			c.SleepControl(func() { <-release })
		}
		return nil, nil, false
	})
	text := "a=0"
	for i := range 50 {
		v := fmt.Sprint(i)
		if err := w.Append(t.Context(), rec(slow, "a", v), rec(fast, "a", v)); err != nil {
			t.Fatal(err)
		}
		text += " a=" + v
	}
	flushed := make(chan log.Offsets, 1)
	go func() {
		next, err := w.Flush(context.Background())
		if err != nil {
			t.Error(err)
		}
		flushed <- next
	}()
	for { // until all of the fast partition is stored
		w.mu.Lock()
		next := w.acked.next[fast]
		done := next != nil && *next >= 52
		w.mu.Unlock()
		if done {
			break
		}
		_ = pipeline.Pause(t.Context(), time.Millisecond)
	}
	select {
	case <-flushed:
		t.Fatal("Flush did not wait for the slow partition")
	default:
	}
	close(release)
	next := <-flushed
	same(t, next[slow], next[fast])
	if err := w.Commit(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	same(t, all(t, l, slow), text)
	same(t, all(t, l, fast), text)
}

func coordinatorMoves(t *testing.T) {
	c := cluster(t, kfake.NumBrokers(3))
	l := open(t, config(c))
	topic(t, l, "t", 3)
	w := writer(t, l, "w")
	for i := range 12 {
		for p := range int32(3) {
			if err := w.Append(t.Context(), rec(log.TopicPartition{Topic: "t", Partition: p}, "k", fmt.Sprint(i))); err != nil {
				t.Fatal(err)
			}
		}
		if i%3 == 1 {
			c.RehashCoordinators()
		}
		if i%3 == 2 {
			c.ShufflePartitionLeaders()
		}
		if err := w.Commit(t.Context(), nil); err != nil {
			t.Fatal(err)
		}
	}
	for p := range int32(3) {
		got := all(t, l, log.TopicPartition{Topic: "t", Partition: p})
		same(t, len(strings.Fields(got)), 12)
	}
}

func brokerDown(t *testing.T) {
	c := cluster(t, kfake.NumBrokers(3))
	l := open(t, config(c))
	topic(t, l, "t", 3)
	w := writer(t, l, "w")
	r, err := l.Reader(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	from := log.Offsets{}
	for p := range int32(3) {
		from[log.TopicPartition{Topic: "t", Partition: p}] = 0
	}
	if err := r.Assign(from); err != nil {
		t.Fatal(err)
	}
	seen := 0
	for i := range 4 {
		for tp := range from {
			if err := w.Append(t.Context(), rec(tp, "k", fmt.Sprint(i))); err != nil {
				t.Fatal(err)
			}
		}
		if i == 1 {
			if err := c.RemoveNode(c.LeaderFor("t", 0)); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Commit(within(t, 3*time.Minute), nil); err != nil {
			t.Fatal(err)
		}
		for seen < 3*(i+1) {
			f, err := r.Next(within(t, 3*time.Minute), 100)
			if err != nil {
				t.Fatal(err)
			}
			seen += len(f.Records)
		}
	}
	same(t, seen, 12)
}

func timedOut(t *testing.T) {
	c := cluster(t)
	cfg := config(c)
	cfg.TransactionTimeout = 100 * time.Millisecond
	l := open(t, cfg)
	topic(t, l, "t", 1)
	w := writer(t, l, "w")
	put(t, w, rec(part0("t"), "a", "1"))
	if err := w.Append(t.Context(), rec(part0("t"), "b", "dropped")); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	before := ends(t, l, part0("t")).Stable
	for ends(t, l, part0("t")).Stable == before { // until the cluster's abort
		if pipeline.Pause(within(t, 3*time.Minute), 10*time.Millisecond) != nil {
			t.Fatal("the cluster never aborted")
		}
	}
	err := w.Commit(t.Context(), nil)
	if err == nil || errors.Is(err, log.ErrFenced) || !strings.Contains(err.Error(), "timeout of 100ms") {
		t.Fatalf("a timed-out transaction came back as %v", err)
	}
	w.Close()
	put(t, writer(t, l, "w"), rec(part0("t"), "c", "3"))
	same(t, all(t, l, part0("t")), "a=1 c=3")

	// The same age, but somebody else took over: that is a fence.
	old := writer(t, l, "w")
	if err := old.Append(t.Context(), rec(part0("t"), "d", "dropped")); err != nil {
		t.Fatal(err)
	}
	if _, err := old.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	young := writer(t, l, "w")
	put(t, young, rec(part0("t"), "e", "5"))
	for time.Since(old.since) < cfg.TransactionTimeout {
		_ = pipeline.Pause(t.Context(), 10*time.Millisecond)
	}
	wantErr(t, old.Commit(t.Context(), nil), log.ErrFenced)
}

func timeoutRefused(t *testing.T) {
	cfg := config(cluster(t))
	cfg.TransactionTimeout = time.Hour
	l := open(t, cfg)
	_, err := l.Writer(t.Context(), "w")
	same(t, pipeline.CodeOf(err), codeTimeout)
	if !strings.Contains(err.Error(), "lower kafka.transaction_timeout") {
		t.Fatal(err)
	}
}

func bufferFull(t *testing.T) {
	for name, limits := range map[string]Limits{"records": {WriteRecords: 3}, "bytes": {WriteBytes: 100}} {
		c := cluster(t)
		cfg := config(c)
		cfg.Limits = limits
		l := open(t, cfg)
		topic(t, l, "t", 1)
		w := writer(t, l, "w")
		fault := c.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Err: kerr.NotEnoughReplicas, Count: -1})
		for range 3 {
			if err := w.Append(within(t, 3*time.Minute), rec(part0("t"), "k", "v")); err != nil {
				t.Fatalf("%s: fewer than three records fit: %v", name, err)
			}
		}
		wantErr(t, w.Append(within(t, 200*time.Millisecond), rec(part0("t"), "k", "v")), context.DeadlineExceeded)
		fault.Remove()
	}
}

func loweredLimit(t *testing.T) {
	c := cluster(t)
	l := open(t, config(c))
	topic(t, l, "t", 1)
	w := writer(t, l, "w")
	put(t, w, rec(part0("t"), "a", "1"))
	c.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Err: kerr.MessageTooLarge})
	err := w.Append(t.Context(), rec(part0("t"), "b", "2"))
	if err == nil {
		err = w.Commit(t.Context(), nil)
	}
	wantErr(t, err, log.ErrTooLarge)
}

func silentClose(t *testing.T) {
	net, cfg := newWire(), config(cluster(t))
	cfg.Dial = net.dial
	cfg.RetryFor = 2 * time.Minute // as long as a Close without a bound would wait
	l := open(t, cfg)
	topic(t, l, "t", 1)
	w := writer(t, l, "w")
	m, err := l.Join(t.Context(), "g", []string{"t"})
	if err != nil {
		t.Fatal(err)
	}
	<-m.Events()
	put(t, w, rec(part0("t"), "a", "1"))
	sent := net.freeze()
	if err := w.Append(t.Context(), rec(part0("t"), "b", "2")); err != nil {
		t.Fatal(err)
	}
	for <-sent != kmsg.Heartbeat { // one under way holds the leaving up
	}
	began := time.Now()
	var closing sync.WaitGroup
	for _, c := range []io.Closer{w, m} {
		closing.Go(func() {
			c.Close()
			if took := time.Since(began); took > time.Minute { // it is closeTimeout, and what a busy machine adds
				t.Errorf("%T closed after %s", c, took)
			}
		})
	}
	closing.Wait()
}

func noOffset(t *testing.T) {
	c := cluster(t)
	l := open(t, config(c))
	topic(t, l, "t", 1)
	w := writer(t, l, "w")
	put(t, w, rec(part0("t"), "a", "1"))
	c.ControlKey(int16(kmsg.Produce), func(r kmsg.Request) (kmsg.Response, error, bool) {
		return duplicate(r.(*kmsg.ProduceRequest)), nil, true
	})
	err := w.Append(t.Context(), rec(part0("t"), "b", "dropped"), rec(part0("t"), "c", "dropped"))
	if err == nil {
		err = w.Commit(t.Context(), nil)
	}
	wantErr(t, err, errNoOffset)
	w.Close()
	put(t, writer(t, l, "w"), rec(part0("t"), "d", "4"))
	same(t, all(t, l, part0("t")), "a=1 d=4")
}

// duplicate says of every batch that it was there long ago.
func duplicate(req *kmsg.ProduceRequest) *kmsg.ProduceResponse {
	resp := req.ResponseKind().(*kmsg.ProduceResponse)
	for _, from := range req.Topics {
		to := kmsg.NewProduceResponseTopic()
		to.Topic, to.TopicID = from.Topic, from.TopicID
		for _, p := range from.Partitions {
			rp := kmsg.NewProduceResponseTopicPartition()
			rp.Partition, rp.ErrorCode, rp.BaseOffset = p.Partition, kerr.DuplicateSequenceNumber.Code, -1
			to.Partitions = append(to.Partitions, rp)
		}
		resp.Topics = append(resp.Topics, to)
	}
	return resp
}
