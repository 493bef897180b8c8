package deliver_test

import (
	"context"
	"errors"
	"maps"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/capture"
	"github.com/evertdb/evert/pipeline/deliver"
	"github.com/evertdb/evert/pipeline/intake/intaketest"
	"github.com/evertdb/evert/pipeline/log"
	"github.com/evertdb/evert/pipeline/log/embedded"
	"github.com/evertdb/evert/schema"
	"github.com/evertdb/evert/schema/registry/registrytest"
	"github.com/evertdb/evert/sinks/sinktest"
)

// A world is a log with one source, and a sink of its table into a system in
// memory.
type world struct {
	t        testing.TB
	log      log.Log
	source   *intaketest.Source
	system   *sinktest.MemoryTarget
	config   deliver.Config
	delivery *deliver.Delivery
	cancel   context.CancelFunc
	done     chan error
	said     intaketest.Story // by the events
}

func newWorld(t testing.TB) *world {
	l, err := embedded.Open(embedded.Config{Dir: "log", FS: vfs.NewMem()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return newWorldOn(t, l)
}

func newWorldOn(t testing.TB, l log.Log) *world {
	reg := &registrytest.InMemory{}
	w := &world{t: t, log: l, system: sinktest.NewMemoryTarget()}
	w.source = intaketest.NewSource(t, "shop", capture.Config{Log: l, Registry: reg, VoidBudget: 1}, sinktest.Items) // tombstones stay owed for long
	w.config = deliver.Config{
		Deployment: intaketest.Deployment, Name: "index", Of: "source shop", Owner: "shop", Topics: []string{itemsTopic}, Definition: "one", Log: l, Registry: reg,
		Target: func() (deliver.Target, error) { return w.system.New(t), nil },
		Limits: deliver.Limits{Interval: time.Microsecond, IdleCommit: time.Hour},
	}
	t.Cleanup(w.kill)
	return w
}

var itemsTopic = log.TableTopic("shop", "public", "items")

// start runs the sink until stop, or until it fails.
func (w *world) start() *deliver.Delivery {
	w.stop()
	c := w.config
	c.Events = w.events()
	w.delivery = deliver.New(c)
	w.again()
	return w.delivery
}

// again runs the same delivery once more, as its supervisor does.
func (w *world) again() {
	ctx, cancel := context.WithCancel(context.Background())
	w.cancel, w.done = cancel, make(chan error, 1)
	go func(d *deliver.Delivery, done chan error) {
		done <- d.Run(ctx)
		close(done)
	}(w.delivery, w.done)
}

// stop ends the sink as SIGTERM does.
func (w *world) stop() {
	w.t.Helper()
	if w.delivery == nil {
		return
	}
	w.cancel()
	if err := <-w.done; !errors.Is(err, context.Canceled) {
		w.t.Fatalf("the sink ended with %v", err)
	}
	w.close()
}

func (w *world) close() {
	w.delivery.Close()
	w.delivery = nil
}

func (w *world) kill() {
	w.source.Close()
	if w.delivery != nil {
		w.cancel()
		<-w.done
		w.delivery.Close()
	}
}

// ended waits until a Run of the sink ends by itself, and gives why.
func (w *world) ended() error {
	w.t.Helper()
	select {
	case err := <-w.done:
		return err
	case <-time.After(3 * time.Minute):
		w.t.Fatalf("the sink does not stop: %+v\n%s", w.delivery.Status(), w.said.Take())
		return nil
	}
}

func (w *world) events() deliver.Events {
	return deliver.Events{
		Opened: func(o deliver.Opening) {
			if o.Filling {
				w.said.Tell("fills")
				return
			}
			w.said.Tell("goes on at %d", o.At.Seq)
		},
		Held: func(why *pipeline.Refusal) {
			if why == nil {
				w.said.Tell("goes on")
				return
			}
			w.said.Tell("held: %s", why.What)
		},
		Filled:   func(at pipeline.Position, _ deliver.Progress) { w.said.Tell("whole at %d", at.Seq) },
		Renewing: func(why string) { w.said.Tell("anew: %s", why) },
	}
}

// until waits for a status.
func (w *world) until(what string, is func(deliver.Status) bool) {
	w.t.Helper()
	limit := time.After(3 * time.Minute)
	for {
		moved := w.delivery.Moved()
		if is(w.delivery.Status()) {
			return
		}
		select {
		case <-moved:
		case err := <-w.done:
			w.t.Fatalf("waiting until %s: the sink ended with %v\n%s", what, err, w.said.Take())
		case <-limit:
			w.t.Fatalf("waiting until %s: %+v\n%s", what, w.delivery.Status(), w.said.Take())
		}
	}
}

// caughtUp waits until the system has everything that was committed.
func (w *world) caughtUp() {
	w.t.Helper()
	w.until("it has caught up", func(s deliver.Status) bool { return s.At.Seq == w.source.Seq && s.At.Native == w.source.Native() })
}

// check compares the system with the source.
func (w *world) check() {
	w.t.Helper()
	w.caughtUp()
	w.want(w.now())
}

func (w *world) want(want rows) {
	w.t.Helper()
	if got := rows(w.system.Rows(w.t)); !maps.Equal(got, want) {
		w.t.Fatalf("the system holds %v, want %v\n%s", got, want, w.said.Take())
	}
}

// rows are those of items, by id.
type rows map[int64]string

// items gives those of what the source's database held.
func items(held intaketest.Tables) rows {
	all := rows{}
	for _, row := range held[sinktest.Items.Name] {
		v := "NULL"
		if !row[1].IsNull() {
			v = string(row[1].Ref())
		}
		all[row[0].Int()] = v
	}
	return all
}

// now gives what the source's database holds.
func (w *world) now() rows { return items(w.source.At(w.source.Seq)) }

// reset makes the source begin anew, another incarnation and another life, over
// the same topic or a new one.
func (w *world) reset(topics ...string) {
	w.t.Helper()
	w.source.Life++
	w.source.Reset(topics...)
}

func row(id int, v string) schema.Row {
	return schema.Row{schema.Int(int64(id)), schema.Text([]byte(v))}
}

func put(id int, v string) pipeline.Change {
	return pipeline.Change{Op: pipeline.Create, After: row(id, v)}
}

func remove(id int) pipeline.Change {
	return pipeline.Change{Op: pipeline.Delete, Before: row(id, "")}
}

func null(id int) pipeline.Change {
	return pipeline.Change{Op: pipeline.Create, After: schema.Row{schema.Int(int64(id)), schema.Null()}}
}

func truncate() pipeline.Change { return pipeline.Change{Op: pipeline.Truncate} }

// sneak writes a record into the table topic under the source's next frontier, and
// gives where it lies.
func (w *world) sneak(r log.Record) string {
	w.t.Helper()
	r.TopicPartition = log.TopicPartition{Topic: itemsTopic}
	return w.source.Sneak(r, put(9, "behind it"))
}
