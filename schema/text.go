package schema

import (
	"encoding/hex"
	"strconv"
)

// AppendText appends v, a value of type t, exactly as Postgres prints it with
// the settings Evert runs its sessions under (DateStyle ISO, bytea_output hex,
// IntervalStyle postgres, TimeZone UTC, shortest floats). NULL and unknown values have no text: nothing
// is appended.
func (t *Type) AppendText(dst []byte, v Value) []byte {
	switch v.kind {
	case KindBool:
		return append(dst, "ft"[v.num&1])
	case KindInt:
		return strconv.AppendInt(dst, v.Int(), 10)
	case KindFloat:
		return appendFloat(dst, v.Float(), t.Bits)
	case KindDate:
		return appendDate(dst, v.Int())
	case KindTime:
		return AppendTimeOfDay(dst, v.Int())
	case KindTimestamp:
		return appendTimestamp(dst, v.Int(), t.Zoned)
	case KindBytes:
		return hex.AppendEncode(append(dst, `\x`...), v.Ref())
	case KindUUID:
		return AppendUUID(dst, v.Ref())
	case KindArray:
		return t.appendArray(dst, v)
	case KindInterval:
		return appendInterval(dst, v)
	}
	return append(dst, v.Ref()...) // decimal, text, json: as the source prints them
}

func appendDate(dst []byte, days int64) []byte {
	switch days {
	case DateInfinity:
		return append(dst, "infinity"...)
	case DateMinusInfinity:
		return append(dst, "-infinity"...)
	}
	dst, bc := appendDay(dst, days)
	return appendEra(dst, bc)
}

func appendTimestamp(dst []byte, micros2000 int64, zoned bool) []byte {
	switch micros2000 {
	case TimestampInfinity:
		return append(dst, "infinity"...)
	case TimestampMinusInfinity:
		return append(dst, "-infinity"...)
	}
	days, rest := SplitMicros(micros2000)
	dst, bc := appendDay(dst, days+UnixEpoch2000/MicrosPerDay)
	dst = AppendTimeOfDay(append(dst, ' '), rest)
	if zoned {
		dst = append(dst, "+00"...)
	}
	return appendEra(dst, bc)
}

// appendDay writes year, month and day; bc says that the year is one before
// Christ and still has to be marked so.
func appendDay(dst []byte, days int64) (longer []byte, bc bool) {
	year, month, day := Civil(days)
	if year <= 0 {
		year, bc = 1-year, true
	}
	dst = append(AppendPadded(dst, year, 4), '-')
	dst = append(AppendPadded(dst, int64(month), 2), '-')
	return AppendPadded(dst, int64(day), 2), bc
}

func appendEra(dst []byte, bc bool) []byte {
	if bc {
		return append(dst, " BC"...)
	}
	return dst
}

// AppendTimeOfDay appends microseconds since midnight as HH:MM:SS, and as many
// fractional digits as are not trailing zeros; a negative duration of MySQL behind a
// minus.
func AppendTimeOfDay(dst []byte, micros int64) []byte {
	if micros < 0 {
		dst, micros = append(dst, '-'), -micros
	}
	dst = AppendClock(dst, micros)
	frac := micros % 1_000_000
	if frac == 0 {
		return dst
	}
	dst = AppendPadded(append(dst, '.'), frac, 6)
	for dst[len(dst)-1] == '0' {
		dst = dst[:len(dst)-1]
	}
	return dst
}

// AppendClock appends microseconds since midnight as HH:MM:SS and leaves out
// the fraction.
func AppendClock(dst []byte, micros int64) []byte {
	secs := micros / 1_000_000
	dst = append(AppendPadded(dst, secs/3600, 2), ':')
	dst = append(AppendPadded(dst, secs/60%60, 2), ':')
	return AppendPadded(dst, secs%60, 2)
}

// AppendUUID appends 16 bytes in the canonical form, 8-4-4-4-12 hex digits.
// Anything but 16 bytes is appended in hex as it is.
func AppendUUID(dst []byte, b []byte) []byte {
	if len(b) != 16 {
		return hex.AppendEncode(dst, b)
	}
	dst = append(hex.AppendEncode(dst, b[:4]), '-')
	dst = append(hex.AppendEncode(dst, b[4:6]), '-')
	dst = append(hex.AppendEncode(dst, b[6:8]), '-')
	dst = append(hex.AppendEncode(dst, b[8:10]), '-')
	return hex.AppendEncode(dst, b[10:])
}

// AppendPadded appends a number that is not negative with at least width digits.
func AppendPadded(dst []byte, n int64, width int) []byte {
	switch { // of clocks and days
	case width == 2 && n < 100:
		return appendPair(dst, n)
	case width == 4 && n < 10_000:
		return appendPair(appendPair(dst, n/100), n%100)
	case width == 6 && n < 1_000_000:
		return appendPair(appendPair(appendPair(dst, n/10_000), n/100%100), n%100)
	}
	var text [20]byte
	at := len(text)
	for ; n > 0 || width > 0; width-- {
		at--
		text[at] = byte('0' + n%10)
		n /= 10
	}
	return append(dst, text[at:]...)
}

// appendPair appends two digits.
func appendPair(dst []byte, n int64) []byte { return append(dst, byte('0'+n/10), byte('0'+n%10)) }
