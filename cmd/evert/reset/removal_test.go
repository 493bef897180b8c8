package reset

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/evertdb/evert/cmd/evert/api"
	"github.com/evertdb/evert/configs"
	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/capture"
	"github.com/evertdb/evert/pipeline/control"
	"github.com/evertdb/evert/pipeline/log"
	"github.com/evertdb/evert/pipeline/log/embedded"
	"github.com/evertdb/evert/schema/registry/registrytest"
)

// errCut is how a cutReset ends a process.
var errCut = errors.New("killed")

// A cutReset is one whose process is killed by a step, before that has an effect or behind
// it: by the writer that the note needs, by the slot that goes, or by the topics.
type cutReset struct {
	*testing.T
	removal
	bare   log.Log
	by     string // the step; empty: none
	behind bool
	slot   bool // it is there
	kept   error
}

const (
	cutTable    = "db.public.t"
	cutFrontier = "__evert.cut.frontier.db"
)

// cut gives a reset of a source that was read up to its first transaction, into a topic
// that is append-only.
func cut(t *testing.T, resnapshot bool) *cutReset {
	t.Helper()
	config, err := configs.Parse("evert.yaml", []byte("name: cut\nsources: {db: {postgres: {url: 'postgres://x@localhost/x', tables: [public.*]}}}\n"), func(string) (string, bool) { return "", false })
	if err != nil {
		t.Fatal(err)
	}
	l, err := embedded.Open(embedded.Config{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	if _, err := l.Admin().Ensure(t.Context(), log.TopicSpec{Name: cutFrontier, Partitions: 1, Compact: true}, log.TopicSpec{Name: cutTable, Partitions: 1}); err != nil {
		t.Fatal(err)
	}
	r := &cutReset{T: t, bare: l, slot: true}
	r.removal = removal{Reset: api.Reset{Source: "db", Resnapshot: resnapshot}, drop: r.dropSlot, config: config, log: cutLog{l, r}, schemas: &registrytest.InMemory{}, tables: []string{cutTable}, topics: []string{cutFrontier}}
	if !resnapshot {
		r.topics = append(r.topics, cutTable)
	}
	r.capture(1)
	return r
}

// step does what a step does, unless the process is killed before.
func (r *cutReset) step(name string, do func() error) error {
	switch {
	case r.by != name:
		return do()
	case r.behind:
		return errors.Join(errCut, do())
	}
	return errCut
}

func (r *cutReset) dropSlot(context.Context, bool) ([]api.Step, error) {
	return nil, r.step("slot", func() error {
		r.slot = r.kept != nil
		return r.kept
	})
}

type cutLog struct {
	log.Log
	reset *cutReset
}

func (c cutLog) Admin() log.Admin { return cutAdmin{c.Log.Admin(), c.reset} }

func (c cutLog) Writer(ctx context.Context, id string) (w log.Writer, err error) {
	if id != capture.WriterID("db") {
		return c.Log.Writer(ctx, id)
	}
	err = c.reset.step("writer", func() error { w, err = c.Log.Writer(ctx, id); return err })
	return w, err
}

type cutAdmin struct {
	log.Admin
	reset *cutReset
}

func (c cutAdmin) Delete(ctx context.Context, topics ...string) error {
	return c.reset.step("topics", func() error { return c.Admin.Delete(ctx, topics...) })
}

// capture lets the source go on to a transaction.
func (r *cutReset) capture(seq uint64) {
	r.Helper()
	infos, err := r.bare.Admin().Topics(r.Context(), cutTable)
	if err != nil {
		r.Fatal(err)
	}
	f := log.Frontier{Number: seq, Incarnation: 5, Resume: pipeline.Resume{At: pipeline.Position{Seq: seq, Native: "0/1"}}, Tables: map[string]log.TableState{cutTable: {State: log.OK, Append: true, ID: infos[0].ID}}}
	w, err := r.bare.Writer(r.Context(), capture.WriterID("db"))
	if err != nil {
		r.Fatal(err)
	}
	defer w.Close()
	change := log.Record{TopicPartition: log.TopicPartition{Topic: cutTable}, Value: []byte("a change")}
	place := log.Record{TopicPartition: log.TopicPartition{Topic: cutFrontier}, Key: f.Key(), Value: f.AppendRecord(nil, nil)}
	if err := errors.Join(w.Append(r.Context(), change, place), w.Commit(r.Context(), nil)); err != nil {
		r.Fatal(err)
	}
}

// noted gives what is known of the reset.
func (r *cutReset) noted() control.Reset {
	r.Helper()
	last, err := control.LastReset(r.Context(), r.bare, "cut", "db")
	if err != nil {
		r.Fatal(err)
	}
	return last
}

// again does it once more, as somebody who finds what is left.
func (r *cutReset) again() {
	r.Helper()
	r.last, r.by, r.kept = r.noted(), "", nil
	if err := r.do(r.Context()); err != nil {
		r.Fatal(err)
	}
	if r.slot {
		r.Error("the slot stays")
	}
}

// TestResetIsCutOff kills a reset around the instants at which its slot and its topics go:
// what it leaves is known, to the next run and to a reset that is done again. The changes
// that are missing are so from the first one on (I8, I10).
func TestResetIsCutOff(t *testing.T) {
	for _, resnapshot := range []bool{true, false} {
		for _, by := range []string{"slot", "topics"} {
			for _, behind := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s, behind %v, resnapshot %v", by, behind, resnapshot), func(t *testing.T) {
					r := cut(t, resnapshot)
					r.by, r.behind = by, behind
					if err := r.do(t.Context()); !errors.Is(err, errCut) {
						t.Fatal(err)
					}
					if gone := by == "topics" || behind; gone == r.slot {
						t.Errorf("the slot is there: %v", r.slot)
					}
					first := r.noted()
					if first.Gaps[cutTable].Code != "SOURCE_RESET" || !slices.Equal(first.Kept, r.tables) {
						t.Errorf("what it leaves is %+v", first)
					}
					r.again()
					last := r.noted()
					if want := map[bool]int{true: 1, false: 0}[resnapshot]; len(last.Gaps) != want || len(last.Kept) != want || last.Found != "" {
						t.Errorf("done again, it leaves %+v", last)
					}
					if resnapshot && last.Gaps[cutTable] != first.Gaps[cutTable] {
						t.Errorf("done again, the gap is %+v, and was %+v", last.Gaps[cutTable], first.Gaps[cutTable])
					}
				})
			}
		}
	}
}

// TestResetIsCutOffAgain kills each try between slot and topics: the changes are missing
// from the first one on.
func TestResetIsCutOffAgain(t *testing.T) {
	r := cut(t, true)
	var first control.Reset
	for range 3 {
		r.last, r.by = r.noted(), "topics"
		if err := r.do(t.Context()); !errors.Is(err, errCut) {
			t.Fatal(err)
		}
		if first.At.IsZero() {
			first = r.noted()
		}
	}
	if r.again(); r.noted().Gaps[cutTable] != first.Gaps[cutTable] {
		t.Errorf("the gap is %+v, and was %+v", r.noted().Gaps[cutTable], first.Gaps[cutTable])
	}
}

// TestResetWithoutEffect tells of one that is killed before its slot goes, and of one whose
// server keeps it: the source goes on, and lacks nothing from then on. What a reset behind
// that leaves begins with itself.
func TestResetWithoutEffect(t *testing.T) {
	inUse := &pipeline.Refusal{Code: "SLOT_KEPT", Where: "slot s", What: "it cannot be dropped"}
	for name, step := range map[string]func(*cutReset) error{
		"killed":  func(r *cutReset) error { r.by = "slot"; return errCut },
		"refused": func(r *cutReset) error { r.kept = inUse; return inUse },
	} {
		t.Run(name, func(t *testing.T) {
			r := cut(t, true)
			want := step(r)
			if err := r.do(t.Context()); !errors.Is(err, want) || !r.slot {
				t.Fatalf("the slot is there: %v, %v", r.slot, err)
			}
			first := r.noted().Gaps[cutTable]
			r.capture(2)
			r.again()
			if last := r.noted().Gaps[cutTable]; !last.At.After(first.At) || last.Code != first.Code {
				t.Errorf("the gap is %+v, though the source went on behind %+v", last, first)
			}
		})
	}
}

// TestResetIsNotNoted tells of a log that does not say how far the source was read: then
// the slot stays too.
func TestResetIsNotNoted(t *testing.T) {
	r := cut(t, true)
	r.by = "writer"
	if err := r.do(t.Context()); !errors.Is(err, errCut) || !r.slot || !r.noted().At.IsZero() {
		t.Errorf("the slot is there: %v, it is noted: %+v, %v", r.slot, r.noted(), err)
	}
}

// TestResetBehindUnread tells of a reset behind one whose note cannot be read: which topics
// that has kept the claims say, and since when changes are missing is not known.
func TestResetBehindUnread(t *testing.T) {
	r := cut(t, true)
	who := log.Owner{Deployment: "cut", Source: "db"}
	side, other := log.DeadLetterTopic(cutTable), log.Owner{Deployment: "cut", Source: "db2"}
	if err := errors.Join(log.Claim(t.Context(), r.bare, who, cutTable, side), log.Claim(t.Context(), r.bare, other, "db2.public.t")); err != nil {
		t.Fatal(err)
	}
	store := &log.Store{Log: r.bare, Topic: log.ControlTopic("cut")}
	defer store.Close()
	if err := store.Take(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := store.Append(t.Context(), struct{ Key, Value []byte }{[]byte("reset/db"), []byte(`{"at":{"wall":1}}`)}); err != nil {
		t.Fatal(err)
	}
	if kept, err := keptBy(t.Context(), r.bare, who, r.noted()); err != nil || !slices.Equal(kept, r.tables) {
		t.Errorf("it may have kept %v, %v", kept, err)
	}
	r.again()
	if gap, ok := r.noted().Gaps[cutTable]; !ok || !gap.At.IsZero() {
		t.Errorf("the gap is %+v", gap)
	}
}

// TestResetUnderNever keeps the copies that people asked for where no other comes.
func TestResetUnderNever(t *testing.T) {
	for mode, stands := range map[string]bool{"never": true, "initial": false} {
		config, err := configs.Parse("evert.yaml", []byte("name: never\nsources: {db: {postgres: {url: 'postgres://x@localhost/x', tables: [public.*], snapshot: {mode: "+mode+"}}}}\n"), func(string) (string, bool) { return "", false })
		if err != nil {
			t.Fatal(err)
		}
		l, err := embedded.Open(embedded.Config{Dir: t.TempDir()})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { l.Close() })
		if _, err := control.ChangeTable(t.Context(), l, "never", control.Entry{Command: "snapshot", Table: "db.public.t"}, func(to *control.Table) error {
			to.Copy = &control.Request{ID: "1"}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		r := removal{Reset: api.Reset{Source: "db"}, drop: noSlot, config: config, log: l, schemas: &registrytest.InMemory{}}
		if err := r.do(t.Context()); err != nil {
			t.Fatal(err)
		}
		f := &control.Follower{Log: l, Deployment: "never"}
		if err := f.Look(t.Context()); err != nil {
			t.Fatal(err)
		}
		if held, _, _ := f.Table("db.public.t"); (held.Copy != nil) != stands {
			t.Errorf("mode %s: behind the reset %+v holds", mode, held)
		}
	}
}

// noSlot is a server that keeps nothing for the source.
func noSlot(context.Context, bool) ([]api.Step, error) { return nil, nil }
