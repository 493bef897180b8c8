package dataflow

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/evertdb/evert/schema"
)

// A Driver runs a plan on rows in memory and prints what every node gives, for
// people and for golden files. One goroutine uses it.
type Driver struct {
	engine *Engine
	state  *Memory
	out    io.Writer
	begun  bool
	given  [][]string // by node: the deltas of the transaction
}

// A Saying is one thing that a transaction says of an input.
type Saying struct {
	Input int
	Row   schema.Row // the carried columns; nil: see Key
	Key   schema.Row // of a row that was deleted; nil too: the input is cleared
}

// NewDriver makes a driver whose state is empty.
func NewDriver(p *Plan, out io.Writer) (*Driver, error) {
	d := &Driver{state: &Memory{}, out: out}
	e, err := New(p, Env{NewSorter: NewMemorySorter, MaxGroup: driverGroup, Trace: d.note})
	if err != nil {
		return nil, err
	}
	d.engine, d.given = e, make([][]string, len(e.nodes))
	return d, nil
}

// driverGroup is what a driver holds of one group.
const driverGroup = 64 << 20

func (d *Driver) note(node int, row schema.Row, weight int64) {
	text := fmt.Sprintf("%+d  %s", weight, d.text(d.engine.nodes[node].node.Columns(), row))
	d.given[node] = append(d.given[node], text)
}

// text writes a row by its columns' types.
func (d *Driver) text(cols []schema.Column, row schema.Row) string {
	var b []byte
	for i, v := range row {
		if i > 0 {
			b = append(b, " | "...)
		}
		if v.IsNull() {
			b = append(b, "NULL"...)
			continue
		}
		b = cols[i].Type.AppendText(b, v)
	}
	return string(b)
}

// Run is one transaction, and one epoch. After an error nothing has happened.
func (d *Driver) Run(title string, tx ...Saying) error {
	fmt.Fprintf(d.out, "── %s\n", title)
	for i := range d.given {
		d.given[i] = nil
	}
	stats, changes, err := d.epoch(tx)
	if err != nil {
		d.state.Drop()
		fmt.Fprintf(d.out, "   refused: %v\n", err)
		return err
	}
	d.begun = true
	d.state.Apply()
	d.print(stats, changes)
	return nil
}

func (d *Driver) epoch(tx []Saying) (stats Stats, changes []string, err error) {
	var r Reader
	if d.begun {
		r = d.state
	}
	t, err := d.engine.Begin(r, d.state)
	if err != nil {
		return stats, nil, err
	}
	defer func() { err = errors.Join(err, t.Close()) }()
	for _, s := range tx {
		if err := t.say(s); err != nil {
			return stats, nil, err
		}
	}
	stats, err = t.Finish(context.Background(), func(c Change) error {
		changes = append(changes, d.change(c))
		return nil
	})
	return stats, changes, err
}

func (t *Epoch) say(s Saying) error {
	switch {
	case s.Row != nil:
		return t.Upsert(s.Input, s.Row)
	case s.Key != nil:
		return t.Delete(s.Input, s.Key)
	}
	return t.Clear(s.Input)
}

func (d *Driver) change(c Change) string {
	cols := d.engine.plan.Root.Columns()
	switch {
	case c.Old == nil:
		return "new      " + d.text(cols, c.New)
	case c.New == nil:
		return "gone     " + d.text(cols, c.Old)
	}
	return "changed  " + d.text(cols, c.Old) + "\n       to  " + d.text(cols, c.New)
}

// print writes the nodes that had deltas, and the changes.
func (d *Driver) print(stats Stats, changes []string) {
	for i, line := range d.engine.Describe() {
		if stats.Nodes[i] == (NodeStat{}) {
			continue
		}
		fmt.Fprintf(d.out, "   %d  %s\n", i, line)
		for _, g := range d.given[i] {
			fmt.Fprintf(d.out, "      %s\n", g)
		}
	}
	fmt.Fprintf(d.out, "   result: %d changed; the state was asked %d times and written to %d times\n", len(changes), stats.Reads, stats.Writes)
	for _, c := range changes {
		fmt.Fprintf(d.out, "      %s\n", c)
	}
	fmt.Fprintln(d.out)
}
