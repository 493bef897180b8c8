package terminal

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Bytes prints a size in binary units with three digits: 512 B, 1.50 KiB.
func Bytes(n int64) string {
	if n > -1024 && n < 1024 {
		return strconv.FormatInt(n, 10) + " B"
	}
	v, unit := float64(n), 0
	for ; (v >= 1024 || v <= -1024) && unit < 5; unit++ {
		v /= 1024
	}
	return digits(v) + " " + string("KMGTP"[unit-1]) + "iB"
}

// Count prints a number with a comma after every third digit.
func Count(n int64) string {
	s := strconv.FormatInt(n, 10)
	sign := ""
	if n < 0 {
		sign, s = "-", s[1:]
	}
	var b strings.Builder
	for i, c := range s {
		if i > 0 && (len(s)-i)%3 == 0 {
			b.WriteByte(',')
		}
		b.WriteRune(c)
	}
	return sign + b.String()
}

// Rate prints a number per second.
func Rate(perSecond float64) string {
	if perSecond >= 100 {
		return Count(int64(perSecond+0.5)) + "/s"
	}
	return digits(perSecond) + "/s"
}

// Duration prints a span with the unit that suits it: 3.2 ms, 45 s, 2 h 05 min.
func Duration(d time.Duration) string {
	switch {
	case d < 0:
		return "-" + Duration(-d)
	case d < time.Microsecond:
		return strconv.FormatInt(d.Nanoseconds(), 10) + " ns"
	case d < time.Millisecond:
		return digits(float64(d)/float64(time.Microsecond)) + " µs"
	case d < time.Second:
		return digits(float64(d)/float64(time.Millisecond)) + " ms"
	case d < time.Minute:
		return digits(d.Seconds()) + " s"
	case d < time.Hour:
		return fmt.Sprintf("%d min %02d s", int(d.Minutes()), int(d.Seconds())%60)
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h %02d min", int(d.Hours()), int(d.Minutes())%60)
	}
	return fmt.Sprintf("%d days", int(d.Hours()/24))
}

// digits prints about three significant digits.
func digits(v float64) string {
	switch {
	case v == 0:
		return "0"
	case v >= 100 || v <= -100:
		return strconv.FormatFloat(v, 'f', 0, 64)
	case v >= 10 || v <= -10:
		return strconv.FormatFloat(v, 'f', 1, 64)
	}
	return strconv.FormatFloat(v, 'f', 2, 64)
}

// Position says where a source is: its native position, and how many of its transactions
// that is. native is empty as long as nothing is complete.
func Position(native string, seq uint64) string {
	if native == "" {
		return "nothing is complete yet"
	}
	return native + ", transaction " + Count(int64(seq))
}

// RowsCopied says how far a copy is.
func RowsCopied(rows, total int64) string {
	if total > 0 {
		return fmt.Sprintf("%s of about %s rows copied", Count(rows), Count(total))
	}
	return Count(rows) + " rows copied"
}
