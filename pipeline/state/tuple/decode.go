package tuple

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/evertdb/evert/schema"
)

var errMalformed = errors.New("malformed tuple")

func (f *field) malformed() error {
	return fmt.Errorf("column %q: %w", f.name, errMalformed)
}

// Exact reports whether Decode gives back the very values that were encoded,
// but for −0, which comes back as 0. It does not for decimals (1.00 comes back
// as 1), padded text, intervals and arrays of these; what it gives is SQL-equal
// then.
func (k *Key) Exact() bool {
	for i := range k.fields {
		if !k.fields[i].exact() {
			return false
		}
	}
	return true
}

func (f *field) exact() bool {
	switch f.op {
	case opDecimal, opInterval:
		return false
	case opArray:
		return f.elem.exact()
	}
	return !f.pad
}

// Split cuts b behind its first n columns. It reads no more than it needs.
func (k *Key) Split(b []byte, n int) (head, tail []byte, err error) {
	at := 0
	for i := range k.fields[:n] {
		w := k.fields[i].column(b[at:])
		if w == 0 {
			return nil, nil, k.fields[i].malformed()
		}
		at += w
	}
	return b[:at], b[at:], nil
}

// Decode appends the values of a tuple, or of the first columns of one, to dst.
// The values share b or lie behind arena, which is returned longer: they are
// valid as long as both. See Exact for what they are.
func (k *Key) Decode(b []byte, dst schema.Row, arena []byte) (schema.Row, []byte, error) {
	for i := range k.fields {
		if len(b) == 0 {
			return dst, arena, nil
		}
		f := &k.fields[i]
		n := f.column(b)
		if n == 0 {
			return dst, arena, f.malformed()
		}
		column := b[:n]
		if f.desc {
			start := len(arena)
			arena = append(arena, column...)
			column = arena[start:len(arena):len(arena)]
			invert(column[1:])
		}
		v, longer, err := f.parse(column, arena)
		if err != nil {
			return dst, arena, err
		}
		dst, arena, b = append(dst, v), longer, b[n:]
	}
	if len(b) > 0 {
		return dst, arena, errMalformed
	}
	return dst, arena, nil
}

// column is the length of a column that b begins with, 0 if it is cut.
func (f *field) column(b []byte) int {
	if f.desc && len(b) > 0 && b[0] == markValue {
		if n := f.size(b[1:], 0xff); n > 0 {
			return n + 1
		}
		return 0
	}
	return f.bytes(b, 0)
}

// bytes is the length of a marker and its payload; x is 0xff if both are
// inverted.
func (f *field) bytes(b []byte, x byte) int {
	if len(b) == 0 {
		return 0
	}
	switch b[0] ^ x {
	case markNullFirst, markNullLast, markUnknown:
		return 1
	case markValue:
		if n := f.size(b[1:], x); n > 0 {
			return n + 1
		}
	}
	return 0
}

// size is the length of a payload, 0 if it is cut.
func (f *field) size(b []byte, x byte) int {
	switch f.op {
	case opBool:
		return fixed(b, 1)
	case opInt:
		return intSize(b, x)
	case opFloat:
		return fixed(b, 8)
	case opDecimal:
		return decimalBytes(b, x)
	case opText:
		return bytes.IndexByte(b, textEnd^x) + 1
	case opEnum:
		return f.labelBytes(b, x)
	case opUUID:
		return fixed(b, uuidBytes)
	case opInterval:
		return both(b, x)
	}
	return f.arrayBytes(b, x)
}

func fixed(b []byte, n int) int {
	if len(b) < n {
		return 0
	}
	return n
}

// both is the length of two ints.
func both(b []byte, x byte) int {
	n := intSize(b, x)
	if n == 0 {
		return 0
	}
	m := intSize(b[n:], x)
	if m == 0 {
		return 0
	}
	return n + m
}

func (f *field) labelBytes(b []byte, x byte) int {
	n := intSize(b, x)
	if n == 0 || f.place(b[:n], x) != len(f.names) {
		return n
	}
	end := bytes.IndexByte(b[n:], textEnd^x)
	if end < 0 {
		return 0
	}
	return n + end + 1
}

// place reads the place of a label; −1 if there is none such.
func (f *field) place(b []byte, x byte) int {
	var plain [9]byte
	for i, c := range b {
		plain[i] = c ^ x
	}
	p := parseInt(plain[:len(b)])
	if p < 0 || p > int64(len(f.names)) {
		return -1
	}
	return int(p)
}

// parse reads a marker and its payload, which have their full length.
func (f *field) parse(b, arena []byte) (schema.Value, []byte, error) {
	switch b[0] {
	case markNullFirst, markNullLast:
		return schema.Null(), arena, nil
	case markUnknown:
		return schema.Unknown(), arena, nil
	}
	b = b[1:]
	switch f.op {
	case opBool:
		return schema.Bool(b[0] != 0), arena, nil
	case opInt:
		return f.whole(parseInt(b)), arena, nil
	case opFloat:
		return schema.Float(parseFloat(b)), arena, nil
	case opText:
		text, longer := parseText(b[:len(b)-1], arena)
		return f.text(text), longer, nil
	case opUUID:
		return schema.UUID(b), arena, nil
	}
	return f.parseLong(b, arena)
}

func (f *field) parseLong(b, arena []byte) (schema.Value, []byte, error) {
	switch f.op {
	case opDecimal:
		start := len(arena)
		longer, ok := parseDecimal(b, arena)
		if !ok {
			return schema.Null(), arena, f.malformed()
		}
		return schema.Decimal(longer[start:len(longer):len(longer)]), longer, nil
	case opEnum:
		return f.parseLabel(b, arena)
	case opInterval:
		return f.parseInterval(b, arena)
	}
	return f.parseArray(b, arena)
}

// whole makes a value of the number of one.
func (f *field) whole(n int64) schema.Value {
	switch f.typ {
	case schema.KindDate:
		return schema.Date(int32(n))
	case schema.KindTime:
		return schema.Time(n)
	case schema.KindTimestamp:
		return schema.Timestamp(n)
	}
	return schema.Int(n)
}

func (f *field) text(b []byte) schema.Value {
	if f.typ == schema.KindBytes {
		return schema.Bytes(b)
	}
	return schema.Text(b)
}

func (f *field) parseLabel(b, arena []byte) (schema.Value, []byte, error) {
	n := intSize(b, 0)
	switch p := f.place(b[:n], 0); {
	case p < 0:
		return schema.Null(), arena, f.malformed()
	case p < len(f.names):
		start := len(arena)
		arena = append(arena, f.names[p]...)
		return schema.Text(arena[start:len(arena):len(arena)]), arena, nil
	}
	text, longer := parseText(b[n:len(b)-1], arena)
	return schema.Text(text), longer, nil
}

// parseInterval gives the total as days and microseconds, with no months.
func (f *field) parseInterval(b, arena []byte) (schema.Value, []byte, error) {
	n := intSize(b, 0)
	days, micros := parseInt(b[:n]), parseInt(b[n:])
	months := int64(0)
	if days != int64(int32(days)) {
		months = days / daysPerMonth
		days -= months * daysPerMonth
	}
	if months != int64(int32(months)) {
		return schema.Null(), arena, f.malformed()
	}
	start := len(arena)
	arena = schema.AppendInterval(arena, int32(months), int32(days), micros)
	return schema.PackedInterval(arena[start:len(arena):len(arena)]), arena, nil
}
