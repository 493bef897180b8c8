package pgvalue

import (
	"encoding/hex"
	"fmt"
	"math"
	"strconv"
	"unsafe"

	"github.com/evertdb/evert/schema"
	"github.com/evertdb/evert/schema/arena"
)

// A Reader reads values into its Arena. It is not safe for concurrent use.
type Reader struct {
	Arena   *arena.Bytes // owns the bytes of the values
	Invalid Invalid      // what becomes of texts that are not UTF-8

	packed []byte      // an array while it is read
	word   []byte      // one element of it, without its quotes
	elems  arena.Bytes // bytes of its elements
}

// A ShapeError is an array that is not one-dimensional from 1.
type ShapeError struct{}

func (ShapeError) Error() string {
	return "an array of several dimensions or with a lower bound other than 1"
}

func malformed(op Op, n int) error { return fmt.Errorf("malformed %s of %d bytes", op, n) }

// Text reads a value in text form. The bytes of b are copied where needed.
func (r *Reader) Text(c Codec, b []byte) (schema.Value, error) {
	switch c.Op {
	case Int2, Int4, Int8:
		if i, ok := parseInt(b); ok && fits(c.Op, i) {
			return schema.Int(i), nil
		}
	case Text, Enum, Opaque, OID, XID8, LSN, Money, TimeTZ, Bits, Inet, MAC, XML, Versioned:
		return r.printed(b), nil
	case Numeric:
		if isDecimal(b) {
			return schema.Decimal(r.Arena.Copy(b)), nil
		}
	case Timestamp, Timestamptz:
		if m, ok := parseTimestamp(b, c.Op == Timestamptz); ok {
			return schema.Timestamp(m), nil
		}
	case Bool:
		if len(b) == 1 && (b[0] == 't' || b[0] == 'f') {
			return schema.Bool(b[0] == 't'), nil
		}
	case Date:
		if days, ok := parseDate(b); ok {
			return schema.Date(days), nil
		}
	case Time:
		if m, rest, ok := parseClock(b); ok && len(rest) == 0 {
			return schema.Time(m), nil
		}
	case UUID:
		return r.uuid(b)
	case JSON, JSONB:
		return schema.JSON(r.utf8(b)), nil
	case Array:
		return r.array(c, b)
	case Interval:
		return r.textInterval(b)
	case Float4, Float8:
		return parseFloat(c.Op, b)
	case Bytea:
		return r.bytea(b)
	}
	return schema.Value{}, malformed(c.Op, len(b))
}

// parseInt is strconv.ParseInt for base 10 without leading zeros or plus sign.
func parseInt(b []byte) (int64, bool) {
	neg := len(b) > 0 && b[0] == '-'
	if neg {
		b = b[1:]
	}
	if len(b) == 0 || len(b) > 19 || b[0] == '0' && (len(b) > 1 || neg) {
		return 0, false
	}
	var n uint64
	for _, c := range b {
		d := uint64(c - '0')
		if d > 9 {
			return 0, false
		}
		n = n*10 + d
	}
	if neg {
		return -int64(n), n <= 1<<63
	}
	return int64(n), n <= math.MaxInt64
}

func fits(op Op, i int64) bool {
	switch op {
	case Int2:
		return i == int64(int16(i))
	case Int4:
		return i == int64(int32(i))
	}
	return true
}

// isDecimal accepts -?digits(.digits)? and the three words, as numeric_out prints.
func isDecimal(b []byte) bool {
	if len(b) == 0 {
		return false
	}
	if b[len(b)-1] > '9' {
		return string(b) == "NaN" || string(b) == "Infinity" || string(b) == "-Infinity"
	}
	if b[0] == '-' {
		b = b[1:]
	}
	digits, point := 0, false
	for _, c := range b {
		switch {
		case c-'0' <= 9:
			digits++
		case c == '.' && !point && digits > 0:
			point, digits = true, 0
		default:
			return false
		}
	}
	return digits > 0
}

// view is b as a string without a copy; it must not outlive b.
func view(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

func parseFloat(op Op, b []byte) (schema.Value, error) {
	bits := 64
	if op == Float4 {
		bits = 32
	}
	switch view(b) {
	case "NaN":
		return schema.Float(math.NaN()), nil
	case "Infinity":
		return schema.Float(math.Inf(1)), nil
	case "-Infinity":
		return schema.Float(math.Inf(-1)), nil
	}
	if !floatChars(b) {
		return schema.Value{}, malformed(op, len(b))
	}
	f, err := strconv.ParseFloat(view(b), bits)
	if err != nil {
		return schema.Value{}, malformed(op, len(b)) // the cause would hold the value
	}
	return schema.Float(f), nil
}

// floatChars keeps out what Go reads and Postgres never prints: hex, underscores, words.
func floatChars(b []byte) bool {
	for _, c := range b {
		if c-'0' > 9 && c != '.' && c != '-' && c != '+' && c != 'e' {
			return false
		}
	}
	return len(b) > 0
}

// bytea reads \x and pairs of hex digits.
func (r *Reader) bytea(b []byte) (schema.Value, error) {
	if len(b) < 2 || b[0] != '\\' || b[1] != 'x' || len(b)%2 != 0 {
		return schema.Value{}, malformed(Bytea, len(b))
	}
	raw := r.Arena.Alloc(len(b)/2 - 1)
	if _, err := hex.Decode(raw, b[2:]); err != nil {
		return schema.Value{}, malformed(Bytea, len(b))
	}
	return schema.Bytes(raw), nil
}

// uuid reads 8-4-4-4-12 hex digits.
func (r *Reader) uuid(b []byte) (schema.Value, error) {
	if len(b) != 36 || b[8] != '-' || b[13] != '-' || b[18] != '-' || b[23] != '-' {
		return schema.Value{}, malformed(UUID, len(b))
	}
	raw := r.Arena.Alloc(16)
	at := 0
	for i := 0; i < 36; i += 2 {
		if b[i] == '-' {
			i++
		}
		hi, lo := unhex(b[i]), unhex(b[i+1])
		if hi|lo > 15 {
			return schema.Value{}, malformed(UUID, len(b))
		}
		raw[at] = hi<<4 | lo
		at++
	}
	return schema.UUID(raw), nil
}

// unhex gives 255 for what is not a lower-case hex digit.
func unhex(c byte) byte {
	switch {
	case c-'0' <= 9:
		return c - '0'
	case c-'a' <= 5:
		return c - 'a' + 10
	}
	return 255
}
