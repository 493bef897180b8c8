package avro

import (
	"github.com/evertdb/evert/schema"
)

// Dates and times without a zone as text are ISO 8601 behind which Debezium puts a Z,
// as Java prints them:
//
//	2026-03-01Z                   a date
//	12:00:00.5Z                   a time, with as many fractional digits as are not zero
//	2026-03-01T12:00:00.123456Z   a timestamp, likewise
//	+5874897-12-31Z               a sign before more than four digits
//	-0043-03-15Z                  44 BC: year 0 is 1 BC
//	-838:59:59Z                   a duration of MySQL
//	infinity, -infinity

// appendISO writes a date, a time or a timestamp as an Avro string. Its length always
// fits one byte.
func (c *cell) appendISO(dst []byte, n int64) []byte {
	at := len(dst)
	dst = append(dst, 0)
	switch {
	case c.isInfinity(n):
		dst = append(dst, infinityWord...)
	case c.isInfinity(^n):
		dst = append(dst, minusInfinityWord...)
	default:
		dst = append(c.appendISOText(dst, n), 'Z')
	}
	dst[at] = byte(len(dst)-at-1) << 1
	return dst
}

// isInfinity reports whether a number stands for infinity; -infinity is its complement.
func (c *cell) isInfinity(n int64) bool {
	return c.op == opISODate && n == schema.DateInfinity || c.op == opISOStamp && n == schema.TimestampInfinity
}

func (c *cell) appendISOText(dst []byte, n int64) []byte {
	switch c.op {
	case opISODate:
		return appendISODay(dst, n)
	case opISOTime:
		return schema.AppendTimeOfDay(dst, n)
	}
	days, rest := schema.SplitMicros(n)
	dst = appendISODay(dst, days+schema.UnixEpoch2000/schema.MicrosPerDay)
	return schema.AppendTimeOfDay(append(dst, 'T'), rest)
}

// readISO reads what appendISO writes, and other ways of Java to write the same.
func (c *cell) readISO(r *reader) schema.Value {
	text := r.bytes()
	v, ok := c.parseISO(text)
	if !ok {
		r.fail(errValue)
	}
	return v
}

func (c *cell) parseISO(text []byte) (schema.Value, bool) {
	switch c.op {
	case opISODate:
		days, ok := parseISODate(text)
		return schema.Date(days), ok
	case opISOTime:
		micros, ok := parseISOTime(text)
		return schema.Time(micros), ok
	}
	micros, ok := parseZoned(text)
	return schema.Timestamp(micros), ok
}

func parseISODate(text []byte) (days int32, ok bool) {
	switch string(text) {
	case infinityWord:
		return schema.DateInfinity, true
	case minusInfinityWord:
		return schema.DateMinusInfinity, true
	}
	p := scanner{text: text, ok: true}
	n := p.day(maxDateYear)
	p.accept('Z')
	return int32(n), p.ok && len(p.text) == 0
}

// maxHours are those of the longest duration of MySQL.
const maxHours = schema.MaxDuration / 3_600_000_000

func parseISOTime(text []byte) (micros int64, ok bool) {
	p := scanner{text: text, ok: true}
	minus := p.accept('-')
	if micros = p.clock(maxHours); minus {
		micros = -micros
	}
	p.accept('Z')
	return micros, p.ok && len(p.text) == 0 && micros <= schema.MaxDuration && micros >= -schema.MaxDuration
}
