package logtest

import (
	"bytes"
	"fmt"
	"strings"
	"sync"

	"github.com/evertdb/evert/pipeline/log"
)

// writing: what a single writer may rely on.
var writing = []clause{
	{"what is committed is read, in the order of appending", nil, inOrder},
	{"K10 nothing is visible before its commit", nil, invisible},
	{"K10 an aborted record is never seen and its offset not used again", nil, aborted},
	{"K22 reading passes a tail of aborted and control records", nil, abortedTail},
	{"the offsets of Flush are where the records land", nil, flushed},
	{"a commit of several partitions is visible in all of them", nil, severalPartitions},
	{"an empty value is not a tombstone, and headers keep their bytes", nil, bytesKept},
	{"Append copies what it keeps", nil, copies},
	{"a commit of nothing does nothing", nil, nothing},
	{"Close drops the open commit and may be called again", nil, closeDrops},
	{"K03 a record above the topic's limit is refused, one below it goes", nil, tooLarge},
	{"a record for a topic or partition that is not there is refused", nil, noTopic},
	{"writers of several ids commit side by side and one after another", nil, concurrent},
	{"a large commit keeps its order and its bytes", nil, large},
}

func inOrder(e *env) {
	p := part("t", 0)
	e.compacted("t", 1)
	w := e.writer("w")
	w.append(rec(p, "a", "1"), rec(p, "b", "2"))
	w.append(rec(p, "a", "3"))
	w.commit()
	w.put(rec(p, "c", "4"))
	e.want(e.all(p), "a=1 b=2 a=3 c=4")
}

func invisible(e *env) {
	e.compacted("t", 2)
	open, done := part("t", 0), part("t", 1)
	w, other := e.writer("w"), e.writer("other")
	w.append(rec(open, "a", "1"))
	w.flush()
	other.put(rec(done, "b", "2"))
	r := e.reader(log.Offsets{open: 0, done: 0})
	f, err := e.next(r, 10)
	e.must(err)
	if f.TopicPartition != done {
		e.Fatalf("progress on %s, whose commit is open", f.TopicPartition)
	}
	e.want(f.Records, "b=2")
	if got := e.ends(open); got.Stable != 0 {
		e.Fatalf("the stable end moved to %d before the commit", got.Stable)
	}
	w.commit()
	e.want(e.until(r, 1), "a=1")
}

func aborted(e *env) {
	p := part("t", 0)
	e.compacted("t", 1)
	w := e.writer("w")
	w.put(rec(p, "a", "1"))
	w.append(rec(p, "a", "dropped"), rec(p, "b", "dropped"))
	gone := w.flush()[p]
	w.abort()
	w.put(rec(p, "c", "3"))
	got := e.all(p)
	e.want(got, "a=1 c=3")
	if at := got[1].Offset; at < gone {
		e.Fatalf("offset %d was used again: the aborted commit went to %d", at, gone)
	}
}

func abortedTail(e *env) {
	p := part("t", 0)
	e.compacted("t", 1)
	w := e.writer("w")
	w.put(rec(p, "a", "1"))
	for range 3 {
		w.append(rec(p, "a", "dropped"))
		w.flush()
		w.abort()
	}
	e.want(e.all(p), "a=1")
	r := e.reader(log.Offsets{p: e.ends(p).Stable})
	w.put(rec(p, "b", "2"))
	e.want(e.until(r, 1), "b=2")
}

// until reads until it has n records.
func (e *env) until(r log.Reader, n int) (all []log.Record) {
	e.Helper()
	for len(all) < n {
		f, err := e.next(r, 100)
		e.must(err)
		all = append(all, f.Records...)
	}
	return all
}

func flushed(e *env) {
	e.compacted("t", 2)
	p, q := part("t", 0), part("t", 1)
	w := e.writer("w")
	w.put(rec(p, "x", "0"))
	w.append(rec(p, "a", "1"), rec(q, "b", "2"), rec(p, "c", "3"))
	first := w.flush()
	w.append(rec(q, "d", "4"))
	second := w.flush()
	w.commit()
	w.put(rec(p, "late", "5"), rec(q, "late", "5"))

	e.want(e.read(p, 0, first[p]), "x=0 a=1 c=3")
	e.want(e.read(q, 0, first[q]), "b=2")
	e.want(e.read(q, 0, second[q]), "b=2 d=4")
	if second[p] != first[p] || second[q] <= first[q] {
		e.Fatalf("Flush gave %v, then %v", first, second)
	}
	if got := w.flush(); len(got) != 0 {
		e.Fatalf("Flush without an open commit gave %v", got)
	}
	if got := e.all(p); e.h.Exact && got[2].Offset+1 != first[p] {
		e.Fatalf("the last record lies at %d, Flush gave %d", got[2].Offset, first[p])
	}
}

func severalPartitions(e *env) {
	e.compacted("t", 3)
	e.compacted("u", 1)
	w := e.writer("w")
	all := []log.TopicPartition{part("t", 0), part("t", 1), part("t", 2), part("u", 0)}
	for i := range 5 {
		for _, p := range all {
			w.append(rec(p, "k", fmt.Sprint(i)))
		}
		w.commit()
	}
	for _, p := range all {
		e.want(e.all(p), "k=0 k=1 k=2 k=3 k=4")
	}
}

func bytesKept(e *env) {
	p := part("t", 0)
	e.compacted("t", 1)
	w := e.writer("w")
	headers := []log.Header{
		{Key: log.PosHeader, Value: log.Pos{Incarnation: 1, Seq: 2, Row: 3}.Append(nil)},
		{Key: log.PartHeader, Value: []byte{7}},
		{Key: "another", Value: []byte{0, 1, 255}},
		{Key: "empty", Value: []byte{}},
	}
	r := rec(p, "a", "\x00\xff binary")
	r.Headers = headers
	w.put(rec(p, "e", ""), tombstone(p, "t"), r)
	got := e.all(p)
	if got[0].Value == nil || len(got[0].Value) != 0 {
		e.Errorf("the empty value came back as %#v", got[0].Value)
	}
	if got[1].Value != nil {
		e.Errorf("the tombstone came back as %#v", got[1].Value)
	}
	if string(got[2].Value) != "\x00\xff binary" || len(got[2].Headers) != len(headers) {
		e.Fatalf("got %q with %d headers", got[2].Value, len(got[2].Headers))
	}
	for i, h := range got[2].Headers {
		if h.Key != headers[i].Key || !bytes.Equal(h.Value, headers[i].Value) {
			e.Errorf("header %d is %q=%x", i, h.Key, h.Value)
		}
	}
}

func copies(e *env) {
	p := part("t", 0)
	e.compacted("t", 1)
	w := e.writer("w")
	r := rec(p, "a", "1")
	r.Headers = []log.Header{{Key: "h", Value: []byte("2")}}
	w.append(r)
	r.Key[0], r.Value[0], r.Headers[0].Value[0] = 'X', 'X', 'X'
	r.Headers[0].Key = "X"
	w.commit()
	got := e.all(p)
	e.want(got, "a=1")
	if h := got[0].Headers[0]; h.Key != "h" || string(h.Value) != "2" {
		e.Fatalf("the header became %q=%q", h.Key, h.Value)
	}
}

func nothing(e *env) {
	p := part("t", 0)
	e.compacted("t", 1)
	w := e.writer("w")
	w.commit()
	w.abort()
	w.append()
	w.commit()
	if got := e.ends(p); got.Stable != 0 {
		e.Fatalf("the stable end is %d", got.Stable)
	}
	w.put(rec(p, "a", "1"))
	e.want(e.all(p), "a=1")
}

func closeDrops(e *env) {
	p := part("t", 0)
	e.compacted("t", 1)
	w := e.writer("w")
	w.put(rec(p, "a", "1"))
	w.append(rec(p, "b", "2"))
	e.must(w.Close())
	e.must(w.Close())
	if err := w.Append(e.ctx(), rec(p, "c", "3")); err == nil {
		e.Fatal("a closed writer appended")
	}
	again := e.writer("w")
	again.put(rec(p, "d", "4"))
	e.want(e.all(p), "a=1 d=4")
}

func tooLarge(e *env) {
	p := part("t", 0)
	e.ensure(log.TopicSpec{Name: "t", Partitions: 1, Compact: true, MaxBytes: 100_000})
	w := e.writer("w")
	w.put(rec(p, "fits", strings.Repeat("x", 90_000)))
	err := w.Append(e.ctx(), rec(p, "large", strings.Repeat("x", 110_000)))
	if err == nil {
		_, err = w.Flush(e.ctx())
	}
	e.wantErr(err, log.ErrTooLarge)
	w.Close()
	again := e.writer("w")
	again.put(rec(p, "a", "1"))
	got := e.all(p)
	if len(got) != 2 || string(got[1].Key) != "a" {
		e.Fatalf("%d records", len(got))
	}
}

func noTopic(e *env) {
	e.compacted("t", 1)
	w := e.writer("w")
	err := w.Append(e.ctx(), rec(part("none", 0), "a", "1"))
	if err == nil {
		_, err = w.Flush(e.ctx())
	}
	e.wantErr(err, log.ErrNoTopic)
	v := e.writer("v")
	if err = v.Append(e.ctx(), rec(part("t", 1), "a", "1")); err == nil {
		_, err = v.Flush(e.ctx())
	}
	e.wantErr(err, log.ErrNoTopic)
}

func concurrent(e *env) {
	const writers, commits = 4, 20
	e.compacted("own", writers)
	e.compacted("shared", 1)
	var done sync.WaitGroup
	for i := range int32(writers) {
		w := e.writer(fmt.Sprintf("w%d", i))
		done.Go(func() {
			for n := range commits {
				v := fmt.Sprint(n)
				err := w.Append(e.ctx(), rec(part("own", i), "k", v), rec(part("shared", 0), fmt.Sprint(i), v))
				if err == nil {
					err = w.Commit(e.ctx(), nil)
				}
				if err != nil {
					e.Errorf("writer %d, commit %d: %v", i, n, err)
					return
				}
			}
		})
	}
	done.Wait()
	for i := range int32(writers) {
		if got := e.all(part("own", i)); len(got) != commits {
			e.Errorf("partition %d has %d records", i, len(got))
		}
	}
	next := map[string]int{}
	for _, r := range e.all(part("shared", 0)) {
		if string(r.Value) != fmt.Sprint(next[string(r.Key)]) {
			e.Fatalf("writer %s: %s came where %d was due", r.Key, r.Value, next[string(r.Key)])
		}
		next[string(r.Key)]++
	}
	if len(next) != writers {
		e.Fatalf("%d writers in the shared partition", len(next))
	}
}

func large(e *env) {
	const records = 20_000
	e.compacted("t", 2)
	w := e.writer("w")
	filler := strings.Repeat("v", 150)
	batch := make([]log.Record, 0, 100)
	for i := range records {
		batch = append(batch, rec(part("t", int32(i%2)), fmt.Sprintf("key%06d", i), filler+fmt.Sprint(i)))
		if len(batch) == cap(batch) {
			w.append(batch...)
			batch = batch[:0]
		}
	}
	w.commit()
	for p := range int32(2) {
		tp := part("t", p)
		r := e.reader(log.Offsets{tp: 0})
		r.Limit(log.Offsets{tp: e.ends(tp).Stable})
		i := int(p)
		all, _ := e.drain(r, 700)
		for _, r := range all {
			if string(r.Key) != fmt.Sprintf("key%06d", i) || string(r.Value) != filler+fmt.Sprint(i) {
				e.Fatalf("record %d is %s=%s", i, r.Key, r.Value)
			}
			i += 2
		}
		if i != records+int(p) {
			e.Fatalf("the partition ended at record %d", i)
		}
	}
}
