package sql

import (
	"crypto/sha256"
	"fmt"
	"hash"
	"strconv"

	"github.com/evertdb/evert/pipeline/dataflow"
	"github.com/evertdb/evert/schema"
)

// planForm numbers the canonical form of plans. Another number gives every view
// another hash: each is then built once more, beside its old state.
const planForm = 1

// hash is over all that the rows and the state depend on: the texts, the tables'
// shapes, the key, the orders, and the operators. It is not over how any of it is
// shown to people, so that explain may change and states stay.
func (q *query) hash(v *View) (sum [32]byte) {
	c := canonical{h: sha256.New(), seen: map[dataflow.Node]int{}}
	c.say("form", planForm)
	c.say("text", v.Text)
	for _, s := range q.depends {
		c.say("text", s)
	}
	for _, in := range v.Plan.Inputs {
		c.say("input", in.Source, in.Table.Schema, in.Table.Name, in.Carry, in.Key)
		for _, col := range in.Carry {
			c.columns(in.Table.Columns[col : col+1])
		}
	}
	c.say("view", v.Plan.Key, v.Plan.Indexes, c.node(v.Plan.Root))
	c.h.Sum(sum[:0])
	return sum
}

// canonical writes what a plan does. Of a node that feeds several others it says
// it once.
type canonical struct {
	h    hash.Hash
	seen map[dataflow.Node]int
}

// say writes values, each with its length before it: no two lists look alike.
func (c *canonical) say(what string, values ...any) {
	fmt.Fprintf(c.h, "%s %d", what, len(values))
	for _, v := range values {
		text := fmt.Sprint(v)
		fmt.Fprintf(c.h, " %d:%s", len(text), text)
	}
	fmt.Fprintln(c.h)
}

// node writes a node behind its inputs, and gives its number.
func (c *canonical) node(n dataflow.Node) int {
	if number, ok := c.seen[n]; ok {
		return number
	}
	var inputs []int
	for _, in := range n.Inputs() {
		inputs = append(inputs, c.node(in))
	}
	switch n := n.(type) {
	case *dataflow.Scan:
		c.say("scan", n.Input)
	case *dataflow.Map:
		c.say("map", inputs, expressions(n.Exprs))
	case *dataflow.Filter:
		c.say("filter", inputs, expressions([]dataflow.Expr{n.Pred}))
	case *dataflow.Union:
		c.say("union", inputs)
	case *dataflow.Join:
		c.join(n, inputs)
	case *dataflow.Aggregate:
		c.aggregate(n, inputs)
	default:
		panic(fmt.Sprintf("sql: a node %T has no canonical form", n))
	}
	c.columns(n.Columns())
	c.say("unique", n.Unique())
	c.seen[n] = len(c.seen)
	return c.seen[n]
}

func (c *canonical) join(n *dataflow.Join, inputs []int) {
	var residual []dataflow.Expr
	if n.Residual != nil {
		residual = append(residual, n.Residual)
	}
	c.say("join", inputs, n.LeftKey, n.RightKey, n.Outer, expressions(residual))
}

func (c *canonical) aggregate(n *dataflow.Aggregate, inputs []int) {
	c.say("aggregate", inputs, n.Group, n.Grand)
	for i := range n.Aggs {
		a := &n.Aggs[i]
		c.say("agg", int(a.Func), a.Arg, a.Filter, a.Distinct, a.Order, a.Delim, typeForm(&a.Result))
	}
}

func (c *canonical) columns(cols []schema.Column) {
	for i := range cols {
		col := &cols[i]
		c.say("column", col.Name, col.Nullable, typeForm(&col.Type), col.Collation.Name, col.Collation.Provider, col.Collation.Deterministic, col.Collation.Pad)
	}
}

// typeForm says everything of a type on which its values' bytes depend.
func typeForm(t *schema.Type) string {
	elem := ""
	if t.Elem != nil {
		elem = typeForm(t.Elem)
	}
	return fmt.Sprintf("%q %d %d %d %d %t %t %t %q (%s)", t.Name, t.Kind, t.Bits, t.Precision, t.Scale, t.Zoned, t.Binary, t.Opaque, t.Labels, elem)
}

// expressions are those of a node; the planner made all of them.
func expressions(list []dataflow.Expr) []string {
	forms := make([]string, len(list))
	for i, e := range list {
		forms[i] = strconv.Quote(e.(*compiled).form)
	}
	return forms
}

// form says what t does with a row whose columns lie at these places.
func (t *term) form(at layout) string {
	var args []any
	for _, a := range t.args {
		args = append(args, a.form(at))
	}
	what := ""
	switch t.op {
	case opColumn:
		what = strconv.Itoa(at[t.col])
	case opConst:
		what = "NULL"
		if !t.val.IsNull() {
			what = strconv.Quote(string(t.typ.AppendText(nil, t.val)))
		}
	case opCall:
		what = t.fn.Name
		for i := range t.fn.Args {
			what += " " + typeForm(&t.fn.Args[i])
		}
	}
	return fmt.Sprint("(", t.op, " ", what, " ", typeForm(&t.typ), " ", t.coll.name(), " ", args, ")")
}
