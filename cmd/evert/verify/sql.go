package verify

import (
	"fmt"
	"slices"

	"github.com/evertdb/evert/configs"
	"github.com/evertdb/evert/pipeline/sql/syntax"
)

// databaseSQL writes a view's query as its database understands it: tables by
// schema and name, views in brackets in the place of their names. sources are
// those whose tables it reads.
func databaseSQL(views map[string]*configs.View, name string) (text string, sources []string, err error) {
	w := &rewriter{views: views}
	q, err := w.view(name, nil)
	if err != nil {
		return "", nil, err
	}
	slices.Sort(w.sources)
	return q.String(), slices.Compact(w.sources), nil
}

// A rewriter changes parsed queries in place.
type rewriter struct {
	views   map[string]*configs.View
	sources []string
	within  []string // views around, so that none is in itself
}

// view parses and rewrites the query of a view.
func (w *rewriter) view(name string, with []string) (*syntax.Query, error) {
	if slices.Contains(w.within, name) {
		return nil, fmt.Errorf("view %s reads itself", name)
	}
	q, err := syntax.Parse(w.views[name].SQL)
	if err != nil {
		return nil, err
	}
	w.within = append(w.within, name)
	err = w.query(q, with)
	w.within = w.within[:len(w.within)-1]
	return q, err
}

// query rewrites a query; with are the names of WITH that it sees.
func (w *rewriter) query(q *syntax.Query, with []string) error {
	with = slices.Clone(with)
	for i := range q.With {
		if err := w.query(q.With[i].Query, with); err != nil {
			return err
		}
		with = append(with, q.With[i].Name.Text)
	}
	return w.body(q.Body, with)
}

func (w *rewriter) body(b syntax.Body, with []string) error {
	switch b := b.(type) {
	case *syntax.Query:
		return w.query(b, with)
	case *syntax.Union:
		if err := w.body(b.Left, with); err != nil {
			return err
		}
		return w.body(b.Right, with)
	case *syntax.Select:
		for i := range b.From {
			from, err := w.from(b.From[i], with)
			if err != nil {
				return err
			}
			b.From[i] = from
		}
	}
	return nil
}

func (w *rewriter) from(f syntax.From, with []string) (syntax.From, error) {
	switch f := f.(type) {
	case *syntax.Derived:
		return f, w.query(f.Query, with)
	case *syntax.Table:
		return w.table(f, with)
	case *syntax.Join:
		var err error
		if f.Left, err = w.from(f.Left, with); err != nil {
			return f, err
		}
		f.Right, err = w.from(f.Right, with)
		return f, err
	}
	return f, fmt.Errorf("an entry of FROM of kind %T", f)
}

// table takes the source off a table's name, and puts a view's query in place of
// its name, which stays as its alias.
func (w *rewriter) table(t *syntax.Table, with []string) (syntax.From, error) {
	if len(t.Name) == 3 {
		w.sources = append(w.sources, t.Name[0].Text)
		t.Name = t.Name[1:]
		return t, nil
	}
	name := t.Name[0].Text
	if len(t.Name) != 1 || slices.Contains(with, name) || w.views[name] == nil {
		return t, nil
	}
	q, err := w.view(name, nil)
	if err != nil {
		return t, err
	}
	d := &syntax.Derived{Query: q, Alias: t.Alias, Pos: t.At()}
	if d.Alias.Name.Text == "" {
		d.Alias.Name = t.Name[0]
	}
	return d, nil
}
