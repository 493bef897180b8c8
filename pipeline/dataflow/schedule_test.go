package dataflow

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
)

// Workers change nothing but the time.
func TestWorkers(t *testing.T) {
	t.Parallel()
	for seed := range uint64(60) {
		c := &chance{Rand: rand.New(rand.NewPCG(seed, 3))}
		p := c.view()
		rows := make([][]Saying, 1)
		for range 60 {
			i := c.IntN(len(p.Inputs))
			rows[0] = append(rows[0], Saying{Input: i, Row: c.row(p.Inputs[i].Table)})
		}
		var want *Memory
		var told []string
		for _, workers := range []int{1, 2, 8} {
			m, changes := fill(t, p, workers, rows[0])
			if want == nil {
				want, told = m, changes
				continue
			}
			if err := same(want, m); err != nil {
				t.Errorf("seed %d: R14: %d workers: %v", seed, workers, err)
			}
			if fmt.Sprint(told) != fmt.Sprint(changes) {
				t.Errorf("seed %d: R14: %d workers tell\n%v\none tells\n%v", seed, workers, changes, told)
			}
		}
	}
}

func fill(t *testing.T, p *Plan, workers int, said []Saying) (m *Memory, changes []string) {
	t.Helper()
	e, err := New(p, Env{NewSorter: NewMemorySorter, MaxGroup: 1 << 20, Workers: workers})
	if err != nil {
		t.Fatal(err)
	}
	m = &Memory{}
	ep, err := e.Begin(nil, m)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range said {
		if err := ep.say(s); err != nil {
			t.Fatal(err)
		}
	}
	_, err = ep.Finish(context.Background(), func(c Change) error {
		changes = append(changes, show(c.Key)+": "+show(c.New))
		return nil
	})
	if err = errors.Join(err, ep.Close()); err != nil {
		t.Fatal(err)
	}
	m.Apply()
	return m, changes
}

// A step that fails ends the others, and says why.
func TestWorkersFail(t *testing.T) {
	t.Parallel()
	e, err := New(nested(), Env{NewSorter: NewMemorySorter, MaxGroup: 1 << 20, Workers: 4})
	if err != nil {
		t.Fatal(err)
	}
	for writes := range 40 {
		w := &failing{left: writes}
		ep, err := e.Begin(nil, w)
		if err != nil {
			t.Fatal(err)
		}
		for i := range 10 {
			if err := ep.Upsert(1, parse(shop()[1].Columns, []string{fmt.Sprint(i), "1", "5"})); err != nil {
				t.Fatal(err)
			}
		}
		_, err = ep.Finish(context.Background(), func(Change) error { return nil })
		if w.failed != errors.Is(err, errFault) {
			t.Errorf("after %d writes: %v", writes, err)
		}
		if err := ep.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// failing is a writer that takes so many writes.
type failing struct {
	left   int
	failed bool
}

func (f *failing) Put([]byte, []byte) error {
	if f.left--; f.left < 0 {
		f.failed = true
		return errFault
	}
	return nil
}

func (f *failing) Delete([]byte) error { return f.Put(nil, nil) }

// What the schedule lets run beside each other: the three tables, and the lines'
// documents beside the orders.
func TestSchedule(t *testing.T) {
	t.Parallel()
	e, err := New(orderDocuments(), Env{NewSorter: NewMemorySorter, MaxGroup: 1})
	if err != nil {
		t.Fatal(err)
	}
	got := ""
	for i, w := range e.waits {
		got += fmt.Sprintf("%T %d waits for %v\n", e.steps[i], i, w)
	}
	const want = `*dataflow.input 0 waits for []
*dataflow.input 1 waits for []
*dataflow.input 2 waits for []
*dataflow.join 3 waits for [0 1]
*dataflow.aggregation 4 waits for [2]
*dataflow.join 5 waits for [3 4]
*dataflow.output 6 waits for [3 5]
`
	if got != want {
		t.Errorf("the schedule is\n%s", got)
	}
}
