package avro

import (
	"math"

	"github.com/evertdb/evert/schema"
)

// op says how a value lies in Avro.
type op uint8

const (
	opBool op = iota
	opInt
	opLong
	opFloat
	opDouble
	opString
	opBytes
	opDecimal         // bytes: unscaled number, scale in the schema
	opVariableDecimal // record: scale int, value bytes
	opDate            // int: days since 1970
	opTimeMillis      // int
	opTimeMicros      // long
	opTimeNanos       // long
	opStampMillis     // long: since 1970
	opStampMicros     // long
	opStampNanos      // long
	opZoned           // string: ISO 8601
	opUUID            // string: canonical form
	opSpan            // string: ISO 8601 interval
	opISODate         // string
	opISOTime         // string
	opISOStamp        // string
	opArray
	opDecimalDouble // double
	opDecimalString // string
	opMicroDuration // long: an interval, a month as 30.4375 days
	opHex           // string: bytes
	opBase64        // string: bytes
	opBase64URL     // string: bytes

	// Texts that are written as what they stand for.
	opBit       // boolean
	opBits      // bytes, scale says how many bits
	opNumber    // long
	opMoney     // as elem
	opZonedTime // string: ISO 8601
	opHStore    // string: JSON
	opHStoreMap // map
	opPoint     // record: x, y, wkb, srid
)

// A cell says how the values of one column, or the elements of an array, lie in
// Avro, and what they are in a row. It is the compiled form of a field's type.
type cell struct {
	op      op
	kind    schema.Kind
	null    int8    // the index of null in the union; notNull if there is no union
	scale   int     // decimals: digits behind the point; zoned timestamps: fractional digits
	surplus surplus // milliseconds
	low     int64   // timestamps: how -infinity is written
	high    int64   // and infinity
	elem    *cell   // arrays, money
}

// surplus says what becomes of digits that a cell of milliseconds has no room for.
type surplus uint8

const (
	surplusRefused surplus = iota // the column's type has none
	surplusCut
	surplusInKey // refused: two keys would become one
)

// notNull marks a cell that is no union.
const notNull = -1

// What Debezium writes for infinite timestamps: the JDBC driver's constants, in
// the unit of the column.
const (
	foreverMicros = 9_223_372_036_825_200_000
	neverMicros   = -9_223_372_036_832_400_000
	foreverMillis = foreverMicros / 1000
	neverMillis   = neverMicros / 1000
)

// stamp is the cell of a timestamp in Debezium's types.
func stamp(o op) cell {
	if o == opStampMillis {
		return cell{op: o, kind: schema.KindTimestamp, null: notNull, low: neverMillis, high: foreverMillis}
	}
	return cell{op: o, kind: schema.KindTimestamp, null: notNull, low: neverMicros, high: foreverMicros}
}

// millis gives milliseconds of microseconds. Digits are cut off as they are printed: of
// a timestamp downwards, and of a negative duration towards zero.
func (c *cell) millis(micros int64) (int64, error) {
	rest := micros % 1000
	switch {
	case rest == 0 || c.surplus == surplusCut && c.op == opTimeMillis:
		return micros / 1000, nil
	case c.surplus == surplusInKey:
		return 0, errFinerKey
	case c.surplus == surplusRefused:
		return 0, errPrecision
	case rest < 0:
		return micros/1000 - 1, nil
	}
	return micros / 1000, nil
}

// nativeStamp is the cell of a timestamp with one of Avro's own logical types,
// which know no infinity: the ends of the range stand for it.
func nativeStamp(o op) cell {
	return cell{op: o, kind: schema.KindTimestamp, null: notNull, low: math.MinInt64, high: math.MaxInt64}
}

// plainCell is a cell without parameters.
func plainCell(o op, k schema.Kind) cell { return cell{op: o, kind: k, null: notNull} }
