package sql

import (
	"fmt"
	"strings"

	"github.com/evertdb/evert/pipeline/dataflow"
	"github.com/evertdb/evert/schema"
)

// Explain prints a plan as a tree: what each operator does, what identifies its
// rows, and in which order aggregates see theirs. A node that feeds several others
// is printed where it is met first, and named by its number afterwards.
func Explain(p *dataflow.Plan) string {
	e := &explainer{plan: p, seen: map[dataflow.Node]int{}}
	fmt.Fprintf(&e.b, "view by (%s)\n", columnNames(p.Root.Columns(), p.Key))
	for _, index := range p.Indexes {
		fmt.Fprintf(&e.b, "also by (%s)\n", columnNames(p.Root.Columns(), index))
	}
	e.node(p.Root, 0)
	return e.b.String()
}

type explainer struct {
	plan *dataflow.Plan
	b    strings.Builder
	seen map[dataflow.Node]int
}

func (e *explainer) node(n dataflow.Node, depth int) {
	indent := strings.Repeat("  ", depth)
	if number, again := e.seen[n]; again {
		fmt.Fprintf(&e.b, "%s#%d again\n", indent, number)
		return
	}
	e.seen[n] = len(e.seen) + 1
	fmt.Fprintf(&e.b, "%s#%d %s%s\n", indent, e.seen[n], e.describe(n), unique(n))
	for _, in := range n.Inputs() {
		e.node(in, depth+1)
	}
}

func unique(n dataflow.Node) string {
	var sets []string
	for _, set := range n.Unique() {
		sets = append(sets, "("+columnNames(n.Columns(), set)+")")
	}
	if len(sets) == 0 {
		return "  rows may repeat"
	}
	return "  unique " + strings.Join(sets, " ")
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
	var list []string
	for i := range cols {
		if at == nil {
			list = append(list, cols[i].Name)
		}
	}
	for _, i := range at {
		list = append(list, cols[i].Name)
	}
	return strings.Join(list, ", ")
}
