package sandbox

import (
	"errors"
	"slices"

	"go.starlark.net/starlark"

	"github.com/evertdb/evert/pipeline/scalar"
	"github.com/evertdb/evert/schema"
)

// A record is the row that a script sees. It lives for one call.
type record struct {
	p      *Program
	shape  *Shape
	values []starlark.Value // of the columns that were looked at or set
	set    []bool
	row    schema.Row
	frozen bool
}

// A Shape is the columns of the rows that a script sees and makes. What is behind
// those that are given is new, and NULL until it is set.
type Shape struct {
	table  *schema.Table // whose key a script may not set
	given  int
	fields []field
}

// A field is how a column's value is read from a text, and fitted to its type.
type field struct {
	parse scalar.Func
	none  bool // the type is none that expressions know: it takes no values
}

// NewShape is that of rows of a table, of which so many columns are given.
func NewShape(t *schema.Table, given int) *Shape {
	s := &Shape{table: t, given: given, fields: make([]field, len(t.Columns))}
	for i := range t.Columns {
		f, err := scalar.Cast(scalar.Text.Type(), t.Columns[i].Type, scalar.Explicit)
		s.fields[i] = field{parse: f, none: err != nil}
	}
	return s
}

var (
	_ starlark.HasSetField = (*record)(nil)
	_ starlark.HasSetKey   = (*record)(nil)
)

func (r *record) String() string        { return "row" }
func (r *record) Type() string          { return "row" }
func (r *record) Freeze()               { r.frozen = true }
func (r *record) Truth() starlark.Bool  { return true }
func (r *record) Hash() (uint32, error) { return 0, errors.New("a row is no key") }

// column finds a column that the script may name.
func (r *record) column(name string) (int, error) {
	if !r.p.names[name] {
		return 0, r.p.meter.refuse("the name of a column is made up here: write it as it is")
	}
	i := r.shape.table.Column(name)
	if i < 0 {
		return 0, r.p.meter.refuse("a column is named here that the row does not have")
	}
	return i, nil
}

// Attr gives row.name.
func (r *record) Attr(name string) (starlark.Value, error) {
	i, err := r.column(name)
	if err != nil {
		return nil, err
	}
	return r.value(i)
}

// AttrNames are the columns that the script names.
func (r *record) AttrNames() (names []string) {
	for i := range r.shape.table.Columns {
		if name := r.shape.table.Columns[i].Name; r.p.names[name] {
			names = append(names, name)
		}
	}
	return names
}

// Get gives row["name"].
func (r *record) Get(k starlark.Value) (v starlark.Value, found bool, err error) {
	name, ok := starlark.AsString(k)
	if !ok {
		return nil, false, r.p.meter.refuse("the name of a column is a text")
	}
	v, err = r.Attr(name)
	return v, err == nil, err
}

func (r *record) value(i int) (starlark.Value, error) {
	if r.values[i] != nil {
		return r.values[i], nil
	}
	v := starlark.Value(starlark.None)
	if i < r.shape.given {
		v = r.p.shown(&r.shape.table.Columns[i].Type, r.row[i])
		if err := r.p.meter.make(size(v)); err != nil {
			return nil, err
		}
	}
	r.values[i] = v
	return v, nil
}

// SetField is row.name = v.
func (r *record) SetField(name string, v starlark.Value) error {
	i, err := r.column(name)
	switch {
	case err != nil:
		return err
	case r.frozen:
		return r.p.meter.refuse("a row is changed here that is kept from another call")
	case slices.Contains(r.shape.table.Key, i):
		return r.p.meter.refuse("a column of the key is changed here: choose another key with rekey")
	}
	r.values[i], r.set[i] = v, true
	return nil
}

// SetKey is row["name"] = v.
func (r *record) SetKey(k, v starlark.Value) error {
	name, ok := starlark.AsString(k)
	if !ok {
		return r.p.meter.refuse("the name of a column is a text")
	}
	return r.SetField(name, v)
}

// Run gives what transform(row) makes of a row: nil if it leaves it out. Values of
// columns that the script does not set are the row's own. The error is an *Error.
func (p *Program) Run(s *Shape, row schema.Row) (schema.Row, error) {
	r := &record{p: p, shape: s, row: row, values: make([]starlark.Value, len(s.table.Columns)), set: make([]bool, len(s.table.Columns))}
	v, err := starlark.Call(p.thread(), p.main, starlark.Tuple{r}, nil)
	if err != nil {
		return nil, p.failed(err)
	}
	switch v {
	case starlark.None:
		return nil, nil
	case starlark.Value(r):
		return r.made()
	}
	return nil, &Error{Failed, 1, 1, "transform(row) gives back something else than row or None"}
}

func (r *record) made() (schema.Row, error) {
	out := make(schema.Row, len(r.shape.table.Columns))
	copy(out, r.row)
	for i, set := range r.set {
		c := &r.shape.table.Columns[i]
		if set {
			v, ok := r.shape.fields[i].taken(&c.Type, r.values[i])
			if !ok {
				return nil, &Error{Failed, 1, 1, `what the script puts into column "` + c.Name + `" is no ` + c.Type.Name}
			}
			out[i] = v
		}
		if out[i].IsNull() && !c.Nullable {
			return nil, &Error{Failed, 1, 1, `the script puts None into column "` + c.Name + `", which is not nullable`}
		}
	}
	return out, nil
}
