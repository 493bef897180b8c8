package sql

import (
	"slices"

	"github.com/evertdb/evert/pipeline/scalar"
	"github.com/evertdb/evert/schema"
)

// push gives r with conditions moved down to where their columns are. preds are
// those that have to hold for r's rows.
func (q *query) push(r rel, preds []*term) rel {
	preds = slices.DeleteFunc(slices.Clone(preds), (*term).isTrue)
	switch r := r.(type) {
	case *filterRel:
		return q.push(r.in, append(slices.Clone(r.preds), preds...))
	case *mapRel:
		return q.pushMap(r, preds)
	case *joinRel:
		if r.outer {
			return q.pushOuter(r, preds)
		}
		return q.pushInner(r, preds)
	case *aggRel:
		return q.pushGroups(r, preds)
	case *unionRel:
		return q.pushUnion(r, preds)
	}
	return filtered(r, preds)
}

func filtered(r rel, preds []*term) rel {
	if len(preds) == 0 {
		return r
	}
	return &filterRel{in: r, preds: preds}
}

// divide puts conditions into those over these columns alone, and the others.
func divide(preds []*term, ids []colID) (inside, outside []*term) {
	for _, t := range preds {
		if t.within(ids) {
			inside = append(inside, t)
		} else {
			outside = append(outside, t)
		}
	}
	return inside, outside
}

func (q *query) pushMap(r *mapRel, preds []*term) rel {
	by := r.by()
	below := make([]*term, len(preds))
	for i, t := range preds {
		below[i] = t.substitute(by)
	}
	return &mapRel{in: q.push(r.in, below), ids: r.ids, terms: r.terms}
}

// pushOuter: what is asked behind a left join goes into its left side or stays
// behind; what is asked in its ON goes into its right side or stays there.
func (q *query) pushOuter(r *joinRel, preds []*term) rel {
	left, behind := divide(preds, r.left.out())
	right, on := divide(slices.DeleteFunc(slices.Clone(r.preds), (*term).isTrue), r.right.out())
	next := *r
	next.left, next.right, next.preds = q.push(r.left, left), q.push(r.right, right), on
	return filtered(&next, behind)
}

// pushInner takes nested inner joins apart into tables and conditions, and joins
// them in the order of the text, but never without an equality if there is one.
func (q *query) pushInner(r *joinRel, preds []*term) rel {
	tables, preds := takeApart(r, preds)
	preds = slices.DeleteFunc(preds, (*term).isTrue)
	for i, t := range tables {
		var inside []*term
		inside, preds = divide(preds, t.out())
		inside, preds = keepConstants(inside, preds)
		tables[i] = q.push(t, inside)
	}
	result, rest := tables[0], tables[1:]
	for len(rest) > 0 {
		n := nextTable(result, rest, preds)
		j := &joinRel{left: result, right: rest[n], at: r.at, text: r.text}
		j.preds, preds = divide(preds, j.out())
		result, rest = j, slices.Delete(slices.Clone(rest), n, n+1)
	}
	return filtered(result, preds)
}

// keepConstants leaves conditions without columns with the others: they belong to
// no table.
func keepConstants(inside, outside []*term) ([]*term, []*term) {
	var kept []*term
	for _, t := range inside {
		if len(t.columns(nil)) == 0 {
			outside = append(outside, t)
		} else {
			kept = append(kept, t)
		}
	}
	return kept, outside
}

func takeApart(r rel, preds []*term) ([]rel, []*term) {
	switch x := r.(type) {
	case *joinRel:
		if x.outer {
			break
		}
		left, preds := takeApart(x.left, append(slices.Clone(preds), x.preds...))
		right, preds := takeApart(x.right, preds)
		return append(left, right...), preds
	case *filterRel:
		return takeApart(x.in, append(slices.Clone(preds), x.preds...))
	}
	return []rel{r}, preds
}

// nextTable gives the first table that an equality binds to what is joined so far.
func nextTable(have rel, rest []rel, preds []*term) int {
	left := have.out()
	for i, t := range rest {
		right := t.out()
		if slices.ContainsFunc(preds, func(p *term) bool { _, ok := equality(p, left, right); return ok }) {
			return i
		}
	}
	return 0
}

// pushGroups moves conditions on what is grouped by, unless equal values of it may
// look different: then it matters which one stands for the group.
func (q *query) pushGroups(r *aggRel, preds []*term) rel {
	by := map[colID]*term{}
	var ids []colID
	for i, id := range r.group {
		if exact(&r.terms[i].typ) && !r.grand {
			by[id] = r.terms[i]
			ids = append(ids, id)
		}
	}
	inside, outside := divide(preds, ids)
	below := make([]*term, len(inside))
	for i, t := range inside {
		below[i] = t.substitute(by)
	}
	if r.grand {
		below, outside = nil, preds
	}
	next := *r
	next.in = q.push(r.in, below)
	return filtered(&next, outside)
}

func (q *query) pushUnion(r *unionRel, preds []*term) rel {
	next := &unionRel{ids: r.ids, parts: r.parts}
	for i, in := range r.ins {
		by := map[colID]*term{}
		for j, id := range r.ids {
			by[id] = q.ref(r.parts[i][j], 0, q.columns[id].name)
		}
		below := make([]*term, len(preds))
		for j, t := range preds {
			below[j] = t.substitute(by)
		}
		next.ins = append(next.ins, q.push(in, below))
	}
	return next
}

// alike casts the two sides of an equality to one type whose values are equal if
// their key's bytes are; ok is false if there is none.
func alike(a, b *term) (x, y *term, ok bool) {
	common, err := scalar.CommonType(a.typ, b.typ)
	if err != nil {
		return nil, nil, false
	}
	if id := scalar.Identify(&common); id == scalar.BPChar {
		common = scalar.Text.Type() // without the blanks that do not count
	}
	x, y = recast(a, common), recast(b, common)
	if x == nil || y == nil || !canKey(x.column("", true)) || !canKey(y.column("", true)) {
		return nil, nil, false
	}
	return x, y, true
}

// recast is a cast that Postgres makes by itself; nil if there is none.
func recast(t *term, to schema.Type) *term {
	if scalar.IsSame(t.typ, to) {
		return t
	}
	f, err := scalar.Cast(t.typ, to, scalar.Implicit)
	if err != nil {
		return nil
	}
	return &term{op: opCall, typ: to, fn: &f, args: []*term{t}, coll: resultCollation(&to, t.coll), at: t.at, sql: t.sql}
}
