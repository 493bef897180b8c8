package view_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/evertdb/evert/pipeline/dataflow"
	"github.com/evertdb/evert/pipeline/intake/intaketest"
	"github.com/evertdb/evert/pipeline/state/store"
	"github.com/evertdb/evert/pipeline/state/tuple"
	"github.com/evertdb/evert/pipeline/view"
	"github.com/evertdb/evert/pipeline/view/local"
	"github.com/evertdb/evert/schema"
)

// realPlan is the view's SQL as operators:
//
//	SELECT c.id, c.name, coalesce(o.n, 0), coalesce(o.s, 0), coalesce(p.s, 0)
//	FROM customers c
//	LEFT JOIN (SELECT customer, count(*) n, sum(amount) s FROM orders GROUP BY customer) o ON o.customer = c.id
//	LEFT JOIN (SELECT customer, sum(amount) s FROM payments GROUP BY customer) p ON p.customer = c.id
func realPlan() *dataflow.Plan {
	p := plan()
	column := func(name string, t schema.Type) schema.Column {
		return schema.Column{Name: name, Type: t, Nullable: true}
	}
	sumType := schema.Type{Kind: schema.KindDecimal, Name: "numeric", Precision: -1, Scale: -1}
	scan := func(input int) *dataflow.Scan {
		in := p.Inputs[input]
		s := &dataflow.Scan{Input: input, Keys: [][]int{{0}}}
		for _, c := range in.Carry {
			s.Cols = append(s.Cols, in.Table.Columns[c])
		}
		return s
	}
	count := dataflow.Agg{Func: dataflow.Count, Arg: -1, Filter: -1, Delim: -1, Result: intType, Text: "count(*)"}
	sum := dataflow.Agg{Func: dataflow.Sum, Arg: 2, Filter: -1, Delim: -1, Result: sumType, Text: "sum(amount)"}
	byOrders := &dataflow.Aggregate{In: scan(1), Group: []int{1}, Aggs: []dataflow.Agg{count, sum}, Cols: []schema.Column{column("customer", intType), column("n", intType), column("s", sumType)}}
	byPayments := &dataflow.Aggregate{In: scan(2), Group: []int{1}, Aggs: []dataflow.Agg{sum}, Cols: []schema.Column{column("customer", intType), column("s", sumType)}}
	join := func(l, r dataflow.Node) *dataflow.Join {
		return &dataflow.Join{Left: l, Right: r, LeftKey: []int{0}, RightKey: []int{0}, Outer: true, Cols: append(append([]schema.Column{}, l.Columns()...), r.Columns()...), Keys: [][]int{{0}}}
	}
	both := join(join(scan(0), byOrders), byPayments)
	p.Root = &dataflow.Map{In: both, Keys: [][]int{{0}}, Exprs: []dataflow.Expr{pick(0), pick(1), orZero(3), orZero(4), orZero(6)},
		Cols: []schema.Column{{Name: "id", Type: intType}, column("name", textType), column("orders", intType), column("spent", sumType), column("paid", sumType)}}
	return p
}

type pick int

func (p pick) Eval(row schema.Row) (schema.Value, error) { return row[p], nil }
func (p pick) String() string                            { return fmt.Sprint("$", int(p)) }

type orZero int

func (p orZero) Eval(row schema.Row) (schema.Value, error) {
	switch {
	case !row[p].IsNull():
		return row[p], nil
	case p == 3:
		return schema.Int(0), nil
	}
	return schema.Decimal([]byte("0")), nil
}

func (p orZero) String() string { return fmt.Sprintf("coalesce($%d, 0)", int(p)) }

// real gives the world the engine and the states that the daemon has.
func (w *world) real(dir string) {
	p := realPlan()
	sorter := func() (dataflow.Sorter, error) { return &memSorter{}, nil }
	e, err := local.NewEngine(p, dataflow.Env{NewSorter: sorter, MaxGroup: 1 << 20})
	if err != nil {
		w.t.Fatal(err)
	}
	w.config.Plan, w.config.Engine = p, e
	w.config.States = &local.Folder{Dir: dir, NewSorter: sorter, Identity: store.Identity{Deployment: "test", View: "totals"}, Options: store.Options{MemTable: 1 << 20, Reserve: -1}}
	w.print = func(look *view.Look) string {
		low, high := dataflow.CollectionBounds(0)
		c, err := look.Scan(low, high, false)
		if err != nil {
			w.t.Fatal(err)
		}
		defer c.Close()
		rows := table{}
		for c.Next() {
			row, err := tuple.ReadRow(c.Value(), nil)
			if err != nil {
				w.t.Fatal(err)
			}
			rows[intaketest.KeyText(row, []int{0})] = row.Clone()
		}
		return printTable(rows)
	}
}

// TestRealCrashRuns is TestCrashRuns over dataflow's engine and states on the
// disk, which are taken over from life to life, lost, or copied back (R01, R03,
// R04 as words of the runs' names; R22 clean restarts read nothing again).
func TestRealCrashRuns(t *testing.T) {
	runs := uint64(8)
	if testing.Short() {
		runs = 3
	}
	for seed := range runs {
		t.Run(fmt.Sprint("R01 R04 seed ", seed), func(t *testing.T) { realRun(t, seed) })
	}
}

func realRun(t *testing.T, seed uint64) {
	dir := t.TempDir() // removed when the world has ended
	w := newWorld(t)
	w.real(dir)
	r := &crashing{world: w, rng: rand.New(rand.NewPCG(seed, 9)), copies: []map[string]*contents{{}}}
	w.config.Log = &faultyLog{Log: w.log, crash: &r.Crash}
	w.config.States = faultyStates{w.config.States, r}
	w.config.Limits.Rows = 1 + r.rng.IntN(5)
	w.begin()
	for range 6 {
		r.transaction()
		r.transaction()
		r.live()
	}
	r.Arm(0)
	w.start()
	w.check()
	r.checkCuts()
	t.Logf("replay: seed %d\n%s", seed, w.said.Take())
}

// faultyStates fail before and after each commit of a state.
type faultyStates struct {
	view.States
	r *crashing
}

func (f faultyStates) Open(hash string) (view.State, error) {
	s, err := f.States.Open(hash)
	return faultyState{s, f.r}, err
}

type faultyState struct {
	view.State
	r *crashing
}

func (s faultyState) Begin() (view.Batch, error) {
	b, err := s.State.Begin()
	return faultyBatch{b, s.r}, err
}

type faultyBatch struct {
	view.Batch
	r *crashing
}

func (b faultyBatch) Commit(progress []byte) error {
	if err := b.r.Edge("apply"); err != nil {
		return err
	}
	b.r.neverAhead(progress)
	if err := b.Batch.Commit(progress); err != nil {
		return err
	}
	return b.r.Edge("applied")
}
