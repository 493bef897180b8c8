package temporal

import (
	"math"
	"math/big"
	"strings"

	"github.com/evertdb/evert/pipeline/scalar/decimal"
	"github.com/evertdb/evert/pipeline/scalar/fault"
	"github.com/evertdb/evert/schema"
)

// A Source is what a field is extracted from.
type Source struct {
	Kind     schema.Kind
	Number   int64    // of dates, times and timestamps
	Interval Interval // of intervals
	Zoned    bool
}

// fieldOf gives the short name of a field in any spelling; "" if it is none.
func fieldOf(word string) string {
	word = strings.ToLower(word)
	if unit := unitOf(word); unit != "" {
		return unit
	}
	switch word {
	case "quarter", "qtr":
		return "q"
	case "epoch", "dow", "isodow", "doy", "isoyear":
		return word
	case "julian", "jd", "j":
		return "julian"
	case "timezone", "timezone_hour", "timezone_minute", "timezone_h", "timezone_m":
		return "zone"
	}
	return ""
}

func noField(typ string) error {
	return fault.New("22023", "unit not recognized or not supported for type %s", typ)
}

// Extract gives a field as EXTRACT does. ok is false where an infinite timestamp
// has no such field.
func Extract(field string, s Source) (d decimal.Decimal, ok bool, err error) {
	f := fieldOf(field)
	switch s.Kind {
	case schema.KindInterval:
		return s.Interval.extract(f)
	case schema.KindTime:
		d, ok = clockField(f, s.Number)
		if f == "epoch" {
			d, ok = decimal.New(s.Number, 6), true
		}
		if !ok {
			return d, false, noField("time")
		}
		return d, true, nil
	case schema.KindDate:
		return extractDate(f, s.Number)
	}
	return extractStamp(f, s)
}

func extractDate(f string, days int64) (d decimal.Decimal, ok bool, err error) {
	if IsInfiniteDate(days) {
		return endless(f, days > 0, "date")
	}
	switch f {
	case "epoch":
		return decimal.Int(days * (perDay / perSecond)), true, nil
	case "julian":
		return decimal.Int(days + julian1970), true, nil
	}
	n, ok := dayField(f, days)
	if !ok {
		return d, false, noField("date")
	}
	return decimal.Int(n), true, nil
}

// julian1970 is the Julian day number of 1970-01-01.
const julian1970 = 2_440_588

func extractStamp(f string, s Source) (d decimal.Decimal, ok bool, err error) {
	if IsInfinite(s.Number) {
		return endless(f, s.Number > 0, "timestamp")
	}
	days, micros := schema.SplitMicros(s.Number)
	days += epochDays
	switch {
	case f == "epoch" && s.Number >= math.MaxInt64-schema.UnixEpoch2000:
		d, err = lateEpoch(s.Number)
		return d, err == nil, err
	case f == "epoch":
		n := new(big.Int).Add(big.NewInt(s.Number), big.NewInt(schema.UnixEpoch2000))
		return decimal.NewBig(n, 6), true, nil
	case f == "julian":
		part, err := decimal.Int(micros).Div(decimal.Int(perDay))
		if err != nil {
			return d, false, err
		}
		d, err = decimal.Int(days + julian1970).Add(part)
		return d, true, err
	case f == "zone" && s.Zoned:
		return d, true, nil
	}
	if d, ok = clockField(f, micros); ok {
		return d, true, nil
	}
	n, ok := dayField(f, days)
	if !ok {
		return d, false, noField("timestamp")
	}
	return decimal.Int(n), true, nil
}

// lateEpoch is for timestamps whose microseconds since 1970 do not fit 64 bits.
// Postgres divides them, and the quotient has fewer digits than they need.
func lateEpoch(micros int64) (decimal.Decimal, error) {
	sum, err := decimal.Int(micros).Add(decimal.Int(schema.UnixEpoch2000))
	if err != nil {
		return sum, err
	}
	if sum, err = sum.Div(decimal.Int(perSecond)); err != nil {
		return sum, err
	}
	return sum.Round(6)
}

// endless gives the fields of an infinity: those that grow for ever are infinite,
// the others NULL.
func endless(f string, later bool, typ string) (d decimal.Decimal, ok bool, err error) {
	switch f {
	case "y", "dec", "c", "mil", "isoyear", "julian", "epoch":
		if later {
			return decimal.Infinity(1), true, nil
		}
		return decimal.Infinity(-1), true, nil
	case "h", "m", "s", "ms", "us":
		if typ == "date" {
			return d, false, noField(typ)
		}
	case "zone":
		if typ == "date" {
			return d, false, noField(typ)
		}
	case "":
		return d, false, noField(typ)
	}
	return d, false, nil
}

// clockField gives the fields of a time of day.
func clockField(f string, micros int64) (d decimal.Decimal, ok bool) {
	second := micros % perMinute
	switch f {
	case "us":
		return decimal.Int(second), true
	case "ms":
		return decimal.New(second, 3), true
	case "s":
		return decimal.New(second, 6), true
	case "m":
		return decimal.Int(micros / perMinute % 60), true
	case "h":
		return decimal.Int(micros / perHour), true
	}
	return d, false
}

// dayField gives the fields of a date.
func dayField(f string, days int64) (int64, bool) {
	year, month, day := schema.Civil(days)
	switch f {
	case "d":
		return int64(day), true
	case "mon":
		return int64(month), true
	case "q":
		return int64(month-1)/3 + 1, true
	case "y":
		return shown(year), true
	case "dec":
		return decadeOf(year), true
	case "c":
		return ageOf(year, 100), true
	case "mil":
		return ageOf(year, 1000), true
	case "dow":
		return weekday(days) % 7, true
	case "isodow":
		return weekday(days), true
	case "doy":
		return days - schema.Days(year, 1, 1) + 1, true
	case "w":
		_, week := isoWeek(days)
		return week, true
	case "isoyear":
		y, _ := isoWeek(days)
		return shown(y), true
	}
	return 0, false
}

// shown is a year as people count: 1 BC is -1.
func shown(year int64) int64 {
	if year <= 0 {
		return year - 1
	}
	return year
}

func decadeOf(year int64) int64 { return floorDiv(year, 10) }

// ageOf counts centuries and millennia; the first begins in the year 1.
func ageOf(year, length int64) int64 {
	if year > 0 {
		return (year + length - 1) / length
	}
	return -((length - 1 - (year - 1)) / length)
}

// weekday is 1 for Monday to 7 for Sunday.
func weekday(days int64) int64 { return days + 3 - floorDiv(days+3, 7)*7 + 1 }

// isoWeek gives the ISO year and week: that of the week's Thursday.
func isoWeek(days int64) (year, week int64) {
	thursday := days - weekday(days) + 4
	year, _, _ = schema.Civil(thursday)
	return year, (thursday-schema.Days(year, 1, 1))/7 + 1
}

func (i Interval) extract(f string) (d decimal.Decimal, ok bool, err error) {
	if d, ok = clockField(f, i.Micros); ok {
		return d, true, nil
	}
	if f == "epoch" {
		return decimal.NewBig(i.Total(), 6), true, nil
	}
	n, ok := i.field(f)
	if !ok {
		return d, false, noField("interval")
	}
	return decimal.Int(n), true, nil
}

func (i Interval) field(f string) (int64, bool) {
	years, months := int64(i.Months/12), int64(i.Months%12)
	switch f {
	case "d":
		return int64(i.Days), true
	case "mon":
		return months, true
	case "q":
		return months/3 + 1, true
	case "y":
		return years, true
	case "dec":
		return years / 10, true
	case "c":
		return years / 100, true
	case "mil":
		return years / 1000, true
	}
	return 0, false
}

// Part gives a field as date_part does: the same as a double.
func Part(field string, s Source) (f float64, ok bool, err error) {
	d, ok, err := Extract(field, s)
	if err != nil || !ok {
		return 0, ok, err
	}
	if d.IsInf() {
		return math.Inf(d.Sign()), true, nil
	}
	name := fieldOf(field)
	switch {
	case name == "epoch" && s.Kind == schema.KindInterval:
		return s.Interval.seconds(), true, nil
	case name == "epoch" && s.Kind == schema.KindTimestamp:
		return epochOf(s.Number), true, nil
	case name == "julian" && s.Kind == schema.KindTimestamp:
		return julianOf(s.Number), true, nil
	case name == "s" || name == "ms":
		return splitSecond(name, d), true, nil
	}
	n, _ := new(big.Float).SetInt(d.Coefficient()).Float64()
	for range d.Scale() / 3 {
		n /= 1000
	}
	if d.Scale() == 6 {
		n, _ = new(big.Float).SetInt(d.Coefficient()).Float64()
		n /= perSecond
	}
	return n, true, nil
}

func epochOf(micros int64) float64 {
	if micros < math.MaxInt64-schema.UnixEpoch2000 {
		return float64(micros+schema.UnixEpoch2000) / perSecond
	}
	return (float64(micros) + schema.UnixEpoch2000) / perSecond
}

// julianOf adds the time of day to the Julian day in the order Postgres does.
func julianOf(micros2000 int64) float64 {
	days, micros := schema.SplitMicros(micros2000)
	minutes := micros / perMinute
	fraction := float64(micros%perSecond) / perSecond
	seconds := float64(minutes*60+micros%perMinute/perSecond) + fraction
	part := seconds / 86_400
	return float64(days+epochDays+julian1970) + part
}

// splitSecond adds whole seconds and their fraction, as doubles.
func splitSecond(name string, d decimal.Decimal) float64 {
	micros, _ := d.Small()
	whole, rest := float64(micros/perSecond), float64(micros%perSecond)
	if name == "s" {
		fraction := rest / perSecond
		return whole + fraction
	}
	return float64(whole*1000) + rest/1000
}

// seconds adds an interval's parts, as doubles. Here and elsewhere a product that
// goes into a sum is converted, which keeps compilers from rounding the two at
// once.
func (i Interval) seconds() float64 {
	const day = 86_400.0
	sum := float64(i.Micros) / perSecond
	sum += float64(365.25 * day * float64(i.Months/12))
	sum += float64(30 * day * float64(i.Months%12))
	return sum + float64(day*float64(i.Days))
}
