package temporal

import (
	"bytes"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/evertdb/evert/pipeline/scalar/fault"
	"github.com/evertdb/evert/schema"
)

// A Format is a compiled template of to_char. Names of months and days are the
// English ones, which Postgres writes unless TM is asked for; what follows a
// locale or names a zone is refused.
type Format struct{ items []item }

// An item is a field, or characters that stand for themselves.
type item struct {
	literal string
	key     string // as written, for its case; "" of a literal
	fill    bool   // without FM: zeros or spaces in front of, or behind, what is short
	ordinal string // TH, th or ""
}

// keywords are tried in this order.
var keywords = strings.Fields(`A.D. A.M. AD AM B.C. BC CC DAY DDD DD DY Day Dy D FF1 FF2 FF3 FF4 FF5 FF6 FX HH24 HH12 HH IDDD ID IW IYYY IYY IY I J
	MI MM MONTH MON MS Month Mon OF P.M. PM Q RM SSSSS SSSS SS TZH TZM TZ US WW W Y,YYY YYYY YYY YY Y
	a.d. a.m. ad am b.c. bc cc day ddd dd dy d ff1 ff2 ff3 ff4 ff5 ff6 fx hh24 hh12 hh iddd id iw iyyy iyy iy i j
	mi mm month mon ms of p.m. pm q rm sssss ssss ss tzh tzm tz us ww w y,yyy yyyy yyy yy y`)

// CompileFormat reads a template.
func CompileFormat(template []byte) (*Format, error) {
	f := &Format{}
	for s := string(template); s != ""; {
		it := item{fill: true}
		switch head := s[:min(2, len(s))]; head {
		case "FM", "fm":
			it.fill, s = false, s[2:]
		case "TM", "tm":
			return nil, fault.Unsupported("to_char with TM follows the locale of the server")
		}
		if key := keywordOf(s); key != "" {
			it.key, s = key, s[len(key):]
			switch strings.ToLower(key) {
			case "of", "tz", "tzh", "tzm", "rm", "fx":
				return nil, fault.Unsupported("to_char with %s is not known", key)
			}
			if tail := s[:min(2, len(s))]; tail == "TH" || tail == "th" {
				it.ordinal, s = tail, s[2:]
			} else if tail == "SP" {
				return nil, fault.Unsupported("to_char with SP is not known")
			}
			f.items = append(f.items, it)
			continue
		}
		it.literal, s = characters(s)
		f.items = append(f.items, it)
	}
	return f, nil
}

func keywordOf(s string) string {
	for _, k := range keywords {
		if strings.HasPrefix(s, k) {
			return k
		}
	}
	return ""
}

// characters takes a text in quotes, or one character.
func characters(s string) (literal, rest string) {
	switch {
	case s == "":
		return "", ""
	case s[0] == '"':
		return quotedText(s[1:])
	case strings.HasPrefix(s, `\"`):
		s = s[1:]
	}
	_, size := utf8.DecodeRuneInString(s)
	return s[:size], s[size:]
}

func quotedText(s string) (literal, rest string) {
	var b strings.Builder
	for s != "" && s[0] != '"' {
		if s[0] == '\\' && len(s) > 1 {
			s = s[1:]
		}
		_, size := utf8.DecodeRuneInString(s)
		b.WriteString(s[:size])
		s = s[size:]
	}
	return b.String(), strings.TrimPrefix(s, `"`)
}

// Append writes a finite timestamp.
func (f *Format) Append(dst []byte, micros2000 int64) []byte {
	c := civilOf(micros2000)
	for _, it := range f.items {
		if it.key == "" {
			dst = append(dst, it.literal...)
			continue
		}
		start := len(dst)
		dst = it.append(dst, c)
		if it.ordinal != "" && isDigit(dst[len(dst)-1]) { // behind a word it is left out

			dst = append(dst, ordinalOf(dst[start:], it.ordinal)...)
		}
	}
	return dst
}

// ordinalOf gives st, nd, rd or th for a number.
func ordinalOf(number []byte, like string) string {
	last := number[len(number)-1]
	if len(number) > 1 && number[len(number)-2] == '1' {
		last = '0'
	}
	suffix := map[byte]string{'1': "st", '2': "nd", '3': "rd"}[last]
	if suffix == "" {
		suffix = "th"
	}
	if like == "TH" {
		return strings.ToUpper(suffix)
	}
	return suffix
}

// number writes n with zeros in front up to width, or without; a negative width is
// that of a fraction, whose zeros FM leaves.
func (it *item) number(dst []byte, n int64, width int) []byte {
	switch {
	case width < 0:
		width = -width
	case !it.fill:
		width = 0
	}
	return fmt.Appendf(dst, "%0*d", width, n)
}

var (
	monthNames = strings.Fields("January February March April May June July August September October November December")
	dayNames   = strings.Fields("Sunday Monday Tuesday Wednesday Thursday Friday Saturday")
)

// word writes a name in the case of the key, with spaces behind it up to nine.
func (it *item) word(dst []byte, name string) []byte {
	short := len(it.key) <= 3 && !strings.EqualFold(it.key, "day")
	if short {
		name = name[:3]
	}
	switch it.key[1] {
	case 'O', 'A', 'Y':
		name = strings.ToUpper(name)
	default:
		if it.key[0] >= 'a' {
			name = strings.ToLower(name)
		}
	}
	dst = append(dst, name...)
	if it.fill && !short {
		dst = append(dst, bytes.Repeat([]byte(" "), 9-len(name))...)
	}
	return dst
}

func (it *item) append(dst []byte, c civil) []byte {
	switch key := strings.ToLower(it.key); key {
	case "month", "mon":
		return it.word(dst, monthNames[c.month-1])
	case "day", "dy":
		return it.word(dst, dayNames[weekday(c.days())%7])
	case "a.d.", "ad", "b.c.", "bc":
		return it.choice(dst, c.year <= 0, "BC", "AD")
	case "a.m.", "am", "p.m.", "pm":
		return it.choice(dst, c.micros >= perDay/2, "PM", "AM")
	case "y,yyy":
		y := positive(c.year)
		return fmt.Appendf(dst, "%d,%03d", y/1000, y%1000)
	default:
		n, width := c.number(key)
		return it.number(dst, n, width)
	}
}

// choice writes one of two abbreviations, in the key's case and with its dots.
func (it *item) choice(dst []byte, first bool, yes, no string) []byte {
	word := no
	if first {
		word = yes
	}
	if len(it.key) == 4 {
		word = word[:1] + "." + word[1:] + "."
	}
	if it.key[0] >= 'a' {
		word = strings.ToLower(word)
	}
	return append(dst, word...)
}

// positive is a year as to_char writes it: BC is for the reader to ask for.
func positive(year int64) int64 {
	if year <= 0 {
		return 1 - year
	}
	return year
}

func (c civil) days() int64 { return schema.Days(c.year, c.month, c.day) }

// number gives a field and the digits it is filled to; 0 for those that never are.
func (c civil) number(key string) (n int64, width int) {
	days := c.days()
	yearday := days - schema.Days(c.year, 1, 1)
	isoYear, isoWeek := isoWeek(days)
	micros := c.micros % perSecond
	switch key {
	case "hh", "hh12":
		return (c.micros/perHour+11)%12 + 1, 2
	case "hh24":
		return c.micros / perHour, 2
	case "mi":
		return c.micros / perMinute % 60, 2
	case "ss":
		return c.micros / perSecond % 60, 2
	case "ssss", "sssss":
		return c.micros / perSecond, 0
	case "ms":
		return micros / 1000, -3
	case "us":
		return micros, -6
	case "mm":
		return int64(c.month), 2
	case "ddd":
		return yearday + 1, 3
	case "dd":
		return int64(c.day), 2
	case "d":
		return weekday(days)%7 + 1, 0
	case "id":
		return weekday(days), 0
	case "iddd":
		return (isoWeek-1)*7 + weekday(days), 3
	case "ww":
		return yearday/7 + 1, 2
	case "iw":
		return isoWeek, 2
	case "w":
		return int64(c.day-1)/7 + 1, 0
	case "q":
		return int64(c.month-1)/3 + 1, 0
	case "j":
		return days + julian1970, 0
	case "cc":
		return centuryShown(c.year)
	}
	if strings.HasPrefix(key, "ff") {
		digits := int(key[2] - '0')
		for range 6 - digits {
			micros /= 10
		}
		return micros, -digits
	}
	year := positive(c.year)
	if key[0] == 'i' {
		year = positive(isoYear)
	}
	modulus := map[int]int64{4: 1 << 40, 3: 1000, 2: 100, 1: 10}[len(key)]
	return year % modulus, len(key)
}

func centuryShown(year int64) (n int64, width int) {
	if year > 0 {
		return (year-1)/100 + 1, 2
	}
	return year/100 - 1, 3
}
