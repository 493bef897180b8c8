package sql

import (
	"slices"

	"github.com/evertdb/evert/pipeline/dataflow"
	"github.com/evertdb/evert/pipeline/sql/syntax"
	"github.com/evertdb/evert/schema"
)

// Compile makes the plan of a view. The error is a syntax.Errors: everything that
// is wrong, each with its place in text.
func Compile(text string, catalog Catalog, o Options) (*View, error) {
	q := &query{catalog: catalog, enums: map[string]schema.Type{}}
	if o.Name != "" {
		q.views = []string{o.Name}
	}
	parsed, err := syntax.Parse(text)
	if err != nil {
		return nil, err
	}
	r, columns, canonical, err := q.bind(text)
	if err != nil {
		return nil, err
	}
	b := &binder{q: q, text: text}
	v := &View{Text: canonical}
	b.attempt(func() { b.finish(v, parsed, r, columns, &o) })
	if len(b.faults) > 0 {
		return nil, b.faults
	}
	v.Hash = q.hash(v)
	return v, nil
}

// finish plans what was bound.
func (b *binder) finish(v *View, parsed *syntax.Query, r rel, columns []visible, o *Options) {
	b.distinctColumns(columns, parsed)
	root := make([]colID, len(columns))
	for i, c := range columns {
		root[i] = c.id
	}
	r = b.q.prune(b.q.push(r, nil), needed(root))
	l := &lowering{q: b.q, place: map[int]int{}, scans: map[int]*dataflow.Scan{}}
	out := l.lower(r, needed(root))
	if !slices.Equal(out.ids, root) {
		terms := b.refs(columns, 0)
		ids := make([]colID, len(root))
		for i, t := range terms {
			ids[i] = b.q.newTerm(columns[i].name, t)
		}
		out = l.mapped(out, ids, terms, (&mapRel{in: r, ids: ids, terms: terms}).keys(b.q))
	}
	v.Plan = &dataflow.Plan{Inputs: l.inputs, Root: out.node}
	v.Columns = out.node.Columns()
	b.key(v, o)
}

// distinctColumns refuses two columns of one name: nobody could tell them apart.
func (b *binder) distinctColumns(columns []visible, parsed *syntax.Query) {
	seen := map[string]bool{}
	for _, c := range columns {
		if seen[c.name] {
			b.fail(parsed.Pos, codeName, twiceNamed(c.name), mendTwice(c.name))
		}
		seen[c.name] = true
	}
}

// key settles the columns that identify a row, and the further orders.
func (b *binder) key(v *View, o *Options) {
	sets := v.Plan.Root.Unique()
	if len(o.Key) == 0 {
		set, ok := smallestSet(sets)
		if !ok {
			b.fail(0, codeViewKey, "nothing in the query identifies a row of the result", "name the view's `key`, or select the keys of its tables")
		}
		v.Plan.Key = set
	}
	for _, name := range o.Key {
		v.Plan.Key = append(v.Plan.Key, b.keyColumn(v, name, "key"))
	}
	v.KeyKnown = slices.ContainsFunc(sets, func(set []int) bool {
		return !slices.ContainsFunc(set, func(c int) bool { return !slices.Contains(v.Plan.Key, c) })
	})
	for _, index := range o.Indexes {
		var at []int
		for _, name := range index {
			at = append(at, b.keyColumn(v, name, "indexes"))
		}
		v.Plan.Indexes = append(v.Plan.Indexes, at)
	}
}

func smallestSet(sets [][]int) (set []int, ok bool) {
	for i, s := range sets {
		if i == 0 || len(s) < len(set) {
			set = s
		}
	}
	return set, len(sets) > 0
}

func (b *binder) keyColumn(v *View, name, what string) int {
	var all []string
	for i := range v.Columns {
		c := &v.Columns[i]
		all = append(all, c.Name)
		if c.Name != name {
			continue
		}
		if !canKey(*c) {
			b.fail(0, codeViewKey, "column "+quoteName(name)+" of `"+what+"` has type "+c.Type.Name+", whose values cannot be told apart by their bytes", `cast it to text COLLATE "C" in the query`)
		}
		return i
	}
	b.fail(0, codeViewKey, notGiven(name, what), near(name, all))
	return 0
}
