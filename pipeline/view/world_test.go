package view_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/capture"
	"github.com/evertdb/evert/pipeline/dataflow"
	"github.com/evertdb/evert/pipeline/intake/intaketest"
	"github.com/evertdb/evert/pipeline/log"
	"github.com/evertdb/evert/pipeline/log/embedded"
	"github.com/evertdb/evert/pipeline/view"
	"github.com/evertdb/evert/schema"
	"github.com/evertdb/evert/schema/avro"
	"github.com/evertdb/evert/schema/registry/registrytest"
)

// The tables: customers and their orders in one source, payments in another. The
// view has a row per customer: id, name, number and sum of orders, sum of
// payments.
var (
	intType   = schema.Type{Kind: schema.KindInt, Name: "bigint", Bits: 64}
	textType  = schema.Type{Kind: schema.KindText, Name: "text"}
	customers = &schema.Table{Database: "app", Schema: "public", Name: "customers", Native: "1", Version: 1, Key: []int{0},
		Columns: []schema.Column{{Name: "id", Type: intType}, {Name: "name", Type: textType, Nullable: true}}}
	orders   = amounts("orders")
	payments = amounts("payments")
)

func amounts(name string) *schema.Table {
	return &schema.Table{Database: "app", Schema: "public", Name: name, Native: name, Version: 1, Key: []int{0},
		Columns: []schema.Column{{Name: "id", Type: intType}, {Name: "note", Type: textType, Nullable: true}, {Name: "customer", Type: intType}, {Name: "amount", Type: intType}}}
}

func customer(id int, name string) schema.Row {
	return schema.Row{schema.Int(int64(id)), schema.Text([]byte(name))}
}

func amount(id, customer, n int) schema.Row {
	return schema.Row{schema.Int(int64(id)), schema.Null(), schema.Int(int64(customer)), schema.Int(int64(n))}
}

func plan() *dataflow.Plan {
	column := func(name string, t schema.Type) schema.Column { return schema.Column{Name: name, Type: t} }
	return &dataflow.Plan{
		Inputs: []dataflow.Input{
			{Source: "shop", Table: customers, Carry: []int{0, 1}, Key: []int{0}},
			{Source: "shop", Table: orders, Carry: []int{0, 2, 3}, Key: []int{0}},
			{Source: "billing", Table: payments, Carry: []int{0, 2, 3}, Key: []int{0}},
		},
		Root: &dataflow.Map{Cols: []schema.Column{column("id", intType), column("name", textType), column("orders", intType), column("spent", intType), column("paid", intType)}},
		Key:  []int{0},
	}
}

// result is the view's SQL.
func result(tables []table) table {
	out := table{}
	for _, c := range tables[0] {
		n, spent, paid := int64(0), int64(0), int64(0)
		for _, o := range tables[1] {
			if o[1].Int() == c[0].Int() {
				n, spent = n+1, spent+o[2].Int()
			}
		}
		for _, p := range tables[2] {
			if p[1].Int() == c[0].Int() {
				paid += p[2].Int()
			}
		}
		row := schema.Row{c[0], c[1], schema.Int(n), schema.Int(spent), schema.Int(paid)}
		out[intaketest.KeyText(row, []int{0})] = row
	}
	return out
}

// world is a log with two sources, and the view over them.
type world struct {
	t       testing.TB
	log     log.Log
	sources map[string]*intaketest.Source
	disk    *disk
	config  view.Config
	task    *view.Task
	cancel  context.CancelFunc
	done    chan error
	print   func(*view.Look) string // what a look holds
	said    intaketest.Story        // by the events
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
	w := &world{t: t, log: l, sources: map[string]*intaketest.Source{}, disk: newDisk()}
	c := capture.Config{Log: l, Registry: reg}
	w.sources["shop"] = intaketest.NewSource(t, "shop", c, customers, orders)
	w.sources["billing"] = intaketest.NewSource(t, "billing", c, payments)
	p := plan()
	w.config = view.Config{
		Deployment: "test", Name: "totals", Plan: p, Hash: "one", Topics: []string{topicOf("shop", customers), topicOf("shop", orders), topicOf("billing", payments)},
		Log: l, Registry: reg, Engine: &toy{plan: p, result: result}, States: w.disk, Limits: view.Limits{Interval: time.Microsecond, IdleCommit: time.Hour},
	}
	w.print = func(look *view.Look) string { return printLook(t, look) }
	t.Cleanup(w.kill)
	return w
}

func topicOf(source string, t *schema.Table) string { return log.TableTopic(source, t.Schema, t.Name) }

const viewTopic = "test.views.totals"

// start runs the view until stop, or until it fails.
func (w *world) start() *view.Task {
	w.stop()
	c := w.config
	c.Events = w.events(c.Events)
	w.task = view.New(c)
	ctx, cancel := context.WithCancel(context.Background())
	w.cancel, w.done = cancel, make(chan error, 1)
	go func(task *view.Task, done chan error) {
		done <- task.Run(ctx)
		close(done)
	}(w.task, w.done)
	return w.task
}

// stop ends the view as SIGTERM does.
func (w *world) stop() {
	if w.task == nil {
		return
	}
	w.cancel()
	if err := <-w.done; !errors.Is(err, context.Canceled) {
		w.t.Fatalf("the view ended with %v", err)
	}
	w.close()
}

func (w *world) close() {
	if err := w.task.Close(); err != nil {
		w.t.Fatal(err)
	}
	w.task = nil
	if w.disk.open != 0 {
		w.t.Fatalf("%d states are still open", w.disk.open)
	}
}

// kill ends it whatever it does.
func (w *world) kill() {
	for _, s := range w.sources {
		s.Close()
	}
	if w.task != nil {
		w.cancel()
		<-w.done
		_ = w.task.Close()
	}
}

// fails waits until the view stops by itself, and gives why.
func (w *world) fails() error {
	w.t.Helper()
	err := w.ended()
	w.close()
	return err
}

// ended waits until a Run of the view ends by itself, and gives why; the task is
// there for another.
func (w *world) ended() error {
	w.t.Helper()
	select {
	case err := <-w.done:
		return err
	case <-time.After(3 * time.Minute):
		w.t.Fatal("the view does not stop")
		return nil
	}
}

func (w *world) events(e view.Events) view.Events {
	tell := w.said.Tell
	e.Opened = func(o view.Opening) {
		switch {
		case o.Hydrating:
			tell("hydrates: %s, tail %d", o.Why, o.Tail)
		default:
			tell("goes on, tail %d", o.Tail)
		}
	}
	e.Held = func(why *pipeline.Refusal) {
		if why == nil {
			tell("goes on")
		} else {
			tell("held: %s", why.What)
		}
	}
	e.Epoch = func(e view.Epochal) { tell("epoch %d: %d in, %d out, %d parts", e.Epoch, e.In, e.Out, e.Parts) }
	e.Rebuilding = func(why string) { tell("rebuilds: %s", why) }
	e.Damaged = func(error) { tell("damaged") }
	e.Switched = func(old []string) { tell("switched from %s", strings.Join(old, ", ")) }
	return e
}

// until waits for a status.
func (w *world) until(what string, is func(view.Status) bool) {
	w.t.Helper()
	limit := time.After(3 * time.Minute)
	for {
		moved := w.task.Moved()
		if is(w.task.Status()) {
			return
		}
		select {
		case <-moved:
		case err := <-w.done:
			w.t.Fatalf("waiting until %s: the view ended with %v\n%s", what, err, w.said.Take())
		case <-limit:
			w.t.Fatalf("waiting until %s: %+v\n%s", what, w.task.Status(), w.said.Take())
		}
	}
}

// caughtUp waits until the view shows everything that its sources committed.
func (w *world) caughtUp() {
	w.t.Helper()
	w.until("it has caught up", func(s view.Status) bool { return s.Shown != nil && !s.Shown.Old && w.isAt(s.Shown.At) })
}

func (w *world) isAt(at view.Vector) bool {
	for name, s := range w.sources {
		if at[name].Resume.At.Seq != s.Seq {
			return false
		}
	}
	return true
}

// check compares what the view shows and what its topic holds with the sources.
func (w *world) check() {
	w.t.Helper()
	w.caughtUp()
	want := w.expect(w.seqs())
	if got := w.shows(); got != want {
		w.t.Fatalf("the view shows\n%s\nwant\n%s", got, want)
	}
	if got := w.topic(); got != want {
		w.t.Fatalf("the topic holds\n%s\nwant\n%s", got, want)
	}
}

func (w *world) seqs() map[string]uint64 {
	at := map[string]uint64{}
	for name, s := range w.sources {
		at[name] = s.Seq
	}
	return at
}

// expect is the view's SQL over the sources as they were.
func (w *world) expect(at map[string]uint64) string {
	shop, billing := w.sources["shop"].At(at["shop"]), w.sources["billing"].At(at["billing"])
	return printTable(result([]table{carry(shop["customers"], 0, 1), carry(shop["orders"], 0, 2, 3), carry(billing["payments"], 0, 2, 3)}))
}

func carry(t table, columns ...int) table {
	out := table{}
	for key, row := range t {
		var carried schema.Row
		for _, i := range columns {
			carried = append(carried, row[i])
		}
		out[key] = carried
	}
	return out
}

func printTable(t table) string {
	var lines []string
	for _, key := range slices.Sorted(maps.Keys(t)) {
		lines = append(lines, printRow(t[key]))
	}
	return strings.Join(lines, "\n")
}

func printRow(row schema.Row) string {
	var cells []string
	for _, v := range row {
		switch v.Kind() {
		case schema.KindInt:
			cells = append(cells, fmt.Sprint(v.Int()))
		case schema.KindText, schema.KindDecimal:
			cells = append(cells, string(v.Ref()))
		default:
			cells = append(cells, "null")
		}
	}
	return strings.Join(cells, " ")
}

// shows prints the rows that a reader of the view finds.
func (w *world) shows() string {
	w.t.Helper()
	look, err := w.task.Look()
	if err != nil || look == nil {
		w.t.Fatalf("nothing to look at: %v", err)
	}
	defer look.Close()
	return w.print(look)
}

func printLook(t testing.TB, look *view.Look) string {
	c, err := look.Scan([]byte{0}, []byte{1}, false)
	if err != nil {
		t.Fatal(err)
	}
	rows := table{}
	for c.Next() {
		rows[string(c.Key()[1:])] = parseRow(c.Value())
	}
	return printTable(rows)
}

// topic prints the view as a reader of its topic has it at its frontier.
func (w *world) topic() string {
	w.t.Helper()
	fold, err := log.ReadFrontier(context.Background(), w.log, view.FrontierTopic("test", "totals"))
	if err != nil {
		w.t.Fatal(err)
	}
	f, ok := fold.Frontier()
	if !ok {
		return ""
	}
	rows := table{}
	for tp, end := range f.Offsets {
		err := log.Scan(context.Background(), w.log, tp, log.Ends{Stable: end}, func(r *log.Record) error { w.fold(rows, r); return nil })
		if err != nil {
			w.t.Fatal(err)
		}
	}
	return printTable(rows)
}

// fold takes a record of the view's topic into rows. A record that changes
// nothing should not be there.
func (w *world) fold(rows table, r *log.Record) {
	w.t.Helper()
	codec := w.codec()
	_, body, _ := avro.ParseWire(r.Key)
	var a avro.Arena
	key, err := codec.DecodeKey(body, &a)
	if err != nil {
		w.t.Fatal(err)
	}
	name := intaketest.KeyText(key, []int{0})
	if r.Value == nil {
		if rows[name] == nil {
			w.t.Fatalf("%s offset %d buries a row that is not there", r.TopicPartition, r.Offset)
		}
		delete(rows, name)
		return
	}
	_, body, _ = avro.ParseWire(bytes.Clone(r.Value))
	e, err := codec.DecodeValue(body, &a)
	if err != nil {
		w.t.Fatal(err)
	}
	if e.After.Identical(rows[name]) {
		w.t.Fatalf("%s offset %d says again what was said", r.TopicPartition, r.Offset)
	}
	rows[name] = e.After.Clone()
}

func (w *world) codec() *avro.Codec {
	c, err := avro.Compile(view.Table("test", "totals", w.config.Plan), avro.Options{Topic: viewTopic, Envelope: avro.Row})
	if err != nil {
		w.t.Fatal(err)
	}
	return c
}

// begin commits the empty tables.
func (w *world) begin() {
	for _, name := range slices.Sorted(maps.Keys(w.sources)) {
		w.sources[name].Begin()
	}
}

func put(t *schema.Table, after schema.Row) pipeline.Change {
	return pipeline.Change{Table: t, Op: pipeline.Create, After: after}
}

func remove(t *schema.Table, before schema.Row) pipeline.Change {
	return pipeline.Change{Table: t, Op: pipeline.Delete, Before: before}
}

func truncate(t *schema.Table) pipeline.Change {
	return pipeline.Change{Table: t, Op: pipeline.Truncate}
}
