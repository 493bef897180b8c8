package deliver_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/capture"
	"github.com/evertdb/evert/pipeline/dataflow"
	"github.com/evertdb/evert/pipeline/deliver"
	"github.com/evertdb/evert/pipeline/intake/intaketest"
	"github.com/evertdb/evert/pipeline/log"
	"github.com/evertdb/evert/pipeline/state/spill"
	"github.com/evertdb/evert/pipeline/state/store"
	"github.com/evertdb/evert/schema/registry/registrytest"
	"github.com/evertdb/evert/sinks/sinktest"
)

var othersTopic = log.TableTopic("shop", "public", "others")

// notes are what a target of several topics was given, commit by commit. Safe for
// concurrent use.
type notes struct {
	mu      sync.Mutex
	place   pipeline.Resume
	commits []string
}

type noting struct {
	n       *notes
	changes []string
}

func (t *noting) Open(context.Context) (pipeline.Resume, error) {
	t.n.mu.Lock()
	defer t.n.mu.Unlock()
	return t.n.place, nil
}

// Write implements deliver.Target. What is not of the batch's topic is said.
func (t *noting) Write(_ context.Context, b pipeline.Batch) error {
	for _, table := range b.Tables {
		t.changes = append(t.changes, fmt.Sprintf("%d is %s", b.Topic, table.Name))
	}
	for i := range b.Changes {
		c := &b.Changes[i]
		row := c.After
		if row == nil {
			row = c.Before
		}
		if c.Topic != b.Topic {
			t.changes = append(t.changes, "astray")
		}
		t.changes = append(t.changes, fmt.Sprintf("%s %s %d", c.Op, c.Table.Name, row[0].Int()))
	}
	return nil
}

func (t *noting) Commit(_ context.Context, at pipeline.Resume) error {
	t.n.mu.Lock()
	defer t.n.mu.Unlock()
	at.State = slices.Clone(at.State)
	t.n.place = at
	slices.Sort(t.changes)
	t.n.commits = append(t.n.commits, strings.Join(t.changes, ", "))
	t.changes = nil
	return nil
}

func (t *noting) Renew(context.Context) error {
	t.n.mu.Lock()
	defer t.n.mu.Unlock()
	t.n.place = pipeline.Resume{}
	return nil
}

func (t *noting) Close() error { return nil }

// take gives the commits since the last call.
func (n *notes) take() []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	all := slices.DeleteFunc(n.commits, func(s string) bool { return s == "" })
	n.commits = nil
	return all
}

// newSeveral is a world whose sink delivers both tables of its source.
func newSeveral(t *testing.T) (*world, *notes) {
	w := newWorld(t)
	w.source.Close()
	reg := &registrytest.InMemory{}
	w.source = intaketest.NewSource(t, "shop", capture.Config{Log: w.log, Registry: reg, VoidBudget: 1}, sinktest.Items, sinktest.Others)
	n := &notes{}
	w.config.Registry, w.config.Topics, w.config.Atomic = reg, []string{itemsTopic, othersTopic}, true
	w.config.Target = func() (deliver.Target, error) { return &noting{n: n}, nil }
	return w, n
}

// other makes a change one of the second table.
func other(c pipeline.Change) pipeline.Change {
	c.Table = sinktest.Others
	return c
}

// TestSeveral tells that the rows of two tables of a transaction come with one commit,
// each with its topic, and that a target which went away goes on in both (I3, S12).
func TestSeveral(t *testing.T) {
	w, n := newSeveral(t)
	w.source.Begin()
	w.source.Commit(put(1, "a"), other(put(1, "x")))
	w.start()
	w.caughtUp()
	want := func(commits ...string) {
		t.Helper()
		if got := n.take(); !slices.Equal(got, commits) {
			t.Errorf("the target was given %q, want %q", got, commits)
		}
	}
	want("0 is items, 1 is others, u items 1, u others 1")
	w.source.Commit(other(put(2, "y")), put(2, "b"), other(remove(1)))
	w.caughtUp()
	want("d others 1, u items 2, u others 2")
	w.stop()
	w.source.Commit(other(put(3, "z")))
	w.start()
	w.caughtUp()
	want("0 is items, 1 is others, u others 3")
	w.until("nothing is behind", func(s deliver.Status) bool {
		return s.Behind.Known && s.Behind.Topics[itemsTopic] == 0 && s.Behind.Topics[othersTopic] == 0
	})
}

// TestSeveralVoid tells that a TRUNCATE of one table fills both anew: they move
// together.
func TestSeveralVoid(t *testing.T) {
	w, n := newSeveral(t)
	w.source.Begin()
	w.source.Commit(put(1, "a"), other(put(1, "x")))
	w.start()
	w.caughtUp()
	n.take()
	w.source.Commit(other(truncate()), other(put(7, "new")))
	w.caughtUp()
	text := strings.Join(n.take(), ", ") // with a tombstone that is owed, or before it
	if !strings.Contains(text, "u items 1") || !strings.Contains(text, "u others 7") || strings.Contains(text, "u others 1") {
		t.Errorf("the target was given %s", text)
	}
}

// TestSeveralEmpty tells that a table without rows is named before its fill ends, however
// the rows of the other fall into batches: a target that was not told of it would not
// make it.
func TestSeveralEmpty(t *testing.T) {
	for rows := 1; rows <= 4; rows++ {
		t.Run(fmt.Sprint(rows, " rows of the other"), func(t *testing.T) {
			w, n := newSeveral(t)
			pool, err := spill.Open(t.TempDir(), spill.Options{})
			if err != nil {
				t.Fatal(err)
			}
			w.config.Limits.Rows = 2
			w.config.OldRows = &deliver.OldRows{Dir: "given", Options: store.Options{FS: vfs.NewMem(), Reserve: -1}, Most: 1 << 30,
				Sorter: func() (dataflow.Sorter, error) { return pool.NewSorter() }}
			w.source.Begin()
			var changes []pipeline.Change
			want := []string{"0 is items", "1 is others"}
			for id := range rows {
				changes, want = append(changes, put(id, "a")), append(want, fmt.Sprint("c items ", id))
			}
			w.source.Commit(changes...)
			w.start()
			w.caughtUp()
			if got := n.take(); len(got) != 1 || got[0] != strings.Join(want, ", ") {
				t.Errorf("the target was given %q, want %q", got, want)
			}
		})
	}
}
