package document

import "github.com/evertdb/evert/schema"

// An Encoder writes the rows of one table version. It is immutable, and safe for
// concurrent use.
type Encoder struct {
	fields []field
}

// field is a column: what stands before its value, and its type.
type field struct {
	before []byte // {"name": or ,"name":
	typ    *schema.Type
}

// New compiles an encoder of rows of these columns.
func New(columns []schema.Column) *Encoder {
	e := &Encoder{fields: make([]field, len(columns))}
	for i := range columns {
		before := []byte{','}
		if i == 0 {
			before[0] = '{'
		}
		e.fields[i] = field{append(AppendString(before, []byte(columns[i].Name)), ':'), &columns[i].Type}
	}
	return e
}

// Append appends row as an object. A row has a value for every column.
func (e *Encoder) Append(dst []byte, row schema.Row) []byte {
	if len(e.fields) == 0 {
		return append(dst, "{}"...)
	}
	for i := range e.fields {
		f := &e.fields[i]
		dst = AppendValue(append(dst, f.before...), f.typ, row[i])
	}
	return append(dst, '}')
}
