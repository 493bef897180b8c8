package query

import (
	"encoding/hex"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/evertdb/evert/schema"
)

// parse reads a value of a column from a URL, or refuses with the sentence that
// says how such a value is written; never with the value.
func (s *Shape) parse(column int, text string) (schema.Value, error) {
	c := &s.Columns[column]
	v, how := parseValue(&c.Type, text)
	if how != "" {
		return v, badRequest("what stands for column "+strconv.Quote(c.Name)+" is not a value of type "+c.Type.Name, how)
	}
	return v, nil
}

// ParseText reads a value as filters write it and as Postgres prints it; ok is
// false for what is none, and for types that have no such form.
func ParseText(t *schema.Type, text string) (v schema.Value, ok bool) {
	v, how := parseValue(t, text)
	return v, how == ""
}

// parseValue reads a value; how is empty, or says how one is written.
func parseValue(t *schema.Type, text string) (v schema.Value, how string) {
	switch t.Kind {
	case schema.KindBool:
		return parseBool(text)
	case schema.KindInt:
		return parseInt(t, text)
	case schema.KindFloat:
		return parseFloat(t, text)
	case schema.KindDecimal:
		return parseDecimal(text)
	case schema.KindText:
		return parseText(t, text)
	case schema.KindBytes:
		return parseBytes(text)
	case schema.KindUUID:
		return parseUUID(text)
	case schema.KindDate:
		return parseDate(text)
	case schema.KindTime:
		return parseTime(text)
	case schema.KindTimestamp:
		return parseTimestamp(t, text)
	}
	return v, "values of type " + t.Name + " cannot be written in a filter; filter on another column"
}

func parseBool(text string) (schema.Value, string) {
	switch text {
	case "true", "t":
		return schema.Bool(true), ""
	case "false", "f":
		return schema.Bool(false), ""
	}
	return schema.Null(), "write true or false"
}

func parseInt(t *schema.Type, text string) (schema.Value, string) {
	bits := t.Bits
	if bits == 0 {
		bits = 64
	}
	n, err := strconv.ParseInt(text, 10, bits)
	if err != nil {
		return schema.Null(), "write a whole number from " + strconv.FormatInt(math.MinInt64>>(64-bits), 10) + " to " + strconv.FormatInt(math.MaxInt64>>(64-bits), 10)
	}
	return schema.Int(n), ""
}

func parseFloat(t *schema.Type, text string) (schema.Value, string) {
	const how = "write a number such as -1.5 or 2e10, or NaN, Infinity, -Infinity"
	bits := 64
	if t.Bits == 32 {
		bits = 32
	}
	f, err := strconv.ParseFloat(text, bits)
	if err != nil || strings.ContainsAny(text, "xX_pP") {
		return schema.Null(), how
	}
	return schema.Float(f), ""
}

func parseDecimal(text string) (schema.Value, string) {
	switch text {
	case "NaN", "Infinity", "-Infinity":
		return schema.Decimal([]byte(text)), ""
	}
	whole, frac, point := strings.Cut(strings.TrimPrefix(text, "-"), ".")
	if len(whole)+len(frac) == 0 || point && frac == "" || !allDigits(whole) || !allDigits(frac) {
		return schema.Null(), "write digits such as -12.30, without an exponent, or NaN, Infinity, -Infinity"
	}
	return schema.Decimal([]byte(text)), ""
}

func allDigits(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r < '0' || r > '9' })
}

func parseText(t *schema.Type, text string) (schema.Value, string) {
	if !utf8.ValidString(text) {
		return schema.Null(), "write UTF-8, percent-encoded"
	}
	if len(t.Labels) > 0 && !slices.Contains(t.Labels, text) {
		return schema.Null(), "its labels are " + strings.Join(t.Labels, ", ")
	}
	return schema.Text([]byte(text)), ""
}

func parseBytes(text string) (schema.Value, string) {
	digits, ok := strings.CutPrefix(text, `\x`)
	b, err := hex.DecodeString(digits)
	if !ok || err != nil {
		return schema.Null(), `write \x and two hex digits for each byte`
	}
	return schema.Bytes(b), ""
}

func parseUUID(text string) (schema.Value, string) {
	const how = "write 32 hex digits, as 8-4-4-4-12 or without the hyphens"
	if len(text) == 36 && (text[8] != '-' || text[13] != '-' || text[18] != '-' || text[23] != '-') {
		return schema.Null(), how
	}
	b, err := hex.DecodeString(strings.ReplaceAll(text, "-", ""))
	if err != nil || len(b) != 16 || len(text) != 36 && len(text) != 32 {
		return schema.Null(), how
	}
	return schema.UUID(b), ""
}

const howDate = "write YYYY-MM-DD, with BC behind it for a year before Christ, or infinity, -infinity"

func parseDate(text string) (schema.Value, string) {
	switch text {
	case "infinity":
		return schema.Date(schema.DateInfinity), ""
	case "-infinity":
		return schema.Date(schema.DateMinusInfinity), ""
	}
	text, bc := strings.CutSuffix(text, " BC")
	days, ok := parseDay(text, bc)
	if !ok || days != int64(int32(days)) {
		return schema.Null(), howDate
	}
	return schema.Date(int32(days)), ""
}

// parseDay reads year, month and day, which must exist.
func parseDay(text string, bc bool) (days int64, ok bool) {
	parts := strings.Split(text, "-")
	if len(parts) != 3 || len(parts[0]) < 4 || len(parts[0]) > 7 || len(parts[1]) != 2 || len(parts[2]) != 2 {
		return 0, false
	}
	var n [3]int
	for i, p := range parts {
		if !allDigits(p) {
			return 0, false
		}
		n[i], _ = strconv.Atoi(p)
	}
	if n[0] == 0 || n[1] < 1 || n[1] > 12 {
		return 0, false
	}
	year := int64(n[0])
	if bc {
		year = 1 - year
	}
	days = schema.Days(year, n[1], n[2])
	y, m, d := schema.Civil(days)
	return days, y == year && m == n[1] && d == n[2]
}

const howTime = "write HH:MM:SS with up to six digits behind the point"

func parseTime(text string) (schema.Value, string) {
	micros, ok := parseClock(text)
	if !ok {
		return schema.Null(), howTime
	}
	return schema.Time(micros), ""
}

// parseClock reads HH:MM[:SS[.ffffff]]; 24:00:00 is the end of a day.
func parseClock(text string) (micros int64, ok bool) {
	clock, frac, point := strings.Cut(text, ".")
	parts := strings.Split(clock, ":")
	if len(parts) == 2 && !point {
		parts = append(parts, "00")
	}
	if len(parts) != 3 || point && (frac == "" || len(frac) > 6 || !allDigits(frac)) {
		return 0, false
	}
	for i, p := range parts {
		n, err := strconv.Atoi(p)
		if err != nil || len(p) != 2 || !allDigits(p) || i > 0 && n > 59 {
			return 0, false
		}
		micros = micros*60 + int64(n)
	}
	n, _ := strconv.ParseInt((frac + "000000")[:6], 10, 64)
	micros = micros*1_000_000 + n
	return micros, micros <= schema.MicrosPerDay
}

// parseTimestamp reads a date, T or a space, a time, and for an instant a zone.
func parseTimestamp(t *schema.Type, text string) (schema.Value, string) {
	how := "write YYYY-MM-DDTHH:MM:SS with up to six digits behind the point, or infinity, -infinity"
	if t.Zoned {
		how = "write YYYY-MM-DDTHH:MM:SSZ, or another zone as +02:00 with the + percent-encoded (%2B), or infinity, -infinity"
	}
	switch text {
	case "infinity":
		return schema.Timestamp(schema.TimestampInfinity), ""
	case "-infinity":
		return schema.Timestamp(schema.TimestampMinusInfinity), ""
	}
	text, bc := strings.CutSuffix(text, " BC")
	at := strings.IndexAny(text, "T ")
	if at < 0 {
		return schema.Null(), how
	}
	clock, offset, ok := text[at+1:], time.Duration(0), true
	if t.Zoned {
		clock, offset, ok = cutZone(clock)
	}
	days, okDay := parseDay(text[:at], bc)
	micros, okClock := parseClock(clock)
	if !ok || !okDay || !okClock {
		return schema.Null(), how
	}
	days -= schema.UnixEpoch2000 / schema.MicrosPerDay
	if days > math.MaxInt64/schema.MicrosPerDay-2 || days < math.MinInt64/schema.MicrosPerDay+2 {
		return schema.Null(), how
	}
	return schema.Timestamp(days*schema.MicrosPerDay + micros - offset.Microseconds()), ""
}

// cutZone takes Z, +HH, +HH:MM or their negatives off a time of day.
func cutZone(text string) (clock string, offset time.Duration, ok bool) {
	if clock, ok = strings.CutSuffix(text, "Z"); ok {
		return clock, 0, true
	}
	at := strings.LastIndexAny(text, "+-")
	if at < 0 {
		return text, 0, false
	}
	hours, minutes, colon := strings.Cut(text[at+1:], ":")
	if colon && len(minutes) != 2 || len(hours) != 2 || !allDigits(hours) || !allDigits(minutes) {
		return text, 0, false
	}
	h, _ := strconv.Atoi(hours)
	m, _ := strconv.Atoi(minutes)
	offset = time.Duration(h)*time.Hour + time.Duration(m)*time.Minute
	if text[at] == '-' {
		offset = -offset
	}
	return text[:at], offset, h < 16 && m < 60
}
