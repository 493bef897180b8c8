package view_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/dataflow"
	"github.com/evertdb/evert/pipeline/intake/intaketest"
	"github.com/evertdb/evert/pipeline/log"
	"github.com/evertdb/evert/pipeline/view"
	"github.com/evertdb/evert/schema"
)

// A record that cannot be read stops the view where it is, says where, and what
// the view shows stays; without the record it goes on.
func TestPoison(t *testing.T) {
	for name, record := range intaketest.Poison() {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.begin()
			shop := w.sources["shop"]
			shop.Commit(put(customers, customer(1, "Ada")))
			w.start()
			w.check()
			before := w.shows()
			record.TopicPartition = log.TopicPartition{Topic: topicOf("shop", customers)}
			at := shop.Sneak(record, put(customers, customer(9, "behind it")))
			for range 3 { // each Run comes to the same end, and loses nothing
				err := <-w.done
				if pipeline.CodeOf(err) != view.CodePoison || !strings.Contains(err.Error(), at) {
					t.Fatalf("ended with %v, want a refusal that names %s", err, at)
				}
				if got := w.shows(); got != before {
					t.Fatalf("shows\n%s\nwant\n%s", got, before)
				}
				w.again()
			}
		})
	}
}

// again runs the same task once more, as its supervisor does.
func (w *world) again() {
	ctx, cancel := context.WithCancel(context.Background())
	w.cancel, w.done = cancel, make(chan error, 1)
	go func(task *view.Task, done chan error) {
		done <- task.Run(ctx)
		close(done)
	}(w.task, w.done)
}

func (w *world) end(topic string) int64 {
	infos, err := w.log.Admin().Topics(context.Background(), topic)
	if err != nil || len(infos) != 1 {
		w.t.Fatalf("topic %s: %v", topic, err)
	}
	return infos[0].Ends[0].Stable
}

// Rows of an older and a newer shape of a table are read by name; a column that
// the plan needs and that is gone, or of another type, stops the view.
func TestColumns(t *testing.T) {
	with := func(columns ...schema.Column) *schema.Table {
		c := *customers
		c.Columns = append([]schema.Column{{Name: "id", Type: intType}}, columns...)
		return &c
	}
	name, extra := schema.Column{Name: "name", Type: textType, Nullable: true}, schema.Column{Name: "born", Type: intType, Nullable: true}
	t.Run("a column more, and in another place", func(t *testing.T) {
		w := newWorld(t)
		w.begin()
		shop := w.sources["shop"]
		shop.Commit(put(customers, customer(1, "Ada")))
		w.start()
		w.check()
		newer := with(extra, name)
		commitAs(shop, put(newer, schema.Row{schema.Int(2), schema.Int(1999), schema.Text([]byte("Bo"))}), customer(2, "Bo"))
		w.check()
	})
	for what, newer := range map[string]*schema.Table{
		"a column that is gone":        with(extra),
		"a column of another type":     with(schema.Column{Name: "name", Type: intType, Nullable: true}),
		"R23 a column with a new name": with(schema.Column{Name: "title", Type: textType, Nullable: true}),
	} {
		t.Run(what, func(t *testing.T) {
			w := newWorld(t)
			w.begin()
			w.start()
			w.check()
			commitAs(w.sources["shop"], put(newer, schema.Row{schema.Int(2), schema.Null()}), customer(2, "?"))
			if err := w.fails(); pipeline.CodeOf(err) != view.CodeColumn {
				t.Fatalf("ended with %v", err)
			}
		})
	}
}

// commitAs carries one change of a table's newer shape, which is row in the old.
func commitAs(s *intaketest.Source, c pipeline.Change, row schema.Row) {
	old := s.Tables[0]
	s.Commit(c)
	rows := s.At(s.Seq)[old.Name]
	delete(rows, intaketest.KeyText(c.After, old.Key))
	rows[intaketest.KeyText(row, old.Key)] = row
}

// What an engine fails with keeps its word: that of a row that has no value, or none of
// the log and the disk, where trying again may help (I8).
func TestEngineFails(t *testing.T) {
	for _, why := range []error{&pipeline.Refusal{Code: dataflow.CodeExpression, What: "no value"}, context.DeadlineExceeded} {
		w := newWorld(t)
		w.begin()
		w.config.Engine = failing{w.config.Engine, why}
		w.start()
		if err := w.fails(); !errors.Is(err, why) || pipeline.CodeOf(err) != pipeline.CodeOf(why) {
			t.Errorf("%v: ended with %v", why, err)
		}
	}
}

// A state that outgrows its limit stops its view, which shows the epoch it has;
// with a higher limit it goes on.
func TestStateLimit(t *testing.T) {
	t.Run("R17 a state beyond its limit", func(t *testing.T) {
		w := newWorld(t)
		w.config.Limits.State = 4 // the toy's state counts its rows: two for each customer
		w.begin()
		shop := w.sources["shop"]
		shop.Commit(put(customers, customer(1, "Ada")), put(customers, customer(2, "Bo")))
		w.start()
		w.check() // as much as it may
		shop.Commit(put(customers, customer(3, "Cy")))
		grown := w.expect(w.seqs())
		for range 2 { // each Run finds it so, and takes no epoch more
			err := w.ended()
			if pipeline.CodeOf(err) != view.CodeState || !strings.Contains(err.Error(), "occupies 6 bytes, and limits.view_state_bytes is 4") {
				t.Fatalf("ended with %v", err)
			}
			if got := w.shows(); got != grown {
				t.Fatalf("shows\n%s\nwant\n%s", got, grown)
			}
			shop.Commit(put(customers, customer(4, "Di")))
			w.again()
		}
		w.fails()
		w.config.Limits.State = 100
		w.start()
		w.check()
	})
}

// A hydration, or an epoch, that would fill the disk is given up inside, and leaves
// nothing behind.
func TestStateLimitInside(t *testing.T) {
	grow := func(w *world, from, to int) {
		var rows []pipeline.Change
		for id := from; id <= to; id++ {
			rows = append(rows, put(customers, customer(id, "Ada")))
		}
		w.sources["shop"].Commit(rows...)
	}
	refused := func(t *testing.T, err error, occupies string) {
		t.Helper()
		if pipeline.CodeOf(err) != view.CodeState || !strings.Contains(err.Error(), "occupies "+occupies+" bytes, and limits.view_state_bytes is 8") {
			t.Fatalf("ended with %v", err)
		}
	}
	t.Run("R17 inside a hydration", func(t *testing.T) {
		w := newWorld(t)
		w.config.Limits.State = 8
		w.begin()
		grow(w, 1, 500)
		w.start()
		for range 2 {
			refused(t, w.ended(), "9")
			if s := w.task.Status(); s.Shown != nil || w.disk.largest() != 0 {
				t.Fatalf("it shows %+v, of %d rows", s.Shown, w.disk.largest())
			}
			w.again()
		}
		w.fails()
		w.config.Limits.State = 10_000
		w.start()
		w.check()
	})
	t.Run("R17 inside an epoch", func(t *testing.T) {
		w := newWorld(t)
		w.config.Limits.State = 8
		w.begin()
		grow(w, 1, 4)
		w.start()
		w.check()
		before := w.shows()
		grow(w, 5, 500)
		refused(t, w.ended(), "17")
		if got := w.shows(); got != before || w.disk.largest() != 8 {
			t.Fatalf("it shows, of %d rows,\n%s\nwant\n%s", w.disk.largest(), got, before)
		}
		w.config.Limits.State = 10_000
		w.close()
		w.start()
		w.check()
	})
}

type failing struct {
	view.Engine
	why error
}

func (f failing) Begin(r dataflow.Reader, w dataflow.Writer) (view.Epoch, error) {
	e, err := f.Engine.Begin(r, w)
	return failingEpoch{e, f.why}, err
}

type failingEpoch struct {
	view.Epoch
	why error
}

func (f failingEpoch) Finish(context.Context, func(dataflow.Change) error) error { return f.why }

// A damaged state is put aside and built anew once; then the view stops.
func TestDamage(t *testing.T) {
	w := newWorld(t)
	w.begin()
	w.sources["shop"].Commit(put(customers, customer(1, "Ada")))
	w.start()
	w.check()
	w.stop()
	w.said.Take()
	t.Run("R07 corruption is mended once", func(t *testing.T) {
		w.disk.states["one"].damaged = true
		w.start()
		if err := <-w.done; err == nil || pipeline.CodeOf(err) != "" {
			t.Fatalf("ended with %v", err)
		}
		w.again()
		w.check()
		w.wantStory("damaged", "hydrates: there is none yet, tail 1", "epoch 2: 1 in, 0 out, 1 parts")
		w.stop()
	})
	t.Run("R07 corruption again is for a person", func(t *testing.T) {
		w.disk.states["one"].damaged = true
		w.start()
		if err := w.fails(); pipeline.CodeOf(err) != "STATE_DAMAGED" {
			t.Fatalf("ended with %v", err)
		}
	})
}

// A state that cannot go on is opened again; what it holds is sound (O01).
func TestDeadState(t *testing.T) {
	w := newWorld(t)
	w.begin()
	w.sources["shop"].Commit(put(customers, customer(1, "Ada")))
	w.start()
	w.check()
	w.disk.mu.Lock()
	w.disk.states["one"].dead = true
	w.disk.mu.Unlock()
	w.said.Take()
	w.sources["shop"].Commit(put(customers, customer(2, "Bo")))
	if err := w.ended(); !errors.Is(err, view.ErrDead) || pipeline.CodeOf(err) != "" {
		t.Fatalf("ended with %v", err)
	}
	w.again()
	w.check()
	w.wantStory("goes on, tail 0", "epoch 2: 1 in, 1 out, 1 parts")
}

// A state that is not of this log is thrown away, whatever it says.
func TestStaleState(t *testing.T) {
	t.Run("R06 of another deployment's log", func(t *testing.T) {
		other := newWorld(t)
		other.begin()
		other.sources["shop"].Commit(put(customers, customer(7, "stranger")))
		other.start()
		other.check()
		other.stop()
		w := newWorld(t)
		w.begin()
		w.start()
		w.check()
		w.stop()
		w.said.Take()
		w.disk.states = other.disk.states
		w.start()
		w.check()
		w.wantStory("rebuilds: it is of another history of the view's topic", "hydrates: there is none yet, tail 0", "epoch 2: 0 in, 0 out, 1 parts")
	})
	t.Run("R05 a source that began anew", func(t *testing.T) {
		w := newWorld(t)
		w.begin()
		w.sources["shop"].Commit(put(customers, customer(1, "Ada")), put(customers, customer(2, "Bo")))
		w.start()
		w.check()
		w.stop()
		w.said.Take()
		w.sources["shop"].Reset()
		w.sources["shop"].Commit(put(customers, customer(2, "Bo")), put(orders, amount(10, 2, 5)))
		w.sources["shop"].Commit() // a position that it did not have before
		w.start()
		w.check()
		w.wantStory("goes on, tail 0", "rebuilds: source shop began anew", "hydrates: there is none yet, tail 2", "epoch 2: 4 in, 2 out, 1 parts")
	})
}

// A changed definition is built beside the old one, which is shown until then.
func TestDefinitionChange(t *testing.T) {
	w := newWorld(t)
	w.begin()
	shop := w.sources["shop"]
	shop.Commit(put(customers, customer(1, "Ada")), put(customers, customer(2, "Bo")))
	w.start()
	w.check()
	before := w.shows()
	w.stop()
	w.said.Take()
	w.config.Hash = "two"
	gate := make(chan struct{})
	w.config.Engine = gated{w.config.Engine, gate}
	t.Run("R15 the old version is shown while the new one is built", func(t *testing.T) {
		w.start()
		w.until("the old one is shown", func(s view.Status) bool { return s.Shown != nil && s.Shown.Old && s.Phase == view.Hydrating })
		if got := w.shows(); got != before {
			t.Fatalf("shows\n%s\nwant\n%s", got, before)
		}
	})
	t.Run("R16 only what differs is written", func(t *testing.T) {
		shop.Commit(remove(customers, customer(1, "Ada")))
		at := w.end(viewTopic)
		close(gate)
		w.check()
		if n := w.end(viewTopic) - at; n != 1 {
			t.Errorf("%d records were written, want the tombstone of one row", n)
		}
		if all, _ := w.disk.Versions(); len(all) != 1 || all[0] != "two" {
			t.Errorf("there are versions %v", all)
		}
	})
}

// TestStill shows what a view showed last while no task runs.
func TestStill(t *testing.T) {
	w := newWorld(t)
	if s, err := view.NewStill(w.disk); s != nil || err != nil {
		t.Fatalf("of a view that never ran: %v, %v", s, err)
	}
	w.begin()
	w.sources["shop"].Commit(put(customers, customer(1, "Ada")), put(customers, customer(2, "Bo")))
	w.start()
	w.check()
	before, shown := w.shows(), *w.task.Status().Shown
	w.stop()
	empty, err := w.disk.Open("two") // what a hydration that did not end leaves behind
	if err != nil {
		t.Fatal(err)
	}
	if err := empty.Close(); err != nil {
		t.Fatal(err)
	}
	still, err := view.NewStill(w.disk)
	if err != nil || still == nil {
		t.Fatalf("nothing is shown: %v", err)
	}
	if at := still.Shown(); at.Version != "one" || at.Epoch != shown.Epoch || at.At.String() != shown.At.String() {
		t.Errorf("shows version %s, epoch %d at %s; the view was at epoch %d at %s", at.Version, at.Epoch, at.At, shown.Epoch, shown.At)
	}
	look, err := still.Look()
	if err != nil || look == nil || w.print(look) != before {
		t.Fatalf("the rows are others: %v", err)
	}
	closed := make(chan error)
	go func() { closed <- still.Close(context.Background()) }()
	if err := look.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-closed; err != nil || w.disk.open != 0 {
		t.Errorf("%d states are open: %v", w.disk.open, err)
	}
	if look, err := still.Look(); look != nil || err != nil {
		t.Errorf("it shows something after its end: %v, %v", look, err)
	}
}

// gated waits before the first epoch ends.
type gated struct {
	view.Engine
	gate chan struct{}
}

func (g gated) Begin(r dataflow.Reader, w dataflow.Writer) (view.Epoch, error) {
	<-g.gate
	return g.Engine.Begin(r, w)
}
