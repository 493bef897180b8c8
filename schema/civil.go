package schema

// Days are counted in the proleptic Gregorian calendar, as Postgres does; years
// are astronomical: 0 is 1 BC.

// Civil splits a day, counted since 1970-01-01, into its year, month (1 to 12)
// and day of the month. The method counts from 0000-03-01, so that leap days
// come last, in eras of 400 years.
func Civil(days int64) (year int64, month, day int) {
	z := days + 719_468
	era := floorDiv(z, 146_097)
	doe := z - era*146_097
	yoe := (doe - doe/1460 + doe/36_524 - doe/146_096) / 365
	doy := doe - (365*yoe + yoe/4 - yoe/100)
	mp := (5*doy + 2) / 153
	day = int(doy - (153*mp+2)/5 + 1)
	year = yoe + era*400
	if mp < 10 {
		return year, int(mp + 3), day
	}
	return year + 1, int(mp - 9), day
}

// Days is the inverse of Civil. Its result is that of the day given even if the
// month does not have so many.
func Days(year int64, month, day int) int64 {
	mp := int64(month) - 3
	if month < 3 {
		year, mp = year-1, mp+12
	}
	era := floorDiv(year, 400)
	yoe := year - era*400
	doy := (153*mp+2)/5 + int64(day) - 1
	return era*146_097 + yoe*365 + yoe/4 - yoe/100 + doy - 719_468
}

// MicrosPerDay is the length of a day; there are no leap seconds.
const MicrosPerDay = 86_400_000_000

// SplitMicros splits microseconds since some midnight into whole days and the
// rest, which is never negative.
func SplitMicros(micros int64) (days, rest int64) {
	days = floorDiv(micros, MicrosPerDay)
	return days, micros - days*MicrosPerDay
}

// floorDiv divides by a positive number and rounds down.
func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}
