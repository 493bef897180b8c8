package dataflow

import (
	"errors"
	"fmt"
	"strconv"
	"testing"

	"github.com/evertdb/evert/schema"
)

func parseValue(k schema.Kind, w string) schema.Value {
	if w == "NULL" {
		return schema.Null()
	}
	switch k {
	case schema.KindInt:
		i, _ := strconv.ParseInt(w, 10, 64)
		return schema.Int(i)
	case schema.KindFloat:
		f, _ := strconv.ParseFloat(w, 64)
		return schema.Float(f)
	case schema.KindBool:
		return schema.Bool(w == "true")
	case schema.KindDecimal:
		return schema.Decimal([]byte(w))
	case schema.KindJSON:
		return schema.JSON([]byte(w))
	}
	return schema.Text([]byte(w))
}

// The tables of a shop.
func shop() []*schema.Table {
	return []*schema.Table{
		tableOf("customers", 1, column("id", integer), column("name", text)),
		tableOf("orders", 1, column("id", integer), column("customer", integer), column("total", numeric)),
		tableOf("lines", 1, column("id", integer), column("order_id", integer), column("product", text), column("qty", integer)),
	}
}

// object is jsonb_build_object of columns by their names.
func object(cols []schema.Column, at ...int) Expr {
	return expr{"jsonb_build_object(" + names(cols, at) + ")", func(r schema.Row) (schema.Value, error) {
		b := append(make([]byte, 0, 128), '{')
		for i, c := range at {
			if i > 0 {
				b = append(b, ", "...)
			}
			b = append(strconv.AppendQuote(b, cols[c].Name), ": "...)
			b = appendJSON(b, r[c])
		}
		return schema.JSON(append(b, '}')), nil
	}}
}

func appendJSON(b []byte, v schema.Value) []byte {
	switch v.Kind() {
	case schema.KindNull:
		return append(b, "null"...)
	case schema.KindInt:
		return strconv.AppendInt(b, v.Int(), 10)
	case schema.KindText:
		return append(append(append(b, '"'), v.Ref()...), '"') // the tests have nothing to escape
	}
	return append(b, v.Ref()...)
}

// jsonbAgg is jsonb_agg of a column, ordered by another.
func jsonbAgg(arg, by int) Agg {
	a := agg(JSONBAgg, arg, jsonb)
	a.Order, a.Text = []Order{{Col: by}}, "jsonb_agg"
	return a
}

// nested is a customer's document: its orders, with their lines.
func nested() *Plan {
	p := planOf(nil, []int{0}, shop()...)
	lines := scanOf(p, 2)
	item := &Map{In: lines, Exprs: []Expr{col(lines.Cols, 1), col(lines.Cols, 0), object(lines.Cols, 2, 3)}, Keys: [][]int{{1}}}
	item.Cols = []schema.Column{column("order_id", integer), column("id", integer), column("item", jsonb)}
	perOrder := aggregateOf(item, []int{0}, jsonbAgg(2, 1))
	perOrder.Cols[1].Name = "lines"
	orders := joinOf(scanOf(p, 1), perOrder, []int{0}, []int{0}, true, nil)
	order := &Map{In: orders, Exprs: []Expr{col(orders.Cols, 1), col(orders.Cols, 0), object(orders.Cols, 0, 2, 4)}, Keys: [][]int{{1}}}
	order.Cols = []schema.Column{column("customer", integer), column("id", integer), column("order", jsonb)}
	perCustomer := aggregateOf(order, []int{0}, jsonbAgg(2, 1), agg(Count, -1, integer))
	customers := joinOf(scanOf(p, 0), perCustomer, []int{0}, []int{0}, true, nil)
	p.Root = project(customers, 0, 1, 3, 4)
	p.Indexes = [][]int{{1}}
	return p
}

func TestStoryOfDocuments(t *testing.T) {
	t.Parallel()
	s := tell(t, nested())
	s.run("the tables are filled, lines first",
		"+ lines 1 10 tea 2", "+ lines 2 10 cup 1", "+ lines 3 11 tea 5", "+ lines 4 NULL lost 1",
		"+ orders 10 1 7.50", "+ orders 11 1 12.00", "+ orders 12 NULL 1.00",
		"+ customers 1 ann", "+ customers 2 bob")
	s.run("one line of one order changes", "+ lines 2 10 cup 3")
	s.run("everything is said again", "+ lines 2 10 cup 3", "+ orders 10 1 7.50", "+ customers 1 ann")
	s.run("an order goes to another customer, and a line with it", "+ orders 10 2 7.50", "- lines 1")
	s.run("a line changes to and fro in one transaction", "+ lines 3 11 tea 6", "+ lines 3 11 tea 5")
	s.run("a customer gets another key", "- customers 1", "+ customers 3 ann", "+ orders 11 3 12.00")
	s.run("the lines are truncated, and one comes after it", "+ lines 9 11 gone 1", "0 lines", "+ lines 8 11 pot 1")
	s.run("the customers go", "- customers 2", "- customers 3")
	s.end("documents.golden")
}

func TestStoryOfLeftJoins(t *testing.T) {
	t.Parallel()
	p := planOf(nil, []int{0, 3}, tableOf("l", 1, column("id", integer), column("k", integer), column("x", integer)),
		tableOf("r", 1, column("id", integer), column("k", integer), column("y", integer)))
	l, r := scanOf(p, 0), scanOf(p, 1)
	below := expr{"x < y", func(row schema.Row) (schema.Value, error) {
		if row[2].IsNull() || row[5].IsNull() {
			return schema.Null(), nil
		}
		return schema.Bool(row[2].Int() < row[5].Int()), nil
	}}
	p.Root = joinOf(l, r, []int{1}, []int{1}, true, below)
	s := tell(t, p)
	s.run("left rows alone", "+ l 1 7 5", "+ l 2 7 9", "+ l 3 NULL 1", "+ l 4 8 NULL")
	s.run("a match that the condition refuses", "+ r 1 7 4")
	s.run("a match for one of two", "+ r 1 7 6")
	s.run("a second match, and one that is NULL", "+ r 2 7 8", "+ r 3 NULL 9", "+ r 4 8 9")
	s.run("one match goes while another comes", "- r 1", "+ r 5 7 10")
	s.run("the left changes", "+ l 1 7 9", "+ l 3 7 1")
	s.run("all matches go", "0 r")
	s.run("two left rows with matches of their own, and one that they share", "+ l 1 7 1", "+ l 2 7 5", "- l 3", "+ r 1 7 3", "+ r 2 7 9", "+ r 3 7 20")
	s.run("the shared match goes: both keep one", "- r 3")
	s.run("the left goes", "- l 1", "- l 2", "- l 3", "- l 4")
	s.end("left-joins.golden")
}

func TestStoryOfAggregates(t *testing.T) {
	t.Parallel()
	p := planOf(nil, []int{0}, tableOf("t", 1, column("id", integer), column("g", numeric), column("v", integer), column("b", boolean), column("s", text)))
	scan := scanOf(p, 0)
	distinct := agg(Count, 2, integer)
	distinct.Distinct, distinct.Text = true, "count(DISTINCT v)"
	list := agg(StringAgg, 4, text)
	list.Order, list.Filter, list.Text = []Order{{Col: 2, Desc: true}, {Col: 0}}, 3, "string_agg(s ORDER BY v DESC, id) FILTER (WHERE b)"
	least, most, every := agg(Min, 2, integer), agg(Max, 2, integer), agg(BoolAnd, 3, boolean)
	least.Text, most.Text, every.Text = "min(v)", "max(v)", "bool_and(b)"
	all := agg(Count, -1, integer)
	all.Text = "count(*)"
	p.Root = aggregateOf(scan, []int{1}, all, distinct, least, most, every, list)
	p.Indexes = [][]int{{3}}
	s := tell(t, p)
	s.run("two groups, of which one shows two ways", "+ t 1 1.0 5 true a", "+ t 2 1.00 7 false b", "+ t 3 1.0 5 true c", "+ t 4 NULL 1 NULL d")
	s.run("R19 the greatest goes", "- t 2")
	s.run("the least goes, but is there twice", "- t 1")
	s.run("values become NULL", "+ t 3 1.0 NULL NULL NULL")
	s.run("a row changes its group, which ends", "+ t 3 2 3 true e")
	s.run("a filter lets a row in, and the order turns", "+ t 4 2 9 true d")
	s.run("everything goes", "0 t")
	s.end("aggregates.golden")
}

var errDivision = errors.New("division by zero")

func TestStoryOfRefusals(t *testing.T) {
	t.Parallel()
	p := planOf(nil, []int{3}, tableOf("l", 1, column("id", integer), column("k", integer)), tableOf("r", 1, column("k", integer), column("by", integer)))
	l, r := scanOf(p, 0), scanOf(p, 1)
	joined := joinOf(l, r, []int{1}, []int{0}, false, nil)
	quotient := expr{"id / by", func(row schema.Row) (schema.Value, error) {
		if row[3].Int() == 0 {
			return schema.Null(), errDivision
		}
		return schema.Int(row[0].Int() / row[3].Int()), nil
	}}
	p.Root = &Map{In: joined, Exprs: []Expr{col(joined.Cols, 0), col(joined.Cols, 1), col(joined.Cols, 3), quotient}, Cols: append(append([]schema.Column{}, joined.Cols[0], joined.Cols[1], joined.Cols[3]), column("q", integer)), Keys: [][]int{{0}}}
	s := tell(t, p)
	s.run("a row", "+ l 8 1", "+ r 1 2")
	s.run("another with the same key", "+ l 9 1")
	s.run("a key taken in one epoch by two", "- l 8", "+ l 10 1", "+ l 11 1")
	s.run("a zero that meets no row", "+ r 2 0")
	s.run("a zero that meets one", "+ l 7 2")
	s.run("the zero goes while a row comes: they never met", "+ r 2 7", "+ l 7 2")
	s.run("nothing of what was refused is there", "+ l 8 1")
	s.end("refusals.golden")
}

func TestNodesAreDescribed(t *testing.T) {
	t.Parallel()
	e, err := New(nested(), Env{NewSorter: NewMemorySorter, MaxGroup: 1})
	if err != nil {
		t.Fatal(err)
	}
	got := ""
	for _, c := range e.Layout() {
		got += fmt.Sprintf("%d %s of %d by %v\n", c.Number, c.Kind, c.Node, c.Key)
	}
	const want = `0 output of 9 by [0]
1 index of 9 by [1]
2 input of 0 by [0]
3 input of 1 by [0]
4 input of 2 by [0]
5 group of 4 by [0]
6 values of 4 by [0]
7 group of 7 by [0]
8 values of 7 by [0]
`
	if got != want {
		t.Errorf("the layout is\n%s", got)
	}
}
