package logtest

import (
	"context"
	"errors"
	"io"
	"time"

	"github.com/evertdb/evert/pipeline/log"
)

// reading: what a reader may rely on.
var reading = []clause{
	{"a limit is exclusive, and io.EOF comes when all are reached", nil, limits},
	{"a limit above the stable end is waited for", nil, limitAhead},
	{"reading begins where it is assigned, and may be assigned anew", nil, assign},
	{"K22 from inside a gap reading goes on behind it", nil, insideGap},
	{"a Next that ended with its context loses nothing", nil, nextEnds},
	{"Close ends a waiting Next", nil, closeEnds},
	{"a reader follows commits as they come", nil, follows},
	{"an assignment to a topic that is not there is refused", nil, assignNothing},
}

func limits(e *env) {
	e.compacted("t", 2)
	p, q := part("t", 0), part("t", 1)
	w := e.writer("w")
	w.append(rec(p, "a", "1"), rec(p, "b", "2"), rec(q, "c", "3"))
	cut := w.flush()
	w.commit()
	w.put(rec(p, "d", "4"), rec(q, "e", "5"))
	r := e.reader(log.Offsets{p: 0, q: 0})
	r.Limit(cut)
	got, at := e.drain(r, 1)
	if len(got) != 3 || at[p] != cut[p] || at[q] != cut[q] {
		e.Fatalf("got %s up to %v, the limits are %v", print(got), at, cut)
	}
	_, err := r.Next(e.ctx(), 1)
	e.wantErr(err, io.EOF)
	r.Limit(log.Offsets{p: e.ends(p).Stable, q: e.ends(q).Stable})
	if got, _ = e.drain(r, 10); len(got) != 2 {
		e.Fatalf("behind the first limit: %s", print(got))
	}
}

func limitAhead(e *env) {
	p := part("t", 0)
	e.compacted("t", 1)
	w := e.writer("w")
	w.put(rec(p, "a", "1"))
	r := e.reader(log.Offsets{p: 0})
	w.append(rec(p, "b", "2"))
	to := w.flush()[p]
	r.Limit(log.Offsets{p: to})
	e.want(e.until(r, 1), "a=1")
	w.commit()
	got, _ := e.drain(r, 10)
	e.want(got, "b=2")
}

func assign(e *env) {
	e.compacted("t", 2)
	p, q := part("t", 0), part("t", 1)
	w := e.writer("w")
	w.put(rec(p, "a", "1"), rec(p, "b", "2"), rec(p, "c", "3"), rec(q, "d", "4"))
	all := e.all(p)
	e.want(e.read(p, all[1].Offset, e.ends(p).Stable), "b=2 c=3")
	r := e.reader(log.Offsets{p: all[2].Offset})
	e.want(e.until(r, 1), "c=3")
	e.must(r.Assign(log.Offsets{q: 0}))
	e.want(e.until(r, 1), "d=4")
	e.must(r.Assign(log.Offsets{p: 0, q: e.ends(q).Stable}))
	e.want(e.until(r, 3), "a=1 b=2 c=3")
}

func insideGap(e *env) {
	p := part("t", 0)
	e.compacted("t", 1)
	w := e.writer("w")
	w.put(rec(p, "a", "1"))
	from := e.ends(p).Stable
	w.append(rec(p, "x", "dropped"), rec(p, "y", "dropped"))
	inside := w.flush()[p] - 1
	w.abort()
	w.put(rec(p, "b", "2"))
	for at := from; at <= inside; at++ {
		e.want(e.read(p, at, e.ends(p).Stable), "b=2")
	}
}

func nextEnds(e *env) {
	p := part("t", 0)
	e.compacted("t", 1)
	r := e.reader(log.Offsets{p: 0})
	for range 3 {
		ctx, cancel := context.WithTimeout(e.ctx(), 5*time.Millisecond)
		_, err := r.Next(ctx, 10)
		cancel()
		if !errors.Is(err, context.DeadlineExceeded) {
			e.Fatalf("a Next with nothing to read: %v", err)
		}
	}
	w := e.writer("w")
	w.put(rec(p, "a", "1"), rec(p, "b", "2"))
	e.want(e.until(r, 2), "a=1 b=2")
}

func closeEnds(e *env) {
	p := part("t", 0)
	e.compacted("t", 1)
	r := e.reader(log.Offsets{p: 0})
	ended := make(chan error)
	go func() {
		_, err := r.Next(e.ctx(), 10)
		ended <- err
	}()
	e.must(r.Close())
	e.wantErr(<-ended, log.ErrClosed)
	e.must(r.Close())
}

func follows(e *env) {
	p := part("t", 0)
	e.compacted("t", 1)
	r := e.reader(log.Offsets{p: 0})
	w := e.writer("w")
	for _, v := range []string{"1", "2", "3"} {
		w.put(rec(p, "a", v))
		e.want(e.until(r, 1), "a="+v)
		w.append(rec(p, "a", "dropped"))
		w.flush()
		w.abort()
	}
}

func assignNothing(e *env) {
	r, err := e.log.Reader(e.ctx())
	e.must(err)
	defer r.Close()
	if err = r.Assign(log.Offsets{part("none", 0): 0}); err == nil {
		_, err = r.Next(e.ctx(), 1)
	}
	e.wantErr(err, log.ErrNoTopic)
}
