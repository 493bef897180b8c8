package tuple

import (
	"fmt"

	"github.com/evertdb/evert/schema"
)

// An Order says how one column sorts. The zero Order is ascending, NULL last,
// which is Postgres's default.
type Order struct {
	Desc       bool
	NullsFirst bool
}

// A Key encodes tuples of certain columns. It is immutable.
type Key struct {
	fields []field
}

// field is a column, compiled.
type field struct {
	name   string
	op     op
	typ    schema.Kind
	pad    bool
	desc   bool
	null   byte           // marker of NULL
	labels map[string]int // of an enum: their places
	names  []string       // of an enum: by place
	elem   *field         // of an array: for all its dimensions
}

// op is a way to encode.
type op uint8

const (
	opBool op = iota + 1
	opInt
	opFloat
	opDecimal
	opText
	opEnum
	opUUID
	opInterval
	opArray
)

// The markers before a payload. 0 ends an array.
const (
	markEnd       = 0
	markNullFirst = 1
	markValue     = 2
	markNullLast  = 3
	markUnknown   = 4
)

// NewKey compiles a key over columns of these types. Columns beyond the orders
// sort by the zero Order. Types whose values have no equality (json), or none
// that bytes can tell (jsonb, collations that are not deterministic), are an
// error that names the column.
func NewKey(cols []schema.Column, orders []Order) (*Key, error) {
	k := &Key{fields: make([]field, len(cols))}
	for i := range cols {
		f, err := compile(&cols[i].Type, cols[i].Collation)
		if err != nil {
			return nil, fmt.Errorf("column %q of type %s: %w", cols[i].Name, cols[i].Type.Name, err)
		}
		f.name = cols[i].Name
		if i < len(orders) {
			f.order(orders[i])
		}
		k.fields[i] = f
	}
	return k, nil
}

func (f *field) order(o Order) {
	f.desc = o.Desc
	if o.NullsFirst {
		f.null = markNullFirst
	}
}

var ops = [...]op{
	schema.KindBool: opBool, schema.KindInt: opInt, schema.KindFloat: opFloat, schema.KindDecimal: opDecimal,
	schema.KindText: opText, schema.KindBytes: opText, schema.KindDate: opInt, schema.KindTime: opInt,
	schema.KindTimestamp: opInt, schema.KindUUID: opUUID, schema.KindArray: opArray, schema.KindInterval: opInterval,
}

func compile(t *schema.Type, c schema.Collation) (field, error) {
	f := field{typ: t.Kind, null: markNullLast}
	if int(t.Kind) < len(ops) {
		f.op = ops[t.Kind]
	}
	switch {
	case f.op == 0:
		return f, fmt.Errorf("values of kind %s cannot be a key", t.Kind)
	case f.op == opArray:
		return f, f.array(t, c)
	case len(t.Labels) > 0:
		f.enum(t.Labels)
	case t.Kind == schema.KindText && c.Name != "" && !c.Deterministic:
		return f, fmt.Errorf("collation %q is not deterministic: texts of different bytes may be equal", c.Name)
	case t.Kind == schema.KindText:
		f.pad = c.Pad
	}
	return f, nil
}

func (f *field) array(t *schema.Type, c schema.Collation) error {
	if t.Elem == nil {
		return fmt.Errorf("the type of the elements is not known")
	}
	elem, err := compile(t.Elem, c)
	f.elem = &elem
	return err
}

func (f *field) enum(labels []string) {
	f.op, f.names, f.labels = opEnum, labels, make(map[string]int, len(labels))
	for i, l := range labels {
		f.labels[l] = i
	}
}

// Len is the number of columns.
func (k *Key) Len() int { return len(k.fields) }

// Append appends the encoding of the values row[at[0]], row[at[1]], … behind
// dst and returns the longer slice. Fewer places than the key has columns make
// a prefix; no places at all (nil) mean those of the row in order. The values
// are of their columns' types; see the package for what each type becomes.
func (k *Key) Append(dst []byte, row schema.Row, at []int) []byte {
	if at == nil {
		for i, v := range row {
			dst = k.fields[i].append(dst, v)
		}
		return dst
	}
	for i, place := range at {
		dst = k.fields[i].append(dst, row[place])
	}
	return dst
}

func (f *field) append(dst []byte, v schema.Value) []byte {
	switch v.Kind() {
	case schema.KindNull:
		return append(dst, f.null)
	case schema.KindUnknown:
		return append(dst, markUnknown)
	}
	dst = append(dst, markValue)
	start := len(dst)
	dst = f.payload(dst, v)
	if f.desc {
		invert(dst[start:])
	}
	return dst
}

func (f *field) payload(dst []byte, v schema.Value) []byte {
	switch f.op {
	case opBool:
		return append(dst, byte(v.Int()&1))
	case opInt:
		return appendInt(dst, v.Int())
	case opFloat:
		return appendFloat(dst, v.Float())
	case opDecimal:
		return appendDecimal(dst, v.Ref())
	case opText:
		return appendText(dst, v.Ref(), f.pad)
	case opEnum:
		return f.appendLabel(dst, v.Ref())
	case opUUID:
		return appendUUID(dst, v.Ref())
	case opInterval:
		return appendInterval(dst, v)
	}
	return f.appendArray(dst, v)
}

func invert(b []byte) {
	for i := range b {
		b[i] = ^b[i]
	}
}

// PrefixEnd appends the first byte string behind dst that is greater than all
// that begin with prefix, for the end of a scan; nothing if there is none.
func PrefixEnd(dst, prefix []byte) []byte {
	n := len(prefix)
	for n > 0 && prefix[n-1] == 0xff {
		n--
	}
	if n == 0 {
		return dst
	}
	dst = append(dst, prefix[:n]...)
	dst[len(dst)-1]++
	return dst
}
