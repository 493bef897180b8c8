package avro

import (
	"github.com/evertdb/evert/schema"
)

// A zoned timestamp is ISO 8601 text in UTC, as Java prints it:
//
//	2026-03-01T12:00:00.123456Z   as many fractional digits as the column has
//	+294276-12-31T23:59:59Z       a sign before more than four digits
//	-0043-03-15T00:00:00Z         44 BC: year 0 is 1 BC
//	infinity, -infinity

const (
	infinityWord      = "infinity"
	minusInfinityWord = "-infinity"
)

// appendZoned writes an instant as an Avro string. Its length always fits one
// byte.
func appendZoned(dst []byte, micros2000 int64, digits int) ([]byte, error) {
	at := len(dst)
	dst = append(dst, 0)
	switch micros2000 {
	case schema.TimestampInfinity:
		dst = append(dst, infinityWord...)
	case schema.TimestampMinusInfinity:
		dst = append(dst, minusInfinityWord...)
	default:
		days, rest := schema.SplitMicros(micros2000)
		dst = appendISODay(dst, days+schema.UnixEpoch2000/schema.MicrosPerDay)
		dst = schema.AppendClock(append(dst, 'T'), rest)
		frac, ok := fraction(rest%1_000_000, digits)
		if !ok {
			return dst, errPrecision
		}
		if digits > 0 {
			dst = schema.AppendPadded(append(dst, '.'), frac, digits)
		}
		dst = append(dst, 'Z')
	}
	dst[at] = byte(len(dst)-at-1) << 1
	return dst, nil
}

// fraction cuts microseconds down to so many digits; ok is false if that would
// lose some.
func fraction(micros int64, digits int) (frac int64, ok bool) {
	for ; digits < 6; digits++ {
		if micros%10 != 0 {
			return 0, false
		}
		micros /= 10
	}
	return micros, true
}

func appendISODay(dst []byte, days int64) []byte {
	year, month, day := schema.Civil(days)
	switch {
	case year < 0:
		dst, year = append(dst, '-'), -year
	case year > 9999:
		dst = append(dst, '+')
	}
	dst = append(schema.AppendPadded(dst, year, 4), '-')
	dst = append(schema.AppendPadded(dst, int64(month), 2), '-')
	return schema.AppendPadded(dst, int64(day), 2)
}

// parseZoned reads what appendZoned writes, and the offsets and missing seconds
// that Java's formatter may produce. ok is false for anything else.
func parseZoned(text []byte) (micros2000 int64, ok bool) {
	switch string(text) {
	case infinityWord:
		return schema.TimestampInfinity, true
	case minusInfinityWord:
		return schema.TimestampMinusInfinity, true
	}
	p := scanner{text: text, ok: true}
	days := p.day(maxStampYear)
	p.expect('T')
	micros := p.clock(24)
	micros -= p.offset()
	if !p.ok || len(p.text) != 0 {
		return 0, false
	}
	return (days-schema.UnixEpoch2000/schema.MicrosPerDay)*schema.MicrosPerDay + micros, true
}

// A scanner takes a text apart from the front; ok turns false at the first
// thing that does not fit.
type scanner struct {
	text []byte
	ok   bool
}

func (p *scanner) peek(c byte) bool { return len(p.text) > 0 && p.text[0] == c }

func (p *scanner) accept(c byte) bool {
	if !p.peek(c) {
		return false
	}
	p.text = p.text[1:]
	return true
}

func (p *scanner) expect(c byte) { p.ok = p.accept(c) && p.ok }

// number takes between low and high digits.
func (p *scanner) number(low, high int) (n int64) {
	i := 0
	for i < len(p.text) && i < high && p.text[i] >= '0' && p.text[i] <= '9' {
		n = n*10 + int64(p.text[i]-'0')
		i++
	}
	p.ok = p.ok && i >= low
	p.text = p.text[i:]
	return n
}

// The last years of Postgres. The microseconds of a timestamp's still fit.
const (
	maxStampYear = 294_276
	maxDateYear  = 5_874_897
)

// day takes a day up to this year, as days since 1970.
func (p *scanner) day(maxYear int64) int64 {
	minus := p.accept('-')
	if !minus {
		p.accept('+')
	}
	year := p.number(4, 7)
	p.expect('-')
	month := p.number(2, 2)
	p.expect('-')
	day := p.number(2, 2)
	p.ok = p.ok && year <= maxYear && month >= 1 && month <= 12 && day >= 1 && day <= 31
	if minus {
		year = -year
	}
	p.ok = p.ok && year >= -4713 // before it lies no timestamp of Postgres
	if !p.ok {
		return 0
	}
	return schema.Days(year, int(month), int(day))
}

// clock takes a time up to these hours, and microseconds of its fraction.
func (p *scanner) clock(maxHours int64) int64 {
	hours := p.number(2, 3)
	p.expect(':')
	minutes := p.number(2, 2)
	seconds, micros := int64(0), int64(0)
	if p.accept(':') {
		seconds = p.number(2, 2)
	}
	if p.accept('.') {
		before := len(p.text)
		micros = p.number(1, 6)
		for n := before - len(p.text); n < 6; n++ {
			micros *= 10
		}
		for p.accept('0') { // nanoseconds, if there are none
		}
	}
	p.ok = p.ok && hours <= maxHours && minutes < 60 && seconds < 61
	return ((hours*60+minutes)*60+seconds)*1_000_000 + micros
}

func (p *scanner) offset() int64 {
	if p.accept('Z') {
		return 0
	}
	minus := p.accept('-')
	if !minus {
		p.expect('+')
	}
	minutes := p.number(2, 2) * 60
	if p.accept(':') {
		minutes += p.number(2, 2)
	}
	if minus {
		minutes = -minutes
	}
	return minutes * 60_000_000
}
