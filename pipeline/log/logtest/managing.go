package logtest

import (
	"time"

	"github.com/evertdb/evert/pipeline/log"
)

// managing: topics.
var managing = []clause{
	{"K15 Ensure makes a topic with the settings asked for, and says so", nil, ensureMakes},
	{"Ensure of what is there changes nothing", nil, ensureAgain},
	{"K13 a topic that was deleted is not made anew by itself", nil, ensureMissing},
	{"K13 another topic under the name is refused", nil, ensureReplaced},
	{"K14 another number of partitions is refused", nil, ensurePartitions},
	{"K15 K18 another cleanup policy is refused", nil, ensurePolicy},
	{"K15 weaker settings are refused", nil, ensureSettings},
	{"a refused Ensure makes none of its topics", nil, ensureNone},
	{"Topics describes what is there, and leaves out the rest", nil, topics},
	{"Delete takes a topic and all in it", nil, deletes},
}

func ensureMakes(e *env) {
	spec := log.TopicSpec{Name: "t", Partitions: 3, Compact: true, Retention: 48 * time.Hour, MinLag: 2 * time.Hour, MaxBytes: 1 << 20}
	got := e.ensure(spec)
	if got.ID == "" || len(got.Ends) != 3 {
		e.Fatalf("made %+v", got)
	}
	spec.ID, got.Settings = got.ID, nil
	if g := got.TopicSpec; g.Name != spec.Name || g.Partitions != 3 || !g.Compact || g.Retention != spec.Retention || g.MinLag != spec.MinLag || g.MaxBytes != spec.MaxBytes {
		e.Fatalf("made %+v, asked for %+v", g, spec)
	}
	plain := e.ensure(log.TopicSpec{Name: "u"})
	if plain.Partitions != 1 || plain.Compact || plain.Retention != 7*24*time.Hour || plain.MaxBytes != 16<<20 {
		e.Fatalf("by default %+v", plain)
	}
	if c := e.ensure(log.TopicSpec{Name: "v", Compact: true}); c.MinLag != time.Hour || c.Retention != 7*24*time.Hour {
		e.Fatalf("by default %+v", c)
	}
}

func ensureAgain(e *env) {
	p := part("t", 0)
	made := e.compacted("t", 1)
	e.writer("w").put(rec(p, "a", "1"))
	if again := e.compacted("t", 1); again.ID != made.ID {
		e.Fatalf("the identity became %q, was %q", again.ID, made.ID)
	}
	e.want(e.all(p), "a=1")
}

func ensureMissing(e *env) {
	made := e.compacted("t", 1)
	e.must(e.log.Admin().Delete(e.ctx(), "t"))
	_, err := e.log.Admin().Ensure(e.ctx(), made.TopicSpec)
	e.wantCode(err, log.RefuseMissing)
	got, err := e.log.Admin().Topics(e.ctx(), "t")
	e.must(err)
	if len(got) != 0 {
		e.Fatal("it was made nevertheless")
	}
}

func ensureReplaced(e *env) {
	made := e.compacted("t", 1)
	e.must(e.log.Admin().Delete(e.ctx(), "t"))
	again := e.compacted("t", 1)
	if again.ID == made.ID {
		e.Fatal("the new topic has the old one's identity")
	}
	_, err := e.log.Admin().Ensure(e.ctx(), made.TopicSpec)
	e.wantCode(err, log.RefuseReplaced)
}

func ensurePartitions(e *env) {
	e.compacted("t", 2)
	for _, n := range []int32{1, 3} {
		_, err := e.log.Admin().Ensure(e.ctx(), log.TopicSpec{Name: "t", Partitions: n, Compact: true, MinLag: time.Millisecond})
		e.wantCode(err, log.RefusePartitions)
	}
}

func ensurePolicy(e *env) {
	e.compacted("t", 1)
	_, err := e.log.Admin().Ensure(e.ctx(), log.TopicSpec{Name: "t", Partitions: 1})
	e.wantCode(err, log.RefusePolicy)
	e.ensure(log.TopicSpec{Name: "u", Partitions: 1})
	_, err = e.log.Admin().Ensure(e.ctx(), log.TopicSpec{Name: "u", Partitions: 1, Compact: true})
	e.wantCode(err, log.RefusePolicy)
}

func ensureSettings(e *env) {
	spec := log.TopicSpec{Name: "t", Partitions: 1, Compact: true, Retention: 24 * time.Hour, MinLag: time.Hour, MaxBytes: 1 << 20}
	e.ensure(spec)
	for _, change := range []func(s *log.TopicSpec){
		func(s *log.TopicSpec) { s.Retention = 48 * time.Hour },
		func(s *log.TopicSpec) { s.Retention = -1 },
		func(s *log.TopicSpec) { s.MinLag = 2 * time.Hour },
		func(s *log.TopicSpec) { s.MaxBytes = 2 << 20 },
	} {
		want := spec
		change(&want)
		_, err := e.log.Admin().Ensure(e.ctx(), want)
		e.wantCode(err, log.RefuseSettings)
	}
	e.ensure(spec)
}

func ensureNone(e *env) {
	e.compacted("t", 1)
	_, err := e.log.Admin().Ensure(e.ctx(), log.TopicSpec{Name: "new", Partitions: 1}, log.TopicSpec{Name: "t", Partitions: 1})
	e.wantCode(err, log.RefusePolicy)
	got, err := e.log.Admin().Topics(e.ctx(), "new")
	e.must(err)
	if len(got) != 0 {
		e.Fatal("the other topic was made")
	}
}

func topics(e *env) {
	e.compacted("b", 2)
	e.compacted("a", 1)
	w := e.writer("w")
	w.put(rec(part("b", 1), "k", "1"))
	got, err := e.log.Admin().Topics(e.ctx(), "b", "none")
	e.must(err)
	if len(got) != 1 || got[0].Name != "b" || got[0].Ends[0].Stable != 0 || got[0].Ends[1].Stable < 1 {
		e.Fatalf("got %+v", got)
	}
	got, err = e.log.Admin().Topics(e.ctx())
	e.must(err)
	names := map[string]bool{}
	for _, t := range got {
		names[t.Name] = true
	}
	if !names["a"] || !names["b"] {
		e.Fatalf("all topics: %v", names)
	}
}

func deletes(e *env) {
	p := part("t", 0)
	e.compacted("t", 1)
	w := e.writer("w")
	w.put(rec(p, "a", "1"))
	e.must(e.log.Admin().Delete(e.ctx(), "t", "none"))
	e.compacted("t", 1)
	if got := e.ends(p); got.Stable != 0 {
		e.Fatalf("the new topic ends at %d", got.Stable)
	}
	e.writer("w").put(rec(p, "b", "2"))
	e.want(e.all(p), "b=2")
}
