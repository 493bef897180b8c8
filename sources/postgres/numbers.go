package postgres

import (
	"slices"

	"github.com/evertdb/evert/sources/postgres/pgoutput"
)

// A Relation message names columns, and does not number them. A name may go from one
// column to another:
//
//	catalog   id 1, v 2          ─► id 1, v 2, c 3 ─► id 1, v 2 ─► id 1, v 2, c 4
//	log                 (id, v)  ─► (id, v, c)
//	                                        ▲ read when the catalog is there already: c is 3, and not 4
//
// Numbers are given in order and never again, and a message has its columns in their
// order. So the columns of a message that were not there before have numbers above all
// that were, either of columns that the catalog has now, or of such as were dropped since;
// and one that the catalog has now is in the message unless it came after all of them.

// A written is what the rows of a table were written under before a place in the log.
type written struct {
	columns []shapeColumn // nil: there were none
	most    int           // the highest number that a column had by then, also of one that was dropped; 0: unknown
}

// top is the highest number that is known to have been given.
func (w written) top() int {
	top := w.most
	for _, c := range w.columns {
		top = max(top, c.num)
	}
	return top
}

// numbers gives the numbers of a message's columns; 0 for one that the catalog does not
// have by that name, if nobody can tell. twin is a column that it has by that name, and
// that may be another one all the same. One that was there before, and whose number the
// catalog does not have, counts as what it was: a drop is not taken for a rename and a drop.
func (t *tableInfo) numbers(m *pgoutput.RelationMessage, was written) (nums []int, twin string) {
	var come []int // columns that were not there before, or not under their name
	for i, c := range m.Columns {
		name := string(c.Name)
		before := named(was.columns, name)
		nums = append(nums, t.numberOf(name))
		switch {
		case was.columns != nil && (before == nil || before.num == 0 || t.calls(before.num) != name && t.column(before.num) != nil):
			come = append(come, i)
		case before != nil && nums[i] == 0:
			nums[i] = before.num
		}
	}
	live, gone, lost := t.given(m, was)
	first, last := between(live, slices.Concat(lost, gone), len(come))
	if first == nil {
		return nums, "" // the catalog does not show them yet, or numbers are not known from before
	}
	low, high := between(live, gone, len(come))
	if low == nil { // some of lost were renamed
		low, high = first, last
	}
	least := slices.Clone(nums)
	for k, i := range come {
		switch least[i] = low[k]; {
		case first[k] == last[k]:
			nums[i] = first[k]
		case nums[i] != 0 && (low[k] != high[k] || low[k] != nums[i]):
			return nums, string(m.Columns[i].Name)
		}
	}
	return nums, unordered(m, least)
}

// unordered gives a column whose number is not above those before it; "" if there is none.
func unordered(m *pgoutput.RelationMessage, least []int) string {
	top := 0
	for i, num := range least {
		if num != 0 && num <= top {
			return string(m.Columns[i].Name)
		}
		top = max(top, num)
	}
	return ""
}

// calls gives the name that the column of a number has now; "" if none has that number.
func (t *tableInfo) calls(num int) string {
	if c := t.column(num); c != nil {
		return c.name
	}
	return ""
}

// numberOf gives the number of the column that has a name now; 0 if none has.
func (t *tableInfo) numberOf(name string) int {
	for _, c := range t.columns {
		if c.name == name {
			return c.num
		}
	}
	return 0
}

// given lists the numbers that columns may have which a message has and which were not
// there before, each in order: live of columns that the catalog has, gone of such as were
// dropped since, lost of those that were there before and that nobody has now.
func (t *tableInfo) given(m *pgoutput.RelationMessage, was written) (live, gone, lost []int) {
	sent := func(name string) bool {
		return slices.ContainsFunc(m.Columns, func(c pgoutput.RelationColumn) bool { return string(c.Name) == name })
	}
	for _, c := range was.columns {
		switch {
		case c.num == 0 || t.calls(c.num) == c.name && sent(c.name):
		case t.column(c.num) != nil:
			live = append(live, c.num)
		case !sent(c.name):
			lost = append(lost, c.num)
		}
	}
	for num := was.top() + 1; num <= t.most; num++ {
		switch c := t.column(num); {
		case c == nil:
			gone = append(gone, num)
		case !c.generated || sent(c.name):
			live = append(live, num)
		}
	}
	return live, gone, lost
}

// between gives the lowest and the highest numbers that n columns may have, in order; nil if
// there are not so many. One that the catalog has is passed over by none above it: so the
// highest are had with as few of gone as can be.
func between(live, gone []int, n int) (first, last []int) {
	if n > len(live)+len(gone) {
		return nil, nil
	}
	sorted := func(all []int) []int { return slices.Sorted(slices.Values(all))[:n] }
	return sorted(slices.Concat(live, gone)), sorted(slices.Concat(live, gone[len(gone)-max(0, n-len(live)):]))
}
