package binlogvalue

import (
	"encoding/hex"
	"errors"
	"strconv"

	"github.com/evertdb/evert/schema"
	"github.com/evertdb/evert/schema/arena"
)

// errText is a text that is not what a type prints.
var errText = errors.New("the server's text is not one of this type")

// Select gives the expression that a SELECT asks for column i with; quoted is the
// column's quoted name. It prints what the plain column would lose: the digits of a
// float, the bytes of an address, the elements of a vector. The session's character_set_results
// must be NULL, so that texts come in the column's own bytes.
func (c *Codec) Select(i int, quoted string) string {
	switch x := &c.cells[i]; {
	case x.Type == Float || x.Type == Double:
		return quoted + "+0e0"
	case x.Special == INET4 || x.Special == INET6:
		return "CAST(" + quoted + " AS BINARY(" + strconv.Itoa(x.Size) + "))"
	}
	return quoted
}

// Text reads what the server answered for column i, asked for with Select, in the
// text protocol; numbers but decimals come by Unsigned and Double, or are schema.Ints.
// The value refers to what a hands out.
func (c *Codec) Text(i int, b []byte, a *arena.Bytes) (schema.Value, error) {
	x := &c.cells[i]
	v, err := c.text(x, b, a)
	if err != nil {
		return v, &ColumnError{x.Name, err}
	}
	return v, nil
}

func (c *Codec) text(x *cell, b []byte, a *arena.Bytes) (schema.Value, error) {
	switch x.Type {
	case NewDecimal:
		return schema.Decimal(unsignedZero(plainDecimal(a.Copy(b)))), nil
	case Date, Time, Time2, Datetime, Datetime2, Timestamp, Timestamp2:
		return c.whenText(x, b)
	case Bit:
		return x.bit(padLeft(b, (x.Size+7)/8, a), a), nil
	case Enum, Set:
		text, err := x.convert.utf8(a.Copy(b), a)
		return schema.Text(text), err
	case JSON:
		return schema.JSON(a.Copy(b)), nil
	case Geometry:
		return geometry(a.Copy(b), a)
	}
	if x.Special == UUID {
		return uuidText(b, a)
	}
	return x.str(a.Copy(b), a)
}

// Unsigned gives an unsigned number that the server answered for column i.
func (c *Codec) Unsigned(i int, n uint64, a *arena.Bytes) schema.Value {
	if c.cells[i].kind == schema.KindDecimal {
		return schema.Decimal(appendUint(a, n))
	}
	return schema.Int(int64(n))
}

// Double gives a floating point number that the server answered for column i.
func (c *Codec) Double(i int, f float64) schema.Value {
	if c.cells[i].Type == Float {
		f = float64(float32(f))
	}
	return schema.Float(f)
}

// plainDecimal takes the zeros of a ZEROFILL column away.
func plainDecimal(b []byte) []byte {
	start := 0
	if len(b) > 0 && b[0] == '-' {
		start = 1
	}
	end := start
	for end < len(b) && b[end] != '.' {
		end++
	}
	zeros := start
	for zeros < end-1 && b[zeros] == '0' {
		zeros++
	}
	return append(b[:start], b[zeros:]...)
}

func padLeft(b []byte, n int, a *arena.Bytes) []byte {
	if len(b) >= n {
		return b[len(b)-n:]
	}
	out := a.Alloc(n)
	clear(out)
	copy(out[n-len(b):], b)
	return out
}

func uuidText(b []byte, a *arena.Bytes) (schema.Value, error) {
	if len(b) != 36 {
		return schema.Value{}, errText
	}
	var digits [32]byte
	n := 0
	for _, c := range b {
		if c != '-' && n < len(digits) {
			digits[n] = c
			n++
		}
	}
	out := a.Alloc(16)
	if _, err := hex.Decode(out, digits[:]); err != nil || n != len(digits) {
		return schema.Value{}, errText
	}
	return schema.UUID(out), nil
}

// whenText reads a date, a time, or both with a space between them.
func (c *Codec) whenText(x *cell, b []byte) (schema.Value, error) {
	if x.Type == Time || x.Type == Time2 {
		return timeText(b)
	}
	if len(b) < 10 {
		return schema.Value{}, errText
	}
	var t civil
	ok := digitsInto(&t.year, b[0:4]) && b[4] == '-' && digitsInto(&t.month, b[5:7]) && b[7] == '-' && digitsInto(&t.day, b[8:10])
	if !ok {
		return schema.Value{}, errText
	}
	if x.Type == Date {
		return c.date(x, t.year, t.month, t.day)
	}
	if len(b) < 19 || !digitsInto(&t.hour, b[11:13]) || !digitsInto(&t.minute, b[14:16]) || !digitsInto(&t.second, b[17:19]) || !fractionInto(&t.micros, b[19:]) {
		return schema.Value{}, errText
	}
	return c.datetime(x, t)
}

// timeText reads [-]h…h:mm:ss[.f…].
func timeText(b []byte) (schema.Value, error) {
	sign := int64(1)
	if len(b) > 0 && b[0] == '-' {
		sign, b = -1, b[1:]
	}
	colon := 0
	for colon < len(b) && b[colon] != ':' {
		colon++
	}
	var hours, minutes, seconds, micros int
	rest := b[min(colon+1, len(b)):]
	if len(rest) < 5 || !digitsInto(&hours, b[:colon]) || !digitsInto(&minutes, rest[0:2]) || !digitsInto(&seconds, rest[3:5]) || !fractionInto(&micros, rest[5:]) {
		return schema.Value{}, errText
	}
	return duration(sign, int64(hours), int64(minutes), int64(seconds), int64(micros))
}

func digitsInto(n *int, b []byte) bool {
	*n = 0
	for _, c := range b {
		if c < '0' || c > '9' {
			return false
		}
		*n = *n*10 + int(c-'0')
	}
	return len(b) > 0 && len(b) < 9
}

// fractionInto reads nothing, or a point and up to six digits.
func fractionInto(micros *int, b []byte) bool {
	*micros = 0
	if len(b) == 0 {
		return true
	}
	if b[0] != '.' || len(b) > 7 || !digitsInto(micros, b[1:]) {
		return false
	}
	for i := len(b); i < 7; i++ {
		*micros *= 10
	}
	return true
}
