package temporal

import (
	"cmp"
	"math"
	"math/big"

	"github.com/evertdb/evert/pipeline/scalar/fault"
	"github.com/evertdb/evert/schema"
)

// An Interval is months, days and microseconds, which no calendar makes one.
type Interval struct {
	Months, Days int32
	Micros       int64
}

// Of reads an interval's value.
func Of(v schema.Value) Interval {
	m, d, us := v.Interval()
	return Interval{m, d, us}
}

// Value packs i.
func (i Interval) Value() schema.Value { return schema.Interval(i.Months, i.Days, i.Micros) }

func outOfRange() error { return fault.DatetimeRange("interval") }

// Compare orders intervals with months of 30 days and days of 24 hours.
func (i Interval) Compare(j Interval) int {
	dayI, restI := i.span()
	dayJ, restJ := j.span()
	if c := cmp.Compare(dayI, dayJ); c != 0 {
		return c
	}
	return cmp.Compare(restI, restJ)
}

// span gives whole days and the microseconds of the last one, never negative.
func (i Interval) span() (days, micros int64) {
	days, micros = schema.SplitMicros(i.Micros)
	return days + int64(i.Months)*30 + int64(i.Days), micros
}

// Neg is -i.
func (i Interval) Neg() (Interval, error) {
	if i.Months == math.MinInt32 || i.Days == math.MinInt32 || i.Micros == math.MinInt64 {
		return i, outOfRange()
	}
	return Interval{-i.Months, -i.Days, -i.Micros}, nil
}

// Add is i + j, part by part.
func (i Interval) Add(j Interval) (Interval, error) {
	micros, ok := add(i.Micros, j.Micros)
	return build(int64(i.Months)+int64(j.Months), int64(i.Days)+int64(j.Days), micros, ok)
}

// Sub is i - j, part by part.
func (i Interval) Sub(j Interval) (Interval, error) {
	micros := i.Micros - j.Micros
	ok := (micros < i.Micros) == (j.Micros > 0)
	return build(int64(i.Months)-int64(j.Months), int64(i.Days)-int64(j.Days), micros, ok)
}

func build(months, days, micros int64, ok bool) (Interval, error) {
	if !ok || months != int64(int32(months)) || days != int64(int32(days)) {
		return Interval{}, outOfRange()
	}
	return Interval{int32(months), int32(days), micros}, nil
}

// Mul is i · f. Fractions of months go to days of 30 to the month, fractions of
// days to microseconds, as doubles have them.
func (i Interval) Mul(f float64) (Interval, error) {
	return i.times(func(n float64) float64 { return float64(n * f) })
}

// Div is i / f.
func (i Interval) Div(f float64) (Interval, error) {
	if f == 0 {
		return i, fault.DivisionByZero()
	}
	return i.times(func(n float64) float64 { return n / f })
}

func (i Interval) times(by func(float64) float64) (Interval, error) {
	const secondsPerDay = 86_400
	months, days, micros := by(float64(i.Months)), by(float64(i.Days)), by(float64(i.Micros))
	if !fits32(months) || !fits32(days) {
		return i, outOfRange()
	}
	wholeMonths, wholeDays := math.Trunc(months), math.Trunc(days)
	extra := roundMicros((months - wholeMonths) * 30)
	seconds := roundMicros((days - wholeDays + extra - math.Trunc(extra)) * secondsPerDay)
	if math.Abs(seconds) >= secondsPerDay {
		more := math.Trunc(seconds / secondsPerDay)
		wholeDays += more
		seconds -= float64(more * secondsPerDay)
	}
	micros = math.RoundToEven(micros + float64(seconds*perSecond))
	if !fits64(micros) {
		return i, outOfRange()
	}
	return build(int64(wholeMonths), int64(wholeDays)+int64(extra), int64(micros), true)
}

func roundMicros(f float64) float64 { return math.RoundToEven(f*perSecond) / perSecond }

func fits32(f float64) bool { return f >= math.MinInt32 && f < -float64(math.MinInt32) }

func fits64(f float64) bool { return f >= math.MinInt64 && f < -float64(math.MinInt64) }

// JustifyHours makes whole days of 24 hours.
func (i Interval) JustifyHours() (Interval, error) {
	days, micros := i.Micros/perDay, i.Micros%perDay
	days += int64(i.Days)
	switch {
	case days > 0 && micros < 0:
		days, micros = days-1, micros+perDay
	case days < 0 && micros > 0:
		days, micros = days+1, micros-perDay
	}
	return build(int64(i.Months), days, micros, true)
}

// JustifyDays makes whole months of 30 days.
func (i Interval) JustifyDays() (Interval, error) {
	months, days := int64(i.Months)+int64(i.Days/30), int64(i.Days%30)
	switch {
	case months > 0 && days < 0:
		months, days = months-1, days+30
	case months < 0 && days > 0:
		months, days = months+1, days-30
	}
	return build(months, days, i.Micros, true)
}

// Justify does both and makes all parts of one sign.
func (i Interval) Justify() (Interval, error) {
	months, days, micros := int64(i.Months), int64(i.Days), i.Micros
	if days > 0 && micros > 0 || days < 0 && micros < 0 {
		months, days = months+days/30, days%30
	}
	days, micros = days+micros/perDay, micros%perDay
	months, days = months+days/30, days%30
	switch {
	case months > 0 && (days < 0 || days == 0 && micros < 0):
		months, days = months-1, days+30
	case months < 0 && (days > 0 || days == 0 && micros > 0):
		months, days = months+1, days-30
	}
	switch {
	case days > 0 && micros < 0:
		days, micros = days-1, micros+perDay
	case days < 0 && micros > 0:
		days, micros = days+1, micros-perDay
	}
	return build(months, days, micros, true)
}

// Round cuts to so many fractional digits of a second, rounding halves away
// from zero.
func (i Interval) Round(digits int) Interval {
	i.Micros = RoundMicros(i.Micros, digits)
	return i
}

// RoundMicros rounds microseconds to so many digits behind the second, halves
// away from zero. Infinities stay.
func RoundMicros(micros int64, digits int) int64 {
	if digits < 0 || digits >= 6 || IsInfinite(micros) {
		return micros
	}
	unit := int64(1)
	for range 6 - digits {
		unit *= 10
	}
	half := unit / 2
	if micros >= 0 {
		return (micros + half) / unit * unit
	}
	return -((-micros + half) / unit * unit)
}

// Total is all of i in microseconds, with years of 365.25 days, as EXTRACT(EPOCH)
// counts.
func (i Interval) Total() *big.Int {
	days4 := int64(i.Months/12)*1461 + int64(i.Months%12)*120 + int64(i.Days)*4
	total := new(big.Int).Mul(big.NewInt(days4), big.NewInt(perDay/4))
	return total.Add(total, big.NewInt(i.Micros))
}
