package avro

import (
	"math"

	"github.com/evertdb/evert/schema"
)

// A timestamp is a long, counted from 1970 in the unit of its type. Two numbers
// stand for the infinities, and are instants as well; those two have stand-ins.
// Microseconds of the last thirty years of Postgres's range do not fit, and wrap
// around to numbers of no other timestamp:
//
//	 least long      stand-ins        4713 BC          294247-01-10 04:00:54.775807
//	 ▼ 294247 … 294276  ▼▼               ▼ …  1970  …              ▼
//	├──────────────────┼──┼─────────────┼──────────────────────────┤
const (
	standsForHigh = math.MinInt64 / 2
	standsForLow  = math.MinInt64/2 + 1

	firstStamp = -211_813_488_000_000_000      // of Postgres, since 2000: 4714-11-24 BC
	lastStamp  = 9_223_371_331_200_000_000 - 1 // 294276-12-31 23:59:59.999999
)

// appendStamp writes a timestamp. A finite one never becomes another.
func (c *cell) appendStamp(dst []byte, micros2000 int64) ([]byte, error) {
	switch micros2000 {
	case schema.TimestampInfinity:
		return appendLong(dst, c.high), nil
	case schema.TimestampMinusInfinity:
		return appendLong(dst, c.low), nil
	}
	n := micros2000
	if c.op == opStampMillis {
		var err error
		if n, err = c.millis(n); err != nil {
			return dst, err
		}
		n += schema.UnixEpoch2000 / 1000
	} else {
		n += schema.UnixEpoch2000 // may wrap
	}
	switch n {
	case c.high:
		n = standsForHigh
	case c.low:
		n = standsForLow
	}
	return appendLong(dst, n), nil
}

func (c *cell) readStamp(r *reader) schema.Value {
	n := r.long()
	if r.err != nil {
		return schema.Null()
	}
	switch {
	case n == c.high:
		return schema.Timestamp(schema.TimestampInfinity)
	case n == c.low:
		return schema.Timestamp(schema.TimestampMinusInfinity)
	case c.op == opStampNanos:
		if n%1000 != 0 {
			r.fail(errValue)
		}
		return schema.Timestamp(n/1000 - schema.UnixEpoch2000)
	case n == standsForHigh:
		n = c.high
	case n == standsForLow:
		n = c.low
	}
	micros, ok := c.since2000(n)
	if !ok {
		r.fail(errValue)
		return schema.Null()
	}
	return schema.Timestamp(micros)
}

// since2000 gives a number of the cell's unit since 1970 in microseconds since
// 2000; ok is false for what no timestamp is.
func (c *cell) since2000(n int64) (micros int64, ok bool) {
	if c.op != opStampMillis {
		n -= schema.UnixEpoch2000 // wraps where it wrapped
		return n, n >= firstStamp && n <= lastStamp
	}
	n -= schema.UnixEpoch2000 / 1000
	return n * 1000, n >= firstStamp/1000 && n <= lastStamp/1000
}
