package logtest

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/evertdb/evert/pipeline/log"
)

// surviving: restarts, crashes, a full disk.
var surviving = []clause{
	{"a restart keeps what is committed and drops what is open", []Power{Reopen}, restart},
	{"a crash keeps what is committed and drops what is open", []Power{Crash}, crash},
	{"a commit of several partitions is in all of them or none after a crash", []Power{Crash}, crashAtomic},
	{"K13 topics and their identity survive", []Power{Reopen, Crash}, topicsSurvive},
	{"O08 a full disk pauses writing, keeps what is committed and ends by itself", []Power{Fill}, fullDisk},
	{"O08 an Append that gives up on a full disk keeps nothing of the call", []Power{Fill}, fullGivesUp},
}

func restart(e *env) {
	p := part("t", 0)
	e.compacted("t", 1)
	w := e.writer("w")
	w.put(rec(p, "a", "1"), tombstone(p, "b"))
	w.append(rec(p, "c", "dropped"))
	w.flush()
	e.reopen()
	e.want(e.all(p), "a=1 b=-")
	e.writer("w").put(rec(p, "d", "4"))
	e.reopen()
	e.want(e.all(p), "a=1 b=- d=4")
}

func crash(e *env) {
	p := part("t", 0)
	e.compacted("t", 1)
	want, used := "", int64(0)
	for i := range 5 {
		w := e.writer("w")
		w.put(rec(p, "a", fmt.Sprint(i)))
		want += fmt.Sprintf("a=%d ", i)
		got := e.all(p)
		e.want(got, want[:len(want)-1])
		if at := got[i].Offset; at < used {
			e.Fatalf("offset %d was used again", at)
		}
		used = e.ends(p).Stable
		w.append(rec(p, "b", "dropped"), rec(p, "c", "dropped"))
		if i%2 == 0 {
			w.flush()
		}
		e.crash()
	}
	e.writer("w").put(rec(p, "z", "9"))
	e.want(e.all(p), want+"z=9")
}

func crashAtomic(e *env) {
	e.compacted("t", 3)
	for round := range 6 {
		w := e.writer("w")
		v := fmt.Sprint(round)
		for i := range int32(3) {
			w.append(rec(part("t", i), "k", v))
		}
		if round%2 == 1 {
			go w.Commit(e.ctx(), nil) // its outcome is open
		}
		e.crash()
		e.writer("w") // settles it
		seen := 0
		for i := range int32(3) {
			got := e.all(part("t", i))
			if len(got) > 0 && string(got[len(got)-1].Value) == v {
				seen++
			}
		}
		if seen != 0 && seen != 3 || seen != 0 && round%2 == 0 {
			e.Fatalf("round %d: the commit is in %d of 3 partitions", round, seen)
		}
	}
}

func topicsSurvive(e *env) {
	made := e.compacted("t", 3)
	e.reopen()
	spec := log.TopicSpec{Name: "t", Partitions: 3, Compact: true, MinLag: time.Millisecond, ID: made.ID}
	if got := e.ensure(spec); got.ID != made.ID || got.Partitions != 3 || !got.Compact {
		e.Fatalf("after a restart the topic is %+v", got)
	}
	e.crash()
	if got := e.ensure(spec); got.ID != made.ID {
		e.Fatalf("after a crash the topic is %+v", got)
	}
}

func fullDisk(e *env) {
	p := part("t", 0)
	e.compacted("t", 1)
	w := e.writer("w")
	w.put(rec(p, "a", "1"))
	e.h.Fill(e.T)
	e.want(e.all(p), "a=1")
	ended := make(chan error, 1)
	ctx := e.ctx()
	go func() {
		err := log.ErrFull
		for errors.Is(err, log.ErrFull) && ctx.Err() == nil {
			err = w.Append(ctx, rec(p, "b", "2"))
		}
		if err == nil {
			err = w.Commit(ctx, nil)
		}
		ended <- err
	}()
	e.want(e.all(p), "a=1")
	e.h.Free(e.T)
	e.must(<-ended)
	e.want(e.all(p), "a=1 b=2")
}

func fullGivesUp(e *env) {
	p := part("t", 0)
	e.compacted("t", 1)
	w := e.writer("w")
	w.put(rec(p, "a", "1"))
	e.h.Fill(e.T)
	ctx, cancel := context.WithTimeout(e.ctx(), 50*time.Millisecond)
	defer cancel()
	err := w.Append(ctx, rec(p, "b", "dropped"), rec(p, "c", "dropped"))
	if err == nil {
		e.Fatal("a full log took a record")
	}
	if !errors.Is(err, log.ErrFull) {
		e.Fatalf("a full log says %v, which does not say that it is full", err)
	}
	e.h.Free(e.T)
	for err != nil {
		if err = w.Append(e.ctx(), rec(p, "d", "4")); err != nil && !errors.Is(err, log.ErrFull) {
			e.Fatal(err)
		}
	}
	w.commit()
	e.want(e.all(p), "a=1 d=4")
}
