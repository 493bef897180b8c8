package temporal

import (
	"math"
	"strings"

	"github.com/evertdb/evert/pipeline/scalar/fault"
	"github.com/evertdb/evert/schema"
)

// Trunc is date_trunc of a timestamp.
func Trunc(field string, micros int64) (int64, error) {
	f := fieldOf(field)
	c := civilOf(micros)
	if IsInfinite(micros) && (clockUnit(f) > 0 || c.truncDay(f)) {
		return micros, nil
	}
	if unit := clockUnit(f); unit > 0 {
		c.micros = c.micros / unit * unit
	} else if !c.truncDay(f) {
		return 0, noField("timestamp")
	}
	out, ok := c.stamp()
	if !ok {
		return 0, fault.DatetimeRange("timestamp")
	}
	return out, nil
}

// clockUnit gives the microseconds of a unit of the clock, 0 for another field.
func clockUnit(f string) int64 {
	switch f {
	case "us":
		return 1
	case "ms":
		return 1000
	case "s":
		return perSecond
	case "m":
		return perMinute
	case "h":
		return perHour
	}
	return 0
}

func (c *civil) truncDay(f string) bool {
	c.micros = 0
	switch f {
	case "d":
		return true
	case "w":
		days := schema.Days(c.year, c.month, c.day)
		c.year, c.month, c.day = schema.Civil(days - weekday(days) + 1)
		return true
	case "mon":
		c.day = 1
		return true
	case "q":
		c.month, c.day = (c.month-1)/3*3+1, 1
		return true
	}
	c.month, c.day = 1, 1
	switch f {
	case "y":
	case "dec":
		c.year = decadeOf(c.year) * 10
	case "c":
		c.year = firstYear(c.year, 100)
	case "mil":
		c.year = firstYear(c.year, 1000)
	default:
		return false
	}
	return true
}

// firstYear is the first of a century or millennium.
func firstYear(year, length int64) int64 { return floorDiv(year-1, length)*length + 1 }

// Trunc is date_trunc of an interval.
func (i Interval) Trunc(field string) (Interval, error) {
	f := fieldOf(field)
	if unit := clockUnit(f); unit > 0 {
		i.Micros = i.Micros / unit * unit
		return i, nil
	}
	i.Micros = 0
	if f == "d" {
		return i, nil
	}
	i.Days = 0
	months := map[string]int32{"mon": 1, "q": 3, "y": 12, "dec": 120, "c": 1200, "mil": 12_000}[f]
	if months == 0 {
		return i, noField("interval")
	}
	i.Months = i.Months / months * months
	return i, nil
}

// FromEpoch is to_timestamp of seconds since 1970.
func FromEpoch(seconds float64) (int64, error) {
	switch {
	case math.IsNaN(seconds):
		return 0, fault.DatetimeRange("timestamp")
	case math.IsInf(seconds, 1):
		return schema.TimestampInfinity, nil
	case math.IsInf(seconds, -1):
		return schema.TimestampMinusInfinity, nil
	case seconds < minDate*86_400 || seconds >= (endStamp/perDay+epochDays)*86_400:
		return 0, fault.DatetimeRange("timestamp")
	}
	seconds -= epochDays * 86_400
	micros := int64(math.RoundToEven(seconds * perSecond))
	if !validStamp(micros) {
		return 0, fault.DatetimeRange("timestamp")
	}
	return micros, nil
}

// MakeDate puts a date together; negative years are before Christ.
func MakeDate(year, month, day int64) (int32, error) {
	if year < 0 {
		year++
	} else if year == 0 {
		return 0, fault.FieldOverflow()
	}
	if month < 1 || month > 12 || day < 1 || day > int64(monthDays(year, int(month))) {
		return 0, fault.FieldOverflow()
	}
	days := schema.Days(year, int(month), int(day))
	if !validDate(days) {
		return 0, fault.DatetimeRange("date")
	}
	return int32(days), nil
}

// MakeTime puts a time of day together.
func MakeTime(hour, minute int64, second float64) (int64, error) {
	micros := math.RoundToEven(second * perSecond)
	if hour < 0 || hour > 24 || minute < 0 || minute > 59 || !(micros >= 0 && micros <= perMinute) {
		return 0, fault.FieldOverflow()
	}
	sum := hour*perHour + minute*perMinute + int64(micros)
	if sum > perDay {
		return 0, fault.FieldOverflow()
	}
	return sum, nil
}

// MakeTimestamp puts year, month, day, hour, minute and second together.
func MakeTimestamp(fields [5]int64, second float64) (int64, error) {
	days, err := MakeDate(fields[0], fields[1], fields[2])
	if err != nil {
		return 0, err
	}
	clock, err := MakeTime(fields[3], fields[4], second)
	if err != nil {
		return 0, err
	}
	midnight, err := Midnight(int64(days))
	if err != nil {
		return 0, err
	}
	return Add(midnight, clock)
}

// MakeInterval puts an interval together.
func MakeInterval(years, months, weeks, days, hours, minutes int64, seconds float64) (Interval, error) {
	micros := math.RoundToEven(seconds * perSecond)
	if !fits64(micros) {
		return Interval{}, outOfRange()
	}
	sum, ok := add(hours*perHour+minutes*perMinute, int64(micros))
	return build(years*12+months, weeks*7+days, sum, ok)
}

// Zone gives the offset of a zone in microseconds. It knows UTC by its names;
// other zones change by laws.
func Zone(name string) (int64, error) {
	switch strings.ToLower(name) {
	case "utc", "gmt", "z", "zulu", "uct", "etc/utc", "etc/gmt":
		return 0, nil
	}
	return 0, fault.Unsupported("only the time zone UTC and fixed offsets are known; write AT TIME ZONE 'UTC' or AT TIME ZONE INTERVAL '2 hours'")
}
