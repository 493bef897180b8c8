// Package temporal computes with dates, times, timestamps and intervals as
// Postgres does under TimeZone UTC, and reads their literals.
//
// Dates are days since 1970-01-01, timestamps microseconds since 2000-01-01, as
// in schema.Value; both have infinities, which are the ends of their range.
//
// Literals of dates and timestamps are read in ISO 8601's order, as Postgres
// prints them. What Postgres would also take (names of months, other orders, names
// of zones) is refused: with state 0A000 where it looks like one, because it
// depends on DateStyle or on a zone database.
package temporal

import (
	"github.com/evertdb/evert/schema"
)

// The ranges of Postgres's types.
const (
	minDate  = -2_440_588    // 4714-11-24 BC
	maxDate  = 2_145_042_905 // 5874897-12-31
	minStamp = -211_813_488_000_000_000
	endStamp = 9_223_371_331_200_000_000 // 294277-01-01, not included

	perSecond = 1_000_000
	perMinute = 60 * perSecond
	perHour   = 60 * perMinute
	perDay    = schema.MicrosPerDay

	epochDays = schema.UnixEpoch2000 / perDay // from 1970 to 2000
)

// IsInfinite reports whether a timestamp is one of the infinities.
func IsInfinite(micros int64) bool {
	return micros == schema.TimestampInfinity || micros == schema.TimestampMinusInfinity
}

// IsInfiniteDate reports whether a date is one of the infinities.
func IsInfiniteDate(days int64) bool {
	return days == schema.DateInfinity || days == schema.DateMinusInfinity
}

func validStamp(micros int64) bool { return micros >= minStamp && micros < endStamp }

func validDate(days int64) bool { return days >= minDate && days <= maxDate }

// A civil is a timestamp taken apart.
type civil struct {
	year       int64 // astronomical: 0 is 1 BC
	month, day int
	micros     int64 // since midnight
}

func civilOf(micros2000 int64) civil {
	days, rest := schema.SplitMicros(micros2000)
	c := civil{micros: rest}
	c.year, c.month, c.day = schema.Civil(days + epochDays)
	return c
}

// stamp puts c together; ok is false outside of the type's range.
func (c civil) stamp() (micros2000 int64, ok bool) {
	days := schema.Days(c.year, c.month, c.day) - epochDays
	if days < minStamp/perDay || days > endStamp/perDay {
		return 0, false
	}
	micros2000, ok = add(days*perDay, c.micros)
	return micros2000, ok && validStamp(micros2000)
}

func isLeap(year int64) bool { return year%4 == 0 && (year%100 != 0 || year%400 == 0) }

func monthDays(year int64, month int) int {
	switch month {
	case 2:
		if isLeap(year) {
			return 29
		}
		return 28
	case 4, 6, 9, 11:
		return 30
	}
	return 31
}

func add(a, b int64) (int64, bool) {
	sum := a + b
	return sum, (sum > a) == (b > 0)
}
