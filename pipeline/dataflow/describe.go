package dataflow

import (
	"fmt"
	"strings"
)

// Describe gives a line for each of the engine's Nodes, in their order: what the
// node does, and after ← the places of those that it reads.
func (e *Engine) Describe() []string {
	lines := make([]string, len(e.nodes))
	for i, v := range e.nodes {
		var from []string
		for _, in := range v.node.Inputs() {
			from = append(from, fmt.Sprint(e.PlaceOf(in)))
		}
		lines[i] = e.describe(v.node)
		if len(from) > 0 {
			lines[i] += " ← " + strings.Join(from, ", ")
		}
	}
	return lines
}

// PlaceOf is the place of a node among the engine's Nodes, which all scans of an
// input share; -1 for a node of another plan.
func (e *Engine) PlaceOf(n Node) int {
	if s, ok := n.(*Scan); ok {
		return e.inputs[s.Input].id
	}
	for i, v := range e.nodes {
		if v.node == n {
			return i
		}
	}
	return -1
}

func (e *Engine) describe(n Node) string {
	switch n := n.(type) {
	case *Scan:
		in := e.plan.Inputs[n.Input]
		return fmt.Sprintf("scan %s.%s (%s)", in.Source, in.Table, names(n.Cols, places(len(n.Cols))))
	case *Map:
		return "map " + exprs(n.Exprs)
	case *Filter:
		return "filter " + n.Pred.String()
	case *Union:
		return "union"
	case *Join:
		return describeJoin(n)
	case *Aggregate:
		return describeAggregate(n)
	}
	return fmt.Sprintf("%T", n)
}

func describeJoin(n *Join) string {
	word := "join"
	if n.Outer {
		word = "left join"
	}
	on := fmt.Sprintf("(%s) = (%s)", names(n.Left.Columns(), n.LeftKey), names(n.Right.Columns(), n.RightKey))
	if n.Residual != nil {
		on += " and " + n.Residual.String()
	}
	return word + " on " + on
}

func describeAggregate(n *Aggregate) string {
	by := "by (" + names(n.In.Columns(), n.Group) + ")"
	if n.Grand {
		by = "of all"
	}
	aggs := make([]string, len(n.Aggs))
	for i := range n.Aggs {
		aggs[i] = n.Aggs[i].Text
	}
	return strings.TrimSpace("aggregate " + by + " " + strings.Join(aggs, ", "))
}

func exprs(list []Expr) string {
	texts := make([]string, len(list))
	for i, e := range list {
		texts[i] = e.String()
	}
	return strings.Join(texts, ", ")
}
