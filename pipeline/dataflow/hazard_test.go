package dataflow

import (
	"context"
	"errors"
	"fmt"
	"go/parser"
	"go/token"
	"math"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/schema"
)

// replayed is what a sequence of transactions says, to be said in several ways.
type replayed struct {
	plan *Plan
	txs  [][]Saying
}

// recorded makes a plan and transactions over it.
func recorded(seed uint64, txs int) *replayed {
	c := &chance{Rand: rand.New(rand.NewPCG(seed, 1))}
	r := &replayed{plan: c.view()}
	for range txs {
		var tx []Saying
		for range 1 + c.IntN(5) {
			i := c.IntN(len(r.plan.Inputs))
			row := c.row(r.plan.Inputs[i].Table)
			s := Saying{Input: i, Row: row}
			if c.IntN(3) == 0 {
				s = Saying{Input: i, Key: row[:len(r.plan.Inputs[i].Key)]}
			}
			tx = append(tx, s)
		}
		r.txs = append(r.txs, tx)
	}
	return r
}

// play says the transactions, each epoch so many of them; twist may change how
// an epoch is said.
func (r *replayed) play(t *testing.T, perEpoch int, twist func([]Saying) []Saying) (*Memory, map[string]schema.Row) {
	t.Helper()
	w := newWorld(t, r.plan)
	for txs := range slices.Chunk(r.txs, perEpoch) {
		w.begin()
		for _, s := range twist(slices.Concat(txs...)) {
			if err := w.epoch.say(s); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := w.tryFinish(); err != nil {
			t.Fatal(err)
		}
	}
	return w.state, w.result
}

func straight(s []Saying) []Saying { return s }

func TestHazardsOfReplay(t *testing.T) {
	t.Parallel()
	for seed := range uint64(40) {
		r := recorded(seed, 24)
		want, rows := r.play(t, 1, straight)
		check := func(what string, perEpoch int, twist func([]Saying) []Saying) {
			got, gotRows := r.play(t, perEpoch, twist)
			if err := same(want, got); err != nil {
				t.Errorf("seed %d: %s: %v", seed, what, err)
			}
			if len(rows) != len(gotRows) {
				t.Errorf("seed %d: %s: %d rows, %d expected", seed, what, len(gotRows), len(rows))
			}
		}
		check("R14 other epochs", 5, straight)
		check("R14 one epoch", len(r.txs), straight)
		check("R14 another order of keys", 3, byKey)
		check("R10 everything comes twice", 2, func(s []Saying) []Saying { return slices.Concat(s, s) })
		check("R10 every saying is repeated at once", 4, func(s []Saying) []Saying {
			var twice []Saying
			for _, one := range s {
				twice = append(twice, one, one)
			}
			return twice
		})
	}
}

// byKey says what is said of one key together: between keys there is no order.
func byKey(s []Saying) []Saying {
	sorted := slices.Clone(s)
	slices.SortStableFunc(sorted, func(a, b Saying) int { return strings.Compare(keyText(b), keyText(a)) })
	return sorted
}

func keyText(s Saying) string {
	n := []int{1, 2, 1}[s.Input]
	if s.Row != nil {
		return fmt.Sprint(s.Input, show(s.Row[:n]))
	}
	return fmt.Sprint(s.Input, show(s.Key))
}

// The order of the keys gives the same changes too, not only the same state.
func TestChangesDoNotDependOnTheOrder(t *testing.T) {
	t.Parallel()
	r := recorded(7, 12)
	var want []string
	for i, twist := range []func([]Saying) []Saying{straight, byKey} {
		w := newWorld(t, r.plan)
		var got []string
		for txs := range slices.Chunk(r.txs, 4) {
			w.begin()
			for _, s := range twist(slices.Concat(txs...)) {
				if err := w.epoch.say(s); err != nil {
					t.Fatal(err)
				}
			}
			changes, err := w.tryFinish()
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, changes...)
		}
		if i == 0 {
			want = got
		} else if !slices.Equal(want, got) {
			t.Errorf("R14: the changes are\n%v\nand in another order\n%v", want, got)
		}
	}
}

// The sum of all accounts stays, whatever goes from one to another.
func TestNothingInBetweenIsTold(t *testing.T) {
	t.Parallel()
	p := planOf(nil, nil, tableOf("accounts", 1, column("id", integer), column("balance", numeric)))
	p.Root = aggregateOf(scanOf(p, 0), nil, agg(Sum, 1, numeric))
	w := newWorld(t, p)
	balances := make([]int64, 10)
	for i := range balances {
		balances[i] = 100
		w.upsert(0, account(i, 100))
	}
	if got := w.finish(); len(got) != 1 || got[0] != ": nothing → 1000" {
		t.Fatalf("the first sum is told as %q", got)
	}
	c := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		from, to, amount := c.IntN(10), c.IntN(10), int64(c.IntN(50))
		balances[from] -= amount
		w.upsert(0, account(from, balances[from]))
		balances[to] += amount
		w.upsert(0, account(to, balances[to]))
		if got := w.finish(); len(got) > 0 {
			t.Fatalf("R11: a transfer between accounts is told as %q", got)
		}
	}
}

func account(id int, balance int64) schema.Row {
	return schema.Row{schema.Int(int64(id)), schema.Decimal(fmt.Appendf(nil, "%d", balance))}
}

func TestHazardsOfRetraction(t *testing.T) {
	t.Parallel()
	p := planOf(nil, []int{0}, tableOf("t", 1, column("id", integer), column("g", integer), column("f", double), column("n", numeric)))
	p.Root = aggregateOf(scanOf(p, 0), []int{1}, agg(Sum, 2, double), agg(Sum, 3, numeric), agg(Min, 2, double), agg(Max, 3, numeric), agg(Avg, 2, double))
	w := newWorld(t, p)
	row := func(id int64, f float64, n string) schema.Row {
		return schema.Row{schema.Int(id), schema.Int(1), schema.Float(f), schema.Decimal([]byte(n))}
	}
	w.upsert(0, row(1, 0.1, "0.10"))
	w.finish()
	t.Run("R19 floats and decimals come back to what they were", func(t *testing.T) {
		w.upsert(0, row(2, 1e300, "1"))
		w.upsert(0, row(3, 0.2, "12345678901234567890.123456789"))
		w.finish()
		w.upsert(0, row(4, -1e300, "-7"))
		w.finish()
		for _, id := range []int64{2, 3, 4} {
			w.delete(0, row(id, 0, "0"))
		}
		got := w.finish()
		if len(got) != 1 || !strings.HasSuffix(got[0], "→ 1 0.1 0.10 0.1 0.10 0.1") {
			t.Errorf("what is left is %q", got)
		}
	})
	t.Run("R18 a delete says the key alone", func(t *testing.T) {
		w.upsert(0, row(5, 2, "2"))
		w.finish()
		w.delete(0, schema.Row{schema.Int(5)})
		w.finish()
	})
	t.Run("R18 an update says the new row alone", func(t *testing.T) {
		w.upsert(0, row(1, 3, "3.5"))
		if got := w.finish(); len(got) != 1 || !strings.HasSuffix(got[0], "→ 1 3 3.5 3 3.5 3") {
			t.Errorf("an update is told as %q", got)
		}
	})
}

// A key that most rows share does not have to fit into memory.
func TestHotKey(t *testing.T) {
	t.Parallel()
	const hot, limit = 600, 2000
	p := planOf(nil, []int{0, 3}, tableOf("l", 1, column("id", integer), column("k", integer)), tableOf("r", 1, column("id", integer), column("k", integer)))
	p.Root = joinOf(scanOf(p, 0), scanOf(p, 1), []int{1}, []int{1}, true, nil)
	p.Root.(*Join).Keys = [][]int{{0, 2}}
	p.Key = []int{0, 2}
	w := newWorld(t, p)
	j := w.engine.steps[2].(*join)
	for _, s := range []*side{&j.left, &j.right} {
		s.changed.limit, s.stayed.limit = limit, limit
	}
	put := func(input int, from, to, key int64) {
		for id := from; id < to; id++ {
			w.upsert(input, schema.Row{schema.Int(id), schema.Int(key)})
		}
	}
	put(0, 0, hot, 7)
	put(1, 0, 3, 7)
	w.finish()
	put(1, 3, 4, 7)     // one on the small side meets all
	put(0, 0, 5, 8)     // some leave
	put(0, hot, 650, 7) // some come
	w.finish()
	w.clear(1)
	w.finish()
	for name, b := range map[string]*bag{"left": &j.left.changed, "left before": &j.left.stayed, "right": &j.right.changed, "right before": &j.right.stayed} {
		if held := int64(cap(b.items))*itemBytes + int64(cap(b.bytes.block)); held > limit+arenaBlock+limit {
			t.Errorf("R13: %s holds %d bytes for one key", name, held)
		}
	}
}

// What an epoch that failed has written is dropped, and it is said again.
func TestFailedEpochLeavesNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nested())
	w.upsert(0, parse(shop()[0].Columns, []string{"1", "ann"}))
	w.upsert(1, parse(shop()[1].Columns, []string{"10", "1", "5"}))
	w.finish()
	before := w.state.Len()
	tx := func(e *Epoch) {
		if err := e.Upsert(1, parse(shop()[1].Columns, []string{"11", "1", "6"})); err != nil {
			t.Fatal(err)
		}
	}
	e, err := w.engine.Begin(w.state, w.state)
	if err != nil {
		t.Fatal(err)
	}
	tx(e)
	if _, err := e.Finish(context.Background(), func(Change) error { return context.DeadlineExceeded }); err == nil {
		t.Fatal("R02: an epoch whose change was not taken has ended well")
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	w.state.Drop()
	if w.state.Len() != before {
		t.Errorf("R02: %d entries, %d expected", w.state.Len(), before)
	}
	w.upsert(1, parse(shop()[1].Columns, []string{"11", "1", "6"}))
	if got := w.finish(); len(got) != 1 {
		t.Errorf("R02: said again, it is told as %q", got)
	}
	if err := same(w.state, w.refilled()); err != nil {
		t.Errorf("R02: %v", err)
	}
}

func TestUnknownNeverEnters(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nested())
	err := w.open().Upsert(0, schema.Row{schema.Int(1), schema.Unknown()})
	if err == nil || !strings.Contains(err.Error(), "unknown") {
		t.Errorf("I5: an unknown value enters: %v", err)
	}
}

// Values that are equal and look different count once, and one of them stands
// for all, always the same one.
func TestEqualValuesThatLookDifferent(t *testing.T) {
	t.Parallel()
	p := planOf(nil, []int{0}, tableOf("t", 1, column("id", integer), column("n", numeric)))
	list, total, count := agg(ArrayAgg, 1, schema.Type{Kind: schema.KindArray, Name: "numeric[]", Elem: &numeric}), agg(Sum, 1, numeric), agg(Count, 1, integer)
	list.Distinct, total.Distinct, count.Distinct = true, true, true
	p.Root = aggregateOf(scanOf(p, 0), []int{1}, list, total, count)
	p.Root.(*Aggregate).Group, p.Root.(*Aggregate).Grand, p.Key = []int{}, true, nil
	p.Root.(*Aggregate).Cols = p.Root.(*Aggregate).Cols[1:]
	w := newWorld(t, p)
	put := func(id int64, n string) { w.upsert(0, schema.Row{schema.Int(id), schema.Decimal([]byte(n))}) }
	for _, step := range []struct {
		do   func()
		want string
	}{
		{func() { put(1, "1.00"); put(2, "1.0"); put(3, "2") }, ": nothing → {1.0 2 } 3.0 2"},
		{func() { put(2, "3") }, ": {1.0 2 } 3.0 2 → {1.00 2 3 } 6.00 3"},
		{func() { put(3, "1") }, ": {1.00 2 3 } 6.00 3 → {1 3 } 4 2"},
		{func() { put(4, "3.0000") }, ""},
		{func() { w.delete(0, schema.Row{schema.Int(2)}) }, ": {1 3 } 4 2 → {1 3.0000 } 4.0000 2"},
	} {
		step.do()
		if got := strings.Join(w.finish(), "; "); got != step.want {
			t.Errorf("R14: %q, %q expected", got, step.want)
		}
	}
}

// What ends at a group goes no further.
func TestNoDeltaWithoutADifference(t *testing.T) {
	t.Parallel()
	p := planOf(nil, []int{0}, tableOf("t", 1, column("id", integer), column("g", integer), column("v", integer)))
	most := aggregateOf(scanOf(p, 0), []int{1}, agg(Max, 2, integer))
	p.Root = most
	w := newWorld(t, p)
	w.upsert(0, schema.Row{schema.Int(1), schema.Int(1), schema.Int(9)})
	w.finish()
	w.upsert(0, schema.Row{schema.Int(2), schema.Int(1), schema.Int(8)})
	if got := w.finish(); len(got) > 0 {
		t.Errorf("a lesser value is told as %q", got)
	}
	if out := w.engine.nodes[1].out; out != 0 {
		t.Errorf("a maximum that stays gives %d deltas", out)
	}
}

// A sum that does not fit stops the view, and goes on when it fits again.
func TestSumOutOfRange(t *testing.T) {
	t.Parallel()
	narrow := schema.Type{Kind: schema.KindInt, Name: "integer", Bits: 32}
	p := planOf(nil, nil, tableOf("t", 1, column("id", integer), column("v", narrow)))
	p.Root = aggregateOf(scanOf(p, 0), nil, agg(Sum, 1, integer))
	w := newWorld(t, p)
	row := func(id, v int64) schema.Row { return schema.Row{schema.Int(id), schema.Int(v)} }
	if err := errors.Join(w.open().Upsert(0, row(1, math.MaxInt64)), w.open().Upsert(0, row(2, 1))); err != nil {
		t.Fatal(err)
	}
	if _, err := w.tryFinish(); pipeline.CodeOf(err) != CodeExpression {
		t.Fatalf("a sum out of range is %v", err)
	}
	w.begun = false // nothing was applied
	if err := errors.Join(w.open().Upsert(0, row(1, math.MaxInt64)), w.open().Upsert(0, row(2, 1)), w.open().Upsert(0, row(3, -5))); err != nil {
		t.Fatal(err)
	}
	if got, err := w.tryFinish(); err != nil || len(got) != 1 || got[0] != ": nothing → 9223372036854775803" {
		t.Errorf("a sum that fits at the end is %q, %v", got, err)
	}
}

// A month is 30 days to GROUP BY, and to a join.
func TestIntervalsThatAreEqual(t *testing.T) {
	t.Parallel()
	span := schema.Type{Kind: schema.KindInterval, Name: "interval"}
	p := planOf(nil, []int{0}, tableOf("t", 1, column("id", integer), column("s", span)))
	p.Root = aggregateOf(scanOf(p, 0), []int{1}, agg(Count, -1, integer))
	for _, order := range [][]int64{{1, 2}, {2, 1}} {
		w := newWorld(t, p)
		for _, id := range order {
			if err := w.open().Upsert(0, schema.Row{schema.Int(id), schema.Interval(int32(id-1), int32(60-30*id), 0)}); err != nil {
				t.Fatal(err)
			}
			if _, err := w.tryFinish(); err != nil {
				t.Fatal(err)
			}
		}
		if len(w.result) != 1 {
			t.Errorf("R14: %d groups", len(w.result))
		}
		for _, row := range w.result {
			if months, _, _ := row[0].Interval(); months != 0 || row[1].Int() != 2 {
				t.Errorf("R14: the group shows %d months, and %d rows", months, row[1].Int())
			}
		}
	}
}

// The least value goes, and behind the next one there are changes still.
func TestLeastGoesAndMoreChanges(t *testing.T) {
	t.Parallel()
	p := planOf(nil, nil, tableOf("t", 1, column("id", integer), column("v", integer)))
	p.Root = aggregateOf(scanOf(p, 0), nil, agg(Min, 1, integer), agg(Max, 1, integer))
	w := newWorld(t, p)
	for v := range int64(6) {
		w.upsert(0, schema.Row{schema.Int(v), schema.Int(v)})
	}
	w.finish()
	w.delete(0, schema.Row{schema.Int(0)})
	for _, v := range []int64{2, 4, 5} { // once more
		w.upsert(0, schema.Row{schema.Int(10 + v), schema.Int(v)})
	}
	if got := strings.Join(w.finish(), "; "); got != ": 0 5 → 1 5" {
		t.Errorf("R19: told is %q", got)
	}
	if err := same(w.state, w.refilled()); err != nil {
		t.Errorf("R19: %v", err)
	}
}

// Operators ask no clock and roll no dice.
func TestNoClock(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
		if err != nil {
			t.Fatal(err)
		}
		for _, i := range f.Imports {
			if p := i.Path.Value; p == `"time"` || strings.HasPrefix(p, `"math/rand`) {
				t.Errorf("R20: %s imports %s", file, p)
			}
		}
	}
}
