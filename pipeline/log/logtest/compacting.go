package logtest

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"time"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/log"
)

// compacting: what may go and what has to stay.
var compacting = []clause{
	{"the newest record of each key stays, in order", []Power{Compact}, newestStays},
	{"K22 reading passes a compacted tail to the stable end", []Power{Compact}, compactedTail},
	{"an open commit hides nothing from compaction and loses nothing to it", []Power{Compact}, compactOpen},
	{"records younger than MinLag stay", nil, minLag},
	{"K16 a reader that stops at a sound cut has the state of that cut", []Power{Compact}, soundCut},
	{"K16 a pinned cut stays whole", []Power{Compact, Pins}, pinned},
	{"K17 tombstones stay for their retention, then go", []Power{Aging}, tombstones},
	{"K17 a reader that missed expired tombstones is told", []Power{Aging}, missedTombstones},
	{"K18 a compacted topic never loses a live key by age", []Power{Aging}, liveKeys},
	{"records of a delete topic go by age and its start moves", []Power{Aging}, byAge},
	{"a compacted frontier topic always gives the newest frontier", []Power{Compact}, frontierFolds},
	{"what was compacted stays so after a crash", []Power{Compact, Crash}, compactCrash},
}

func newestStays(e *env) {
	p := part("t", 0)
	e.compacted("t", 1)
	w := e.writer("w")
	w.put(rec(p, "a", "1"), rec(p, "b", "1"), rec(p, "c", "1"))
	w.put(rec(p, "a", "2"), rec(p, "d", "1"), tombstone(p, "c"))
	w.put(rec(p, "a", "3"), rec(p, "e", "1"))
	before := e.all(p)
	e.compact("t")
	got := e.all(p)
	if e.h.Exact {
		e.want(got, "b=1 d=1 c=- a=3 e=1")
	}
	if !maps.Equal(fold(got), fold(before)) {
		e.Fatalf("compaction changed the state: %v, was %v", fold(got), fold(before))
	}
	was := map[int64]string{}
	for _, r := range before {
		was[r.Offset] = print([]log.Record{r})
	}
	for _, r := range got {
		if was[r.Offset] != print([]log.Record{r}) {
			e.Fatalf("offset %d holds %s, was %s", r.Offset, print([]log.Record{r}), was[r.Offset])
		}
	}
}

func compactedTail(e *env) {
	p := part("t", 0)
	e.compacted("t", 1)
	w := e.writer("w")
	for i := range 50 {
		w.put(rec(p, "k", fmt.Sprint(i)))
	}
	w.append(rec(p, "k", "dropped"))
	w.flush()
	w.abort()
	end := e.ends(p).Stable
	e.compact("t")
	got := e.all(p)
	if e.h.Exact {
		e.want(got, "k=49")
	}
	if fold(got)["k"] != "49" {
		e.Fatalf("got %s", print(got))
	}
	if now := e.ends(p).Stable; now < end {
		e.Fatalf("compaction moved the stable end from %d to %d", end, now)
	}
	for from := int64(0); from < end; from += 7 {
		e.read(p, from, end)
	}
}

func compactOpen(e *env) {
	p := part("t", 0)
	e.compacted("t", 1)
	w := e.writer("w")
	w.put(rec(p, "a", "1"), rec(p, "b", "1"))
	w.put(rec(p, "a", "2"))
	w.append(rec(p, "a", "3"), rec(p, "b", "3"))
	w.flush()
	e.compact("t")
	if got := fold(e.all(p)); got["a"] != "2" || got["b"] != "1" {
		e.Fatalf("with a commit open the state is %v", got)
	}
	w.abort()
	e.compact("t")
	if got := fold(e.all(p)); got["a"] != "2" || got["b"] != "1" {
		e.Fatalf("after the abort the state is %v", got)
	}
}

func minLag(e *env) {
	p := part("t", 0)
	e.ensure(log.TopicSpec{Name: "t", Partitions: 1, Compact: true, MinLag: 1000 * time.Hour})
	w := e.writer("w")
	w.put(rec(p, "a", "1"))
	w.put(rec(p, "a", "2"))
	if err := e.log.Admin().Compact(e.ctx(), "t"); !errors.Is(err, errors.ErrUnsupported) {
		e.must(err)
	}
	e.want(e.all(p), "a=1 a=2")
}

// soundCut commits at random, compacts at random, and holds every cut that is
// called sound against what was true at it.
func soundCut(e *env) {
	seed := uint64(7)
	rng := rand.New(rand.NewPCG(seed, 0))
	e.compacted("t", 2)
	type cut struct {
		at    log.Offsets
		state map[string]string
		when  time.Time
	}
	w := e.writer("w")
	state, cuts, sound := map[string]string{}, []cut(nil), 0
	for round := range 12 {
		for range 1 + rng.IntN(6) {
			p := part("t", int32(rng.IntN(2)))
			k := fmt.Sprintf("%d-%d", p.Partition, rng.IntN(4))
			if rng.IntN(5) == 0 {
				w.append(tombstone(p, k))
				delete(state, k)
				continue
			}
			state[k] = fmt.Sprint(round, rng.IntN(1000))
			w.append(rec(p, k, state[k]))
		}
		w.commit()
		at := log.Offsets{}
		var when time.Time
		for i := range int32(2) {
			at[part("t", i)] = e.ends(part("t", i)).Stable
			for _, r := range e.all(part("t", i)) {
				when = later(when, r.Time)
			}
		}
		cuts = append(cuts, cut{at, maps.Clone(state), when})
		ok, err := e.log.Admin().Sound(e.ctx(), at, when)
		e.must(err)
		if !ok {
			e.Fatalf("seed %d, round %d: the stable end is not a sound cut", seed, round)
		}
		if rng.IntN(3) == 0 {
			e.compact("t")
		}
		for _, c := range cuts {
			ok, err := e.log.Admin().Sound(e.ctx(), c.at, c.when)
			e.must(err)
			if !ok {
				continue
			}
			sound++
			var recs []log.Record
			for p, to := range c.at {
				recs = append(recs, e.read(p, 0, to)...)
			}
			if got := fold(recs); !maps.Equal(got, c.state) {
				e.Fatalf("seed %d, round %d: cut %v is called sound, gives %v, was %v", seed, round, c.at, got, c.state)
			}
		}
	}
	e.Logf("%d sound cuts held", sound)
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

func pinned(e *env) {
	p := part("t", 0)
	e.compacted("t", 1)
	w := e.writer("w")
	w.put(rec(p, "a", "1"), rec(p, "b", "1"))
	cut := log.Offsets{p: e.ends(p).Stable}
	r := e.reader(log.Offsets{p: 0})
	r.Limit(cut)
	w.put(rec(p, "a", "2"), tombstone(p, "b"), rec(p, "c", "2"))
	e.compact("t")
	ok, err := e.log.Admin().Sound(e.ctx(), cut, time.Now())
	e.must(err)
	if !ok {
		e.Fatal("a pinned cut became unsound")
	}
	got, _ := e.drain(r, 10)
	e.want(got, "a=1 b=1")

	r.Limit(nil)
	e.compact("t")
	if ok, err = e.log.Admin().Sound(e.ctx(), cut, time.Now()); err != nil || ok {
		e.Fatalf("compaction passed an unpinned cut, and it is called sound (%v)", err)
	}
	e.want(e.all(p), "a=2 b=- c=2")
}

func tombstones(e *env) {
	p := part("t", 0)
	e.ensure(log.TopicSpec{Name: "t", Partitions: 1, Compact: true, MinLag: time.Millisecond, Retention: 24 * time.Hour})
	w := e.writer("w")
	w.put(rec(p, "a", "1"), rec(p, "b", "1"))
	w.put(tombstone(p, "a"))
	w.put(rec(p, "c", "1"))
	e.compact("t")
	if got := print(e.all(p)); got != "b=1 a=- c=1" {
		e.Fatalf("within the retention: %s", got)
	}
	e.h.Advance(e.T, 25*time.Hour)
	e.compact("t")
	e.compact("t")
	e.want(e.all(p), "b=1 c=1")
}

func missedTombstones(e *env) {
	p := part("t", 0)
	e.ensure(log.TopicSpec{Name: "t", Partitions: 1, Compact: true, MinLag: time.Millisecond, Retention: 24 * time.Hour})
	w := e.writer("w")
	w.put(rec(p, "a", "1"))
	seen := e.ends(p).Stable
	w.put(tombstone(p, "a"))
	past := e.ends(p).Stable
	w.put(rec(p, "c", "1"))
	e.h.Advance(e.T, 25*time.Hour)
	e.compact("t")
	e.compact("t")
	r := e.reader(log.Offsets{p: seen})
	_, err := r.Next(e.ctx(), 10)
	e.wantErr(err, log.ErrGap)
	e.want(e.read(p, past, e.ends(p).Stable), "c=1")
	e.want(e.all(p), "c=1")
}

func liveKeys(e *env) {
	p := part("t", 0)
	e.compacted("t", 1)
	w := e.writer("w")
	w.put(rec(p, "a", "1"), rec(p, "b", "1"))
	w.put(rec(p, "c", "1"))
	e.h.Advance(e.T, 10*365*24*time.Hour)
	e.compact("t")
	e.want(e.all(p), "a=1 b=1 c=1")
}

func byAge(e *env) {
	p := part("t", 0)
	e.ensure(log.TopicSpec{Name: "t", Partitions: 1, Retention: time.Hour})
	w := e.writer("w")
	w.put(rec(p, "a", "1"), rec(p, "a", "2"))
	slow := e.reader(log.Offsets{p: 0})
	f, err := e.next(slow, 1)
	e.must(err)
	e.want(f.Records, "a=1")
	e.h.Advance(e.T, 2*time.Hour)
	w.put(rec(p, "a", "3"))
	e.compact("t")
	if start := e.ends(p).Start; start < 2 {
		e.Fatalf("the start is %d", start)
	}
	e.want(e.all(p), "a=3")
	_, err = slow.Next(e.ctx(), 10)
	e.wantErr(err, log.ErrGap)
}

// frontierFolds writes more frontier records than there are keys, compacting
// now and then.
func frontierFolds(e *env) {
	topic := log.FrontierTopic("d", "s")
	p := part(topic, 0)
	e.compacted(topic, 1)
	w := e.writer("w")
	var f log.Frontier
	for n := range uint64(700) {
		prev := f.Clone()
		f = log.Frontier{Number: n, Incarnation: 5, Resume: pipeline.Resume{At: pipeline.Position{Seq: n + 1, Native: "x"}}}
		f.Offsets = maps.Clone(prev.Offsets)
		if f.Offsets == nil {
			f.Offsets = log.Offsets{}
		}
		f.Offsets[part("t", int32(n%3))] = int64(n)
		since := &prev
		if n == 0 {
			since = nil
		}
		w.append(log.Record{TopicPartition: p, Key: f.Key(), Value: f.AppendRecord(nil, since)})
		if n%20 == 19 {
			w.commit()
		}
		if n%180 == 179 {
			e.compact(topic)
			e.frontier(p, &f)
		}
	}
	w.commit()
	e.frontier(p, &f)
}

// frontier folds p and compares.
func (e *env) frontier(p log.TopicPartition, want *log.Frontier) {
	e.Helper()
	var fold log.Fold
	for _, r := range e.all(p) {
		e.must(fold.Apply(&r))
	}
	got, ok := fold.Frontier()
	if !ok || got.Number != want.Number || !maps.Equal(got.Offsets, want.Offsets) {
		e.Fatalf("folded %v %+v, want %+v", ok, got, want)
	}
}

func compactCrash(e *env) {
	p := part("t", 0)
	e.compacted("t", 1)
	w := e.writer("w")
	for i := range 10 {
		w.put(rec(p, "a", fmt.Sprint(i)), rec(p, fmt.Sprint("k", i), "1"))
	}
	cut := log.Offsets{p: 5}
	e.compact("t")
	before := fold(e.all(p))
	sound, err := e.log.Admin().Sound(e.ctx(), cut, time.Time{})
	e.must(err)
	e.crash()
	if got := fold(e.all(p)); !maps.Equal(got, before) {
		e.Fatalf("after the crash %v, was %v", got, before)
	}
	now, err := e.log.Admin().Sound(e.ctx(), cut, time.Time{})
	e.must(err)
	if now && !sound {
		var missing = e.read(p, 0, 5)
		e.Logf("the crash undid the compaction: %s", print(missing))
		if fold(missing)["a"] == "" {
			e.Fatal("an unsound cut became sound by a crash")
		}
	}
}
