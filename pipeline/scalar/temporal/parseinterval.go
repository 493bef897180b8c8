package temporal

import (
	"math"
	"strconv"
	"strings"

	"github.com/evertdb/evert/pipeline/scalar/fault"
)

// ParseInterval reads an interval as Postgres prints it, with units in any of
// their spellings (1 year 2 mons -3 days 04:05:06.7 ago), or in ISO 8601 with
// designators (P1Y2M3DT4H5M6.7S).
func ParseInterval(text []byte) (Interval, error) {
	s := strings.ToLower(strings.Trim(string(text), " \t\n\v\f\r"))
	switch s {
	case "infinity", "+infinity", "-infinity":
		return Interval{}, fault.Unsupported("infinite intervals, which version 17 has, are not known here")
	}
	p := spanReader{}
	ok := false
	if strings.HasPrefix(s, "p") {
		ok = p.iso(s[1:])
	} else {
		ok = p.verbose(s)
	}
	switch {
	case p.overflow:
		return Interval{}, fault.New("22015", "interval field value out of range")
	case !ok:
		return Interval{}, fault.BadDatetime("interval")
	}
	return p.sum()
}

// A spanReader adds up the parts of an interval.
type spanReader struct {
	months, days, micros int64
	overflow             bool
	seen                 map[string]bool
}

func (p *spanReader) sum() (Interval, error) {
	i, err := build(p.months, p.days, p.micros, !p.overflow)
	if err != nil {
		return i, fault.New("22015", "interval field value out of range")
	}
	return i, nil
}

// verbose reads fields from the right: a bare number is of seconds, or of days
// where a clock follows it.
func (p *spanReader) verbose(s string) bool {
	fields, ok := splitFields(s)
	if !ok || len(fields) == 0 {
		return false
	}
	p.seen = map[string]bool{}
	unit, ago := "s", false
	for i := len(fields) - 1; i >= 0; i-- {
		f := fields[i]
		switch {
		case f == "ago" && i == len(fields)-1 && len(fields) > 1:
			ago = true
		case isClock(f):
			if !p.clock(f) {
				return false
			}
			unit = "d"
		case isNumber(f):
			if unit == "" || !p.add(unit, f) {
				return false
			}
			unit = ""
			if i > 0 && isNumber(fields[i-1]) {
				return false
			}
		default:
			if unit = unitOf(f); unit == "" || i == 0 {
				return false
			}
			if !isNumber(fields[i-1]) {
				return false
			}
		}
	}
	if ago {
		p.months, p.days, p.micros = -p.months, -p.days, -p.micros
	}
	return true
}

// splitFields cuts numbers from the words they stand before.
func splitFields(s string) ([]string, bool) {
	var fields []string
	for s != "" {
		c := s[0]
		end := 1
		switch {
		case c == ' ' || c >= '\t' && c <= '\r' || c == '@' && len(fields) == 0:
			s = s[1:]
			continue
		case c == '+' || c == '-':
			for end < len(s) && s[end] == ' ' {
				end++
			}
			s, end = string(c)+s[end:], 1
			fallthrough
		case isDigit(c) || c == '.':
			for end < len(s) && (isDigit(s[end]) || s[end] == '.' || s[end] == ':') {
				end++
			}
			if end < len(s) && s[end] == '-' && isDigit(s[end-1]) {
				return nil, false // SQL's year-month form, read by splitYearMonth
			}
		case c >= 'a' && c <= 'z':
			for end < len(s) && s[end] >= 'a' && s[end] <= 'z' {
				end++
			}
		default:
			return nil, false
		}
		fields, s = append(fields, s[:end]), s[end:]
	}
	return fields, true
}

func isClock(f string) bool { return strings.Contains(f, ":") }

func isNumber(f string) bool {
	f = strings.TrimLeft(f, "+-")
	return f != "" && (isDigit(f[0]) || f[0] == '.')
}

// clock reads hours:minutes[:seconds[.fraction]], or minutes:seconds.fraction.
func (p *spanReader) clock(f string) bool {
	if p.seen["clock"] || p.seen["h"] || p.seen["m"] || p.seen["s"] {
		return false
	}
	p.seen["clock"] = true
	neg := strings.HasPrefix(f, "-")
	parts := strings.Split(strings.TrimLeft(f, "+-"), ":")
	if len(parts) == 2 && strings.Contains(parts[1], ".") {
		parts = append([]string{"0"}, parts...)
	}
	if len(parts) == 2 {
		parts = append(parts, "0")
	}
	if len(parts) != 3 {
		return false
	}
	hours, errH := strconv.ParseInt(parts[0], 10, 64)
	minutes, errM := strconv.ParseInt(parts[1], 10, 64)
	whole, frac, okS := decimalParts(parts[2])
	if errH != nil || errM != nil || !okS {
		p.overflow = p.overflow || okS && onlyDigits(parts[0]) && onlyDigits(parts[1])
		return false
	}
	fraction := int64(math.RoundToEven(frac * perSecond))
	if minutes > 59 || whole > 59 && !(whole == 60 && fraction == 0) {
		p.overflow = true
		return false
	}
	p.overflow = p.overflow || hours > math.MaxInt64/perHour
	micros, ok := add(hours*perHour, minutes*perMinute+whole*perSecond+fraction)
	p.overflow = p.overflow || !ok
	if neg {
		micros = -micros
	}
	p.addMicros(micros)
	return true
}

func onlyDigits(s string) bool { return s != "" && strings.Trim(s, "0123456789") == "" }

// add puts a number of a unit to its part; each unit may come once.
func (p *spanReader) add(unit, number string) bool {
	if p.seen[unit] || p.seen["clock"] && (unit == "h" || unit == "m" || unit == "s") {
		return false
	}
	p.seen[unit] = true
	neg := strings.HasPrefix(number, "-")
	whole, frac, ok := decimalParts(strings.TrimLeft(number, "+-"))
	if !ok {
		p.overflow = onlyDigits(strings.TrimLeft(number, "+-"))
		return false
	}
	if neg {
		whole, frac = -whole, -frac
	}
	return p.part(unit, whole, frac)
}

// decimalParts reads digits and a fraction.
func decimalParts(s string) (whole int64, frac float64, ok bool) {
	w, f, point := strings.Cut(s, ".")
	if w == "" && f == "" || strings.Trim(w, "0123456789") != "" || strings.Trim(f, "0123456789") != "" {
		return 0, 0, false
	}
	if w != "" {
		n, err := strconv.ParseInt(w, 10, 64)
		if err != nil {
			return 0, 0, false
		}
		whole = n
	}
	if point && f != "" {
		x, err := strconv.ParseFloat("0."+f, 64)
		if err != nil {
			return 0, 0, false
		}
		frac = x
	}
	return whole, frac, true
}

func (p *spanReader) part(unit string, whole int64, frac float64) bool {
	switch unit {
	case "us":
		p.addMicros(whole + int64(math.RoundToEven(frac)))
	case "ms":
		p.timed(whole, frac, 1000)
	case "s":
		p.timed(whole, frac, perSecond)
	case "m":
		p.timed(whole, frac, perMinute)
	case "h":
		p.timed(whole, frac, perHour)
	case "d":
		p.addDays(whole, 1)
		p.fractionMicros(frac, perDay)
	case "w":
		p.addDays(whole, 7)
		p.fractionDays(frac, 7)
	case "mon":
		p.addMonths(whole, 1)
		p.fractionDays(frac, 30)
	default:
		years := map[string]int64{"y": 1, "dec": 10, "c": 100, "mil": 1000}[unit]
		p.addMonths(whole, 12*years)
		p.months += int64(math.RoundToEven(frac * float64(12*years)))
	}
	return true
}

func (p *spanReader) timed(whole int64, frac float64, unit int64) {
	if whole > math.MaxInt64/unit || whole < math.MinInt64/unit {
		p.overflow = true
		return
	}
	p.addMicros(whole * unit)
	p.fractionMicros(frac, unit)
}

func (p *spanReader) addMicros(n int64) {
	sum, ok := add(p.micros, n)
	p.micros, p.overflow = sum, p.overflow || !ok
}

func (p *spanReader) addDays(n, times int64) {
	p.overflow = p.overflow || n > math.MaxInt32 || n < math.MinInt32
	p.days += n * times
}

func (p *spanReader) addMonths(n, times int64) {
	p.overflow = p.overflow || n > math.MaxInt32 || n < math.MinInt32
	p.months += n * times
}

// fractionDays gives whole days of a fraction of a unit, and the rest as time.
func (p *spanReader) fractionDays(frac float64, days int64) {
	frac = float64(frac * float64(days))
	whole := math.Trunc(frac)
	p.days += int64(whole)
	p.fractionMicros(frac-whole, perDay)
}

// fractionMicros rounds halves away from zero, past the half only.
func (p *spanReader) fractionMicros(frac float64, unit int64) {
	frac = float64(frac * float64(unit))
	whole := math.Trunc(frac)
	switch rest := frac - whole; {
	case rest > 0.5:
		whole++
	case rest < -0.5:
		whole--
	}
	p.addMicros(int64(whole))
}

// iso reads 1Y2M3W4DT5H6M7S.
func (p *spanReader) iso(s string) bool {
	units := map[byte]string{'y': "y", 'm': "mon", 'w': "w", 'd': "d"}
	if s == "" {
		return false
	}
	for s != "" {
		if s[0] == 't' {
			units = map[byte]string{'h': "h", 'm': "m", 's': "s"}
			s = s[1:]
			continue
		}
		end := 0
		for end < len(s) && (isDigit(s[end]) || s[end] == '.' || s[end] == '-' || s[end] == '+') {
			end++
		}
		if end == 0 || end == len(s) || units[s[end]] == "" {
			return false
		}
		number := s[:end]
		neg := strings.HasPrefix(number, "-")
		whole, frac, ok := decimalParts(strings.TrimPrefix(strings.TrimPrefix(number, "-"), "+"))
		if !ok {
			return false
		}
		if neg {
			whole, frac = -whole, -frac
		}
		p.part(units[s[end]], whole, frac)
		s = s[end+1:]
	}
	return true
}

// unitOf gives the short name of a unit in any spelling; "" if it is none.
func unitOf(word string) string {
	switch word {
	case "us", "usec", "usecs", "usecond", "useconds", "microsecon", "microsecond", "microseconds":
		return "us"
	case "ms", "msec", "msecs", "msecond", "mseconds", "millisecon", "millisecond", "milliseconds":
		return "ms"
	case "s", "sec", "secs", "second", "seconds":
		return "s"
	case "m", "min", "mins", "minute", "minutes":
		return "m"
	case "h", "hr", "hrs", "hour", "hours":
		return "h"
	case "d", "day", "days":
		return "d"
	case "w", "week", "weeks":
		return "w"
	case "mon", "mons", "month", "months":
		return "mon"
	case "y", "yr", "yrs", "year", "years":
		return "y"
	case "dec", "decs", "decade", "decades":
		return "dec"
	case "c", "cent", "century", "centuries":
		return "c"
	case "mil", "mils", "millennia", "millennium":
		return "mil"
	}
	return ""
}
