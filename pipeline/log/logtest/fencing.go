package logtest

import (
	"context"

	"github.com/evertdb/evert/pipeline/log"
)

// fencing: who may write, and what became of a commit.
var fencing = []clause{
	{"K05 a new writer drops what the older one of its id left open", nil, fenceOpen},
	{"K05 a fenced writer commits nothing and is told so", nil, fencedCommits},
	{"K05 a writer that waits is told at once that it is fenced", nil, fencedWaits},
	{"writers of other ids are not fenced", nil, othersGoOn},
	{"K07 a commit whose answer was lost is found by the next writer", []Power{LoseCommit}, lostAnswer},
	{"K07 a commit that never arrived is not there for the next writer", []Power{LoseCommit}, lostCommit},
}

func fenceOpen(e *env) {
	p := part("t", 0)
	e.compacted("t", 1)
	old := e.writer("w")
	old.put(rec(p, "a", "1"))
	old.append(rec(p, "b", "dropped"))
	gone := old.flush()[p]
	old.append(rec(p, "c", "dropped"))
	w := e.writer("w")
	w.put(rec(p, "d", "4"))
	got := e.all(p)
	e.want(got, "a=1 d=4")
	if got[1].Offset < gone {
		e.Fatalf("offset %d was used again", got[1].Offset)
	}
}

func fencedCommits(e *env) {
	p := part("t", 0)
	e.compacted("t", 1)
	for name, try := range map[string]func(w *writer) error{
		"Commit": func(w *writer) error { return w.Commit(e.ctx(), nil) },
		"Append": func(w *writer) error {
			err := w.Append(e.ctx(), rec(p, "x", "dropped"))
			if err == nil {
				_, err = w.Flush(e.ctx())
			}
			if err == nil {
				err = w.Commit(e.ctx(), nil)
			}
			return err
		},
	} {
		old := e.writer("w")
		old.append(rec(p, name, "dropped"))
		old.flush()
		e.writer("w").put(rec(p, "a", "1"))
		e.wantErr(try(old), log.ErrFenced)
		e.must(old.Close())
	}
	e.want(e.all(p), "a=1 a=1")
}

// fencedWaits: the old holder may be blocked on a partition that a third writer
// has; where writers do not wait for each other it is merely fenced.
func fencedWaits(e *env) {
	p := part("t", 0)
	e.compacted("t", 1)
	third := e.writer("third")
	third.append(rec(p, "a", "1"))
	third.flush()
	old := e.writer("w")
	ended := make(chan error, 1)
	go func() {
		err := old.Append(e.ctx(), rec(p, "b", "dropped"))
		for err == nil {
			err = old.Append(e.ctx(), rec(p, "b", "dropped"))
			if err == nil {
				_, err = old.Flush(e.ctx())
			}
		}
		ended <- err
	}()
	w := e.writer("w")
	e.wantErr(<-ended, log.ErrFenced)
	third.commit()
	w.put(rec(p, "c", "3"))
	e.want(e.all(p), "a=1 c=3")
}

func othersGoOn(e *env) {
	e.compacted("t", 2)
	p, q := part("t", 0), part("t", 1)
	w, other := e.writer("w"), e.writer("other")
	other.append(rec(q, "a", "1"))
	w.append(rec(p, "x", "dropped"))
	e.writer("w").put(rec(p, "b", "2"))
	other.put(rec(q, "c", "3"))
	e.want(e.all(p), "b=2")
	e.want(e.all(q), "a=1 c=3")
}

func lostAnswer(e *env) { e.lose(true, "a=1 b=2 d=4") }
func lostCommit(e *env) { e.lose(false, "a=1 d=4") }

// lose loses a commit and lets a successor find out.
func (e *env) lose(done bool, want string) {
	e.Helper()
	e.compacted("t", 2)
	w := e.writer("w")
	for i := range int32(2) {
		w.append(rec(part("t", i), "a", "1"))
	}
	w.commit()
	for i := range int32(2) {
		w.append(rec(part("t", i), "b", "2"))
	}
	e.h.LoseCommit(e.T, done)
	ctx, cancel := context.WithTimeout(e.ctx(), patience/2)
	defer cancel()
	if err := w.Commit(ctx, nil); err == nil {
		e.Fatal("the lost commit came back without an error")
	}
	w.Close()
	next := e.writer("w")
	for i := range int32(2) {
		next.append(rec(part("t", i), "d", "4"))
	}
	next.commit()
	for i := range int32(2) {
		got := e.all(part("t", i))
		if text := print(got); text != want {
			e.Fatalf("partition %d: got %s, want %s", i, text, want)
		}
	}
}
