package scalar

import (
	"math/rand/v2"
	"strings"

	"github.com/evertdb/evert/schema"
)

// drawText draws the text of a value: NULL at times, mostly one at the edge of
// what its type or its function takes.
func drawText(rng *rand.Rand, name string, place int, t *schema.Type) string {
	if rng.IntN(12) == 0 {
		return "NULL"
	}
	if list := special(rng, name, place, t); list != nil && rng.IntN(8) > 0 {
		return list[rng.IntN(len(list))]
	}
	id := Identify(t)
	if id.IsArray() {
		return drawArray(rng, t)
	}
	list := edges(id)
	return list[rng.IntN(len(list))]
}

func drawArray(rng *rand.Rand, t *schema.Type) string {
	n := rng.IntN(4)
	if n == 0 {
		return "{}"
	}
	depth := rng.IntN(5) / 4
	row := func() string {
		parts := make([]string, n)
		for i := range parts {
			e := drawText(rng, "", 0, t.Elem)
			if e != "NULL" {
				e = `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(e) + `"`
			}
			parts[i] = e
		}
		return "{" + strings.Join(parts, ",") + "}"
	}
	if depth == 0 {
		return row()
	}
	return "{" + row() + "," + row() + "}"
}

// special are texts that a function's argument is worth trying with.
func special(rng *rand.Rand, name string, place int, t *schema.Type) []string {
	switch id := Identify(t); {
	case name == "make_interval" && id == Int4:
		return []string{"0", "1", "-3", "1000"}
	case strings.HasPrefix(name, "make_") && id == Int4:
		return [][]string{{"2024", "-44", "1", "2023"}, {"1", "2", "12", "13"}, {"1", "29", "30", "31"}, {"0", "23", "24"}, {"0", "59", "60"}}[min(place, 4)]
	case strings.HasPrefix(name, "make_") && id == Float8:
		return []string{"0", "59.999999", "59.9999999", "60", "0.0000005", "-1", "1.5"}
	case name == "date_trunc" && place == 2, name == "timezone" && id == Text:
		return []string{"UTC", "utc"}
	case name == "timezone" && id == Interval:
		return []string{"02:00", "-05:30", "1 day"}
	case (name == "extract" || name == "date_part" || name == "date_trunc") && id == Text:
		return strings.Fields(fields)
	case strings.HasSuffix(name, "pad") && id == Int4, name == "repeat" && id == Int4, name == "split_part" && id == Int4:
		return []string{"0", "1", "2", "5", "-1", "-2", "10"}
	case name == "split_part", name == "replace" && place == 1, strings.HasSuffix(name, "trim") && place == 1, strings.HasSuffix(name, "position"), name == "strpos":
		return []string{"a", "b", "", " ", "ab", "ä", "aa", "l", "a b", `\x61`}
	case strings.Contains(name, "~~") && place == 1 && id != Bytea:
		return []string{"%", "_", "", "a%", "%a", "%b%", "a_c", `%\%`, `\a%`, "A%", "%Hello%", "_bc", "%_%_%", "ä__€", "%%a%%", "h_llo", "a%b_c", "%c"}
	case name == "like_escape":
		return []string{"a#%b", "##", "#", "a\b", "", "x_y", `\`, "ä"}
	case name == "encode" && place == 1, name == "decode" && place == 1:
		return []string{"hex", "base64", "escape", "HEX", "none"}
	case name == "decode":
		return []string{"6162", "YWI=", `a\b\001`, "61 62", "abc", "YW I=", "=", "YWJj", ""}
	case name == "to_char" && id == Numeric:
		return strings.Fields("0 0.0 0.1 -0.1 0.05 -0.004 1 -1 12 485 -485 1234.5 -1234.567 999.995 1000000 12345678.9 0.5 -0.5 99.999 10.10 100 NaN")
	case name == "to_char":
		if id == Text && rng.IntN(3) == 0 {
			return []string{randomTemplate(rng, numberParts), randomTemplate(rng, timeParts)}
		}
		if id == Text && rng.IntN(2) == 0 {
			return strings.Split(numberFormats, "\n")
		}
		if id == Text {
			return strings.Split(formats, "\n")
		}
	case name == "chr":
		return []string{"65", "0", "228", "8364", "55296", "1114111", "1114112", "-1"}
	case name == "translate" && place > 0:
		return []string{"abc", "xy", "", "lo", "äö"}
	case (name == "substring" || name == "substr" || name == "overlay" || name == "left" || name == "right") && id == Int4:
		return []string{"0", "1", "2", "3", "-1", "-2", "2147483647", "-2147483648", "5"}
	case name == "to_timestamp":
		return []string{"0", "1e9", "1.5", "-1e11", "1e13", "1700000000.123456", "9.2e12", "9224318016000", "NaN", "Infinity", "-210866803200", "-210866803201"}
	case (name == "*" || name == "/") && id == Float8:
		return []string{"0", "1", "2", "0.5", "1.5", "-3", "0.1", "7", "3", "1e10", "NaN", "0.333", "12.34567"}
	case name == "->" || name == "->>" || strings.Contains(name, "_object_field") || name == "?" || name == "-" && id == Text:
		if id == Text {
			return []string{"a", "b", "aa", "c", "", "0", "x"}
		}
		return nil
	case name == "jsonb_set" && place == 1:
		return []string{"{}", "{a}", "{a,c}", "{a,c,0}", "{0}", "{1,a}", "{-1}", "{-9}", "{9}", "{b,x}", "{x,y}", "{0,0}", "{aa}", "{zz}"}
	case name == "trim_array" || name == "get_byte":
		if id == Int4 {
			return []string{"0", "1", "2", "-1", "3"}
		}
	case name == "#>" || name == "#>>" || name == "#-" || strings.HasPrefix(name, "?"):
		if id.IsArray() {
			return []string{"{}", "{a}", "{a,c}", "{a,c,0}", "{0}", "{1,a}", "{-1}", "{b,NULL}", "{x,y}", "{0,0}", "{a,b}"}
		}
	case strings.Contains(name, "extract_path") && id == Text:
		return []string{"a", "c", "0", "1", "-1", "b", "x"}
	case (name == "->" || name == "->>" || strings.Contains(name, "_array_element") || name == "-" || name == "[]") && id == Int4:
		return []string{"0", "1", "-1", "2", "-3", "5"}
	case strings.HasPrefix(name, "array_") && id == Int4, name == "[]":
		return []string{"0", "1", "2", "-1"}
	case strings.HasPrefix(name, "string_to_array") && place > 0:
		return []string{"a", "b", " ", "", "ab", "NULL"}
	case isRegex(name) && (place == 1) && id == Text:
		return strings.Split(regexes, "\n")
	case name == "regexp_replace" && place == 2:
		return []string{"-", `<\1>`, `\&\&`, `\\x\q`, "", `\2`}
	case isRegex(name) && place >= 2:
		return []string{"g", "i", "", "gi", "c"}
	case isRegex(name):
		return []string{"hello world", "foo123bar45", "a@b.com", "", "aaa", "abcABC", "2024-02-29", "ab ab  ab", "äöü ä", "x[y]z-\\", "line\nline"}
	}
	return nil
}

// formats are templates of to_char, one a line.
const formats = `YYYY-MM-DD
YYYY-MM-DD HH24:MI:SS
FMYYYY FMMM FMDD FMHH24
HH:MI:SS.MS AM
hh12:mi:ss.us p.m.
DDDth of Y,YYY, DDth Month YYYY
Day, Mon DD
FMDay, FMMonth FMDDth
DAY DY MON MONTH
day dy mon month
Dy Mon D ID
IYYY-IW-ID IDDD
WW W Q CC J
YYY YY Y IYY IY I
FF1 FF2 FF3 FF4 FF5 FF6
FMMS FMUS FMFF2
SSSS SSSSS
YYYY BC B.C. ad a.d.
"quoted YYYY" YYYY \"x
"a\"b" MI
yyyyy mmm ddd hh24mi
Text é DD
DTH MMth HHTH
A.M. am PM
FM
FMx
Q-Qth
FMCC FMWW FMIW FMDDD FMYY FMIDDD
YYYY"
qtr" Q
ID IY I J
MSth USTH FF3th
iyyy"W"iw`

// Parts that random templates of to_char are made of.
const (
	numberParts = `9 9 9 0 0 , . FM x - "q" é`
	timeParts   = `YYYY YYY YY Y Y,YYY IYYY IY I MM MONTH Month month Mon DD DDD D Dth ID IDDD DAY Day dy HH HH12 HH24 hh24 MI SS SSSS MS US FF3 AM p.m. BC a.d.
		Q WW W IW CC J FM TH th - : / , . "T" x mi ss yyyy dd ddth`
)

func randomTemplate(rng *rand.Rand, parts string) string {
	list := strings.Fields(parts)
	var b strings.Builder
	for range 1 + rng.IntN(7) {
		b.WriteString(list[rng.IntN(len(list))])
		if rng.IntN(6) == 0 {
			b.WriteByte(' ')
		}
	}
	return b.String()
}

// numberFormats are templates of to_char for numbers, one a line.
const numberFormats = `999
9
0
000
9990
0999
9,999
9,999,999
0,000
999.99
990.99
990.00
FM999
FM999.99
FM990.00
FM9,999,990.00
FM9990.09
FM0
FM9
FM9.9
FM.99
.99
.00
99.
FM99.
9.9.9
999,999,999.99
FM999,999,999,999
000,000.000
FM000,000.000
"USD" 999.99
x999x
99 99
FM90.909
9099
FM9099.9099
9,
,9
FM,9
9.,9
FM9.,9
"a\"b"9
99%
-99
0.0
FM0.9
FM09.90
99,99.99,99
é9`

func isRegex(name string) bool {
	return strings.Contains(name, "~") && !strings.Contains(name, "~~") || strings.HasPrefix(name, "regexp_") || name == "substring"
}

// regexes are tried on every function of them, one a line.
const regexes = `a
^a
o$
b*
[a-c]+
(\d+)
(\w+)@(\w+)\.com
^(\d{4})-(\d{2})-(\d{2})$
[^ ]+
 +
foo|foo123
(a|ab)(c|bcd)?
.
l{2}
x{0,2}
[]x]
[[:upper:]]+
[[:space:]]
\s
\S+
a**
*a
(a
a)
[b-a]
a{2,1}
a{300}
{a
a{,2}
(?:ab)+
(ab )+
ä
[ä-ü]
\.
\\
[a\-z]
A
[A-C]
\Aab
bar45\Z
(b|)
()
|
a+?
\ma
(?=a)
(a)\1
^
$
.*
(.*) (.*)
([^ ]*) ([^ ]*)
[[:foo:]]
[x-]
[a-c-e]
a|b|
ab?
\d
e\n
\x41
[\d-]
[\w]+
\u0061`

const fields = `microseconds milliseconds second minute hour day week month quarter year decade century millennium dow isodow doy epoch julian isoyear
	timezone timezone_hour YEAR sec mins hrs nonsense us ms y mon`

var edgesOf = map[ID][]string{
	Bool:    {"t", "f"},
	Int2:    {"0", "1", "-1", "7", "-13", "32767", "-32768", "100"},
	Int4:    {"0", "1", "-1", "2", "3", "5", "-7", "42", "2147483647", "-2147483648", "65536", "-100000", "10"},
	Int8:    {"0", "1", "-1", "3", "-9", "9223372036854775807", "-9223372036854775808", "4294967296", "123456789012", "3037000500"},
	Float4:  {"0", "-0", "1", "-1.5", "0.1", "3.4028235e38", "1e-45", "1e-38", "NaN", "Infinity", "-Infinity", "16777217", "1e10", "123456.7"},
	Float8:  {"0", "-0", "1", "-1", "0.1", "2.5", "3.5", "-2.5", "1e308", "-1.7976931348623157e308", "5e-324", "1e-300", "NaN", "Infinity", "-Infinity", "1e15", "123456789.123456789", "1e22", "9007199254740993", "0.3333333333333333"},
	Numeric: {"0", "0.00", "1", "-1", "1.0", "1.50", "-2.5", "2.5", "0.5", "-0.5", "123456789.987654321", "1e20", "-1e-20", "99999999999999999999.99", "0.0001", "3", "7", "NaN", "Infinity", "-Infinity", "12345678901234567890123456789.123456789", "1e-30", "10000", "9999", "0.00012345", "-7.77", "1e131000"},
	Text:    {"", "a", "abc", "ABC", " Hello World ", "äöü€", "a%b_c", "x''y\"z", `back\slash`, "aaa", "tab\tbed", "12", "日本語", "Ünïcode", "hello"},
	Varchar: {"", "abc", "ab  "}, BPChar: {"", "abc", "ab  ", " x"},
	Bytea:       {`\x`, `\x00`, `\xdeadbeef`, `\x6162`, `\xff`},
	Date:        {"2000-01-01", "1970-01-01", "2024-02-29", "2023-12-31", "0001-01-01", "0044-03-15 BC", "infinity", "-infinity", "4714-11-24 BC", "5874897-12-31", "1999-12-31", "2001-01-01", "1900-06-15"},
	Time:        {"00:00:00", "23:59:59.999999", "24:00:00", "12:34:56.789", "01:02:03"},
	Timestamp:   {"2000-01-01 00:00:00", "1999-12-31 23:59:59.999999", "2024-02-29 12:34:56.789", "0044-03-15 10:00:00 BC", "infinity", "-infinity", "294276-12-31 23:59:59.999999", "4714-11-24 00:00:00 BC", "1970-01-01 00:00:01", "2021-03-31 05:06:07", "2020-12-28 00:00:00.5"},
	Timestamptz: {"2000-01-01 00:00:00+00", "1999-12-31 23:59:59.999999+00", "2024-02-29 12:34:56.789+02", "infinity", "-infinity", "1970-01-01 00:00:01-08", "2021-03-31 05:06:07+05:30"},
	Interval:    {"0", "1 day", "-1 day", "1 mon", "-1 year -2 mons", "1 year 2 mons 3 days 04:05:06.789", "1 mon -1 day", "12:00:00", "-00:00:00.000001", "40 days 30:00:00", "100 years", "1 mon -30 days", "178956970 years", "90 mins", "2147483647 days", "35 days -25:00:00"},
	UUID:        {"00000000-0000-0000-0000-000000000000", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", "ffffffff-ffff-ffff-ffff-ffffffffffff"},
	JSON:        {"null", "1", `"a"`, `[1, 2,3]`, `{"b":1,"a":2,"b":3}`, ` {"x" : [ 1,{"y":null}]} `, "1.50e2", "true"},
	JSONB:       {"null", "1", "1.0", "1.50", `"a"`, `""`, "[]", "{}", "[1, 2, 3]", `["a", "b"]`, `{"a": 1}`, `{"b": 1, "a": {"c": [1, 2]}}`, `{"aa": 1, "b": 2, "b": 3}`, "true", "false", `[null, {"a": "x"}]`, "1e3", `[[1]]`, `"\u00e9\n\"\\"`, "-5", `{"a": null, "b": [null]}`},
	Enum:        {"sad", "ok", "happy"},
	Unknown:     {"1", "a", "", "{1,2}", "{}"},
}

func edges(id ID) []string { return edgesOf[id] }
