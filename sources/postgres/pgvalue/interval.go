package pgvalue

import (
	"bytes"
	"math"

	"github.com/evertdb/evert/schema"
)

// interval makes a value of the three parts of an interval.
func (r *Reader) interval(months, days int32, micros int64) schema.Value {
	r.packed = schema.AppendInterval(r.packed[:0], months, days, micros)
	return schema.PackedInterval(r.Arena.Copy(r.packed))
}

// binaryInterval reads interval_send's form: micros int64 · days int32 · months int32.
func (r *Reader) binaryInterval(b []byte) (schema.Value, error) {
	if len(b) != 16 {
		return schema.Value{}, malformed(Interval, len(b))
	}
	return r.interval(int32(be.Uint32(b[12:])), int32(be.Uint32(b[8:])), int64(be.Uint64(b))), nil
}

// textInterval reads IntervalStyle postgres: parts that are not zero, each with
// its unit, then a clock.
//
//	-1 years -2 mons +3 days -04:05:06.789   00:00:00   infinity
func (r *Reader) textInterval(b []byte) (schema.Value, error) {
	switch string(b) {
	case "infinity":
		return r.interval(math.MaxInt32, math.MaxInt32, math.MaxInt64), nil
	case "-infinity":
		return r.interval(math.MinInt32, math.MinInt32, math.MinInt64), nil
	}
	var parts [3]int64 // years, months, days
	rest, at := b, 0
	for len(rest) > 0 {
		n, after, ok := intervalPart(rest, &at)
		if !ok {
			break
		}
		parts[at-1], rest = n, after
	}
	micros, ok := int64(0), true
	if len(rest) > 0 {
		micros, ok = parseSpan(rest)
	}
	months, days := parts[0]*12+parts[1], parts[2]
	if !ok || len(b) == 0 || months != int64(int32(months)) || days != int64(int32(days)) {
		return schema.Value{}, malformed(Interval, len(b))
	}
	return r.interval(int32(months), int32(days), micros), nil
}

// intervalPart takes a number and its unit off the front of b. Units come in
// their order; at is how many are behind.
func intervalPart(b []byte, at *int) (n int64, rest []byte, ok bool) {
	units := [...]string{"year", "mon", "day"}
	word, rest, ok := bytes.Cut(b, []byte{' '})
	if !ok {
		return 0, nil, false
	}
	n, ok = parseInt(bytes.TrimPrefix(word, []byte{'+'}))
	if !ok || n != int64(int32(n)) {
		return 0, nil, false
	}
	unit, rest, more := bytes.Cut(rest, []byte{' '})
	if more && len(rest) == 0 {
		return 0, nil, false
	}
	unit = bytes.TrimSuffix(unit, []byte{'s'})
	for i := *at; i < len(units); i++ {
		if string(unit) == units[i] {
			*at = i + 1
			return n, rest, true
		}
	}
	return 0, nil, false
}

// parseSpan reads [+-]H…HH:MM:SS[.ffffff] as microseconds.
func parseSpan(b []byte) (micros int64, ok bool) {
	minus := b[0] == '-'
	if minus || b[0] == '+' {
		b = b[1:]
	}
	colon := bytes.IndexByte(b, ':')
	if colon < 2 || colon > 10 {
		return 0, false
	}
	hours := uint64(0)
	for _, c := range b[:colon] {
		if c-'0' > 9 {
			return 0, false
		}
		hours = hours*10 + uint64(c-'0')
	}
	var clock [16]byte // the rest of it, under an hour of two digits
	text := append(append(clock[:0], "00"...), b[colon:]...)
	below, rest, ok := parseClock(text)
	if !ok || len(rest) > 0 || hours > math.MaxInt64/3_600_000_000 {
		return 0, false
	}
	size := hours*3_600_000_000 + uint64(below)
	if minus {
		return -int64(size), size <= 1<<63
	}
	return int64(size), size <= math.MaxInt64
}
