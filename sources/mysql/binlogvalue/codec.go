package binlogvalue

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"math/bits"
	"sync/atomic"

	"github.com/evertdb/evert/schema"
	"github.com/evertdb/evert/schema/arena"
)

// A ZeroPolicy says what becomes of a date that the calendar does not have:
// 0000-00-00, 2024-00-15.
type ZeroPolicy uint8

// The policies.
const (
	ZeroNull  ZeroPolicy = iota // NULL where the column may be NULL, else ErrZeroDate
	ZeroEpoch                   // NULL where the column may be NULL, else 1970-01-01, as Debezium
	ZeroStop                    // ErrZeroDate
)

// Errors of values that the log holds and Evert cannot.
var (
	ErrZeroDate = errors.New("a date that the calendar does not have (0000-00-00, or a month or day of 0)")
	ErrCharset  = errors.New("bytes that are not valid in the column's character set")
	errShort    = errors.New("the row image ends too early")
)

// A ColumnError is an error of one column. It never holds the value.
type ColumnError struct {
	Column string
	Err    error
}

func (e *ColumnError) Error() string { return "column " + e.Column + ": " + e.Err.Error() }

// Unwrap gives the cause.
func (e *ColumnError) Unwrap() error { return e.Err }

// A Codec reads the rows of one version of a table. It may be shared.
type Codec struct {
	cells []cell
	zero  ZeroPolicy
	zeros atomic.Uint64
}

// A cell is what reading one column needs, worked out once.
type cell struct {
	Column
	convert *Charset // nil: the bytes stay
	kind    schema.Kind
	labels  [][]byte // of an enum, with "" for index 0
	length  int      // bytes of the length before a string
}

// Zeros is how many dates became NULL or the epoch because the calendar does not have
// them.
func (c *Codec) Zeros() uint64 { return c.zeros.Load() }

// Compile makes a codec.
func Compile(columns []Column, charsets *Charsets, zero ZeroPolicy) (*Codec, error) {
	c := &Codec{cells: make([]cell, len(columns)), zero: zero}
	for i := range columns {
		col := columns[i]
		t, err := col.schemaType()
		if err == nil && t.Kind == schema.KindText && col.Special == Plain && !charsets.Knows(col.Charset) {
			err = fmt.Errorf("character set %s is not known", col.Charset)
		}
		if err != nil {
			return nil, &ColumnError{col.Name, err}
		}
		c.cells[i] = cell{Column: col, kind: t.Kind, length: lengthBytes(&col)}
		if t.Kind == schema.KindText && col.Special == Plain {
			c.cells[i].convert = charsets.find(col.Charset)
		}
		c.cells[i].labels = labelBytes(&col)
	}
	return c, nil
}

func lengthBytes(c *Column) int {
	switch c.Type {
	case Blob, BlobCompressed, Geometry, JSON, Vector:
		return c.Size
	case String, Varchar, VarString, VarcharCompressed:
		if c.Size > 255 {
			return 2
		}
	}
	return 1
}

func labelBytes(c *Column) [][]byte {
	if c.Type != Enum && c.Type != Set {
		return nil
	}
	out := [][]byte{{}}
	for _, l := range c.Labels {
		out = append(out, []byte(l))
	}
	return out
}

// Row reads one row image into dst, which has a value for each column. present has
// a bit for each column, the lowest first; a column without one is Unknown (I5). It
// gives what follows the image. Values refer to data and to what a hands out.
func (c *Codec) Row(dst schema.Row, present, data []byte, a *arena.Bytes) (rest []byte, err error) {
	if len(present) < (len(c.cells)+7)/8 {
		return nil, errShort
	}
	nulls := (count(present, len(c.cells)) + 7) / 8
	if len(data) < nulls {
		return nil, errShort
	}
	null, data := data[:nulls], data[nulls:]
	sent := 0
	for i := range c.cells {
		if present[i>>3]>>(i&7)&1 == 0 {
			dst[i] = schema.Unknown()
			continue
		}
		isNull := null[sent>>3]>>(sent&7)&1 == 1
		sent++
		if isNull {
			dst[i] = schema.Null()
			continue
		}
		if dst[i], data, err = c.value(&c.cells[i], data, a); err != nil {
			return nil, &ColumnError{c.cells[i].Name, err}
		}
	}
	return data, nil
}

// count counts the first n bits of a bitmap.
func count(bitmap []byte, n int) int {
	sum := 0
	for i := 0; i < n/8; i++ {
		sum += bits.OnesCount8(bitmap[i])
	}
	if n%8 > 0 {
		sum += bits.OnesCount8(bitmap[n/8] & (1<<(n%8) - 1))
	}
	return sum
}

// value reads one value that is not NULL.
func (c *Codec) value(x *cell, data []byte, a *arena.Bytes) (v schema.Value, rest []byte, err error) {
	if n := x.fixed(); n > 0 {
		if len(data) < n {
			return v, nil, errShort
		}
		v, err = c.fixedValue(x, data[:n], a)
		return v, data[n:], err
	}
	body, rest, err := prefixed(data, x.length)
	if err != nil {
		return v, nil, err
	}
	v, err = c.body(x, body, a)
	return v, rest, err
}

// prefixed takes a string behind a length of n bytes.
func prefixed(data []byte, n int) (body, rest []byte, err error) {
	if len(data) < n {
		return nil, nil, errShort
	}
	size := int(little(data[:n]))
	if size < 0 || len(data)-n < size {
		return nil, nil, errShort
	}
	return data[n : n+size : n+size], data[n+size:], nil
}

// little reads an unsigned number, the lowest byte first.
func little(b []byte) uint64 {
	var n uint64
	for i := len(b) - 1; i >= 0; i-- {
		n = n<<8 | uint64(b[i])
	}
	return n
}

// big reads an unsigned number, the highest byte first.
func big(b []byte) uint64 {
	var n uint64
	for _, x := range b {
		n = n<<8 | uint64(x)
	}
	return n
}

// fixed gives the bytes of a value of fixed length, or 0.
func (x *cell) fixed() int {
	switch x.Type {
	case Tiny, Year:
		return 1
	case Short:
		return 2
	case Int24, Date, Time:
		return 3
	case Long, Float, Timestamp:
		return 4
	case LongLong, Double, Datetime:
		return 8
	case Timestamp2:
		return 4 + (x.Precise+1)/2
	case Datetime2:
		return 5 + (x.Precise+1)/2
	case Time2:
		return 3 + (x.Precise+1)/2
	case NewDecimal:
		return decimalBytes(x.Precise, x.Scale)
	case Bit:
		return (x.Size + 7) / 8
	case Enum, Set:
		return x.Size
	}
	return 0
}

func (c *Codec) fixedValue(x *cell, b []byte, a *arena.Bytes) (schema.Value, error) {
	switch x.Type {
	case Tiny, Short, Int24, Long, LongLong:
		return x.integer(b, a), nil
	case Year:
		return year(b[0]), nil
	case Float:
		return schema.Float(float64(math.Float32frombits(binary.LittleEndian.Uint32(b)))), nil
	case Double:
		return schema.Float(math.Float64frombits(binary.LittleEndian.Uint64(b))), nil
	case NewDecimal:
		return decimal(b, x.Precise, x.Scale, a)
	case Bit:
		return x.bit(b, a), nil
	case Enum:
		return x.enum(little(b))
	case Set:
		return x.set(little(b), a)
	}
	return c.when(x, b)
}

func (x *cell) integer(b []byte, a *arena.Bytes) schema.Value {
	n := little(b)
	if x.Unsigned {
		if x.Type == LongLong {
			return schema.Decimal(appendUint(a, n))
		}
		return schema.Int(int64(n))
	}
	shift := 64 - 8*len(b)
	return schema.Int(int64(n<<shift) >> shift)
}

func year(b byte) schema.Value {
	if b == 0 {
		return schema.Int(0)
	}
	return schema.Int(1900 + int64(b))
}

// bit turns the server's order, the highest byte first, into Debezium's.
func (x *cell) bit(b []byte, a *arena.Bytes) schema.Value {
	if x.kind == schema.KindBool {
		return schema.Bool(b[len(b)-1]&1 == 1)
	}
	out := a.Alloc(len(b))
	for i := range b {
		out[len(b)-1-i] = b[i]
	}
	return schema.Bytes(out)
}

// enum gives the label of an index; 0 is the empty text of a value that was refused
// when it was written.
func (x *cell) enum(index uint64) (schema.Value, error) {
	if index >= uint64(len(x.labels)) {
		return schema.Value{}, fmt.Errorf("label %d of an enum that has %d", index, len(x.Labels))
	}
	return schema.Text(x.labels[index]), nil
}

func (x *cell) set(mask uint64, a *arena.Bytes) (schema.Value, error) {
	if n := len(x.Labels); n < 64 && mask>>n != 0 {
		return schema.Value{}, fmt.Errorf("label %d of a set that has %d", bits.Len64(mask), n)
	}
	size := 0
	for i := range x.Labels {
		if mask>>i&1 == 1 {
			size += len(x.labels[i+1]) + 1
		}
	}
	out := a.Alloc(size)[:0]
	for i := range x.Labels {
		if mask>>i&1 == 1 {
			out = append(append(out, x.labels[i+1]...), ',')
		}
	}
	return schema.Text(out[:max(0, len(out)-1)]), nil
}

// body reads a value of variable length.
func (c *Codec) body(x *cell, b []byte, a *arena.Bytes) (schema.Value, error) {
	switch x.Type {
	case Geometry:
		return geometry(b, a)
	case JSON:
		return jsonText(b, a)
	case BlobCompressed, VarcharCompressed:
		plain, err := inflate(b, a)
		if err != nil {
			return schema.Value{}, err
		}
		b = plain
	}
	return x.str(b, a)
}

// str gives the value of a string as the column holds it.
func (x *cell) str(b []byte, a *arena.Bytes) (schema.Value, error) {
	switch {
	case x.Special != Plain:
		return x.special(padded(b, x.Size, a), a)
	case x.convert != nil:
		text, err := x.convert.utf8(b, a)
		return schema.Text(text), err
	case x.Type == String: // binary(n), whose zeros the log leaves out
		return schema.Bytes(padded(b, x.Size, a)), nil
	}
	return schema.Bytes(b), nil
}

// padded gives b with zeros up to n bytes.
func padded(b []byte, n int, a *arena.Bytes) []byte {
	if len(b) >= n {
		return b
	}
	out := a.Alloc(n)
	clear(out[copy(out, b):])
	return out
}
