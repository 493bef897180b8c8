package sql

import "slices"

// A need is a set of columns that somebody above uses.
type need map[colID]bool

func needed(ids []colID) need {
	n := need{}
	for _, id := range ids {
		n[id] = true
	}
	return n
}

func (n need) with(ids []colID) need {
	next := need{}
	for id := range n {
		next[id] = true
	}
	for _, id := range ids {
		next[id] = true
	}
	return next
}

// only are those of ids that are needed, in their order.
func (n need) only(ids []colID) []colID {
	return slices.DeleteFunc(slices.Clone(ids), func(id colID) bool { return !n[id] })
}

// prune notes which columns of the inputs are used, drops what nothing uses, and
// settles the orders of aggregates.
func (q *query) prune(r rel, n need) rel {
	switch r := r.(type) {
	case *scanRel:
		for i, id := range r.columns {
			q.inputs[r.input].used[i] = q.inputs[r.input].used[i] || n[id]
		}
		return r
	case *mapRel:
		return q.pruneMap(r, n)
	case *filterRel:
		return &filterRel{in: q.prune(r.in, n.with(columnsOf(r.preds...))), preds: r.preds}
	case *joinRel:
		next := *r
		below := n.with(columnsOf(r.preds...))
		next.left, next.right = q.prune(r.left, below), q.prune(r.right, below)
		return &next
	case *aggRel:
		return q.pruneGroups(r, n)
	}
	return q.pruneUnion(r.(*unionRel), n)
}

func (q *query) pruneMap(r *mapRel, n need) rel {
	next := &mapRel{}
	for i, id := range r.ids {
		if n[id] {
			next.ids, next.terms = append(next.ids, id), append(next.terms, r.terms[i])
		}
	}
	in := r.in
	if below, ok := r.in.(*mapRel); ok && below.passes() {
		in = below.in
		for i, t := range next.terms {
			next.terms[i] = t.substitute(below.by())
		}
	}
	next.in = q.prune(in, needed(columnsOf(next.terms...)))
	return next
}

// passes reports whether a map does no work: it could as well not be there.
func (r *mapRel) passes() bool {
	return !slices.ContainsFunc(r.terms, func(t *term) bool { return t.op != opColumn && t.op != opConst })
}

// by gives the terms by their numbers.
func (r *mapRel) by() map[colID]*term {
	by := map[colID]*term{}
	for i, id := range r.ids {
		by[id] = r.terms[i]
	}
	return by
}

func (q *query) pruneGroups(r *aggRel, n need) rel {
	next := *r
	next.aggs = nil
	terms := slices.Clone(r.terms)
	for _, a := range r.aggs {
		if !n[a.id] {
			continue
		}
		a = q.total(a, r)
		next.aggs = append(next.aggs, a)
		terms = append(terms, a.terms()...)
	}
	next.in = q.prune(r.in, needed(columnsOf(terms...)))
	return &next
}

// terms are all that an aggregate looks at.
func (a *agg) terms() []*term {
	var list []*term
	for _, t := range []*term{a.arg, a.delim, a.filter} {
		if t != nil {
			list = append(list, t)
		}
	}
	for _, k := range a.order {
		list = append(list, k.term)
	}
	return list
}

// total makes the order of an aggregate total: by what identifies a row of its
// input, or else by its arguments.
func (q *query) total(a *agg, r *aggRel) *agg {
	if !a.tie {
		return a
	}
	next := *a
	next.tie = false
	next.order = slices.Clone(a.order)
	set, ok := smallest(r.in.keys(q))
	if !ok {
		set = columnsOf(a.terms()...)
	}
	for _, id := range set {
		t := q.ref(id, 0, q.columns[id].name)
		isT := func(have *term) bool { return same(have, t) }
		if slices.ContainsFunc(r.terms, isT) || slices.ContainsFunc(next.order, func(k orderKey) bool { return isT(k.term) }) {
			continue // it is one within the group, or stands there already
		}
		if canKey(t.column("", true)) {
			next.order = append(next.order, orderKey{term: t})
		}
	}
	return &next
}

func (q *query) pruneUnion(r *unionRel, n need) rel {
	next := &unionRel{}
	keep := make([]bool, len(r.ids))
	for i, id := range r.ids {
		if keep[i] = n[id]; keep[i] {
			next.ids = append(next.ids, id)
		}
	}
	for i, in := range r.ins {
		var part []colID
		for j, id := range r.parts[i] {
			if keep[j] {
				part = append(part, id)
			}
		}
		next.ins, next.parts = append(next.ins, q.prune(in, needed(part))), append(next.parts, part)
	}
	return next
}
