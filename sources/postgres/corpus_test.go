package postgres

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
)

// A corpusType is one type or shape of type, with what generates its values.
type corpusType struct {
	typ   string
	since int    // the first major version that has it
	needs string // an extension
	value gen
}

// A gen makes the text of a value. n counts the values that were made of it, so
// that each edge comes once before chance.
type gen func(r *rand.Rand, n int) string

// corpus lists every built-in type, those of contrib, and what can be made of them.
func corpus() []corpusType {
	scalars := []corpusType{
		{typ: "boolean", value: edges("t", "f")},
		{typ: "smallint", value: integer(16)},
		{typ: "integer", value: integer(32)},
		{typ: "bigint", value: integer(64)},
		{typ: "real", value: floating(32)},
		{typ: "double precision", value: floating(64)},
		{typ: "numeric", value: numeric(0, 0)},
		{typ: "numeric(12,2)", value: numeric(10, 2)},
		{typ: "numeric(38,10)", value: numeric(28, 10)},
		{typ: "numeric(1000,500)", value: numeric(500, 500)},
		{typ: "numeric(5,-2)", since: 15, value: numeric(7, 0)},
		{typ: "numeric(3,5)", since: 15, value: edges("0", "0.00999", "-0.00999", "0.00001")},
		{typ: "numeric", value: either(numeric(30, 9), edges("Infinity", "-Infinity", "NaN")), since: 14},
		{typ: "money", value: money},
		{typ: "text", value: text},
		{typ: "character varying", value: text},
		{typ: "character varying(20)", value: short},
		{typ: "character(5)", value: edges("", "a", "ab   ", "abcde", "grüß", "     ", `\`, `"`)},
		{typ: "bpchar", value: either(short, edges("a  ", "  "))},
		{typ: `"char"`, value: edges("", "a", `"`, `\`, " ", "~", ",")},
		{typ: "name", value: short},
		{typ: "bytea", value: bytea},
		{typ: "date", value: date},
		{typ: "time without time zone", value: clock(6)},
		{typ: "time(0) without time zone", value: clock(0)},
		{typ: "time(3) without time zone", value: clock(3)},
		{typ: "time with time zone", value: zonedClock(6)},
		{typ: "time(2) with time zone", value: zonedClock(2)},
		{typ: "timestamp without time zone", value: stamp(6)},
		{typ: "timestamp(0) without time zone", value: stamp(0)},
		{typ: "timestamp(3) without time zone", value: stamp(3)},
		{typ: "timestamp with time zone", value: zonedStamp(6)},
		{typ: "timestamp(0) with time zone", value: zonedStamp(0)},
		{typ: "timestamp(3) with time zone", value: zonedStamp(3)},
		{typ: "interval", value: interval},
		{typ: "interval(3)", value: edges("0", "1 year 2 mons -3 days 04:05:06.789", "-0.5 sec", "99:59:59.9996", "1 mon", "-1 day")}, // the ends of the range do not round,
		{typ: "interval year to month", value: interval},
		{typ: "interval", since: 17, value: either(interval, edges("infinity", "-infinity"))},
		{typ: "uuid", value: uuid},
		{typ: "json", value: either(jsonText, edges(`{"a": 1,  "a":2}`, "1e400", ` [ 1 ] `, `"\u0041"`, "0.10"))},
		{typ: "jsonb", value: either(jsonText, edges(`{"a": 1, "a": 2}`, "1e400", "0.10", `"\u20ac"`))},
		{typ: "xml", value: edges("", "<a/>", "<a>ü &amp; b</a>", `<?xml version="1.0" encoding="UTF-8"?><a b="c"/>`, "text", "<!-- c --><a>\n</a>")},
		{typ: "bit(1)", value: bits(1, 1)},
		{typ: "bit(8)", value: bits(8, 8)},
		{typ: "bit(13)", value: bits(13, 13)},
		{typ: "bit varying", value: bits(0, 40)},
		{typ: "bit varying(20)", value: bits(0, 20)},
		{typ: "inet", value: either(address(false), edges("::1", "::", "::ffff:1.2.3.4", "::1.2.3.4", "0.0.0.0/0", "10.1.2.3/8", "fe80::/10", "::1:0/112", "1:0:0:2::3", "1::2:0:0:3:0/128"))},
		{typ: "cidr", value: address(true)},
		{typ: "macaddr", value: mac(6)},
		{typ: "macaddr8", value: mac(8)},
		{typ: "point", value: points("(%s)", 1)},
		{typ: "line", value: edges("{1,2,3}", "{0,1,-0.5}", "{1e100,2,3}", "{-1,0,0}")},
		{typ: "lseg", value: points("[%s]", 2)},
		{typ: "box", value: points("%s", 2)},
		{typ: "path", value: either(points("[%s]", 3), points("(%s)", 4))},
		{typ: "polygon", value: points("(%s)", 5)},
		{typ: "circle", value: circle},
		{typ: "tsvector", value: tsvector},
		{typ: "tsquery", value: edges("'a'", "'a' & 'b'", "'a':*A | !'b'", "'a' <2> 'b'", "'it''s'", `'\\'`)}, // an empty one in an array has no binary form that the server takes
		{typ: "jsonpath", since: 12, value: edges("$", "$.a[*]", `strict $."x y" ? (@ > 1)`, "$.a.type()", `$[last] ? (@ like_regex "^ü")`)},
		{typ: "oid", value: edges("0", "1", "4294967295", "2147483648")},
		{typ: "xid", value: edges("0", "1", "4294967295")},
		{typ: "xid8", since: 13, value: edges("0", "1", "18446744073709551615", "9223372036854775808")},
		{typ: "cid", value: edges("0", "4294967295")},
		{typ: "tid", value: edges("(0,0)", "(4294967295,65535)")},
		{typ: "pg_lsn", value: lsnText},
		{typ: "txid_snapshot", value: edges("1:1:", "10:20:10,14,15")},
		{typ: "pg_snapshot", since: 13, value: edges("1:1:", "10:20:10,14,15")},
		{typ: "refcursor", value: short},
		{typ: "regclass", value: edges("pg_class", "pg_catalog.pg_type", "-", "999999999")},
		{typ: "regtype", value: edges("integer", "text[]", "-", "character varying")},
		{typ: "regproc", value: edges("now", "-")},
		{typ: "regprocedure", value: edges("abs(integer)", "-")},
		{typ: "regoper", value: edges("0", "||/")},
		{typ: "regoperator", value: edges("+(integer,integer)", "0")},
		{typ: "regnamespace", value: edges("pg_catalog", "-", "public")},
		{typ: "regrole", value: edges("-", "pg_monitor")},
		{typ: "regconfig", value: edges("english", "simple")},
		{typ: "regdictionary", value: edges("simple")},
		{typ: "int2vector", value: edges("", "1 2 -3")},
		{typ: "oidvector", value: edges("", "1 4294967295")},
		{typ: "aclitem", value: edges("=r/postgres", "postgres=arwdDxt/postgres")},
		{typ: "int4range", value: ranges(integer(8))},
		{typ: "int8range", value: ranges(integer(16))},
		{typ: "numrange", value: ranges(numeric(6, 2))},
		{typ: "daterange", value: edges("empty", "(,)", "[2026-01-01,2026-02-01)", "[2026-01-01,)", "(,infinity)", "[0044-03-15 BC,2026-01-01)")},
		{typ: "tsrange", value: edges("empty", "[2026-01-01 10:00,2026-02-01)", "(,infinity]", "(2026-01-01,)")},
		{typ: "tstzrange", value: edges("empty", "[2026-01-01 10:00+05,2026-02-01)", "[-infinity,infinity]")},
		{typ: "int4multirange", since: 14, value: multi(ranges(integer(8)))},
		{typ: "nummultirange", since: 14, value: multi(ranges(numeric(6, 2)))},
		{typ: "datemultirange", since: 14, value: edges("{}", "{[2026-01-01,2026-02-01),[2027-01-01,)}")},
		{typ: "mood", value: edges("happy", "so so", `"quoted"`)},
		{typ: "amount", value: numeric(7, 3)},
		{typ: "price", value: numeric(4, 2)},
		{typ: "tags", value: arrays(text)},
		{typ: "addr", value: composite(short, integer(32), arrays(short))},
		{typ: "person", value: composite(text, composite(short, integer(32), arrays(short)), interval)},
		{typ: "home", value: composite(short, integer(32), arrays(short))},
		{typ: "textrange", value: edges("empty", `["a b",c)`, `["a,b","x""y"]`, "(,)")},
		{typ: "citext", needs: "citext", value: text},
		{typ: "hstore", needs: "hstore", value: hstore},
		{typ: "ltree", needs: "ltree", value: edges("", "a", "Top.Science.Astronomy", "a_1.b2")},
		{typ: "lquery", needs: "ltree", value: edges("a.*", "*{1,2}.b@.!c|d", "a%@*")},
		{typ: "ltxtquery", needs: "ltree", value: edges("a & b*@", "!(a | b)")},
		{typ: "cube", needs: "cube", value: edges("(1)", "(1, 2, 3)", "(0, 0),(1.5, -2e-300)", "()")},
		{typ: "seg", needs: "seg", value: edges("1", "<1.5", "1.0 .. 2.50", "~3e-10", "5 ..")},
		{typ: "isbn", needs: "isn", value: edges("0-306-40615-2", "978-1-4028-9462-6")},
		{typ: "isbn13", needs: "isn", value: edges("978-0-306-40615-7")},
		{typ: "issn", needs: "isn", value: edges("0317-8471")},
		{typ: "ean13", needs: "isn", value: edges("978-0-306-40615-7", "220-9352-84123-6!")},
		{typ: "upc", needs: "isn", value: edges("036000291452")},
		{typ: "query_int", needs: "intarray", value: edges("1&2", "1&(2|!3)")},
		{typ: "vector(3)", needs: "vector", value: edges("[1,2,3]", "[-0.5,1e-7,3.4e38]")},
		{typ: "halfvec(3)", needs: "vector", value: edges("[1,2,3]", "[-0.5,0.25,65504]")},
		{typ: "sparsevec(5)", needs: "vector", value: edges("{1:1,3:2.5}/5", "{}/5")},
		{typ: "geometry", needs: "postgis", value: edges("POINT(1 2)", "SRID=4326;POINT Z (1 2 3)", "POLYGON((0 0,1 0,1 1,0 0))", "GEOMETRYCOLLECTION EMPTY")},
		{typ: "geography", needs: "postgis", value: edges("POINT(1 2)", "LINESTRING(1 2,3 4)")},
	}
	return append(scalars, arraysOf(scalars)...)
}

// arraysOf adds to each type its array. Two shapes of type share a name here and
// there; the first alone has one. Those of isn have no binary form, so that a binary stream
// with arrays of them fails: another test has them.
func arraysOf(scalars []corpusType) []corpusType {
	var out []corpusType
	seen := map[string]bool{}
	for _, c := range scalars {
		if seen[c.typ] || strings.HasSuffix(c.typ, "vector") && c.typ != "tsvector" || c.typ == "regdictionary" || c.needs == "isn" {
			continue
		}
		seen[c.typ] = true
		a := c
		a.typ, a.value = c.typ+"[]", arrays(c.value)
		if delim := delims[c.typ]; delim != "" {
			a.value = arraysBy(c.value, delim)
		}
		out = append(out, a)
	}
	return append(out,
		corpusType{typ: "integer[][]", value: edges("{}", "{1,NULL}", "{{1,2},{3,NULL}}", "[0:1]={1,2}", "[2:3][-1:0]={{1,2},{3,4}}", "{{{1}}}")},
		corpusType{typ: "text[][]", value: edges("{}", `{{a,"b c"},{NULL,"NULL"}}`, `[5:5]={"{x}"}`)},
	)
}

// delims are what stands between the elements of an array where that is no comma.
var delims = map[string]string{"box": ";", "geometry": ":", "geography": ":"}

// corpusTypes makes the types that are not there from the beginning.
const corpusTypes = `
	CREATE TYPE mood AS ENUM ('happy', 'so so', '"quoted"');
	CREATE DOMAIN amount AS numeric(10,3);
	CREATE DOMAIN price AS amount CHECK (value <> 1234567.5);
	CREATE DOMAIN tags AS text[];
	CREATE TYPE addr AS (street text, number int, lines varchar[]);
	CREATE TYPE person AS (name text, home addr, age interval);
	CREATE DOMAIN home AS addr;
	CREATE TYPE textrange AS RANGE (subtype = text, collation = "C");`

// edges gives each text once, and then one of them by chance.
func edges(texts ...string) gen {
	return func(r *rand.Rand, n int) string {
		if n < len(texts) {
			return texts[n]
		}
		return texts[r.IntN(len(texts))]
	}
}

// either takes turns.
func either(gens ...gen) gen {
	return func(r *rand.Rand, n int) string { return gens[n%len(gens)](r, n/len(gens)) }
}

// then gives the edges first, and chance afterwards.
func then(first []string, chance func(r *rand.Rand) string) gen {
	return func(r *rand.Rand, n int) string {
		if n < len(first) {
			return first[n]
		}
		return chance(r)
	}
}

func integer(bits int) gen {
	low := int64(-1) << (bits - 1)
	first := []string{strconv.FormatInt(low, 10), strconv.FormatInt(-(low + 1), 10), "0", "-1"}
	return then(first, func(r *rand.Rand) string { return strconv.FormatInt(int64(r.Uint64())>>(64-bits)>>r.IntN(bits), 10) })
}

func floating(bits int) gen {
	first := []string{"NaN", "Infinity", "-Infinity", "-0", "0", "1e-45", "3.4028235e38", "123456", "1234567", "1e15", "999999999999999", "0.0001", "0.00001"}
	if bits == 64 {
		first = append(first, "5e-324", "1.7976931348623157e308", "0.1")
	}
	return then(first, func(r *rand.Rand) string {
		return strconv.FormatFloat((r.Float64()-0.5)*10*pow10(r.IntN(60)-30), 'g', -1, bits)
	})
}

func pow10(n int) float64 {
	f, _ := strconv.ParseFloat("1e"+strconv.Itoa(n), 64)
	return f
}

// numeric gives numbers of so many digits before and behind the point; 0, 0: of
// any size.
func numeric(whole, frac int) gen {
	first := []string{"0", "NaN", "-1", "0.1"}
	if whole == 0 {
		whole, frac = 60, 40
		first = append(first, strings.Repeat("9", 131072), "-0."+strings.Repeat("0", 16382)+"1", "1e131071", "0.000", "1e-20", "123456789.000100", "10000", "0.00010000", "-99999999.99990000")
	}
	if whole+frac == 7 && frac == 0 {
		first = []string{"0", "100", "-99900", "49", "50"}
	}
	return then(first, func(r *rand.Rand) string {
		text := sign(r) + digits(r, 1+r.IntN(whole))
		if frac > 0 && r.IntN(4) > 0 {
			text += "." + digits(r, 1+r.IntN(frac))
		}
		return text
	})
}

func sign(r *rand.Rand) string { return []string{"", "-"}[r.IntN(2)] }

func digits(r *rand.Rand, n int) string {
	b := make([]byte, n)
	zeros := r.IntN(3) == 0
	for i := range b {
		if b[i] = byte('0' + r.IntN(10)); zeros && r.IntN(3) > 0 {
			b[i] = '0'
		}
	}
	return string(b)
}

func money(r *rand.Rand, n int) string {
	return then([]string{"0", "-92233720368547758.08", "92233720368547758.07", "-0.01", "999.99", "1000", "-1234567.89"},
		func(r *rand.Rand) string { return sign(r) + digits(r, 1+r.IntN(15)) + "." + digits(r, 2) })(r, n)
}

// letters holds what quoting has to get right.
var letters = []string{"a", "B", " ", "'", `"`, `\`, ",", "{", "}", "(", ")", "\t", "\n", "\r", ";", "ü", "€", "😀", "N", "U", "L", "0", "[", "=", "\v", "\x01", "\u0301", ":"}

func text(r *rand.Rand, n int) string {
	return then([]string{"", "NULL", "null", `\N`, " ", "\\.", "a\tb\nc\\d", strings.Repeat("ü", 5000)}, func(r *rand.Rand) string { return word(r, 30) })(r, n)
}

func short(r *rand.Rand, n int) string {
	return then([]string{"", "NULL", `\N`, "twenty"}, func(r *rand.Rand) string { return word(r, 10) })(r, n)
}

func word(r *rand.Rand, most int) string {
	var b strings.Builder
	for range r.IntN(most + 1) {
		b.WriteString(letters[r.IntN(len(letters))])
	}
	return b.String()
}

func bytea(r *rand.Rand, n int) string {
	return then([]string{`\x`, `\x00`, `\xff5c0a0927`}, func(r *rand.Rand) string { return fmt.Sprintf(`\x%x`, random(r, r.IntN(100))) })(r, n)
}

func random(r *rand.Rand, n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b
}

func date(r *rand.Rand, n int) string {
	return then([]string{"infinity", "-infinity", "5874897-12-31", "4713-01-01 BC", "0001-01-01", "0001-12-31 BC", "2000-02-29", "1999-12-31", "10000-01-01"}, day)(r, n)
}

func day(r *rand.Rand) string {
	era := []string{"", "", " BC"}[r.IntN(3)]
	return fmt.Sprintf("%04d-%02d-%02d%s", 1+r.IntN(4000), 1+r.IntN(12), 1+r.IntN(28), era)
}

func clock(precision int) gen {
	first := []string{"00:00", "24:00", "23:59:59"}
	if precision == 6 {
		first = append(first, "23:59:59.999999", "00:00:00.000001", "12:00:00.1")
	}
	return then(first, func(r *rand.Rand) string { return timeOfDay(r, precision) })
}

func timeOfDay(r *rand.Rand, precision int) string {
	text := fmt.Sprintf("%02d:%02d:%02d", r.IntN(24), r.IntN(60), r.IntN(60))
	if precision > 0 && r.IntN(3) > 0 {
		text += "." + digits(r, 1+r.IntN(precision))
	}
	return text
}

func zonedClock(precision int) gen {
	return then([]string{"24:00+00", "00:00-15:59:59", "12:00+15:59", "10:00+05:30", "01:02:03.5-00:00:01"}, func(r *rand.Rand) string {
		return timeOfDay(r, precision) + []string{"+", "-"}[r.IntN(2)] + fmt.Sprintf("%02d:%02d", r.IntN(15), r.IntN(4)*15)
	})
}

func stamp(precision int) gen {
	first := []string{"infinity", "-infinity", "294276-12-31 23:59:59", "4713-01-01 00:00 BC", "1970-01-01", "1999-12-31 23:59:59", "0001-01-01", "294247-01-10 04:00:54"}
	if precision == 6 {
		first = append(first, "294276-12-31 23:59:59.999999", "2000-01-01 00:00:00.000001", "0044-03-15 12:00:00.5 BC")
	}
	return then(first, func(r *rand.Rand) string {
		d := day(r)
		d, bc := strings.CutSuffix(d, " BC")
		text := d + " " + timeOfDay(r, precision)
		if bc {
			text += " BC"
		}
		return text
	})
}

func zonedStamp(precision int) gen {
	inner := stamp(precision)
	return func(r *rand.Rand, n int) string {
		text := inner(r, n)
		if n < 11 || strings.HasSuffix(text, "BC") {
			return text
		}
		return text + []string{"+00", "-08", "+05:45", "+14"}[r.IntN(4)]
	}
}

func interval(r *rand.Rand, n int) string {
	return then([]string{"0", "178000000 years", "-178000000 years", "2147483647 days", "-2562047788:00:54.775807", "1 year -1 day", "-1 mon +1 day -00:00:00.000001", "1 mon", "-1 day", "99:59:59"},
		func(r *rand.Rand) string {
			return fmt.Sprintf("%s%d years %s%d mons %s%d days %s%d:%02d:%02d.%s", sign(r), r.IntN(3)*r.IntN(1000), sign(r), r.IntN(2)*r.IntN(30), sign(r), r.IntN(2)*r.IntN(1000),
				sign(r), r.IntN(2)*r.IntN(200), r.IntN(60), r.IntN(60), digits(r, 1+r.IntN(6)))
		})(r, n)
}

func uuid(r *rand.Rand, n int) string {
	return then([]string{"00000000-0000-0000-0000-000000000000", "ffffffff-ffff-ffff-ffff-ffffffffffff"}, func(r *rand.Rand) string { return fmt.Sprintf("%x", random(r, 16)) })(r, n)
}

func jsonText(r *rand.Rand, n int) string {
	return then([]string{"null", "{}", "[]", `""`, "-0", "123456789012345678901234567890.123456789"}, func(r *rand.Rand) string { return jsonValue(r, 3) })(r, n)
}

func jsonValue(r *rand.Rand, depth int) string {
	switch k := r.IntN(6); {
	case k == 0 && depth > 0:
		return fmt.Sprintf("[%s, %s]", jsonValue(r, depth-1), jsonValue(r, depth-1))
	case k <= 2 && depth > 0:
		return fmt.Sprintf(`{"%s":%s,"ü\"": %s}`, digits(r, 2), jsonValue(r, depth-1), jsonValue(r, depth-1))
	case k == 3:
		return sign(r) + "1" + digits(r, r.IntN(20)) + "." + digits(r, 1+r.IntN(5))
	case k == 4:
		return `"a\tb\\ \u00fc 😀"`
	}
	return []string{"true", "false", "null"}[r.IntN(3)]
}

func bits(low, high int) gen {
	return func(r *rand.Rand, n int) string {
		b := make([]byte, low+r.IntN(high-low+1))
		for i := range b {
			b[i] = byte('0' + r.IntN(2)*min(n, 1))
		}
		return string(b)
	}
}

func address(network bool) gen {
	return func(r *rand.Rand, n int) string {
		size := 4 + 12*r.IntN(2)
		raw := random(r, size)
		for i := range raw {
			if r.IntN(3) > 0 {
				raw[i] = 0
			}
		}
		prefix := size * 8
		if r.IntN(2) == 0 {
			prefix = r.IntN(size*8 + 1)
		}
		for i := range raw {
			if network {
				raw[i] &= byte(uint(0xFF00) >> min(8, max(0, prefix-8*i)))
			}
		}
		var words []string
		if size == 4 {
			for _, c := range raw {
				words = append(words, strconv.Itoa(int(c)))
			}
			return strings.Join(words, ".") + "/" + strconv.Itoa(prefix)
		}
		for i := 0; i < 16; i += 2 {
			words = append(words, fmt.Sprintf("%02x%02x", raw[i], raw[i+1]))
		}
		return strings.Join(words, ":") + "/" + strconv.Itoa(prefix)
	}
}

func mac(n int) gen {
	return func(r *rand.Rand, _ int) string {
		return strings.ReplaceAll(fmt.Sprintf("% x", random(r, n)), " ", ":")
	}
}

func points(form string, n int) gen {
	f := floating(64)
	return func(r *rand.Rand, at int) string {
		var all []string
		for i := range n {
			x, y := f(r, 100+at), f(r, 100)
			if at < 3 && i == 0 {
				x = []string{"-0", "1e300", "0.1"}[at]
			}
			all = append(all, "("+x+","+y+")")
		}
		if n == 1 {
			return all[0]
		}
		return fmt.Sprintf(form, strings.Join(all, ","))
	}
}

func circle(r *rand.Rand, n int) string {
	return fmt.Sprintf("<%s,%s>", points("", 1)(r, n), edges("0", "1.5", "1e100")(r, n))
}

func tsvector(r *rand.Rand, n int) string {
	return edges("", "'a':1A,2 'b':3", "fat cat", "'it''s' 'x y':16383", `'\\'`, "ü:5B")(r, n)
}

func lsnText(r *rand.Rand, n int) string {
	return then([]string{"0/0", "FFFFFFFF/FFFFFFFF", "1/0"}, func(r *rand.Rand) string { return fmt.Sprintf("%X/%X", r.Uint32(), r.Uint32()) })(r, n)
}

// quoted is an element of an array, a composite or a range.
func quoted(text string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(text) + `"`
}

func ranges(bound gen) gen {
	return func(r *rand.Rand, n int) string {
		if n < 3 {
			return []string{"empty", "(,)", "[,5]"}[n]
		}
		a, b := bound(r, 100), bound(r, 100)
		x, _ := strconv.ParseFloat(a, 64)
		if y, _ := strconv.ParseFloat(b, 64); x > y {
			a, b = b, a
		}
		return []string{"[", "("}[r.IntN(2)] + quoted(a) + "," + quoted(b) + []string{"]", ")"}[r.IntN(2)]
	}
}

func multi(one gen) gen {
	return func(r *rand.Rand, n int) string {
		var all []string
		for range n % 4 {
			all = append(all, one(r, n))
		}
		return "{" + strings.Join(all, ",") + "}"
	}
}

func composite(fields ...gen) gen {
	return func(r *rand.Rand, n int) string {
		var all []string
		for _, f := range fields {
			if r.IntN(5) == 0 {
				all = append(all, "") // NULL
				continue
			}
			all = append(all, quoted(f(r, n)))
		}
		return "(" + strings.Join(all, ",") + ")"
	}
}

func hstore(r *rand.Rand, n int) string {
	var all []string
	for range n % 5 {
		value := "NULL"
		if r.IntN(3) > 0 {
			value = quoted(word(r, 8))
		}
		all = append(all, quoted("k"+word(r, 8))+"=>"+value)
	}
	return strings.Join(all, ", ")
}

// arrays gives arrays of one dimension: empty, with NULLs, and of one long element.
func arrays(elem gen) gen { return arraysBy(elem, ",") }

func arraysBy(elem gen, delim string) gen {
	return func(r *rand.Rand, n int) string {
		if n < 2 {
			return []string{"{}", "{NULL}"}[n]
		}
		var all []string
		for i := range 1 + r.IntN(4) {
			if r.IntN(5) == 0 {
				all = append(all, "NULL")
				continue
			}
			all = append(all, quoted(elem(r, n+i)))
		}
		return "{" + strings.Join(all, delim) + "}"
	}
}
