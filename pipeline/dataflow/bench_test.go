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

// A crowd makes rows of orderDocuments.
type crowd struct {
	*rand.Rand
	row schema.Row
	buf []byte
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
	customers, orders := rows/26, rows*5/26
	lines := rows - customers - orders
	c := &crowd{Rand: rand.New(rand.NewPCG(1, 1))}
	tables := [][]schema.Row{}
	for i := range 3 {
		n := []int{customers, orders, lines}[i]
		t := make([]schema.Row, n)
		for id, at := range c.Perm(n) {
			switch i {
			case 0:
				t[at] = c.customer(id)
			case 1:
				t[at] = c.order(id, c.IntN(customers))
			default:
				t[at] = c.line(id, c.IntN(orders))
			}
		}
		tables = append(tables, t)
	}
	b.ReportAllocs()
	for b.Loop() {
		w := &void{}
		t, err := e.Begin(nil, w)
		if err != nil {
			b.Fatal(err)
		}
		for i, table := range tables {
			for _, row := range table {
				if err := t.Upsert(i, row); err != nil {
					b.Fatal(err)
				}
			}
		}
		stats, err := t.Finish(context.Background(), func(Change) error { return nil })
		if err != nil || stats.Changes != int64(orders) {
			b.Fatal(fmt.Errorf("%d changes: %w", stats.Changes, err))
		}
		if err := t.Close(); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(rows*b.N)/b.Elapsed().Seconds(), "rows/s")
	b.ReportMetric(float64(orders*b.N)/b.Elapsed().Seconds(), "docs/s")
}
