package pgvalue

import (
	"encoding/hex"
	"math"
	"strconv"

	"github.com/evertdb/evert/schema"
)

// Print appends v as Postgres prints a value of this type. v is neither NULL
// nor unknown.
func Print(dst []byte, c Codec, v schema.Value) []byte {
	switch c.Op {
	case Bool:
		if v.Bool() {
			return append(dst, 't')
		}
		return append(dst, 'f')
	case Int2, Int4, Int8:
		return strconv.AppendInt(dst, v.Int(), 10)
	case Float4:
		return printFloat(dst, v.Float(), 32)
	case Float8:
		return printFloat(dst, v.Float(), 64)
	case Bytea:
		return hex.AppendEncode(append(dst, '\\', 'x'), v.Ref())
	case Date:
		return printDate(dst, v.Int())
	case Time:
		return printClock(dst, v.Int())
	case Timestamp, Timestamptz:
		return printTimestamp(dst, v.Int(), c.Op == Timestamptz)
	case UUID:
		return printUUID(dst, v.Ref())
	case Array:
		return printArray(dst, c.Elem, v)
	}
	return append(dst, v.Ref()...)
}

func printFloat(dst []byte, f float64, bits int) []byte {
	switch {
	case math.IsNaN(f):
		return append(dst, "NaN"...)
	case math.IsInf(f, 1):
		return append(dst, "Infinity"...)
	case math.IsInf(f, -1):
		return append(dst, "-Infinity"...)
	}
	digits := 15 // from this exponent on, Postgres writes e+15
	if bits == 32 {
		digits = 6
	}
	sci := strconv.AppendFloat(nil, f, 'e', -1, bits)
	exp, _ := strconv.Atoi(string(sci[lastIndex(sci, 'e')+1:]))
	if exp < -4 || exp >= digits {
		return append(dst, sci...)
	}
	return strconv.AppendFloat(dst, f, 'f', -1, bits)
}

func lastIndex(b []byte, c byte) int {
	for i := len(b) - 1; i >= 0; i-- {
		if b[i] == c {
			return i
		}
	}
	return -1
}

func printDate(dst []byte, days int64) []byte {
	switch days {
	case schema.DateInfinity:
		return append(dst, "infinity"...)
	case schema.DateMinusInfinity:
		return append(dst, "-infinity"...)
	}
	dst, bc := printDay(dst, days)
	return append(dst, bc...)
}

// printDay gives the era separately, because a time stands between.
func printDay(dst []byte, days int64) ([]byte, string) {
	year, month, day := civilFromDays(days)
	bc := ""
	if year <= 0 {
		year, bc = 1-year, " BC"
	}
	for limit := int64(1000); limit > year && limit > 1; limit /= 10 {
		dst = append(dst, '0')
	}
	dst = strconv.AppendInt(dst, year, 10)
	return pad2(append(pad2(append(dst, '-'), month), '-'), day), bc
}

func pad2(dst []byte, n int64) []byte { return append(dst, byte('0'+n/10), byte('0'+n%10)) }

func printTimestamp(dst []byte, micros int64, zoned bool) []byte {
	switch micros {
	case schema.TimestampInfinity:
		return append(dst, "infinity"...)
	case schema.TimestampMinusInfinity:
		return append(dst, "-infinity"...)
	}
	days := floorDiv(micros, microsPerDay)
	dst, bc := printDay(dst, days+daysTo2000)
	dst = printClock(append(dst, ' '), micros-days*microsPerDay)
	if zoned {
		dst = append(dst, "+00"...)
	}
	return append(dst, bc...)
}

func printClock(dst []byte, micros int64) []byte {
	seconds, frac := micros/1_000_000, micros%1_000_000
	dst = pad2(append(pad2(append(pad2(dst, seconds/3600), ':'), seconds/60%60), ':'), seconds%60)
	if frac == 0 {
		return dst
	}
	dst = append(dst, '.')
	for unit := int64(100_000); frac > 0; unit /= 10 {
		dst = append(dst, byte('0'+frac/unit))
		frac %= unit
	}
	return dst
}

func printUUID(dst, raw []byte) []byte {
	for i, c := range raw {
		if i == 4 || i == 6 || i == 8 || i == 10 {
			dst = append(dst, '-')
		}
		dst = hex.AppendEncode(dst, []byte{c})
	}
	return dst
}

func printArray(dst []byte, elem Op, v schema.Value) []byte {
	dst = append(dst, '{')
	for i, e := range v.Elements() {
		if i > 0 {
			dst = append(dst, ',')
		}
		if e.IsNull() {
			dst = append(dst, "NULL"...)
			continue
		}
		dst = printElement(dst, Print(nil, Codec{Op: elem}, e))
	}
	return append(dst, '}')
}

// printElement quotes as array_out does: the empty string, the word NULL, and
// whatever holds a delimiter, quote, backslash, brace or space.
func printElement(dst, word []byte) []byte {
	quote := len(word) == 0 || isNullWord(word)
	for _, c := range word {
		switch c {
		case '"', '\\', '{', '}', ',', ' ', '\t', '\n', '\r', '\v', '\f':
			quote = true
		}
	}
	if !quote {
		return append(dst, word...)
	}
	dst = append(dst, '"')
	for _, c := range word {
		if c == '"' || c == '\\' {
			dst = append(dst, '\\')
		}
		dst = append(dst, c)
	}
	return append(dst, '"')
}

func isNullWord(w []byte) bool {
	return len(w) == 4 && w[0]|32 == 'n' && w[1]|32 == 'u' && w[2]|32 == 'l' && w[3]|32 == 'l'
}
