package sql

import (
	"slices"

	"github.com/evertdb/evert/pipeline/sql/syntax"
)

// References are what a text names in FROM, each once, in its order.
type References struct {
	Tables [][3]string // source, schema, table
	Views  []string
}

// Refer reads a text and gives what it names. It is what can be known without a
// catalog; the error is a syntax.Errors.
func Refer(text string) (References, error) {
	q, err := syntax.Parse(text)
	if err != nil {
		return References{}, err
	}
	var r References
	r.query(q, nil)
	return r, nil
}

// query adds what a query names; ctes are the queries of WITH in scope.
func (r *References) query(q *syntax.Query, ctes []string) {
	ctes = slices.Clone(ctes)
	for i := range q.With {
		r.query(q.With[i].Query, ctes)
		ctes = append(ctes, q.With[i].Name.Text)
	}
	r.body(q.Body, ctes)
}

func (r *References) body(b syntax.Body, ctes []string) {
	switch b := b.(type) {
	case *syntax.Query:
		r.query(b, ctes)
	case *syntax.Union:
		r.body(b.Left, ctes)
		r.body(b.Right, ctes)
	case *syntax.Select:
		for _, f := range b.From {
			r.from(f, ctes)
		}
	}
}

func (r *References) from(f syntax.From, ctes []string) {
	switch f := f.(type) {
	case *syntax.Join:
		r.from(f.Left, ctes)
		r.from(f.Right, ctes)
	case *syntax.Derived:
		r.query(f.Query, ctes)
	case *syntax.Table:
		r.name(f.Name, ctes)
	}
}

func (r *References) name(parts []syntax.Name, ctes []string) {
	if len(parts) == 3 {
		table := [3]string{parts[0].Text, parts[1].Text, parts[2].Text}
		if !slices.Contains(r.Tables, table) {
			r.Tables = append(r.Tables, table)
		}
		return
	}
	name := parts[0].Text
	if !slices.Contains(ctes, name) && !slices.Contains(r.Views, name) {
		r.Views = append(r.Views, name)
	}
}
