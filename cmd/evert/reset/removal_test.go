package reset

import (
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/evertdb/evert/cmd/evert/api"
	"github.com/evertdb/evert/configs"
	"github.com/evertdb/evert/pipeline/control"
	"github.com/evertdb/evert/pipeline/log"
	"github.com/evertdb/evert/pipeline/log/embedded"
	"github.com/evertdb/evert/schema/registry/registrytest"
)

// errCut is how a cutLog ends a process.
var errCut = errors.New("killed")

// A cutLog is one whose process is killed by the deletion of topics, before it or behind.
type cutLog struct {
	log.Log
	deletes bool
}

func (c cutLog) Admin() log.Admin { return cutAdmin{c.Log.Admin(), c.deletes} }

type cutAdmin struct {
	log.Admin
	deletes bool
}

func (c cutAdmin) Delete(ctx context.Context, topics ...string) error {
	if !c.deletes {
		return errCut
	}
	return errors.Join(errCut, c.Admin.Delete(ctx, topics...))
}

// TestResetIsCutOff kills a reset around the instant at which its topics go: what it leaves
// is known, to the next run and to a reset that is done again (I8, I10).
func TestResetIsCutOff(t *testing.T) {
	config, err := configs.Parse("evert.yaml", []byte("name: cut\nsources: {db: {postgres: {url: 'postgres://x@localhost/x', tables: [public.*]}}}\n"), func(string) (string, bool) { return "", false })
	if err != nil {
		t.Fatal(err)
	}
	const table = "db.public.t"
	for _, resnapshot := range []bool{true, false} {
		for _, deletes := range []bool{true, false} {
			l, err := embedded.Open(embedded.Config{Dir: t.TempDir()})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { l.Close() })
			frontier := log.FrontierTopic("cut", "db")
			if _, err := l.Admin().Ensure(t.Context(), log.TopicSpec{Name: frontier, Partitions: 1, Compact: true}, log.TopicSpec{Name: table, Partitions: 1}); err != nil {
				t.Fatal(err)
			}
			appendRecord(t, l, table)
			r := removal{Reset: api.Reset{Source: "db", Resnapshot: resnapshot}, config: config, schemas: &registrytest.InMemory{}, tables: []string{table}, topics: []string{frontier}}
			if !resnapshot {
				r.topics = append(r.topics, table)
			}
			r.log = cutLog{l, deletes}
			if err := r.do(t.Context()); !errors.Is(err, errCut) {
				t.Fatal(err)
			}
			last, err := control.LastReset(t.Context(), l, "cut", "db")
			if err != nil || last.Gaps[table].Code != "SOURCE_RESET" || !slices.Equal(last.Kept, r.tables) {
				t.Errorf("resnapshot %v, topics deleted %v: what it leaves is %+v, %v", resnapshot, deletes, last, err)
			}
			r.log, r.last = l, last
			if err := r.do(t.Context()); err != nil {
				t.Fatal(err)
			}
			again, err := control.LastReset(t.Context(), l, "cut", "db")
			if want := map[bool]int{true: 1, false: 0}[resnapshot]; err != nil || len(again.Gaps) != want || len(again.Kept) != want {
				t.Errorf("resnapshot %v, topics deleted %v, done again: what it leaves is %+v, %v", resnapshot, deletes, again, err)
			}
		}
	}
}

func appendRecord(t *testing.T, l log.Log, topic string) {
	t.Helper()
	w, err := l.Writer(t.Context(), "test")
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	if err := errors.Join(w.Append(t.Context(), log.Record{TopicPartition: log.TopicPartition{Topic: topic}, Value: []byte("a change")}), w.Commit(t.Context(), nil)); err != nil {
		t.Fatal(err)
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
		r := removal{Reset: api.Reset{Source: "db"}, config: config, log: l, schemas: &registrytest.InMemory{}}
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
