package pgvalue

import "github.com/evertdb/evert/schema"

const (
	daysTo2000     = 10957 // from 1970-01-01 to 2000-01-01
	microsPerDay   = 86_400_000_000
	maxYear        = 5_874_897
	minTimestamp   = -211_813_488_000_000_000  // 4714-11-24 00:00 BC, the first timestamp of Postgres
	endOfTimestamp = 9_223_371_331_200_000_000 // 294277-01-01 00:00, which is none any more
)

// parseDate reads YYYY-MM-DD with years of four or more digits, perhaps " BC",
// or infinity, as days since 1970.
func parseDate(b []byte) (int32, bool) {
	switch string(b) {
	case "infinity":
		return schema.DateInfinity, true
	case "-infinity":
		return schema.DateMinusInfinity, true
	}
	b, bc := cutBC(b)
	days, rest, ok := parseDay(b, bc)
	return int32(days), ok && len(rest) == 0
}

// parseTimestamp reads a date, a space and a time, zoned with +00 behind it,
// perhaps " BC", or infinity, as microseconds since 2000.
func parseTimestamp(b []byte, zoned bool) (int64, bool) {
	switch string(b) {
	case "infinity":
		return schema.TimestampInfinity, true
	case "-infinity":
		return schema.TimestampMinusInfinity, true
	}
	b, bc := cutBC(b)
	days, rest, ok := parseDay(b, bc)
	if !ok || len(rest) == 0 || rest[0] != ' ' {
		return 0, false
	}
	micros, rest, ok := parseClock(rest[1:])
	if !ok || micros == microsPerDay {
		return 0, false
	}
	if zoned && string(rest) != "+00" || !zoned && len(rest) != 0 {
		return 0, false
	}
	days -= daysTo2000
	if days < minTimestamp/microsPerDay || days >= endOfTimestamp/microsPerDay {
		return 0, false
	}
	return days*microsPerDay + micros, true
}

func cutBC(b []byte) ([]byte, bool) {
	if n := len(b) - 3; n > 0 && b[n] == ' ' && b[n+1] == 'B' && b[n+2] == 'C' {
		return b[:n], true
	}
	return b, false
}

// parseDay reads a date off the front of b, as days since 1970.
func parseDay(b []byte, bc bool) (days int64, rest []byte, ok bool) {
	year, n := int64(0), 0
	for n < len(b) && n < 7 && b[n]-'0' <= 9 {
		year = year*10 + int64(b[n]-'0')
		n++
	}
	if n < 4 || n > 4 && b[0] == '0' || len(b) < n+6 || b[n] != '-' || b[n+3] != '-' || year == 0 {
		return 0, nil, false
	}
	month, ok1 := twoDigits(b[n+1:])
	day, ok2 := twoDigits(b[n+4:])
	if bc {
		year = 1 - year
	}
	if !ok1 || !ok2 || month < 1 || month > 12 || day < 1 || day > daysIn(year, month) || year > maxYear || year < -4713 {
		return 0, nil, false
	}
	return daysFromCivil(year, month, day), b[n+6:], true
}

func twoDigits(b []byte) (int64, bool) {
	hi, lo := b[0]-'0', b[1]-'0'
	return int64(hi)*10 + int64(lo), hi <= 9 && lo <= 9
}

func daysIn(year, month int64) int64 {
	switch month {
	case 2:
		if year%4 == 0 && (year%100 != 0 || year%400 == 0) {
			return 29
		}
		return 28
	case 4, 6, 9, 11:
		return 30
	}
	return 31
}

// daysFromCivil counts days since 1970-01-01 in the proleptic Gregorian
// calendar; year 0 is 1 BC. Years begin in March, so that the leap day is last.
func daysFromCivil(year, month, day int64) int64 {
	if month <= 2 {
		year--
	}
	era := floorDiv(year, 400)
	ofEra := year - era*400
	ofYear := (153*((month+9)%12)+2)/5 + day - 1
	return era*146097 + ofEra*365 + ofEra/4 - ofEra/100 + ofYear - 719468
}

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}

// parseClock reads HH:MM:SS and up to six fractional digits off the front of b,
// as microseconds; 24:00:00 is the end of the day.
func parseClock(b []byte) (micros int64, rest []byte, ok bool) {
	if len(b) < 8 || b[2] != ':' || b[5] != ':' {
		return 0, nil, false
	}
	h, ok1 := twoDigits(b)
	m, ok2 := twoDigits(b[3:])
	s, ok3 := twoDigits(b[6:])
	if !ok1 || !ok2 || !ok3 || h > 24 || m > 59 || s > 59 {
		return 0, nil, false
	}
	micros = (h*3600 + m*60 + s) * 1_000_000
	b = b[8:]
	if len(b) > 0 && b[0] == '.' {
		frac, n := int64(0), 1
		for ; n < len(b) && n <= 6 && b[n]-'0' <= 9; n++ {
			frac = frac*10 + int64(b[n]-'0')
		}
		if n == 1 || b[n-1] == '0' {
			return 0, nil, false // Postgres prints no trailing zeros
		}
		for i := n; i <= 6; i++ {
			frac *= 10
		}
		micros += frac
		b = b[n:]
	}
	return micros, b, micros <= microsPerDay
}
