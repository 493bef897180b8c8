package logtest

import (
	"fmt"

	"github.com/evertdb/evert/pipeline/log"
)

// indexing: what a writer that finds records by key says.
var indexing = []clause{
	{"the newest record of a key is found, in the open commit too", []Power{Index}, latest},
	{"an aborted record is not found", []Power{Index}, latestAborted},
	{"after a crash the index finds no record that is gone", []Power{Index, Crash}, latestCrash},
	{"the index follows compaction", []Power{Index, Compact}, latestCompacted},
	{"keys whose newest record is old and alive are stale", []Power{Index}, stale},
}

func (w *writer) index() log.Index {
	w.env.Helper()
	x, ok := w.Writer.(log.Index)
	if !ok {
		w.env.Fatal("the writer has no Index, and the harness does not say why")
	}
	return x
}

// find gives the newest value: "-" for a tombstone, "none" without a record.
func (w *writer) find(p log.TopicPartition, key string) string {
	w.env.Helper()
	v, offset, ok, err := w.index().Latest(w.env.ctx(), p, []byte(key))
	w.env.must(err)
	switch {
	case !ok:
		return "none"
	case v == nil:
		return fmt.Sprint("- at ", offset)
	}
	return fmt.Sprint(string(v), " at ", offset)
}

func (w *writer) wantLatest(p log.TopicPartition, key, want string) {
	w.env.Helper()
	if got := w.find(p, key); got != want {
		w.env.Fatalf("the newest of %s is %s, want %s", key, got, want)
	}
}

func latest(e *env) {
	e.compacted("t", 2)
	p := part("t", 0)
	w := e.writer("w")
	w.wantLatest(p, "a", "none")
	w.put(rec(p, "a", "1"), rec(p, "b", "2"), rec(p, "ab", "3"))
	w.wantLatest(p, "a", "1 at 0")
	w.wantLatest(p, "ab", "3 at 2")
	w.wantLatest(p, "", "none")
	w.wantLatest(part("t", 1), "a", "none")
	at := w.flushNext(p, rec(p, "a", ""))
	w.wantLatest(p, "a", fmt.Sprint(" at ", at))
	w.append(tombstone(p, "a"), rec(p, "b", "5"))
	w.wantLatest(p, "a", fmt.Sprint("- at ", at+1))
	w.wantLatest(p, "b", fmt.Sprint("5 at ", at+2))
	for i := range 300 {
		w.append(rec(p, "hot", fmt.Sprint(i)))
		w.wantLatest(p, "hot", fmt.Sprint(i, " at ", at+3+int64(i)))
	}
	w.commit()
	w.wantLatest(p, "b", fmt.Sprint("5 at ", at+2))
}

// flushNext appends one record and gives its offset.
func (w *writer) flushNext(p log.TopicPartition, r log.Record) int64 {
	w.env.Helper()
	w.append(r)
	return w.flush()[p] - 1
}

func latestAborted(e *env) {
	e.compacted("t", 1)
	p := part("t", 0)
	w := e.writer("w")
	at := w.flushNext(p, rec(p, "a", "1"))
	w.commit()
	w.append(rec(p, "a", "2"), rec(p, "b", "2"))
	w.flush()
	w.abort()
	w.wantLatest(p, "a", fmt.Sprint("1 at ", at))
	w.wantLatest(p, "b", "none")
	w.put(rec(p, "c", "3"), rec(p, "d", "4"))
	w.wantLatest(p, "a", fmt.Sprint("1 at ", at))
	w.wantLatest(p, "b", "none")
}

func latestCrash(e *env) {
	e.compacted("t", 1)
	p := part("t", 0)
	w := e.writer("w")
	at := w.flushNext(p, rec(p, "a", "1"))
	w.commit()
	for range 3 {
		w.append(rec(p, "a", "dropped"), rec(p, "b", "dropped"))
		w.flush()
		e.crash()
		w = e.writer("w")
		w.append(rec(p, "x", "5"), rec(p, "y", "6"), rec(p, "z", "7"))
		w.commit()
		w.wantLatest(p, "a", fmt.Sprint("1 at ", at))
		w.wantLatest(p, "b", "none")
	}
}

func latestCompacted(e *env) {
	e.compacted("t", 1)
	p := part("t", 0)
	w := e.writer("w")
	for i := range 30 {
		w.put(rec(p, "a", fmt.Sprint(i)), rec(p, fmt.Sprint("k", i%7), fmt.Sprint(i)))
	}
	e.compact("t")
	for _, r := range e.all(p) {
		if fold(e.all(p))[string(r.Key)] == string(r.Value) {
			w.wantLatest(p, string(r.Key), fmt.Sprintf("%s at %d", r.Value, r.Offset))
		}
	}
	w.put(rec(p, "a", "new"))
	w.append(rec(p, "k3", "newer"))
	if got := w.find(p, "k3")[:5]; got != "newer" {
		e.Fatalf("k3 is %s", got)
	}
}

func stale(e *env) {
	e.compacted("t", 2)
	p := part("t", 0)
	w := e.writer("w")
	w.put(rec(p, "a", "1"), rec(p, "b", "1"), rec(p, "c", "1"), rec(p, "d", "1"), rec(part("t", 1), "z", "1"))
	w.put(rec(p, "b", "2"), tombstone(p, "c"))
	below := e.ends(p).Stable
	w.put(rec(p, "e", "3"))
	w.append(rec(p, "d", "4"))
	if got := w.stale(p, below, "", 10); got != "a b" {
		e.Fatalf("stale are %q", got)
	}
	if got := w.stale(p, below, "", 1); got != "a" {
		e.Fatalf("the first stale is %q", got)
	}
	if got := w.stale(p, below, "a", 10); got != "b" {
		e.Fatalf("after a are stale %q", got)
	}
	if got := w.stale(p, below, "b", 10); got != "" {
		e.Fatalf("after b are stale %q", got)
	}
	w.abort()
	if got := w.stale(p, below, "b", 10); got != "d" {
		e.Fatalf("after the abort, after b, are stale %q", got)
	}
}

func (w *writer) stale(p log.TopicPartition, below int64, after string, max int) string {
	w.env.Helper()
	var from []byte
	if after != "" {
		from = []byte(after)
	}
	keys, err := w.index().Stale(w.env.ctx(), p, below, from, max)
	w.env.must(err)
	text := ""
	for i, k := range keys {
		if i > 0 {
			text += " "
		}
		text += string(k)
	}
	return text
}
