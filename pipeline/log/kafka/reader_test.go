package kafka

import (
	"errors"
	"fmt"
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

func TestReaderFaults(t *testing.T) {
	t.Parallel()
	t.Run("K01 a reader follows leaders that move", leadersMove)
	t.Run("K01 a reader outlives errors that pass", passingErrors)
	t.Run("K13 a topic that is made anew under a reader is refused", recreated)
	t.Run("K13 a topic that is deleted under a reader is refused", deletedUnder)
	t.Run("K17 a reader that is overtaken by the start is told of the gap", overtaken)
	t.Run("K19 a reader behind the end is refused", behindEnd)
	t.Run("K19 an offset that is refused though it is in range is asked for again after a while", refusedInRange)
	t.Run("K22 a tail that was compacted away is passed", tailGone)
	t.Run("K09 a hanging transaction is named with its command", hanging)
	t.Run("I9 a reader that is not asked holds one response", boundedRead)
}

func reader(t *testing.T, l *Log, from log.Offsets) *Reader {
	t.Helper()
	r, err := l.Reader(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	if err := r.Assign(from); err != nil {
		t.Fatal(err)
	}
	return r.(*Reader)
}

// read gives the next n values.
func read(t *testing.T, r *Reader, n int) (values []string) {
	t.Helper()
	for len(values) < n {
		f, err := r.Next(within(t, 3*time.Minute), n-len(values))
		if err != nil {
			t.Fatal(err)
		}
		for _, rec := range f.Records {
			values = append(values, string(rec.Value))
		}
	}
	return values
}

// until reads until it fails.
func until(t *testing.T, r *Reader) error {
	t.Helper()
	for {
		if _, err := r.Next(within(t, 3*time.Minute), 100); err != nil {
			return err
		}
	}
}

func leadersMove(t *testing.T) {
	c := cluster(t, kfake.NumBrokers(3))
	l := open(t, config(c))
	topic(t, l, "t", 4)
	from := log.Offsets{}
	for p := range int32(4) {
		from[log.TopicPartition{Topic: "t", Partition: p}] = 0
	}
	r := reader(t, l, from)
	w := writer(t, l, "w")
	for i := range 3 {
		for tp := range from {
			if err := w.Append(t.Context(), rec(tp, "k", fmt.Sprint(i))); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Commit(t.Context(), nil); err != nil {
			t.Fatal(err)
		}
		for _, v := range read(t, r, 4) {
			same(t, v, fmt.Sprint(i))
		}
		c.ShufflePartitionLeaders()
	}
}

func passingErrors(t *testing.T) {
	c := cluster(t)
	l := open(t, config(c))
	topic(t, l, "t", 1)
	w := writer(t, l, "w")
	r := reader(t, l, log.Offsets{part0("t"): 0})
	for _, err := range []*kerr.Error{
		kerr.NotLeaderForPartition, kerr.UnknownLeaderEpoch, kerr.FencedLeaderEpoch, kerr.KafkaStorageError,
		kerr.UnknownTopicOrPartition, kerr.UnknownTopicID, kerr.OffsetNotAvailable,
	} {
		c.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Fetch}, Err: err})
		put(t, w, rec(part0("t"), "k", err.Message))
		same(t, read(t, r, 1)[0], err.Message)
	}
}

func recreated(t *testing.T) {
	c := cluster(t)
	l := open(t, config(c))
	topic(t, l, "t", 1)
	w := writer(t, l, "w")
	put(t, w, rec(part0("t"), "a", "1"))
	r := reader(t, l, log.Offsets{part0("t"): 0})
	read(t, r, 1)
	w.Close()
	if err := l.Admin().Delete(t.Context(), "t"); err != nil {
		t.Fatal(err)
	}
	topic(t, l, "t", 1)
	put(t, writer(t, l, "w"), rec(part0("t"), "b", "2"))
	same(t, pipeline.CodeOf(until(t, r)), log.RefuseReplaced)
}

func deletedUnder(t *testing.T) {
	c := cluster(t)
	l := open(t, config(c))
	topic(t, l, "t", 1)
	r := reader(t, l, log.Offsets{part0("t"): 0})
	if err := l.Admin().Delete(t.Context(), "t"); err != nil {
		t.Fatal(err)
	}
	err := until(t, r)
	same(t, pipeline.CodeOf(err), log.RefuseMissing)
	wantErr(t, err, log.ErrNoTopic)
}

func overtaken(t *testing.T) {
	c := cluster(t)
	cfg := config(c)
	cfg.Limits.ReadBytes = 1 // one batch a fetch
	l := open(t, cfg)
	topic(t, l, "t", 1)
	w := writer(t, l, "w")
	value := strings.Repeat("v", 1<<20)
	for range 5 {
		put(t, w, rec(part0("t"), "k", value))
	}
	r := reader(t, l, log.Offsets{part0("t"): 0})
	read(t, r, 1)
	if err := c.DeleteRecords("t", 0, 8); err != nil {
		t.Fatal(err)
	}
	wantErr(t, until(t, r), log.ErrGap)
	anew := reader(t, l, log.Offsets{part0("t"): 0})
	f, err := anew.Next(t.Context(), 10)
	if err != nil {
		t.Fatal(err)
	}
	same(t, f.Start, 8)
	read(t, anew, 1)
}

func behindEnd(t *testing.T) {
	l := open(t, config(cluster(t)))
	topic(t, l, "t", 1)
	put(t, writer(t, l, "w"), rec(part0("t"), "a", "1"))
	err := until(t, reader(t, l, log.Offsets{part0("t"): 1000}))
	same(t, pipeline.CodeOf(err), codeTruncated)
}

func refusedInRange(t *testing.T) {
	c := cluster(t)
	cfg := config(c)
	var told atomic.Int32
	cfg.Events.Retrying = func(_ string, err error) {
		if errors.Is(err, kerr.OffsetOutOfRange) {
			told.Add(1)
		}
	}
	l := open(t, cfg)
	topic(t, l, "t", 1)
	put(t, writer(t, l, "w"), rec(part0("t"), "a", "1"))
	c.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Fetch}, Err: kerr.OffsetOutOfRange, Count: 3})
	began := time.Now()
	f, err := reader(t, l, log.Offsets{part0("t"): 0}).Next(within(t, 3*time.Minute), 10)
	if err != nil || len(f.Records) != 1 {
		t.Fatalf("%v, %v", f, err)
	}
	same(t, told.Load(), 3)
	if took, least := time.Since(began), backoff(1)+backoff(2)+backoff(3); took < least {
		t.Fatalf("three tries again in %s, %s is the least", took, least)
	}
}

func tailGone(t *testing.T) {
	c := cluster(t)
	l := open(t, config(c))
	topic(t, l, "t", 2)
	w := writer(t, l, "w")
	other := log.TopicPartition{Topic: "t", Partition: 1}
	for i := range 3 {
		put(t, w, rec(part0("t"), "k", fmt.Sprint(i)), rec(other, "k", fmt.Sprint(i)))
	}
	end := ends(t, l, part0("t")).Stable
	// From 3 on the broker has nothing more of this partition, and says so as
	// a compacted log would: no records, and a stable end farther on.
	c.ControlKey(int16(kmsg.Fetch), func(kreq kmsg.Request) (kmsg.Response, error, bool) {
		c.KeepControl()
		req := kreq.(*kmsg.FetchRequest)
		if len(req.Topics) != 1 || len(req.Topics[0].Partitions) != 1 || req.Topics[0].Partitions[0].Partition != 0 || req.Topics[0].Partitions[0].FetchOffset < 3 {
			return nil, nil, false
		}
		resp := req.ResponseKind().(*kmsg.FetchResponse)
		rt := kmsg.NewFetchResponseTopic()
		rt.Topic, rt.TopicID = req.Topics[0].Topic, req.Topics[0].TopicID
		rp := kmsg.NewFetchResponseTopicPartition()
		rp.HighWatermark, rp.LastStableOffset = end, end
		rt.Partitions = append(rt.Partitions, rp)
		resp.Topics = append(resp.Topics, rt)
		return resp, nil, true
	})
	r := reader(t, l, log.Offsets{part0("t"): 3})
	f, err := r.Next(within(t, 3*time.Minute), 10)
	if err != nil {
		t.Fatal(err)
	}
	same(t, len(f.Records), 0)
	same(t, f.Next, end)
}

func hanging(t *testing.T) {
	c := cluster(t)
	cfg := config(c)
	cfg.TransactionTimeout = time.Minute
	l := open(t, cfg)
	topic(t, l, "t", 1)
	w := writer(t, l, "w")
	put(t, w, rec(part0("t"), "a", "1"))
	if err := w.Append(t.Context(), rec(part0("t"), "b", "2")); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}

	// The administrator asks.
	found, err := l.Stuck(t.Context(), 0, "t")
	if err != nil || len(found) != 1 {
		t.Fatalf("found %v, %v", found, err)
	}
	s := found[0]
	same(t, s.TopicPartition, part0("t"))
	same(t, s.ProducerID, w.pid)
	same(t, s.TransactionalID, "test.w")
	same(t, s.Command, "") // our own may be committed
	other := cfg
	other.Deployment = "other"
	found, err = open(t, other).Stuck(t.Context(), 0, "t")
	if err != nil || len(found) != 1 {
		t.Fatalf("found %v, %v", found, err)
	}
	same(t, found[0].Command, fmt.Sprintf("kafka-transactions.sh --bootstrap-server %s abort --topic t --partition 0 --start-offset 2", c.ListenAddrs()[0]))
	if young, err := l.Stuck(t.Context(), time.Hour, "t"); err != nil || len(young) != 0 {
		t.Fatalf("a young transaction is stuck: %v, %v", young, err)
	}

	// A reader with less patience notices by itself.
	told := make(chan Stuck, 10)
	impatient := cfg
	impatient.TransactionTimeout = time.Millisecond
	impatient.Events.Stuck = func(s Stuck) { told <- s }
	r := reader(t, open(t, impatient), log.Offsets{part0("t"): 0})
	read(t, r, 1)
	done := make(chan error, 1)
	go func() { done <- until(t, r) }()
	select {
	case s := <-told:
		same(t, s.TransactionalID, "test.w")
	case <-time.After(3 * time.Minute):
		t.Fatal("nobody was told")
	}
	r.Close()
	wantErr(t, <-done, log.ErrClosed)
	if err := w.Commit(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	if after, err := l.Stuck(t.Context(), 0, "t"); err != nil || len(after) != 0 {
		t.Fatalf("after the commit: %v, %v", after, err)
	}
}

func TestStableWatch(t *testing.T) {
	at := time.Unix(0, 0)
	var w stableWatch
	for i, step := range []struct {
		stable, end int64
		after       time.Duration
		want        bool
	}{
		{5, 9, 0, false},                // begins to stand still
		{5, 9, time.Minute, false},      // not long enough
		{6, 9, 3 * time.Minute, false},  // moved: begins anew
		{6, 12, 4 * time.Minute, false}, // stands still
		{6, 12, 6 * time.Minute, true},  // for too long
		{6, 15, 9 * time.Minute, false}, // told already
		{15, 15, 9 * time.Minute, false},
		{15, 16, 10 * time.Minute, false},
		{15, 16, 13 * time.Minute, true},
	} {
		if got := w.overdue(step.stable, step.end, at.Add(step.after), 2*time.Minute); got != step.want {
			t.Errorf("step %d: overdue is %v", i, got)
		}
	}
}

func boundedRead(t *testing.T) {
	c := cluster(t)
	cfg := config(c)
	cfg.Limits.ReadBytes = 1 << 20
	l := open(t, cfg)
	topic(t, l, "t", 1)
	w := writer(t, l, "w")
	value := strings.Repeat("v", 100_000)
	for range 5 {
		put(t, w, rec(part0("t"), "a", value), rec(part0("t"), "b", value), rec(part0("t"), "c", value), rec(part0("t"), "d", value))
	}
	fetches := c.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Fetch}, Observe: true, Count: -1})
	r := reader(t, l, log.Offsets{part0("t"): 0})
	read(t, r, 1)
	if n := fetches.Hits(); n > 2 {
		t.Fatalf("%d fetches for one record", n)
	}
	same(t, len(read(t, r, 19)), 19)
}
