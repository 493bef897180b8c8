package avro

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"math"
	"strconv"

	"github.com/evertdb/evert/schema"
)

// microsPerMonth is a twelfth of 365.25 days, which Debezium takes for a month.
const microsPerMonth = 2_629_800 * 1_000_000

// appendHandled writes what Handling has changed, or a text that stands for more.
func (c *cell) appendHandled(dst []byte, v *schema.Value) ([]byte, error) {
	switch c.op {
	case opDecimalString:
		return appendBytes(dst, v.Ref()), nil
	case opDecimalDouble:
		f, err := strconv.ParseFloat(string(v.Ref()), 64)
		if err != nil && !math.IsInf(f, 0) {
			return dst, errDecimal
		}
		return binary.LittleEndian.AppendUint64(dst, math.Float64bits(f)), nil
	case opMicroDuration:
		return appendMicroDuration(dst, v)
	case opHex:
		return hex.AppendEncode(appendLong(dst, int64(hex.EncodedLen(len(v.Ref())))), v.Ref()), nil
	case opBase64, opBase64URL:
		e := c.base64()
		return e.AppendEncode(appendLong(dst, int64(e.EncodedLen(len(v.Ref())))), v.Ref()), nil
	}
	return c.appendForm(dst, v.Ref())
}

func (c *cell) base64() *base64.Encoding {
	if c.op == opBase64URL {
		return base64.URLEncoding
	}
	return base64.StdEncoding
}

// appendMicroDuration writes an interval as microseconds.
func appendMicroDuration(dst []byte, v *schema.Value) ([]byte, error) {
	months, days, micros := v.Interval()
	whole := float64(months)*microsPerMonth + float64(days)*float64(schema.MicrosPerDay) + float64(micros)
	if math.Abs(whole) >= 1<<62 {
		return dst, errRange
	}
	return appendLong(dst, int64(months)*microsPerMonth+int64(days)*schema.MicrosPerDay+micros), nil
}

// appendNanos writes a time of day, or a timestamp since 1970, of which only those
// near 1970 fit. The ends of the range stand for the infinities.
func (c *cell) appendNanos(dst []byte, micros int64) ([]byte, error) {
	if c.op == opStampNanos {
		switch micros {
		case schema.TimestampInfinity:
			return appendLong(dst, c.high), nil
		case schema.TimestampMinusInfinity:
			return appendLong(dst, c.low), nil
		}
		if micros > math.MaxInt64-schema.UnixEpoch2000 {
			return dst, errRange
		}
		micros += schema.UnixEpoch2000
	}
	if micros > math.MaxInt64/1000-1 || micros < math.MinInt64/1000+1 {
		return dst, errRange
	}
	return appendLong(dst, micros*1000), nil
}

// readHandled reads what appendHandled wrote.
func (c *cell) readHandled(r *reader, a *Arena) schema.Value {
	switch c.op {
	case opDecimalString:
		text := r.bytes()
		if _, err := parseNumber(text); err != nil && !isNumberWord(text) {
			r.fail(errValue)
		}
		return schema.Decimal(text)
	case opDecimalDouble:
		return readDecimalDouble(r, a)
	case opMicroDuration:
		from := len(a.bytes)
		a.bytes = schema.AppendInterval(a.bytes, 0, 0, r.long())
		return schema.PackedInterval(a.since(from))
	case opHex, opBase64, opBase64URL:
		return c.readEncoded(r, a)
	}
	return c.readForm(r, a)
}

func isNumberWord(text []byte) bool {
	switch string(text) {
	case "NaN", "Infinity", "-Infinity":
		return true
	}
	return false
}

// readDecimalDouble gives a double as the decimal text it is shortest in.
func readDecimalDouble(r *reader, a *Arena) schema.Value {
	f, from := readDouble(r), len(a.bytes)
	switch {
	case math.IsInf(f, 1):
		a.bytes = append(a.bytes, "Infinity"...)
	case math.IsInf(f, -1):
		a.bytes = append(a.bytes, "-Infinity"...)
	default:
		a.bytes = strconv.AppendFloat(a.bytes, f, 'f', -1, 64) // NaN as well
	}
	if !r.expand(len(a.bytes) - from) {
		return schema.Null()
	}
	return schema.Decimal(a.since(from))
}

func (c *cell) readEncoded(r *reader, a *Arena) schema.Value {
	text, from := r.bytes(), len(a.bytes)
	var err error
	if c.op == opHex {
		a.bytes, err = hex.AppendDecode(a.bytes, text)
	} else {
		a.bytes, err = c.base64().AppendDecode(a.bytes, text)
	}
	if err != nil {
		r.fail(errValue)
	}
	return schema.Bytes(a.since(from))
}
