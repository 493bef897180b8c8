package query

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/state/tuple"
	"github.com/evertdb/evert/schema"
)

// A plan is how a request is answered: ranges of one collection, in the order in
// which they are read.
type plan struct {
	order    order
	ranges   []keyRange
	backward bool
}

// A keyRange is keys from low, inclusive, to high, exclusive.
type keyRange struct{ low, high []byte }

// A bound is what the filters say of one column, in the bytes of the store.
type bound struct {
	points   [][]byte // sorted, each once; counts if listed
	listed   bool     // by =, in, is.null
	low      []byte   // inclusive; nil: none
	high     []byte   // exclusive; nil: none
	interval bool     // by a range, or not.is.null
}

// makePlan finds the order of the view that answers r, or refuses with what
// would.
func makePlan(s *Shape, r *request) (*plan, error) {
	bounds := s.bounds(r.filters)
	for _, o := range s.orders {
		if o.serves(bounds, r.sort) {
			return o.plan(bounds, r.sort)
		}
	}
	return nil, s.unserved(bounds, r)
}

// bounds gathers the filters by column.
func (s *Shape) bounds(filters []filter) map[int]*bound {
	all := map[int]*bound{}
	for i := range filters {
		f := &filters[i]
		b := all[f.column]
		if b == nil {
			b = &bound{}
			all[f.column] = b
		}
		s.tighten(b, f)
	}
	for _, b := range all {
		b.settle()
	}
	return all
}

func (s *Shape) tighten(b *bound, f *filter) {
	null := s.encode(f.column, schema.Null())
	var encoded [][]byte
	for _, v := range f.values {
		encoded = append(encoded, s.encode(f.column, v))
	}
	switch f.op {
	case "eq", "in":
		b.list(encoded)
	case "is.null":
		b.list([][]byte{null})
	case "gt":
		b.within(tuple.PrefixEnd(nil, encoded[0]), null)
	case "gte":
		b.within(encoded[0], null)
	case "lt":
		b.within(nil, encoded[0])
	case "lte":
		b.within(nil, tuple.PrefixEnd(nil, encoded[0]))
	case "not.is.null":
		b.within(nil, null)
	}
}

// list leaves only points that are listed here and were before.
func (b *bound) list(points [][]byte) {
	slices.SortFunc(points, bytes.Compare)
	points = slices.CompactFunc(points, bytes.Equal)
	if b.listed {
		points = slices.DeleteFunc(points, func(p []byte) bool {
			_, found := slices.BinarySearchFunc(b.points, p, bytes.Compare)
			return !found
		})
	}
	b.points, b.listed = points, true
}

// within narrows the range. NULL lies behind every value.
func (b *bound) within(low, high []byte) {
	b.interval = true
	if low != nil && bytes.Compare(low, b.low) > 0 {
		b.low = low
	}
	if high != nil && (b.high == nil || bytes.Compare(high, b.high) < 0) {
		b.high = high
	}
}

// settle applies the range to the points, if there are both.
func (b *bound) settle() {
	if b.listed && b.interval {
		b.points = slices.DeleteFunc(b.points, func(p []byte) bool {
			return bytes.Compare(p, b.low) < 0 || b.high != nil && bytes.Compare(p, b.high) >= 0
		})
		b.interval = false
	}
}

// fixed reports whether all rows asked for have one value in a column.
func fixed(bounds map[int]*bound, column int) bool {
	b := bounds[column]
	return b != nil && b.listed && len(b.points) <= 1
}

// serves reports whether an order answers a request by reading nothing beside it.
func (o *order) serves(bounds map[int]*bound, sort []sortBy) bool {
	return o.consumes(bounds) == len(bounds) && o.runs(bounds, sort)
}

// consumes counts the filtered columns that bound the scan: points first, then
// one range.
func (o *order) consumes(bounds map[int]*bound) int {
	n := 0
	for i, c := range o.columns {
		b, again := bounds[c], slices.Contains(o.columns[:i], c)
		if b == nil || again && !fixed(bounds, c) {
			return n
		}
		if !again {
			n++
		}
		if !b.listed {
			return n
		}
	}
	return n
}

// runs reports whether a scan gives the order that is asked for. Columns with
// one value do not count, nor does anything behind the whole key.
func (o *order) runs(bounds map[int]*bound, sort []sortBy) bool {
	var free []int
	for _, c := range o.columns {
		if !fixed(bounds, c) && !slices.Contains(free, c) {
			free = append(free, c)
		}
	}
	asked := wanted(bounds, sort)
	for i, by := range asked {
		if i == len(free) {
			return true
		}
		if by.column != free[i] || by.desc != asked[0].desc {
			return false
		}
	}
	return true
}

// wanted are the columns of order= that decide something.
func wanted(bounds map[int]*bound, sort []sortBy) (out []sortBy) {
	for _, by := range sort {
		seen := slices.ContainsFunc(out, func(o sortBy) bool { return o.column == by.column })
		if !seen && !fixed(bounds, by.column) {
			out = append(out, by)
		}
	}
	return out
}

// plan writes the ranges.
func (o *order) plan(bounds map[int]*bound, sort []sortBy) (*plan, error) {
	p := &plan{order: *o}
	if asked := wanted(bounds, sort); len(asked) > 0 {
		p.backward = asked[0].desc
	}
	prefixes := [][]byte{begin(o.collection)}
	last := (*bound)(nil)
	for i, c := range o.columns {
		b, again := bounds[c], slices.Contains(o.columns[:i], c)
		if b == nil || again && !fixed(bounds, c) {
			break
		}
		if !b.listed {
			last = b
			break
		}
		if len(prefixes)*len(b.points) > maxRanges {
			return nil, badRequest(fmt.Sprintf("the lists of in multiply to more than %d ranges", maxRanges), "ask in several requests")
		}
		prefixes = multiply(prefixes, b.points)
	}
	for _, prefix := range prefixes {
		p.ranges = append(p.ranges, last.rangeOf(prefix))
	}
	if p.backward {
		slices.Reverse(p.ranges)
	}
	return p, nil
}

// multiply appends each point to each prefix, in order.
func multiply(prefixes, points [][]byte) [][]byte {
	out := make([][]byte, 0, len(prefixes)*len(points))
	for _, prefix := range prefixes {
		for _, point := range points {
			out = append(out, slices.Concat(prefix, point))
		}
	}
	return out
}

// rangeOf is the range behind a prefix; b may be nil.
func (b *bound) rangeOf(prefix []byte) keyRange {
	r := keyRange{low: prefix, high: tuple.PrefixEnd(nil, prefix)}
	if b == nil {
		return r
	}
	if b.low != nil {
		r.low = slices.Concat(prefix, b.low)
	}
	if b.high != nil {
		r.high = slices.Concat(prefix, b.high)
	}
	return r
}

// unserved refuses a request, and says which index would answer it.
func (s *Shape) unserved(bounds map[int]*bound, r *request) error {
	index := s.indexFor(bounds, r)
	o := order{columns: slices.Concat(index, s.Key), own: len(index)}
	for _, c := range index {
		if s.values[c] == nil {
			return noOrder(&s.Columns[c])
		}
	}
	if !o.serves(bounds, r.sort) {
		return badRequest("no index can answer these filters in this order: a scan of one index has columns with eq, is.null or in, then one column with a range, and runs in one direction",
			"filter by ranges of one column only, and order by that column first, all columns ascending or all descending")
	}
	return &pipeline.Refusal{Code: CodeIndex, What: "the view is kept in no order that answers these filters and this order",
		Mend: "add the index to the view in the file: indexes: " + s.indexesWith(index)}
}

// indexFor gives the columns of the index that a request asks for.
func (s *Shape) indexFor(bounds map[int]*bound, r *request) (index []int) {
	add := func(c int) {
		if !slices.Contains(index, c) {
			index = append(index, c)
		}
	}
	for _, one := range []bool{true, false} { // those with one value first, then lists
		for _, f := range r.filters {
			if b := bounds[f.column]; b.listed && fixed(bounds, f.column) == one {
				add(f.column)
			}
		}
	}
	for _, f := range r.filters {
		if !bounds[f.column].listed {
			add(f.column)
		}
	}
	for _, by := range wanted(bounds, r.sort) {
		add(by.column)
	}
	return index
}

// indexesWith writes the view's indexes with one more, as the file has them.
func (s *Shape) indexesWith(index []int) string {
	var lists []string
	for _, columns := range slices.Concat(s.Indexes, [][]int{index}) {
		lists = append(lists, "["+strings.Join(yamlNames(s.names(columns)), ", ")+"]")
	}
	return "[" + strings.Join(lists, ", ") + "]"
}

// yamlNames quotes names that YAML would read as something else.
func yamlNames(names []string) []string {
	for i, n := range names {
		plain := n != "" && !strings.ContainsFunc(n, func(r rune) bool { return r != '_' && (r < 'a' || r > 'z') && (r < '0' || r > '9') })
		if plain && n[0] > '9' && !slices.Contains([]string{"null", "true", "false", "yes", "no", "on", "off", "y", "n"}, n) {
			continue
		}
		quoted, err := json.Marshal(n) // a JSON string is one of YAML
		if err == nil {
			names[i] = string(quoted)
		}
	}
	return names
}
