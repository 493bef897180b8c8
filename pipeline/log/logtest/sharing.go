package logtest

import (
	"fmt"
	"slices"

	"github.com/evertdb/evert/pipeline/log"
)

// sharing: groups and what they have read.
var sharing = []clause{
	{"the only member of a group gets every partition", nil, onlyMember},
	{"two members share, and a partition moves only when it was released", nil, twoMembers},
	{"a member that leaves gives back its partitions", nil, leaves},
	{"a commit carries its inputs' offsets, an aborted one does not", []Power{Committed}, inputs},
	{"K05 a member that lost its partitions commits nothing", []Power{Committed}, lostMember},
	{"K07 inputs survive a crash with their rows", []Power{Committed, Crash}, inputsCrash},
}

// member follows the events of a membership.
type member struct {
	log.Membership
	env  *env
	held map[log.TopicPartition]bool
}

func (e *env) join(group string, topics ...string) *member {
	e.Helper()
	m, err := e.log.Join(e.ctx(), group, topics)
	e.must(err)
	e.Cleanup(func() { m.Close() })
	return &member{m, e, map[log.TopicPartition]bool{}}
}

// event takes one event; a revoked partition is released if release is set.
func (m *member) event(release bool) log.Event {
	m.env.Helper()
	select {
	case ev, ok := <-m.Events():
		if !ok {
			m.env.Fatal("the membership ended")
		}
		for _, p := range ev.Partitions {
			m.held[p] = ev.Kind == log.Assigned || ev.Kind == log.Revoked && !release
		}
		if ev.Kind == log.Revoked && release {
			m.env.must(m.Release(ev.Partitions))
		}
		return ev
	case <-m.env.ctx().Done():
		m.env.Fatal("no event came")
	}
	panic("unreachable")
}

// until takes events until the member holds n partitions.
func (m *member) until(n int) {
	m.env.Helper()
	for m.count() != n {
		m.event(true)
	}
}

func (m *member) count() (n int) {
	for _, held := range m.held {
		if held {
			n++
		}
	}
	return n
}

func onlyMember(e *env) {
	e.compacted("t", 2)
	e.compacted("u", 1)
	m := e.join("g", "t", "u")
	m.until(3)
	for _, p := range []log.TopicPartition{part("t", 0), part("t", 1), part("u", 0)} {
		if !m.held[p] {
			e.Fatalf("%s is missing", p)
		}
	}
	if g := m.Generation(); g.Group != "g" || g.Member == "" {
		e.Fatalf("generation %+v", g)
	}
	other := e.join("another", "t")
	other.until(2)
}

func twoMembers(e *env) {
	e.compacted("t", 4)
	a := e.join("g", "t")
	a.until(4)
	b := e.join("g", "t")
	a.until(2)
	b.until(2)
	for p := range a.held {
		if a.held[p] && b.held[p] {
			e.Fatalf("both hold %s", p)
		}
	}
}

func leaves(e *env) {
	e.compacted("t", 2)
	a := e.join("g", "t") // first and alone, so that b never has to release what a waits for
	a.until(2)
	b := e.join("g", "t")
	a.until(1)
	b.until(1)
	e.must(b.Close())
	e.must(b.Close())
	a.until(2)
	for range b.Events() { // ends
	}
}

// offer appends a record and commits it with an input offset.
func (w *writer) offer(m *member, p log.TopicPartition, at int64) error {
	w.env.Helper()
	w.append(rec(part("out", 0), "k", fmt.Sprint(at)))
	return w.end(func() error {
		return w.Commit(w.env.ctx(), &log.Inputs{Generation: m.Generation(), Offsets: log.Offsets{p: at}})
	})
}

func inputs(e *env) {
	e.compacted("in", 1)
	e.compacted("out", 1)
	p := part("in", 0)
	src := e.writer("src")
	src.put(rec(p, "a", "1"), rec(p, "b", "2"), rec(p, "c", "3"))
	m := e.join("g", "in")
	m.until(1)
	w := e.writer("w")
	e.must(w.offer(m, p, 1))
	e.must(w.offer(m, p, 2))
	if got := e.h.Committed(e.T, "g"); got[p] != 2 {
		e.Fatalf("committed offsets %v", got)
	}
	if g, ok := e.log.(log.Groups); ok {
		all, err := g.Groups(e.ctx(), "in")
		e.must(err)
		none, err := g.Groups(e.ctx(), "out")
		e.must(err)
		at := int64(-1)
		for _, offsets := range all { // a cluster's name of the group is longer than ours
			at = offsets[p]
		}
		if len(all) != 1 || at != 2 || len(none) != 0 {
			e.Fatalf("groups %v; of a topic that nobody reads: %v", all, none)
		}
	}
	w.append(rec(part("out", 0), "k", "dropped"))
	w.abort()
	e.must(w.Commit(e.ctx(), &log.Inputs{Generation: m.Generation(), Offsets: log.Offsets{p: 3}}))
	if got := e.h.Committed(e.T, "g"); got[p] != 3 {
		e.Fatalf("offsets alone: %v", got)
	}
	e.want(e.all(part("out", 0)), "k=1 k=2")
}

func lostMember(e *env) {
	e.compacted("in", 1)
	e.compacted("out", 1)
	p := part("in", 0)
	e.writer("src").put(rec(p, "a", "1"), rec(p, "b", "2"), rec(p, "c", "3"))
	old := e.join("g", "in")
	old.until(1)
	generation := old.Generation()
	w := e.writer("w")
	e.must(w.offer(old, p, 1))
	e.must(old.Close())
	m := e.join("g", "in")
	m.until(1)
	w.append(rec(part("out", 0), "k", "zombie"))
	err := w.Commit(e.ctx(), &log.Inputs{Generation: generation, Offsets: log.Offsets{p: 2}})
	e.wantErr(err, log.ErrFenced)
	w.Close()
	w = e.writer("w")
	e.must(w.offer(m, p, 3))
	e.want(e.all(part("out", 0)), "k=1 k=3")
	if got := e.h.Committed(e.T, "g"); got[p] != 3 {
		e.Fatalf("committed offsets %v", got)
	}
}

func inputsCrash(e *env) {
	e.compacted("in", 1)
	e.compacted("out", 1)
	p := part("in", 0)
	e.writer("src").put(rec(p, "a", "1"), rec(p, "b", "2"))
	m := e.join("g", "in")
	m.until(1)
	e.must(e.writer("w").offer(m, p, 2))
	e.crash()
	if got := e.h.Committed(e.T, "g"); got[p] != 2 {
		e.Fatalf("committed offsets %v", got)
	}
	if got := e.all(part("out", 0)); !slices.ContainsFunc(got, func(r log.Record) bool { return string(r.Value) == "2" }) {
		e.Fatalf("the rows are %s", print(got))
	}
}
