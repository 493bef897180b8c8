package schema

import (
	"bytes"
	"math"
	"unsafe"
)

// Kind tells what a Value holds.
type Kind uint8

// The kinds of values. KindNull is the zero value, so that a zero Value is SQL
// NULL. KindUnknown is a value that the source did not send (an unchanged
// TOAST column, a MINIMAL row image); it is not NULL and never reaches a topic
// or an operator (I5).
const (
	KindNull      Kind = iota
	KindUnknown        // not sent by the source
	KindBool           // true or false
	KindInt            // signed 64 bits hold every integer type up to bigint
	KindFloat          // IEEE 754 double; also holds single precision, exactly
	KindDecimal        // decimal text in ASCII: -12.30, NaN, Infinity, -Infinity; no exponent
	KindText           // UTF-8
	KindBytes          // raw bytes
	KindDate           // days since 1970-01-01, proleptic Gregorian
	KindTime           // microseconds since midnight, 0 to 86,400,000,000 (24:00); MySQL's is a duration, −838:59:59.999999 to 838:59:59.999999
	KindTimestamp      // microseconds since 2000-01-01 00:00 (UTC if the type is zoned)
	KindUUID           // 16 bytes
	KindJSON           // JSON text as the source prints it
	KindArray          // packed elements, see array.go
	KindInterval       // months, days and microseconds, see interval.go
)

// DateInfinity and its negative are the dates `infinity` and `-infinity`;
// TimestampInfinity and TimestampMinusInfinity the timestamps. Timestamps count
// from 2000 and not from 1970 because the last representable year, 294276, does
// not fit an int64 of microseconds since 1970.
const (
	DateInfinity           = math.MaxInt32
	DateMinusInfinity      = math.MinInt32
	TimestampInfinity      = math.MaxInt64
	TimestampMinusInfinity = math.MinInt64

	// MaxDuration is the longest time of MySQL, 838:59:59.999999, in microseconds.
	MaxDuration = (838*3600+59*60+59)*1_000_000 + 999_999

	// UnixEpoch2000 is 2000-01-01 in microseconds since 1970-01-01.
	UnixEpoch2000 = 946_684_800_000_000
)

// A Value is one column of one row. The zero Value is NULL. It is a value
// type: copy it freely, but the bytes of variable-length kinds are shared.
//
// It has 24 bytes, where a slice in it would make 40: rows on their way from one
// goroutine to another are most of what a snapshot's processor waits for.
type Value struct {
	num  uint64 // bool, int, float bits, date, time, timestamp
	ref  *byte  // decimal, text, bytes, uuid, json, array, interval: the first of size bytes
	size uint32
	kind Kind
}

// refer is a value of a variable-length kind, of less than 4 GiB.
func refer(k Kind, b []byte) Value {
	return Value{kind: k, ref: unsafe.SliceData(b), size: uint32(len(b))}
}

// Null is SQL NULL.
func Null() Value { return Value{} }

// Unknown is a value that the source did not send.
func Unknown() Value { return Value{kind: KindUnknown} }

// Bool is a boolean.
func Bool(b bool) Value {
	if b {
		return Value{kind: KindBool, num: 1}
	}
	return Value{kind: KindBool}
}

// Int is an integer of any width.
func Int(i int64) Value { return Value{kind: KindInt, num: uint64(i)} }

// Float is a single or double precision number; the column's type says which.
func Float(f float64) Value { return Value{kind: KindFloat, num: math.Float64bits(f)} }

// Decimal is an exact number, given as decimal text; the text is not copied.
func Decimal(text []byte) Value { return refer(KindDecimal, text) }

// Text is UTF-8 text; it is not copied.
func Text(utf8 []byte) Value { return refer(KindText, utf8) }

// Bytes is a byte string; it is not copied.
func Bytes(b []byte) Value { return refer(KindBytes, b) }

// Date is a calendar day, in days since 1970-01-01.
func Date(days int32) Value { return Value{kind: KindDate, num: uint64(int64(days))} }

// Time is a time of day in microseconds since midnight.
func Time(micros int64) Value { return Value{kind: KindTime, num: uint64(micros)} }

// Timestamp is an instant or a wall-clock time in microseconds since
// 2000-01-01 00:00.
func Timestamp(micros2000 int64) Value {
	return Value{kind: KindTimestamp, num: uint64(micros2000)}
}

// UUID is a UUID of 16 bytes; they are not copied.
func UUID(b []byte) Value { return refer(KindUUID, b) }

// JSON is a JSON text; it is not copied.
func JSON(text []byte) Value { return refer(KindJSON, text) }

// Kind tells what v holds.
func (v Value) Kind() Kind { return v.kind }

// IsNull reports whether v is SQL NULL.
func (v Value) IsNull() bool { return v.kind == KindNull }

// IsKnown reports whether the source sent v (NULL is known).
func (v Value) IsKnown() bool { return v.kind != KindUnknown }

// Bool gives a KindBool.
func (v Value) Bool() bool { return v.num != 0 }

// Int gives a KindInt, KindDate, KindTime or KindTimestamp as its number.
func (v Value) Int() int64 { return int64(v.num) }

// Float gives a KindFloat.
func (v Value) Float() float64 { return math.Float64frombits(v.num) }

// Ref gives the bytes of a variable-length kind. They belong to whoever handed
// out the value.
func (v Value) Ref() []byte { return unsafe.Slice(v.ref, v.size) }

// Size is roughly what v occupies, in bytes; it serves bounds, not accounting.
func (v Value) Size() int { return 8 + int(v.size) }

// Clone gives v with bytes of its own.
func (v Value) Clone() Value {
	v.ref = unsafe.SliceData(bytes.Clone(v.Ref()))
	return v
}

// Identical reports whether v and w are the same kind with the same bits. NULL
// is identical to NULL, NaN to the same NaN, 1.0 is not identical to 1.00: it
// is the equality of representations, not that of SQL.
func (v Value) Identical(w Value) bool {
	return v.kind == w.kind && v.num == w.num && bytes.Equal(v.Ref(), w.Ref())
}
