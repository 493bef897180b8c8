package dataflow

import (
	"bytes"
	"cmp"
	"math/big"
	"slices"
	"strconv"

	"github.com/evertdb/evert/pipeline/scalar/aggregate"
	"github.com/evertdb/evert/pipeline/state/tuple"
	"github.com/evertdb/evert/schema"
)

// The oracle works a plan out from nothing, on whole multisets, in the most
// direct way there is.
type oracle struct {
	tables [][]schema.Row // by input
	memo   map[Node][]schema.Row
}

func (o *oracle) rows(n Node) []schema.Row {
	if rows, ok := o.memo[n]; ok {
		return rows
	}
	rows := o.work(n)
	o.memo[n] = rows
	return rows
}

func (o *oracle) work(n Node) (rows []schema.Row) {
	switch n := n.(type) {
	case *Scan:
		return o.tables[n.Input]
	case *Map:
		for _, r := range o.rows(n.In) {
			out := make(schema.Row, len(n.Exprs))
			for i, e := range n.Exprs {
				out[i] = must(e.Eval(r))
			}
			rows = append(rows, out)
		}
	case *Filter:
		for _, r := range o.rows(n.In) {
			if isTrue(must(n.Pred.Eval(r))) {
				rows = append(rows, r)
			}
		}
	case *Union:
		for _, in := range n.In {
			rows = append(rows, o.rows(in)...)
		}
	case *Join:
		return o.join(n)
	case *Aggregate:
		return o.aggregate(n)
	}
	return rows
}

func must(v schema.Value, err error) schema.Value {
	if err != nil {
		panic(err)
	}
	return v
}

func (o *oracle) join(n *Join) (rows []schema.Row) {
	for _, l := range o.rows(n.Left) {
		matched := false
		for _, r := range o.rows(n.Right) {
			if !matches(n, l, r) {
				continue
			}
			matched = true
			rows = append(rows, slices.Concat(l, r))
		}
		if n.Outer && !matched {
			rows = append(rows, slices.Concat(l, make(schema.Row, len(n.Right.Columns()))))
		}
	}
	return rows
}

func matches(n *Join, l, r schema.Row) bool {
	for i := range n.LeftKey {
		a, b := l[n.LeftKey[i]], r[n.RightKey[i]]
		if a.IsNull() || b.IsNull() || order(a, b) != 0 {
			return false
		}
	}
	return n.Residual == nil || isTrue(must(n.Residual.Eval(slices.Concat(l, r))))
}

// order is SQL's order, NULL last.
func order(a, b schema.Value) int {
	switch {
	case a.IsNull() || b.IsNull():
		return cmp.Compare(boolInt(a.IsNull()), boolInt(b.IsNull()))
	case a.Kind() == schema.KindDecimal:
		x, _ := new(big.Rat).SetString(string(a.Ref()))
		y, _ := new(big.Rat).SetString(string(b.Ref()))
		return x.Cmp(y)
	case a.Kind() == schema.KindFloat:
		return cmp.Compare(a.Float(), b.Float())
	case a.Kind() == schema.KindInt || a.Kind() == schema.KindBool:
		return cmp.Compare(a.Int(), b.Int())
	}
	return bytes.Compare(a.Ref(), b.Ref())
}

func boolInt(b bool) int {
	if b {
		return 1
	}
	return 0
}

// look breaks ties of values that are equal and look different, as the engine
// does.
func look(a, b schema.Value) int {
	return cmp.Or(order(a, b), bytes.Compare(tuple.AppendRow(nil, schema.Row{a}), tuple.AppendRow(nil, schema.Row{b})))
}

func (o *oracle) aggregate(n *Aggregate) (rows []schema.Row) {
	var groups [][]schema.Row
	for _, r := range o.rows(n.In) {
		at := slices.IndexFunc(groups, func(g []schema.Row) bool {
			return !slices.ContainsFunc(n.Group, func(c int) bool { return order(g[0][c], r[c]) != 0 })
		})
		if at < 0 {
			at = len(groups)
			groups = append(groups, nil)
		}
		groups[at] = append(groups[at], r)
	}
	if n.Grand && len(groups) == 0 {
		groups = append(groups, nil)
	}
	for _, g := range groups {
		var out schema.Row
		for _, c := range n.Group {
			out = append(out, representative(g, c))
		}
		for i := range n.Aggs {
			out = append(out, aggregated(&n.Aggs[i], g))
		}
		rows = append(rows, out)
	}
	return rows
}

func representative(g []schema.Row, c int) schema.Value {
	best := g[0][c]
	for _, r := range g {
		if bytes.Compare(tuple.AppendRow(nil, schema.Row{r[c]}), tuple.AppendRow(nil, schema.Row{best})) < 0 {
			best = r[c]
		}
	}
	return best
}

// aggregated is an aggregate over the rows of a group.
func aggregated(a *Agg, g []schema.Row) schema.Value {
	var in []schema.Row
	for _, r := range g {
		null := a.Arg >= 0 && r[a.Arg].IsNull() && a.Func != ArrayAgg && a.Func != JSONAgg && a.Func != JSONBAgg
		if !null && (a.Filter < 0 || isTrue(r[a.Filter])) {
			in = append(in, r)
		}
	}
	slices.SortStableFunc(in, func(x, y schema.Row) int { return a.order(x, y) })
	if a.Distinct {
		in = slices.CompactFunc(in, func(x, y schema.Row) bool { return order(x[a.Arg], y[a.Arg]) == 0 })
	}
	if a.Func == Count {
		return schema.Int(int64(len(in)))
	}
	if len(in) == 0 {
		return schema.Null()
	}
	return a.fold(in)
}

func (a *Agg) order(x, y schema.Row) int {
	for _, o := range a.Order {
		c := order(x[o.Col], y[o.Col])
		if null := x[o.Col].IsNull() != y[o.Col].IsNull(); o.Desc && !null || o.NullsFirst && null {
			c = -c
		}
		if c != 0 {
			return c
		}
	}
	if a.Arg < 0 {
		return 0
	}
	if c := order(x[a.Arg], y[a.Arg]); a.Distinct && c != 0 {
		return c
	}
	return bytes.Compare(tuple.AppendRow(nil, a.payload(x)), tuple.AppendRow(nil, a.payload(y)))
}

func (a *Agg) payload(r schema.Row) schema.Row {
	if a.Delim < 0 {
		return schema.Row{r[a.Arg]}
	}
	return schema.Row{r[a.Arg], r[a.Delim]}
}

func (a *Agg) fold(in []schema.Row) schema.Value {
	arg := func(r schema.Row) schema.Value { return r[a.Arg] }
	switch a.Func {
	case Min, Max:
		best := arg(in[0])
		for _, r := range in[1:] {
			better := order(arg(r), best)
			if a.Func == Max {
				better = -better
			}
			if better < 0 || better == 0 && look(arg(r), best) < 0 {
				best = arg(r)
			}
		}
		return best
	case BoolAnd:
		return schema.Bool(!slices.ContainsFunc(in, func(r schema.Row) bool { return !arg(r).Bool() }))
	case BoolOr:
		return schema.Bool(slices.ContainsFunc(in, func(r schema.Row) bool { return arg(r).Bool() }))
	case StringAgg:
		var b []byte
		for i, r := range in {
			if i > 0 && a.Delim >= 0 {
				b = append(b, r[a.Delim].Ref()...)
			}
			b = append(b, arg(r).Ref()...)
		}
		return schema.Text(b)
	}
	var all []schema.Value
	for _, r := range in {
		all = append(all, arg(r))
	}
	switch {
	case a.Func == JSONAgg || a.Func == JSONBAgg:
		var b []byte
		for i, v := range all {
			b = appendJSON(append(b, ", "[:2*min(i, 1)]...), v)
		}
		return schema.JSON(slices.Concat([]byte{'['}, b, []byte{']'}))
	case a.Func == Avg:
		return mean(all)
	case a.Func == Sum:
		return sum(all)
	}
	return schema.Array(schema.AppendArray(nil, all...))
}

// sum adds exactly, and shows as many digits as the longest term; floats are
// rounded once.
func sum(all []schema.Value) schema.Value {
	if all[0].Kind() == schema.KindFloat {
		exact := new(big.Rat)
		for _, v := range all {
			exact.Add(exact, new(big.Rat).SetFloat64(v.Float()))
		}
		f, _ := exact.Float64()
		return schema.Float(f)
	}
	exact, scale := new(big.Rat), 0
	for _, v := range all {
		digits := decimalOf(v)
		if _, fraction, ok := bytes.Cut(digits, []byte{'.'}); ok {
			scale = max(scale, len(fraction))
		}
		term, _ := new(big.Rat).SetString(string(digits))
		exact.Add(exact, term)
	}
	return schema.Decimal([]byte(exact.FloatString(scale)))
}

func decimalOf(v schema.Value) []byte {
	if v.Kind() == schema.KindInt {
		return strconv.AppendInt(nil, v.Int(), 10)
	}
	return v.Ref()
}

// mean asks the same package as the engine does, over values that only come.
func mean(all []schema.Value) schema.Value {
	types := map[schema.Kind]schema.Type{schema.KindInt: integer, schema.KindDecimal: numeric, schema.KindFloat: double}
	a, err := aggregate.Lookup("avg", types[all[0].Kind()])
	if err != nil {
		panic(err)
	}
	s := a.New()
	for _, v := range all {
		if err := s.Add(v, 1); err != nil {
			panic(err)
		}
	}
	return must(s.Result())
}
