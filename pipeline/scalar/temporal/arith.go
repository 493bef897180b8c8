package temporal

import (
	"math"

	"github.com/evertdb/evert/pipeline/scalar/fault"
	"github.com/evertdb/evert/schema"
)

// AddInterval is a timestamp + i: months first, to the last day of a shorter
// month, then days, then microseconds.
func AddInterval(micros int64, i Interval) (int64, error) {
	if IsInfinite(micros) {
		return micros, nil
	}
	c := civilOf(micros)
	if i.Months != 0 {
		n := c.year*12 + int64(c.month-1) + int64(i.Months)
		c.year, c.month = floorDiv(n, 12), int(n-floorDiv(n, 12)*12)+1
		c.day = min(c.day, monthDays(c.year, c.month))
	}
	shifted, ok := c.stamp()
	if !ok {
		return 0, fault.DatetimeRange("timestamp")
	}
	days, rest := schema.SplitMicros(shifted)
	days += int64(i.Days)
	if days < minStamp/perDay-1 || days > endStamp/perDay {
		return 0, fault.DatetimeRange("timestamp")
	}
	shifted, ok = add(days*perDay, rest)
	if !ok || !validStamp(shifted) {
		return 0, fault.DatetimeRange("timestamp")
	}
	sum, ok := add(shifted, i.Micros)
	if !ok || !validStamp(sum) {
		return 0, fault.DatetimeRange("timestamp")
	}
	return sum, nil
}

// SubInterval is a timestamp - i.
func SubInterval(micros int64, i Interval) (int64, error) {
	neg, err := i.Neg()
	if err != nil {
		return 0, err
	}
	return AddInterval(micros, neg)
}

// Diff is a - b in days and hours.
func Diff(a, b int64) (Interval, error) {
	if IsInfinite(a) || IsInfinite(b) {
		return Interval{}, fault.New("22008", "cannot subtract infinite timestamps")
	}
	d := a - b
	if (d < a) != (b > 0) {
		return Interval{}, outOfRange()
	}
	return Interval{Micros: d}.JustifyHours()
}

// DateDiff is a - b in days.
func DateDiff(a, b int64) (int64, error) {
	if IsInfiniteDate(a) || IsInfiniteDate(b) {
		return 0, fault.New("22008", "cannot subtract infinite dates")
	}
	return a - b, nil
}

// AddDays is a date + n.
func AddDays(date, n int64) (int32, error) {
	if IsInfiniteDate(date) {
		return int32(date), nil
	}
	if !validDate(date + n) {
		return 0, fault.DatetimeRange("date")
	}
	return int32(date + n), nil
}

// Midnight is the timestamp at which a date begins.
func Midnight(date int64) (int64, error) {
	switch {
	case date == schema.DateInfinity:
		return schema.TimestampInfinity, nil
	case date == schema.DateMinusInfinity:
		return schema.TimestampMinusInfinity, nil
	case date-epochDays >= endStamp/perDay:
		return 0, fault.DatetimeRange("date out of range for timestamp: date")
	}
	return (date - epochDays) * perDay, nil
}

// CompareDate orders a date and a timestamp; dates after the last timestamp are
// greater than all but infinity.
func CompareDate(date, micros int64) int {
	at, err := Midnight(date)
	switch {
	case err != nil && micros == schema.TimestampInfinity:
		return -1
	case err != nil || at > micros:
		return 1
	case at < micros:
		return -1
	}
	return 0
}

// DateOf is the date of a timestamp.
func DateOf(micros int64) int32 {
	switch micros {
	case schema.TimestampInfinity:
		return schema.DateInfinity
	case schema.TimestampMinusInfinity:
		return schema.DateMinusInfinity
	}
	days, _ := schema.SplitMicros(micros)
	return int32(days + epochDays)
}

// ClockOf is the time of day of a timestamp.
func ClockOf(micros int64) int64 {
	_, rest := schema.SplitMicros(micros)
	return rest
}

// AddClock is a time of day + microseconds, around the clock.
func AddClock(clock, micros int64) int64 {
	sum := (clock + micros%perDay) % perDay
	if sum < 0 {
		sum += perDay
	}
	return sum
}

// Add is a timestamp + microseconds.
func Add(micros, more int64) (int64, error) {
	if IsInfinite(micros) {
		return micros, nil
	}
	sum, ok := add(micros, more)
	if !ok || !validStamp(sum) {
		return 0, fault.DatetimeRange("timestamp")
	}
	return sum, nil
}

// CheckedStamp refuses a timestamp out of the type's range.
func CheckedStamp(micros int64) (int64, error) {
	if !IsInfinite(micros) && !validStamp(micros) {
		return 0, fault.DatetimeRange("timestamp")
	}
	return micros, nil
}

// Age is a - b in years, months, days and time, counted on the calendar.
func Age(a, b int64) (Interval, error) {
	if IsInfinite(a) || IsInfinite(b) {
		return Interval{}, outOfRange()
	}
	low, high, sign := b, a, int64(1)
	if a < b {
		low, high, sign = a, b, -1
	}
	from, to := civilOf(low), civilOf(high)
	micros := to.micros - from.micros
	days := int64(to.day - from.day)
	months := (to.year-from.year)*12 + int64(to.month-from.month)
	if micros < 0 {
		micros, days = micros+perDay, days-1
	}
	for days < 0 {
		days += int64(monthDays(from.year, from.month))
		months--
	}
	return build(sign*months, sign*days, sign*micros, true)
}

// Bin is the start of the interval of length stride that micros lies in, where
// one starts at origin.
func Bin(stride Interval, micros, origin int64) (int64, error) {
	if IsInfinite(micros) {
		return micros, nil
	}
	if IsInfinite(origin) {
		return 0, fault.New("22008", "origin out of range")
	}
	if stride.Months != 0 {
		return 0, fault.New("0A000", "timestamps cannot be binned into intervals containing months or years")
	}
	days := int64(stride.Days)
	size, ok := add(days*perDay, stride.Micros)
	diff := micros - origin
	switch {
	case !ok || days > math.MaxInt64/perDay || days < math.MinInt64/perDay || (diff < micros) != (origin > 0):
		return 0, outOfRange()
	case size <= 0:
		return 0, fault.New("22008", "stride must be greater than zero")
	}
	rest := diff % size
	if rest < 0 {
		rest += size
	}
	return CheckedStamp(micros - rest)
}

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}
