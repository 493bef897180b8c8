package avro

import (
	"math"
	"strconv"

	"github.com/evertdb/evert/schema"
)

// An interval is ISO 8601 text with all its parts, each with a sign of its own,
// as Debezium prints it; no part is carried over into another:
//
//	P1Y2M3DT4H5M6.78S   P0Y-1M1DT0H0M-0.000001S   infinity

// appendSpan writes an interval as an Avro string. Its length always fits one
// byte.
func appendSpan(dst []byte, v *schema.Value) ([]byte, error) {
	if len(v.Ref()) != schema.IntervalBytes {
		return dst, errInterval
	}
	switch schema.InfiniteInterval(*v) {
	case 1:
		return appendString(dst, "infinity"), nil
	case -1:
		return appendString(dst, "-infinity"), nil
	}
	months, days, micros := v.Interval()
	at := len(dst)
	dst = append(dst, 0, 'P')
	dst = append(strconv.AppendInt(dst, int64(months/12), 10), 'Y')
	dst = append(strconv.AppendInt(dst, int64(months%12), 10), 'M')
	dst = append(strconv.AppendInt(dst, int64(days), 10), 'D', 'T')
	secs := micros / 1_000_000
	dst = append(strconv.AppendInt(dst, secs/3600, 10), 'H')
	dst = append(strconv.AppendInt(dst, secs/60%60, 10), 'M')
	dst = appendSeconds(dst, secs%60, micros%1_000_000)
	dst[at] = byte(len(dst)-at-1) << 1
	return dst, nil
}

// appendSeconds writes seconds and microseconds of the same sign.
func appendSeconds(dst []byte, secs, frac int64) []byte {
	if frac < 0 && secs == 0 {
		dst = append(dst, '-')
	}
	dst = strconv.AppendInt(dst, secs, 10)
	if frac != 0 {
		dst = schema.AppendPadded(append(dst, '.'), max(frac, -frac), 6)
		for dst[len(dst)-1] == '0' {
			dst = dst[:len(dst)-1]
		}
	}
	return append(dst, 'S')
}

// readSpan reads an interval into 16 bytes of the arena. Parts may be missing.
func readSpan(r *reader, a *Arena) schema.Value {
	text := r.bytes()
	switch string(text) {
	case "infinity":
		return schema.Interval(math.MaxInt32, math.MaxInt32, math.MaxInt64)
	case "-infinity":
		return schema.Interval(math.MinInt32, math.MinInt32, math.MinInt64)
	}
	p := spanScanner{scanner{text: text, ok: true}}
	p.expect('P')
	months := p.part('Y', 12) + p.part('M', 1)
	days := p.part('D', 1)
	micros := int64(0)
	if p.accept('T') {
		micros = p.add(p.part('H', 3600), p.part('M', 60), 1_000_000)
		micros = p.add(micros, p.seconds(), 1)
	}
	fits := months == int64(int32(months)) && days == int64(int32(days))
	if !p.ok || len(p.text) != 0 || !fits || !r.expand(schema.IntervalBytes) {
		r.fail(errValue)
		return schema.Null()
	}
	from := len(a.bytes)
	a.bytes = schema.AppendInterval(a.bytes, int32(months), int32(days), micros)
	return schema.PackedInterval(a.since(from))
}

// A spanScanner reads numbers with a sign and the letter of their unit.
type spanScanner struct{ scanner }

// part takes a number and its unit, times what it counts; 0 if another unit
// comes next.
func (p *spanScanner) part(unit byte, times int64) int64 {
	before := p.text
	minus := p.accept('-')
	n := p.number(1, 10)
	if !p.accept(unit) {
		p.text, p.ok = before, true
		return 0
	}
	if minus {
		n = -n
	}
	return n * times
}

// seconds takes seconds with a fraction, in microseconds.
func (p *spanScanner) seconds() int64 {
	if len(p.text) == 0 {
		return 0
	}
	minus := p.accept('-')
	n := p.number(1, 10) * 1_000_000
	if p.accept('.') {
		before := len(p.text)
		frac := p.number(1, 6)
		for width := before - len(p.text); width < 6; width++ {
			frac *= 10
		}
		n += frac
	}
	p.expect('S')
	if minus {
		return -n
	}
	return n
}

// add gives (a+b)·times, or fails beyond 64 bits.
func (p *spanScanner) add(a, b, times int64) int64 {
	sum := a + b
	if (a > 0) == (b > 0) && (sum > 0) != (a > 0) && a != 0 && b != 0 ||
		sum > math.MaxInt64/times || sum < math.MinInt64/times {
		p.ok = false
		return 0
	}
	return sum * times
}
