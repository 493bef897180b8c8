package query

import (
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/evertdb/evert/pipeline/document"
	"github.com/evertdb/evert/pipeline/state/tuple"
	"github.com/evertdb/evert/schema"
)

// A Shape is what a version of a view looks like. It is immutable.
type Shape struct {
	Columns []schema.Column
	Key     []int   // the columns that identify a row, in key order
	Indexes [][]int // the columns of each further order

	keys   []schema.Column   // those of Key
	rows   *document.Encoder // of Columns
	key    *document.Encoder // of keys
	orders []order
	values []*tuple.Key // by column: how one value of it is encoded; nil: not at all
}

// An order is one that the view is kept in: collection 0 is that of its key.
type order struct {
	collection uint16
	columns    []int // of the index, then of the key
	own        int   // columns before the key's
	key        *tuple.Key
}

// NewShape compiles a shape.
func NewShape(columns []schema.Column, key []int, indexes [][]int) (*Shape, error) {
	s := &Shape{Columns: columns, Key: key, Indexes: indexes, values: make([]*tuple.Key, len(columns))}
	s.keys = s.pick(key)
	s.rows, s.key = document.New(columns), document.New(s.keys)
	for i, index := range append([][]int{nil}, indexes...) {
		o := order{collection: uint16(i), columns: slices.Concat(index, key), own: len(index)}
		compiled, err := tuple.NewKey(s.pick(o.columns), nil)
		if err != nil {
			return nil, fmt.Errorf("order %d of the view: %w", i, err)
		}
		o.key = compiled
		s.orders = append(s.orders, o)
	}
	for i := range columns {
		s.values[i], _ = tuple.NewKey(columns[i:i+1], nil)
	}
	return s, nil
}

// AppendRow appends row as an object by column name; see package document.
func (s *Shape) AppendRow(dst []byte, row schema.Row) []byte { return s.rows.Append(dst, row) }

// AppendKey appends the values of a key as an object by column name.
func (s *Shape) AppendKey(dst []byte, key schema.Row) []byte { return s.key.Append(dst, key) }

func (s *Shape) pick(at []int) []schema.Column {
	picked := make([]schema.Column, len(at))
	for i, c := range at {
		picked[i] = s.Columns[c]
	}
	return picked
}

// column finds a column by name; −1 if there is none.
func (s *Shape) column(name string) int {
	return slices.IndexFunc(s.Columns, func(c schema.Column) bool { return c.Name == name })
}

// names gives the names of some columns.
func (s *Shape) names(at []int) []string {
	names := make([]string, len(at))
	for i, c := range at {
		names[i] = s.Columns[c].Name
	}
	return names
}

// encode gives the bytes of one value of a column, as every order has them.
func (s *Shape) encode(column int, v schema.Value) []byte {
	return s.values[column].Append(nil, schema.Row{v}, nil)
}

// begin is what the keys of a collection begin with.
func begin(collection uint16) []byte { return binary.BigEndian.AppendUint16(nil, collection) }
