package sql

import (
	"fmt"
	"strings"

	"github.com/evertdb/evert/pipeline/dataflow"
	"github.com/evertdb/evert/schema"
)

// An Operator is a node of a plan in words.
type Operator struct {
	Node   dataflow.Node
	Does   string
	Unique [][]string // sets of columns of which each identifies a row; none: rows may repeat
	Inputs []int      // the operators it reads, by their places in the list
}

// Operators are the nodes of a plan, the root first and each before those that it
// reads. One that feeds several others is there once.
func Operators(p *dataflow.Plan) []Operator {
	e := &explainer{plan: p, seen: map[dataflow.Node]int{}}
	e.add(p.Root)
	return e.list
}

type explainer struct {
	plan *dataflow.Plan
	list []Operator
	seen map[dataflow.Node]int
}

// add adds a node and what it reads, and gives its place.
func (e *explainer) add(n dataflow.Node) int {
	if at, again := e.seen[n]; again {
		return at
	}
	at := len(e.list)
	e.seen[n] = at
	o := Operator{Node: n, Does: e.describe(n)}
	for _, set := range n.Unique() {
		o.Unique = append(o.Unique, namesAt(n.Columns(), set))
	}
	e.list = append(e.list, o)
	for _, in := range n.Inputs() {
		e.list[at].Inputs = append(e.list[at].Inputs, e.add(in))
	}
	return at
}

// A Line is a line of a tree.
type Line struct {
	Operator int // place in the list; -1: it was shown before
	Text     string
}

// Tree draws operators as a tree: what each does and what identifies its rows. One
// that feeds several others is drawn where it is met first, and named by its number
// afterwards.
func Tree(list []Operator) []Line {
	t := tree{list: list, seen: make([]bool, len(list))}
	t.draw(0, "")
	return t.lines
}

type tree struct {
	list  []Operator
	seen  []bool
	lines []Line
}

func (t *tree) draw(at int, indent string) {
	if t.seen[at] {
		t.lines = append(t.lines, Line{-1, fmt.Sprintf("%s#%d again", indent, at+1)})
		return
	}
	t.seen[at] = true
	o := &t.list[at]
	t.lines = append(t.lines, Line{at, fmt.Sprintf("%s#%d %s%s", indent, at+1, o.Does, o.unique())})
	for _, in := range o.Inputs {
		t.draw(in, indent+"  ")
	}
}

func (o *Operator) unique() string {
	if len(o.Unique) == 0 {
		return "  rows may repeat"
	}
	text := "  unique"
	for _, set := range o.Unique {
		text += " (" + strings.Join(set, ", ") + ")"
	}
	return text
}

func (e *explainer) describe(n dataflow.Node) string {
	switch n := n.(type) {
	case *dataflow.Scan:
		in := &e.plan.Inputs[n.Input]
		return fmt.Sprintf("scan %s.%s (%s)", schema.QuotePart(in.Source), in.Table, columnNames(n.Cols, nil))
	case *dataflow.Map:
		return "map " + mapping(n)
	case *dataflow.Filter:
		return "filter " + n.Pred.String()
	case *dataflow.Union:
		return "union all"
	case *dataflow.Join:
		return joining(n)
	case *dataflow.Aggregate:
		return grouping(n)
	}
	return fmt.Sprintf("%T", n)
}

func mapping(n *dataflow.Map) string {
	list := make([]string, len(n.Exprs))
	for i, x := range n.Exprs {
		list[i] = x.String()
		if name := n.Cols[i].Name; name != "" && name != list[i] {
			list[i] += " AS " + name
		}
	}
	return strings.Join(list, ", ")
}

func joining(n *dataflow.Join) string {
	word := "join"
	if n.Outer {
		word = "left join"
	}
	s := fmt.Sprintf("%s (%s) = (%s)", word, columnNames(n.Left.Columns(), n.LeftKey), columnNames(n.Right.Columns(), n.RightKey))
	if n.Residual != nil {
		s += " and " + n.Residual.String()
	}
	return s
}

func grouping(n *dataflow.Aggregate) string {
	s := "group by (" + columnNames(n.In.Columns(), n.Group) + ")"
	switch {
	case n.Grand:
		s = "aggregate all rows"
	case len(n.Aggs) == 0:
		s = "distinct (" + columnNames(n.In.Columns(), n.Group) + ")"
	}
	for i := range n.Aggs {
		s += "; " + n.Aggs[i].Text
	}
	return s
}

// columnNames lists columns by their place; all of them if at is nil.
func columnNames(cols []schema.Column, at []int) string {
	if at == nil {
		at = make([]int, len(cols))
		for i := range at {
			at[i] = i
		}
	}
	return strings.Join(namesAt(cols, at), ", ")
}

func namesAt(cols []schema.Column, at []int) []string {
	list := make([]string, len(at))
	for i, c := range at {
		list[i] = cols[c].Name
	}
	return list
}
