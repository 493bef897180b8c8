package sql

import (
	"cmp"
	"errors"
	"slices"
	"strings"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/sql/syntax"
)

// Names knows what a query may name, but not how the tables look. Its methods
// are called by one goroutine.
type Names interface {
	// Named says why there can be no such table; nil: there may be one. The
	// error becomes part of a sentence; a NoTable has a mend as well.
	Named(source, schema, table string) error
	// View is as a Catalog's.
	View(name string) (text string, ok bool)
}

// A NoTable is why a name stands for no table.
type NoTable struct {
	What string // a sentence without a full stop
	Mend string // what to write instead
}

// Error is what it says, without the mend.
func (e *NoTable) Error() string { return e.What }

// noTable gives the parts of an error of a Catalog or of Names.
func noTable(err error) (what, mend string) {
	var n *NoTable
	if errors.As(err, &n) {
		return n.What, n.Mend
	}
	return err.Error(), ""
}

// Inspect refuses what Compile would refuse for any columns that the tables may
// have: names in FROM, views that read themselves, key and indexes, functions
// that are never exact. The error is a syntax.Errors of all of it. That nothing
// is refused does not mean that Compile accepts the text.
func Inspect(text string, names Names, o Options) error {
	parsed, err := syntax.Parse(text)
	if err != nil {
		return err
	}
	i := &inspector{text: text, names: names, view: o.Name}
	i.query(parsed, nil)
	i.outputs(parsed, &o)
	if len(i.faults) == 0 {
		return nil
	}
	slices.SortStableFunc(i.faults, func(x, y *syntax.Error) int { return cmp.Compare(x.Offset, y.Offset) })
	return i.faults
}

// An inspector walks one text; ctes are always the names of WITH in scope.
type inspector struct {
	text   string
	names  Names
	view   string // that the text is of; empty: of none
	faults syntax.Errors
}

func (i *inspector) fail(at int, code pipeline.Code, what, mend string) {
	i.faults = append(i.faults, syntax.Fault(i.text, at, code, what, mend))
}

func (i *inspector) query(q *syntax.Query, ctes []string) {
	ctes = slices.Clone(ctes)
	outer := len(ctes)
	for n := range q.With {
		def := &q.With[n]
		i.query(def.Query, ctes)
		if slices.Contains(ctes[outer:], def.Name.Text) {
			i.fail(def.Name.Pos, codeName, "two queries of WITH have the name "+quoteName(def.Name.Text), "rename one")
		}
		ctes = append(ctes, def.Name.Text)
	}
	i.body(q.Body, ctes)
}

func (i *inspector) body(b syntax.Body, ctes []string) {
	switch b := b.(type) {
	case *syntax.Query:
		i.query(b, ctes)
	case *syntax.Union:
		i.body(b.Left, ctes)
		i.body(b.Right, ctes)
	case *syntax.Select:
		i.selection(b, ctes)
	}
}

func (i *inspector) selection(s *syntax.Select, ctes []string) {
	if len(s.From) == 0 {
		i.fail(s.Pos, syntax.CodeUnsupported, withoutFrom, mendFrom)
	}
	for n := range s.Items {
		i.expr(s.Items[n].X)
	}
	for _, f := range s.From {
		i.from(f, ctes)
	}
	i.expr(s.Where)
	i.exprs(s.GroupBy)
	i.expr(s.Having)
}

func (i *inspector) from(f syntax.From, ctes []string) {
	switch f := f.(type) {
	case *syntax.Derived:
		i.query(f.Query, ctes)
	case *syntax.Join:
		i.from(f.Left, ctes)
		i.from(f.Right, ctes)
		i.expr(f.On)
	case *syntax.Table:
		i.table(f, ctes)
	}
}

func (i *inspector) table(t *syntax.Table, ctes []string) {
	if len(t.Name) == 3 {
		if err := i.names.Named(t.Name[0].Text, t.Name[1].Text, t.Name[2].Text); err != nil {
			what, mend := noTable(err)
			i.fail(t.At(), codeName, what, mend)
		}
		return
	}
	name := t.Name[0].Text
	if slices.Contains(ctes, name) {
		return
	}
	if _, ok := i.names.View(name); !ok {
		i.fail(t.At(), codeName, noView(name), mendView)
		return
	}
	if path := i.back(name, map[string]bool{}); path != nil {
		i.fail(t.At(), codeName, readsItself(i.view, append([]string{i.view}, path...)), mendLoop)
	}
}

// back gives the views from name to the one that is inspected, if each reads the
// next; seen are those that were followed.
func (i *inspector) back(name string, seen map[string]bool) []string {
	if name == i.view {
		return []string{name}
	}
	text, ok := i.names.View(name)
	if !ok || seen[name] {
		return nil
	}
	seen[name] = true
	refs, _ := Refer(text) // a view that cannot be read is refused itself
	for _, next := range refs.Views {
		if path := i.back(next, seen); path != nil {
			return append([]string{name}, path...)
		}
	}
	return nil
}

// outputs looks at the names of the result's columns, as far as the text has
// them.
func (i *inspector) outputs(q *syntax.Query, o *Options) {
	all, whole := outputNames(q.Body)
	for n, name := range all {
		if slices.Index(all, name) < n && !slices.Contains(all[n+1:], name) {
			i.fail(q.Pos, codeName, twiceNamed(name), mendTwice(name))
		}
	}
	if !whole {
		return
	}
	for _, name := range o.Key {
		i.given(name, "key", all)
	}
	for _, index := range o.Indexes {
		for _, name := range index {
			i.given(name, "indexes", all)
		}
	}
}

func (i *inspector) given(name, what string, all []string) {
	if !slices.Contains(all, name) {
		i.fail(0, codeViewKey, notGiven(name, what), near(name, all))
	}
}

// outputNames are the names of a query's columns; whole is false if a * stands
// for more of them.
func outputNames(b syntax.Body) (all []string, whole bool) {
	switch b := b.(type) {
	case *syntax.Query:
		return outputNames(b.Body)
	case *syntax.Union:
		return outputNames(b.Left)
	}
	whole = true
	for _, it := range b.(*syntax.Select).Items {
		if _, star := it.X.(*syntax.Star); star {
			whole = false
			continue
		}
		all = append(all, cmp.Or(it.Alias.Text, figure(it.X)))
	}
	return all, whole
}

// What the binder says as well.
const (
	mendView    = "a table is named source.schema.table"
	mendLoop    = "remove one of these"
	withoutFrom = "a SELECT without FROM is not supported in views"
	mendFrom    = "name a table; constants can stand in the SELECT list beside its columns"
)

func noView(name string) string {
	return "there is no view " + quoteName(name) + ", and no query of that name in WITH"
}

func readsItself(name string, path []string) string {
	return "view " + quoteName(name) + " reads itself: " + strings.Join(path, " → ")
}

func twiceNamed(name string) string {
	return "two columns of the result have the name " + quoteName(name)
}

func mendTwice(name string) string { return "rename one: … AS " + syntax.Quote(name+"2") }

func notGiven(name, what string) string {
	return "`" + what + "` names " + quoteName(name) + ", which the query does not give"
}
