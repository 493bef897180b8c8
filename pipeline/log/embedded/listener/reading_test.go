package listener_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/evertdb/evert/pipeline/log"
	"github.com/evertdb/evert/pipeline/log/embedded/listener"
)

// compare wants what franz-go read to be what the log's own reader reads; nil
// and empty bytes are two things, but for headers, where the client has no nil.
func (b *lab) compare(foreign, own []log.Record) {
	b.t.Helper()
	if len(own) == 0 {
		b.t.Fatal("there is nothing to compare")
	}
	if len(own) != len(foreign) {
		b.t.Fatalf("the log has %d records, the listener %d", len(own), len(foreign))
	}
	for i := range own {
		if !sameRecord(own[i], foreign[i]) {
			b.t.Fatalf("the log has %.200q, the listener %.200q", fmt.Sprint(own[i]), fmt.Sprint(foreign[i]))
		}
	}
}

func sameRecord(a, b log.Record) bool {
	sameHeader := func(x, y log.Header) bool { return x.Key == y.Key && bytes.Equal(x.Value, y.Value) }
	return a.TopicPartition == b.TopicPartition && a.Offset == b.Offset && a.Time.Equal(b.Time) && sameBytes(a.Key, b.Key) && sameBytes(a.Value, b.Value) &&
		slices.EqualFunc(a.Headers, b.Headers, sameHeader)
}

func sameBytes(a, b []byte) bool { return (a == nil) == (b == nil) && bytes.Equal(a, b) }

func TestReading(t *testing.T) {
	t.Parallel()
	t.Run("every kind of record", func(t *testing.T) {
		b := newLab(t, listener.Config{})
		tp, w := b.topic("shop.public.orders"), b.writer("w")
		for _, r := range []log.Record{
			{Key: []byte("a"), Value: []byte("1"), Headers: []log.Header{{Key: log.PosHeader, Value: []byte("p")}, {Key: "own", Value: []byte{}}}},
			{Key: []byte("a")},
			{Key: []byte{}, Value: []byte{}},
			{Value: []byte("no key")},
			{Key: bytes.Repeat([]byte("k"), 300), Value: bytes.Repeat([]byte("v"), 200_000)},
		} {
			r.TopicPartition = tp
			b.must(w.Append(b.ctx, r))
		}
		b.must(w.Commit(b.ctx, nil))
		b.compare(b.foreign(tp, 0, b.ends(tp).Stable), b.own(tp, b.ends(tp)))
	})
	t.Run("K22 gaps of compaction and of aborted commits, also at the end", func(t *testing.T) {
		b := newLab(t, listener.Config{})
		tp, w := b.topic("t"), b.writer("w")
		rng := rand.New(rand.NewPCG(1, 2))
		for range 40 {
			b.put(w, tp, rng.IntN(500), 1+rng.IntN(300))
			b.abort(w, tp, rng.IntN(20))
		}
		b.abort(w, tp, 7)
		b.must(b.log.Admin().Compact(b.ctx, "t"))
		ends := b.ends(tp)
		own := b.own(tp, ends)
		if own[len(own)-1].Offset == ends.Stable-1 || int64(len(own)) > ends.Stable/2 {
			t.Fatalf("%d records below %d: no gaps to speak of", len(own), ends.Stable)
		}
		b.compare(b.foreign(tp, 0, ends.Stable), own)
		from := own[len(own)/2].Offset + 1 // within a batch, or in a gap
		got := b.foreign(tp, from, ends.Stable)
		for len(got) > 0 && got[0].Offset < from {
			t.Fatalf("asked from %d, got %d", from, got[0].Offset)
		}
		b.compare(got, own[len(own)/2+1:])
	})
	t.Run("K10 what is not committed is not seen, whatever the isolation level", func(t *testing.T) {
		b := newLab(t, listener.Config{})
		tp, w := b.topic("t"), b.writer("w")
		b.put(w, tp, 0, 10)
		b.must(w.Append(b.ctx, log.Record{TopicPartition: tp, Key: []byte("open")}))
		_, err := w.Flush(b.ctx)
		b.must(err)
		for level := range int8(2) {
			p := b.fetchOnce(tp, 0, func(r *kmsg.FetchRequest) { r.IsolationLevel = level })
			if p.HighWatermark != 10 || p.LastStableOffset != 10 || len(p.AbortedTransactions) != 0 {
				t.Errorf("level %d: %+v", level, p)
			}
		}
		b.compare(b.foreign(tp, 0, 10, kgo.FetchIsolationLevel(kgo.ReadUncommitted())), b.own(tp, b.ends(tp)))
	})
	t.Run("a record above every limit goes alone", func(t *testing.T) {
		b := newLab(t, listener.Config{Limits: listener.Limits{FetchBytes: 64 << 10}})
		tp, w := b.topic("t"), b.writer("w")
		b.put(w, tp, 0, 1000)
		b.must(w.Append(b.ctx, log.Record{TopicPartition: tp, Key: []byte("large"), Value: make([]byte, 5<<20)}))
		b.must(w.Commit(b.ctx, nil))
		b.put(w, tp, 1000, 1000)
		b.compare(b.foreign(tp, 0, b.ends(tp).Stable), b.own(tp, b.ends(tp)))
	})
	t.Run("K13 a topic made anew is another one", func(t *testing.T) {
		b := newLab(t, listener.Config{})
		tp, w := b.topic("t"), b.writer("w")
		b.put(w, tp, 0, 10)
		id := b.topicID("t")
		b.must(b.log.Admin().Delete(b.ctx, "t"))
		if p := b.fetchByID(id, 0); p.ErrorCode != 100 {
			t.Errorf("deleted: %+v", p)
		}
		b.topic("t")
		b.put(w, tp, 0, 20)
		if p := b.fetchByID(id, 0); p.ErrorCode != 100 {
			t.Errorf("made anew: %+v", p)
		}
		if p := b.fetchByID(b.topicID("t"), 0); p.ErrorCode != 0 || p.HighWatermark != 20 {
			t.Errorf("the new one: %+v", p)
		}
	})
	t.Run("offsets out of range", func(t *testing.T) {
		b := newLab(t, listener.Config{})
		tp, w := b.topic("t"), b.writer("w")
		b.put(w, tp, 0, 10)
		for offset, code := range map[int64]int16{-1: 1, 0: 0, 9: 0, 10: 0, 11: 1} {
			if p := b.fetchOnce(tp, offset, func(r *kmsg.FetchRequest) { r.MinBytes = 0 }); p.ErrorCode != code {
				t.Errorf("offset %d: error %d, want %d", offset, p.ErrorCode, code)
			}
		}
		if p := b.fetchOnce(log.TopicPartition{Topic: "t", Partition: 1}, 0, nil); p.ErrorCode != 3 {
			t.Errorf("no such partition: %+v", p)
		}
	})
}

func (b *lab) topicID(name string) (id [16]byte) {
	b.t.Helper()
	r := kmsg.NewPtrMetadataRequest()
	r.Version = 12
	asked := kmsg.NewMetadataRequestTopic()
	asked.Topic = &name
	r.Topics = append(r.Topics, asked)
	return ask[*kmsg.MetadataResponse](b.dial(), r).Topics[0].TopicID
}

func fetchRequest(version int16, tp log.TopicPartition, id [16]byte, offset int64) *kmsg.FetchRequest {
	r := kmsg.NewPtrFetchRequest()
	r.Version, r.MaxWaitMillis, r.MinBytes, r.MaxBytes = version, 10_000, 1, 1<<20
	p := kmsg.NewFetchRequestTopicPartition()
	p.Partition, p.FetchOffset, p.PartitionMaxBytes, p.CurrentLeaderEpoch = tp.Partition, offset, 1<<20, -1
	t := kmsg.NewFetchRequestTopic()
	t.Topic, t.TopicID = tp.Topic, id
	t.Partitions = append(t.Partitions, p)
	r.Topics = append(r.Topics, t)
	return r
}

// fetchOnce makes one fetch of version 11.
func (b *lab) fetchOnce(tp log.TopicPartition, offset int64, change func(*kmsg.FetchRequest)) kmsg.FetchResponseTopicPartition {
	b.t.Helper()
	r := fetchRequest(11, tp, [16]byte{}, offset)
	if change != nil {
		change(r)
	}
	return ask[*kmsg.FetchResponse](b.dial(), r).Topics[0].Partitions[0]
}

func (b *lab) fetchByID(id [16]byte, offset int64) kmsg.FetchResponseTopicPartition {
	b.t.Helper()
	return ask[*kmsg.FetchResponse](b.dial(), fetchRequest(17, log.TopicPartition{}, id, offset)).Topics[0].Partitions[0]
}

// TestWaiting is about fetches for which there is too little to read.
func TestWaiting(t *testing.T) {
	t.Parallel()
	b := newLab(t, listener.Config{Limits: listener.Limits{MaxWait: time.Hour}})
	const long = 3_000_000 // longer than an answer is waited for here
	tp, w := b.topic("t"), b.writer("w")
	t.Run("a commit wakes", func(t *testing.T) {
		c := b.dial()
		r := fetchRequest(11, tp, [16]byte{}, b.ends(tp).Stable)
		r.MaxWaitMillis = long
		c.send(r)
		b.put(w, tp, 0, 1)
		if c.receive() == nil {
			t.Error("not answered")
		}
	})
	t.Run("the time ends it", func(t *testing.T) {
		began := time.Now()
		p := b.fetchOnce(tp, b.ends(tp).Stable, func(r *kmsg.FetchRequest) { r.MaxWaitMillis = 50 })
		if took := time.Since(began); len(p.RecordBatches) != 0 || took < 50*time.Millisecond {
			t.Errorf("%d bytes after %s", len(p.RecordBatches), took)
		}
	})
	t.Run("too little waits for more", func(t *testing.T) {
		from := b.ends(tp).Stable
		b.put(w, tp, 0, 1)
		c := b.dial()
		r := fetchRequest(11, tp, [16]byte{}, from)
		r.MaxWaitMillis, r.MinBytes = 20_000, 20_000
		c.send(r)
		for i := range 20 {
			b.put(w, tp, 100*i, 100)
		}
		if raw := c.receive(); len(raw) < 20_000 {
			t.Errorf("%d bytes", len(raw))
		}
	})
	t.Run("an aborted commit wakes too", func(t *testing.T) {
		c := b.dial()
		r := fetchRequest(11, tp, [16]byte{}, b.ends(tp).Stable)
		r.MaxWaitMillis = long
		c.send(r)
		b.abort(w, tp, 3)
		if raw := c.receive(); len(raw) < 61 {
			t.Errorf("%d bytes, without a batch that closes the gap", len(raw))
		}
	})
	t.Run("a stop ends it", func(t *testing.T) {
		c := b.dial()
		r := fetchRequest(11, tp, [16]byte{}, b.ends(tp).Stable)
		r.MaxWaitMillis = long
		c.send(r)
		for b.server.Stats().Connections == 0 { // admitted
			time.Sleep(time.Millisecond)
		}
		b.server.Stop(b.ctx)
		c.receive() // an answer, or the end
	})
}

// TestReadingWhileSweeping reads a topic again and again while it is written and
// compacted: each reading ends where the log ended, and its newest values are
// the log's.
func TestReadingWhileSweeping(t *testing.T) {
	t.Parallel()
	b := newLab(t, listener.Config{})
	tp, w := b.topic("t"), b.writer("w")
	b.put(w, tp, 0, 100)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for i := range 30 {
			for k := range 200 {
				if err := w.Append(b.ctx, log.Record{TopicPartition: tp, Key: fmt.Append(nil, k), Value: fmt.Append(nil, i)}); err != nil {
					t.Error(err)
				}
			}
			if err := w.Commit(b.ctx, nil); err != nil {
				t.Error(err)
			}
			if err := b.log.Admin().Compact(b.ctx, "t"); err != nil {
				t.Error(err)
			}
		}
	}()
	for reading := true; reading; {
		select {
		case <-done:
			reading = false
		default:
		}
		last := int64(-1)
		for _, r := range b.foreign(tp, 0, b.ends(tp).Stable) {
			if r.Offset <= last {
				t.Fatalf("offset %d behind %d", r.Offset, last)
			}
			last = r.Offset
		}
	}
	b.compare(b.foreign(tp, 0, b.ends(tp).Stable), b.own(tp, b.ends(tp)))
}

func TestListOffsets(t *testing.T) {
	t.Parallel()
	b := newLab(t, listener.Config{})
	tp, w := b.topic("t"), b.writer("w")
	place := func(at int64) (offset, stamp int64) {
		t.Helper()
		r := kmsg.NewPtrListOffsetsRequest()
		r.Version = 10
		p := kmsg.NewListOffsetsRequestTopicPartition()
		p.Timestamp, p.CurrentLeaderEpoch = at, -1
		topic := kmsg.NewListOffsetsRequestTopic()
		topic.Topic, topic.Partitions = tp.Topic, append(topic.Partitions, p)
		r.Topics = append(r.Topics, topic)
		found := ask[*kmsg.ListOffsetsResponse](b.dial(), r).Topics[0].Partitions[0]
		if found.ErrorCode != 0 {
			t.Errorf("at %d: error %d", at, found.ErrorCode)
		}
		return found.Offset, found.Timestamp
	}
	if o, _ := place(-3); o != -1 {
		t.Errorf("the newest of an empty partition is at %d", o)
	}
	for i := range 5 {
		b.put(w, tp, 10*i, 10)
		time.Sleep(3 * time.Millisecond) // block times are of milliseconds here
	}
	b.abort(w, tp, 5)
	own := b.own(tp, b.ends(tp))
	for name, want := range map[int64]int64{-1: 55, -2: 0, -3: 49, -4: 0, -5: -1} {
		if o, _ := place(name); o != want {
			t.Errorf("place %d is at %d, want %d", name, o, want)
		}
	}
	for _, r := range own {
		ms := r.Time.UnixMilli()
		first := own[0]
		for _, r := range own {
			if r.Time.UnixMilli() >= ms {
				first = r
				break
			}
		}
		if o, stamp := place(ms); o != first.Offset || stamp != first.Time.UnixMilli() {
			t.Errorf("at %d: offset %d of %d, want %d", ms, o, stamp, first.Offset)
		}
	}
	if o, stamp := place(own[len(own)-1].Time.UnixMilli() + 1); o != -1 || stamp != -1 {
		t.Errorf("behind all: offset %d of %d", o, stamp)
	}
}
