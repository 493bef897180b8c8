package dataflow

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"

	"github.com/evertdb/evert/schema"
)

// orderDocuments is a document per order, with its customer and its lines in it.
func orderDocuments() *Plan {
	wide := func(t *schema.Table, more ...string) *schema.Table {
		for _, m := range more {
			t.Columns = append(t.Columns, column(m, text))
		}
		return t
	}
	p := planOf(nil, []int{0},
		wide(tableOf("customers", 1, column("id", integer)), "name", "city", "email", "notes"),
		wide(tableOf("orders", 1, column("id", integer), column("customer", integer), column("total", numeric)), "status", "notes"),
		wide(tableOf("lines", 1, column("id", integer), column("order_id", integer), column("qty", integer), column("price", numeric)), "product"))
	lines := scanOf(p, 2)
	item := &Map{In: lines, Exprs: []Expr{col(lines.Cols, 1), col(lines.Cols, 0), object(lines.Cols, 0, 4, 2, 3)}, Keys: [][]int{{1}}}
	item.Cols = []schema.Column{column("order_id", integer), column("id", integer), column("item", jsonb)}
	perOrder := aggregateOf(item, []int{0}, jsonbAgg(2, 1), agg(Count, -1, integer))
	orders := joinOf(scanOf(p, 1), scanOf(p, 0), []int{1}, []int{0}, false, nil)
	whole := joinOf(orders, perOrder, []int{0}, []int{0}, true, nil)
	p.Root = project(whole, 0, 2, 3, 4, 6, 7, 11, 12)
	p.Root.(*Map).Keys = [][]int{{0}}
	return p
}

// A crowd makes rows of orderDocuments, and knows which there are.
type crowd struct {
	*rand.Rand
	customers int
	orders    []int // the customer of each; -1: deleted
	lines     []int // the order of each; -1: deleted
	linesOf   [][]int
	Said      int // by Transaction
}

func newCrowd(seed uint64, rows int) *crowd {
	c := &crowd{Rand: rand.New(rand.NewPCG(seed, 1)), customers: rows / 26}
	c.orders = make([]int, rows*5/26)
	for i := range c.orders {
		c.orders[i] = c.IntN(c.customers)
	}
	c.linesOf = make([][]int, len(c.orders))
	c.lines = make([]int, rows-c.customers-len(c.orders))
	for i := range c.lines {
		c.lines[i] = c.IntN(len(c.orders))
		c.linesOf[c.lines[i]] = append(c.linesOf[c.lines[i]], i)
	}
	return c
}

// Tables gives all rows to do, in no order.
func (c *crowd) Tables(do func(input int, row schema.Row) error) error {
	for _, id := range c.Perm(c.customers) {
		if err := do(0, c.customer(id)); err != nil {
			return err
		}
	}
	for _, id := range c.Perm(len(c.orders)) {
		if err := do(1, c.order(id, c.orders[id])); err != nil {
			return err
		}
	}
	for _, id := range c.Perm(len(c.lines)) {
		if err := do(2, c.line(id, c.lines[id])); err != nil {
			return err
		}
	}
	return nil
}

// Transaction is one of the mix: 40 in 100 are a new order of one to seven
// lines, 25 an order's status, 15 a line's quantity, 8 a line deleted, 5 a
// customer updated, 5 an order given to another customer, 2 an order deleted
// with its lines.
func (c *crowd) Transaction(t *Epoch) error {
	order, line := c.IntN(len(c.orders)), c.IntN(len(c.lines))
	switch kind := c.IntN(100); {
	case kind < 40:
		return c.newOrder(t)
	case kind < 65 && c.orders[order] >= 0:
		return c.say(t, 1, c.order(order, c.orders[order]))
	case kind < 80 && c.lines[line] >= 0:
		return c.say(t, 2, c.line(line, c.lines[line]))
	case kind < 88 && c.lines[line] >= 0:
		return c.dropLine(t, line)
	case kind < 93:
		return c.say(t, 0, c.customer(c.IntN(c.customers)))
	case kind < 98 && c.orders[order] >= 0:
		c.orders[order] = c.IntN(c.customers)
		return c.say(t, 1, c.order(order, c.orders[order]))
	case c.orders[order] >= 0:
		return c.dropOrder(t, order)
	}
	return nil
}

func (c *crowd) say(t *Epoch, input int, row schema.Row) error {
	c.Said++
	return t.Upsert(input, row)
}

func (c *crowd) newOrder(t *Epoch) error {
	id := len(c.orders)
	c.orders, c.linesOf = append(c.orders, c.IntN(c.customers)), append(c.linesOf, nil)
	if err := c.say(t, 1, c.order(id, c.orders[id])); err != nil {
		return err
	}
	for range 1 + c.IntN(7) {
		line := len(c.lines)
		c.lines, c.linesOf[id] = append(c.lines, id), append(c.linesOf[id], line)
		if err := c.say(t, 2, c.line(line, id)); err != nil {
			return err
		}
	}
	return nil
}

func (c *crowd) dropLine(t *Epoch, line int) error {
	c.Said++
	c.lines[line] = -1
	return t.Delete(2, schema.Row{schema.Int(int64(line))})
}

func (c *crowd) dropOrder(t *Epoch, order int) error {
	for _, line := range c.linesOf[order] {
		if c.lines[line] < 0 {
			continue
		}
		if err := c.dropLine(t, line); err != nil {
			return err
		}
	}
	c.Said++
	c.orders[order] = -1
	return t.Delete(1, schema.Row{schema.Int(int64(order))})
}

const filler = "lorem ipsum dolor sit amet consectetur adipiscing elit sed do eiusmod"

func (c *crowd) text(n int) schema.Value {
	at := c.IntN(len(filler) - n)
	return schema.Text([]byte(filler[at : at+n]))
}

func (c *crowd) price() schema.Value {
	return schema.Decimal(strconv.AppendFloat(nil, float64(c.IntN(100_000))/100, 'f', 2, 64))
}

func (c *crowd) customer(id int) schema.Row {
	return schema.Row{schema.Int(int64(id)), c.text(20), c.text(12), c.text(24), c.text(60)}
}

func (c *crowd) order(id, customer int) schema.Row {
	return schema.Row{schema.Int(int64(id)), schema.Int(int64(customer)), c.price(), c.text(8), c.text(60)}
}

func (c *crowd) line(id, order int) schema.Row {
	return schema.Row{schema.Int(int64(id)), schema.Int(int64(order)), schema.Int(int64(1 + c.IntN(9))), c.price(), c.text(30)}
}

// void takes writes and counts them.
type void struct{ bytes int64 }

func (v *void) Put(key, value []byte) error {
	v.bytes += int64(len(key) + len(value))
	return nil
}
func (v *void) Delete([]byte) error { return nil }

func size(def int) int {
	if n, err := strconv.Atoi(os.Getenv("EVERT_ROWS")); err == nil {
		return n
	}
	return def
}

// BenchmarkFill fills the view in one epoch: the engine alone, its state goes
// nowhere. EVERT_ROWS is the number of rows of all tables.
func BenchmarkFill(b *testing.B) {
	rows := size(130_000)
	e, err := New(orderDocuments(), Env{NewSorter: NewMemorySorter, MaxGroup: 64 << 20})
	if err != nil {
		b.Fatal(err)
	}
	c := newCrowd(1, rows)
	var said []schema.Row
	var inputs []int
	err = c.Tables(func(input int, row schema.Row) error {
		said, inputs = append(said, row), append(inputs, input)
		return nil
	})
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		w := &void{}
		t, err := e.Begin(nil, w)
		if err != nil {
			b.Fatal(err)
		}
		for i, row := range said {
			if err := t.Upsert(inputs[i], row); err != nil {
				b.Fatal(err)
			}
		}
		stats, err := t.Finish(context.Background(), func(Change) error { return nil })
		if err != nil || stats.Changes != int64(len(c.orders)) {
			b.Fatal(fmt.Errorf("%d changes: %w", stats.Changes, err))
		}
		if err := t.Close(); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(rows*b.N)/b.Elapsed().Seconds(), "rows/s")
	b.ReportMetric(float64(len(c.orders)*b.N)/b.Elapsed().Seconds(), "docs/s")
}
