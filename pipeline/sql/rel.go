package sql

import (
	"slices"

	"github.com/evertdb/evert/pipeline/dataflow"
)

// A rel is a relation of a query that is being planned. Its columns are numbers
// that are unique in the query.
type rel interface {
	// out are its columns.
	out() []colID
	// keys are sets of columns of which each identifies a row; an empty set says
	// that there is one row at most.
	keys(q *query) [][]colID
}

// A scanRel is one reading of a table.
type scanRel struct {
	input   int
	columns []colID // by the table's column
}

// A mapRel gives terms new numbers.
type mapRel struct {
	in    rel
	ids   []colID
	terms []*term
}

// A filterRel keeps rows for which all conditions hold.
type filterRel struct {
	in    rel
	preds []*term
}

// A joinRel pairs rows for which all conditions hold; an outer one keeps left
// rows without a partner.
type joinRel struct {
	left, right rel
	outer       bool
	preds       []*term
	at          int // where it stands in its text
	text        *binder
}

// An aggRel groups rows; without aggregates it is DISTINCT.
type aggRel struct {
	in    rel
	group []colID // the results
	fixed []colID // those of group that others settle: columns of a table whose key is grouped by
	terms []*term // what is grouped by
	aggs  []*agg
	grand bool
	late  []*lateRel // only while it is bound
}

// A unionRel puts rows of several relations together.
type unionRel struct {
	ins   []rel
	parts [][]colID // of each, in the order of ids
	ids   []colID
}

func (r *scanRel) out() []colID   { return r.columns }
func (r *mapRel) out() []colID    { return r.ids }
func (r *filterRel) out() []colID { return r.in.out() }
func (r *joinRel) out() []colID   { return slices.Concat(r.left.out(), r.right.out()) }
func (r *unionRel) out() []colID  { return r.ids }

func (r *aggRel) out() []colID {
	ids := slices.Clone(r.group)
	for _, a := range r.aggs {
		ids = append(ids, a.id)
	}
	return ids
}

func (r *scanRel) keys(q *query) [][]colID {
	t := q.inputs[r.input].table
	if len(t.Key) == 0 {
		return nil
	}
	key := make([]colID, len(t.Key))
	for i, c := range t.Key {
		key[i] = r.columns[c]
	}
	return [][]colID{key}
}

// keys are those whose columns are passed on under new numbers.
func (r *mapRel) keys(q *query) (sets [][]colID) {
	passed := map[colID]colID{}
	for i, t := range r.terms {
		if t.op == opColumn {
			passed[t.col] = r.ids[i]
		}
	}
	for _, set := range r.in.keys(q) {
		next := make([]colID, 0, len(set))
		for _, c := range set {
			if id, ok := passed[c]; ok {
				next = append(next, id)
			}
		}
		if len(next) == len(set) {
			sets = append(sets, next)
		}
	}
	return sets
}

func (r *filterRel) keys(q *query) [][]colID { return r.in.keys(q) }

// keys: if the other side has one partner at most, a side's own; otherwise those
// of both together. A column that equals one of the left side adds nothing to it,
// and between inner sides either stands for the other.
func (r *joinRel) keys(q *query) (sets [][]colID) {
	left, right := r.left.keys(q), r.right.keys(q)
	ps, _ := r.split()
	l, rr := ps.columns()
	if covers(right, rr) {
		sets = append(sets, left...)
	}
	if covers(left, l) && !r.outer {
		sets = append(sets, right...)
	}
	if len(sets) == 0 {
		for _, a := range left {
			for _, b := range right {
				sets = append(sets, slices.Concat(a, ps.without(b, a)))
			}
		}
	}
	if r.outer {
		return sets
	}
	return ps.variants(sets)
}

// without leaves out the right side's columns that equal one of fixed.
func (ps pairs) without(set, fixed []colID) []colID {
	return slices.DeleteFunc(slices.Clone(set), func(c colID) bool {
		return slices.ContainsFunc(ps, func(p pair) bool {
			l, r, ok := p.columns()
			return ok && r == c && slices.Contains(fixed, l)
		})
	})
}

// mostSets bounds how many sets of columns are followed.
const mostSets = 16

// variants adds sets with the columns that equal theirs.
func (ps pairs) variants(sets [][]colID) [][]colID {
	for i := 0; i < len(sets) && len(sets) < mostSets; i++ {
		for _, p := range ps {
			l, r, ok := p.columns()
			if !ok {
				continue
			}
			for _, swap := range [][2]colID{{l, r}, {r, l}} {
				at := slices.Index(sets[i], swap[0])
				next := slices.Clone(sets[i])
				if at < 0 || slices.Contains(next, swap[1]) {
					continue
				}
				next[at] = swap[1]
				if !slices.ContainsFunc(sets, func(have []colID) bool { return slices.Equal(have, next) }) {
					sets = append(sets, next)
				}
			}
		}
	}
	return sets
}

// covers reports whether columns that are fixed identify a row.
func covers(keys [][]colID, fixed []colID) bool {
	return slices.ContainsFunc(keys, func(set []colID) bool {
		return !slices.ContainsFunc(set, func(c colID) bool { return !slices.Contains(fixed, c) })
	})
}

func (r *aggRel) keys(*query) [][]colID {
	if r.grand {
		return [][]colID{{}}
	}
	return [][]colID{slices.DeleteFunc(slices.Clone(r.group), func(c colID) bool { return slices.Contains(r.fixed, c) })}
}

func (r *unionRel) keys(*query) [][]colID { return nil }

// smallest gives the shortest set; ok is false if there is none.
func smallest(sets [][]colID) (set []colID, ok bool) {
	for i, s := range sets {
		if i == 0 || len(s) < len(set) {
			set = s
		}
	}
	return set, len(sets) > 0
}

// A pair is an equality between the two sides of a join, its terms of one type.
type pair struct{ left, right *term }

type pairs []pair

// columns are the two columns that an equality makes one; ok is false if it is of
// other terms.
func (p pair) columns() (left, right colID, ok bool) {
	left, l := p.left.source()
	right, r := p.right.source()
	return left, right, l && r
}

// columns are those of either side that an equality fixes.
func (ps pairs) columns() (left, right []colID) {
	for _, p := range ps {
		if c, ok := p.left.source(); ok {
			left = append(left, c)
		}
		if c, ok := p.right.source(); ok {
			right = append(right, c)
		}
	}
	return left, right
}

// split finds the equalities between the sides; what is left is the residual.
func (r *joinRel) split() (keys pairs, residual []*term) {
	left, right := r.left.out(), r.right.out()
	for _, t := range r.preds {
		p, ok := equality(t, left, right)
		if ok {
			keys = append(keys, p)
		} else {
			residual = append(residual, t)
		}
	}
	return keys, residual
}

// equality reports whether t is an equality of a term of one side and one of the
// other, by the bytes of a key.
func equality(t *term, left, right []colID) (pair, bool) {
	if t.op != opCall || t.fn.Name != "=" || len(t.args) != 2 {
		return pair{}, false
	}
	a, b, ok := alike(t.args[0], t.args[1])
	if !ok || len(a.columns(nil)) == 0 || len(b.columns(nil)) == 0 {
		return pair{}, false
	}
	switch {
	case a.within(left) && b.within(right):
		return pair{a, b}, true
	case a.within(right) && b.within(left):
		return pair{b, a}, true
	}
	return pair{}, false
}

func isScan(n dataflow.Node) bool { _, ok := n.(*dataflow.Scan); return ok }
