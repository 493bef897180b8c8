package sql

import (
	"slices"
	"strings"

	"github.com/evertdb/evert/pipeline/dataflow"
	"github.com/evertdb/evert/pipeline/scalar"
	"github.com/evertdb/evert/pipeline/scalar/aggregate"
	"github.com/evertdb/evert/pipeline/sql/syntax"
	"github.com/evertdb/evert/schema"
)

// An aggregation gathers the aggregates of one SELECT while it is bound.
type aggregation struct {
	list   []*agg
	inside bool // an aggregate's argument is being bound
}

// An agg is one aggregate call. Its result is a column.
type agg struct {
	fn       dataflow.AggFunc
	id       colID
	arg      *term // nil: count(*)
	delim    *term // nil: none
	filter   *term // nil: none
	distinct bool
	order    []orderKey
	tie      bool // the order is made total by what identifies a row
	sql      string
}

type orderKey struct {
	term       *term
	desc       bool
	nullsFirst bool
}

// aggregated marks the columns that are results of aggregates.
const aggregated = -1

// aggregateNamed gives the aggregates of a plan by name.
func aggregateNamed(name string) (dataflow.AggFunc, bool) {
	switch name {
	case "count":
		return dataflow.Count, true
	case "sum":
		return dataflow.Sum, true
	case "avg":
		return dataflow.Avg, true
	case "min":
		return dataflow.Min, true
	case "max":
		return dataflow.Max, true
	case "bool_and", "every":
		return dataflow.BoolAnd, true
	case "bool_or":
		return dataflow.BoolOr, true
	case "string_agg":
		return dataflow.StringAgg, true
	case "array_agg":
		return dataflow.ArrayAgg, true
	case "json_agg":
		return dataflow.JSONAgg, true
	case "jsonb_agg":
		return dataflow.JSONBAgg, true
	}
	return 0, false
}

const otherAggregates = ` any_value bit_and bit_or bit_xor corr covar_pop covar_samp json_object_agg json_objectagg jsonb_object_agg
	json_agg_strict jsonb_agg_strict mode percentile_cont percentile_disc range_agg range_intersect_agg regr_avgx regr_avgy regr_count
	regr_intercept regr_r2 regr_slope regr_sxx regr_sxy regr_syy stddev stddev_pop stddev_samp var_pop var_samp variance xmlagg `

func isAggregate(name string) bool {
	_, ok := aggregateNamed(name)
	return ok || slices.Contains(strings.Fields(otherAggregates), name)
}

const mendAggregate = "there are count, sum, avg, min, max, bool_and, bool_or, string_agg, array_agg, json_agg and jsonb_agg"

func noAggregate(name string) string {
	return "the aggregate " + name + " is not supported in views"
}

// aggregate binds an aggregate call and gives a reference to its result.
func (b *binder) aggregate(s *scope, x *syntax.Call, name string) *term {
	fn, ok := aggregateNamed(name)
	switch {
	case !ok:
		b.fail(x.At(), syntax.CodeUnsupported, noAggregate(name), mendAggregate)
	case b.aggs == nil:
		b.fail(x.At(), codeGroup, "aggregates are not allowed in "+b.where, "put them into the SELECT list or HAVING, or into a query in FROM")
	case b.aggs.inside:
		b.fail(x.At(), codeGroup, "an aggregate cannot stand inside another", "put the inner one into a query in FROM")
	}
	b.aggs.inside = true
	a := b.bindAggregate(s, x, fn, name)
	b.aggs.inside = false
	a.sql = syntax.Text(x)
	return b.q.ref(b.register(a).id, x.At(), a.sql)
}

// register keeps one of equal aggregates.
func (b *binder) register(a *agg) *agg {
	for _, have := range b.aggs.list {
		if have.sql == a.sql && sameAgg(have, a) {
			return have
		}
	}
	b.aggs.list = append(b.aggs.list, a)
	return a
}

func sameAgg(a, b *agg) bool {
	maybe := func(x, y *term) bool { return x == nil && y == nil || x != nil && y != nil && same(x, y) }
	return a.fn == b.fn && a.distinct == b.distinct && maybe(a.arg, b.arg) && maybe(a.filter, b.filter) && maybe(a.delim, b.delim) &&
		slices.EqualFunc(a.order, b.order, func(x, y orderKey) bool {
			return x.desc == y.desc && x.nullsFirst == y.nullsFirst && same(x.term, y.term)
		})
}

func (b *binder) bindAggregate(s *scope, x *syntax.Call, fn dataflow.AggFunc, name string) *agg {
	a := &agg{fn: fn, distinct: x.Distinct}
	if x.Filter != nil {
		a.filter = b.condition(s, x.Filter, "FILTER")
	}
	want := 1
	if fn == dataflow.StringAgg {
		want = 2
	}
	switch {
	case x.Star && fn == dataflow.Count:
		a.id = b.q.newColumn(column{name: name, typ: scalar.Int8.Type(), table: aggregated})
		return a
	case x.Star, len(x.Args) != want:
		b.fail(x.At(), codeType, name+" does not take these arguments", "")
	}
	args := b.exprs(s, x.Args)
	result, coll := b.typedAggregate(x, a, name, args)
	if a.distinct && fn != dataflow.Min && fn != dataflow.Max {
		b.comparable(a.arg, x.At(), name+"(DISTINCT …)")
	}
	b.orders(s, x, a)
	a.id = b.q.newColumn(column{name: name, typ: result, coll: coll, nullable: fn != dataflow.Count, table: aggregated})
	return a
}

// typedAggregate settles the argument and the type of the result.
func (b *binder) typedAggregate(x *syntax.Call, a *agg, name string, args []*term) (schema.Type, collation) {
	arg := args[0]
	if arg.unknown() {
		arg = b.untyped(x, a, name, arg)
	}
	switch a.fn {
	case dataflow.Min, dataflow.Max:
		return b.extreme(x, a, name, b.settled(arg))
	case dataflow.StringAgg:
		text := scalar.Text.Type()
		if scalar.Identify(&arg.typ) == scalar.Bytea {
			b.fail(x.At(), syntax.CodeUnsupported, "string_agg of bytea is not supported in views", "write string_agg(encode(x, 'hex'), …)")
		}
		a.arg, a.delim = b.coerce(arg, text, scalar.Implicit), b.coerce(args[1], text, scalar.Implicit)
		return text, resultCollation(&text, b.mergeAll([]*term{a.arg, a.delim}))
	case dataflow.ArrayAgg:
		a.arg = b.settled(arg)
		if a.arg.typ.Elem != nil || scalar.Identify(&a.arg.typ) == scalar.None {
			b.fail(x.At(), syntax.CodeUnsupported, "array_agg of "+a.arg.typ.Name+" is not supported in views", "write jsonb_agg")
		}
		typ := scalar.ArrayOf(unmodified(a.arg.typ))
		return typ, resultCollation(&typ, a.arg.coll)
	case dataflow.JSONAgg, dataflow.JSONBAgg:
		typ, convert := scalar.JSON, "to_json"
		if a.fn == dataflow.JSONBAgg {
			typ, convert = scalar.JSONB, "to_jsonb"
		}
		if a.arg = b.settled(arg); scalar.Identify(&a.arg.typ) != typ {
			a.arg = b.apply(x.At(), convert, a.arg)
			a.arg.sql = arg.sql
		}
		return typ.Type(), collation{}
	}
	return b.summed(x, a, name, arg)
}

// untyped settles a literal without a type, if one function takes it.
func (b *binder) untyped(x *syntax.Call, a *agg, name string, arg *term) *term {
	switch a.fn {
	case dataflow.Sum, dataflow.Avg, dataflow.ArrayAgg, dataflow.JSONAgg, dataflow.JSONBAgg:
		b.fail(x.At(), codeType, "function "+name+"(unknown) is not unique", "write a cast: "+arg.sql+"::text, or the type that is meant")
	case dataflow.BoolAnd, dataflow.BoolOr:
		return b.coerce(arg, scalar.Bool.Type(), scalar.Implicit)
	}
	return b.settled(arg)
}

// unmodified is a type without its modifiers, which aggregates do not keep.
func unmodified(t schema.Type) schema.Type {
	if id := scalar.Identify(&t); id != scalar.Enum && !id.IsArray() {
		return id.Type()
	}
	return t
}

// summed is count, sum, avg, bool_and and bool_or.
func (b *binder) summed(x *syntax.Call, a *agg, name string, arg *term) (schema.Type, collation) {
	if a.fn == dataflow.Count {
		a.arg = b.settled(arg)
		return scalar.Int8.Type(), collation{}
	}
	f, err := aggregate.Lookup(name, arg.typ)
	if err != nil {
		b.failWith(x.At(), err)
	}
	a.arg = b.coerce(arg, f.Arg, scalar.Implicit)
	return f.Result, collation{}
}

// extreme is min and max: of what has an order, and exists in Postgres.
func (b *binder) extreme(x *syntax.Call, a *agg, name string, arg *term) (schema.Type, collation) {
	id := scalar.Identify(&arg.typ)
	switch {
	case id == scalar.Varchar:
		arg = b.coerce(arg, scalar.Text.Type(), scalar.Implicit)
	case id == scalar.Bool || id == scalar.UUID || id == scalar.JSON || id == scalar.JSONB || id == scalar.Bytea || id == scalar.None:
		b.fail(x.At(), codeType, "function "+name+"("+arg.typ.Name+") does not exist", "bool_and and bool_or are for conditions; cast other values to text COLLATE \"C\"")
	}
	b.need(scalar.CCollation, arg.coll, arg.at, name)
	a.arg = arg
	b.keyed(arg, x.At(), name)
	return unmodified(arg.typ), arg.coll
}

// orders settles the order of an aggregate that shows one.
func (b *binder) orders(s *scope, x *syntax.Call, a *agg) {
	shows := a.fn >= dataflow.StringAgg
	for _, o := range x.Order {
		k := orderKey{term: b.settled(b.expr(s, o.X)), desc: o.Desc, nullsFirst: o.Nulls == "FIRST" || o.Nulls == "" && o.Desc}
		b.need(scalar.CCollation, k.term.coll, o.X.At(), "ORDER BY")
		b.keyed(k.term, o.X.At(), "ORDER BY")
		if shows {
			a.order = append(a.order, k)
		}
	}
	switch {
	case !shows:
	case a.distinct:
		b.distinctOrder(x, a)
	default:
		a.tie = true
	}
}

// distinctOrder makes the order that of the arguments, which is how Postgres finds
// the equal ones; what is written may only lead it.
func (b *binder) distinctOrder(x *syntax.Call, a *agg) {
	args := []*term{a.arg}
	if a.delim != nil {
		args = append(args, a.delim)
	}
	for _, k := range a.order {
		if !slices.ContainsFunc(args, func(t *term) bool { return same(t, k.term) }) {
			b.fail(k.term.at, codeGroup, "in an aggregate with DISTINCT, ORDER BY may name its arguments only", "leave DISTINCT or this ORDER BY out")
		}
	}
	for _, t := range args {
		if slices.ContainsFunc(a.order, func(k orderKey) bool { return same(k.term, t) }) || t.op == opConst {
			continue
		}
		b.need(scalar.CCollation, t.coll, x.At(), "DISTINCT in an aggregate that shows its order")
		b.keyed(t, x.At(), "DISTINCT")
		a.order = append(a.order, orderKey{term: t})
	}
}
