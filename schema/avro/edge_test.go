package avro_test

import (
	"encoding/hex"
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/evertdb/evert/schema"
	"github.com/evertdb/evert/schema/avro"
)

// one is a table of a key and one nullable column v of this type.
func one(typ schema.Type) *schema.Table {
	return &schema.Table{Schema: "public", Name: "t", Key: []int{0}, Columns: []schema.Column{
		{Name: "id", Type: bigint}, {Name: "v", Type: typ, Nullable: true},
	}}
}

func rowOptions() avro.Options {
	o := options
	o.Envelope = avro.Row
	return o
}

// A fieldBytes is how one value lies in both envelopes, and that it is read
// back: its bytes in hex behind the union's branch.
type fieldBytes struct {
	name     string
	typ      schema.Type
	value    schema.Value
	debezium string
	row      string
}

func (f fieldBytes) check(t *testing.T) {
	t.Helper()
	for env, want := range map[avro.Envelope]string{avro.Debezium: f.debezium, avro.Row: f.row} {
		o := options
		o.Envelope = env
		c := compile(t, one(f.typ), o)
		row := schema.Row{schema.Int(0), f.value}
		body, err := c.AppendValue(nil, &avro.Event{Op: 'c', After: row, Origin: &avro.Origin{}})
		if err != nil {
			t.Errorf("%s, envelope %d: %v", f.name, env, err)
			continue
		}
		at := 2 // behind id and the branch
		if env == avro.Debezium {
			at = 4
		}
		if want != "" && !strings.HasPrefix(hex.EncodeToString(body[at:]), want) {
			t.Errorf("%s, envelope %d: % x, want %s", f.name, env, body[at:min(len(body), at+len(want)/2+4)], want)
		}
		got, err := c.DecodeValue(body, new(avro.Arena))
		if err != nil || !got.After.Identical(row) {
			t.Errorf("%s, envelope %d: read back as %v, %v", f.name, env, got.After, err)
		}
	}
}

func decimal(text string) schema.Value { return schema.Decimal([]byte(text)) }

func ascii(s string) string {
	return hex.EncodeToString([]byte{byte(len(s)) << 1}) + hex.EncodeToString([]byte(s))
}

func TestNumeric(t *testing.T) {
	t.Run("P46 numeric", func(t *testing.T) {
		for _, f := range []fieldBytes{
			{"zero", numericOf(10, 2), decimal("0.00"), "0200", "0200"},
			{"one cent", numericOf(10, 2), decimal("0.01"), "0201", "0201"},
			{"minus one cent", numericOf(10, 2), decimal("-0.01"), "02ff", "02ff"},
			{"127", numericOf(3, 0), decimal("127"), "027f", "027f"},
			{"128", numericOf(3, 0), decimal("128"), "040080", "040080"},
			{"-128", numericOf(3, 0), decimal("-128"), "0280", "0280"},
			{"-129", numericOf(3, 0), decimal("-129"), "04ff7f", "04ff7f"},
			{"2^63", numericOf(38, 0), decimal("9223372036854775808"), "12008000000000000000", ""},
			{"-2^63", numericOf(38, 0), decimal("-9223372036854775808"), "108000000000000000", ""},
			{"2^64", numericOf(38, 0), decimal("18446744073709551616"), "12010000000000000000", ""},
			{"38 nines", numericOf(38, 0), decimal(strings.Repeat("9", 38)), "204b3b4ca85a86c47a098a223fffffffff", ""},
			{"39 digits", numericOf(39, 0), decimal("1" + strings.Repeat("0", 38)), "204b3b4ca85a86c47a098a224000000000", ""},
			{"minus 39 digits", numericOf(39, 0), decimal("-1" + strings.Repeat("0", 38)), "20b4c4b357a5793b85f675ddc000000000", ""},
			{"negative scale", numericOf(5, -2), decimal("12300"), "027b", "027b"},
			{"negative scale, zero", numericOf(5, -2), decimal("0"), "0200", "0200"},
			{"scale above precision", numericOf(2, 5), decimal("0.00012"), "020c", "020c"},
			{"NaN", numericOf(10, 2), decimal("NaN"), "00", "00"},
			{"unconstrained", numeric, decimal("-12.50"), "0404fb1e", "0404fb1e"},
			{"unconstrained zero", numeric, decimal("0"), "000200", "000200"},
			{"unconstrained NaN", numeric, decimal("NaN"), "0000", "0000"},
			{"unconstrained Infinity", numeric, decimal("Infinity"), "0200", "0200"},
			{"unconstrained -Infinity", numeric, decimal("-Infinity"), "0100", "0100"},
			{"the most digits", numeric, decimal("-" + strings.Repeat("7", 131_072) + "." + strings.Repeat("3", 16_383)), "", ""},
			{"the smallest", numeric, decimal("0." + strings.Repeat("0", 16_382) + "1"), "feff010201", ""},
		} {
			f.check(t)
		}
	})
}

func TestFloats(t *testing.T) {
	for _, f := range []fieldBytes{
		{"NaN", double, schema.Float(math.NaN()), "010000000000f87f", "010000000000f87f"},
		{"infinity", realType, schema.Float(math.Inf(1)), "0000807f", "0000807f"},
		{"minus zero", double, schema.Float(math.Copysign(0, -1)), "0000000000000080", "0000000000000080"},
	} {
		f.check(t)
	}
}

const (
	second = 1_000_000
	day    = 86_400 * second
	bc4713 = -211_813_488_000_000_000      // 4714-11-24 BC, the first timestamp
	end    = 9_223_371_331_200_000_000 - 1 // 294276-12-31 23:59:59.999999, the last
	ides   = -746_117 * day                // 0044-03-15 BC
)

func TestTimes(t *testing.T) {
	t.Run("P47 dates and times at the ends", func(t *testing.T) {
		for _, f := range []fieldBytes{
			{"1970", date, schema.Date(0), "00", "00"},
			{"4713 BC", date, schema.Date(-2_440_588), "", ""},
			{"date infinity", date, schema.Date(schema.DateInfinity), "feffffff0f", "feffffff0f"},
			{"date -infinity", date, schema.Date(schema.DateMinusInfinity), "ffffffff0f", "ffffffff0f"},
			{"24:00", timeUs, schema.Time(day), "", ""},
			{"24:00 ms", timeMs, schema.Time(day), "80f0b252", ""},
			{"2000", stampUs, schema.Timestamp(0), "", ""},
			{"infinity", stampUs, schema.Timestamp(schema.TimestampInfinity), "", "feffffffffffffffff01"},
			{"-infinity", stampUs, schema.Timestamp(schema.TimestampMinusInfinity), "", "ffffffffffffffffff01"},
			{"infinity ms", stampMs, schema.Timestamp(schema.TimestampInfinity), "", ""},
			{"-infinity ms", stampMs, schema.Timestamp(schema.TimestampMinusInfinity), "", ""},
			{"the first", stampUs, schema.Timestamp(bc4713), "", ""},
			{"the last in ms", stampMs, schema.Timestamp(0), "", ""},
			{"zoned", zoned, schema.Timestamp(second / 2), ascii("2000-01-01T00:00:00.500000Z"), ""},
			{"zoned, whole seconds", zonedSecs, schema.Timestamp(-second), ascii("1999-12-31T23:59:59Z"), ""},
			{"zoned BC", zoned, schema.Timestamp(ides), ascii("-0043-03-15T00:00:00.000000Z"), ""},
			{"zoned infinity", zoned, schema.Timestamp(schema.TimestampInfinity), ascii("infinity"), "feffffffffffffffff01"},
			{"zoned -infinity", zoned, schema.Timestamp(schema.TimestampMinusInfinity), ascii("-infinity"), ""},
			{"zoned, the first", zoned, schema.Timestamp(bc4713), ascii("-4713-11-24T00:00:00.000000Z"), ""},
		} {
			f.check(t)
		}
	})
}

// Both envelopes hold every timestamp of Postgres: the last thirty years, whose
// microseconds do not fit a long, and the numbers that stand for infinity.
func TestP47EveryTimestampIsItself(t *testing.T) {
	const epoch = schema.UnixEpoch2000
	seen := map[string]int64{}
	for _, typ := range []schema.Type{zoned, stampMs, stampUs} {
		for _, o := range []avro.Options{options, rowOptions()} {
			clear(seen)
			for _, micros := range []int64{bc4713, end, end - 1, math.MaxInt64 - epoch, math.MaxInt64 - epoch + 1, math.MaxInt64 - epoch - 1, 9_223_372_036_825_200_000 - epoch,
				math.MaxInt64 - epoch + 22_375_809, schema.TimestampInfinity, schema.TimestampMinusInfinity, 0} {
				if typ.Precision == 3 && micros != schema.TimestampInfinity && micros != schema.TimestampMinusInfinity {
					micros -= micros % 1000
				}
				c := compile(t, one(typ), o)
				row := schema.Row{schema.Int(0), schema.Timestamp(micros)}
				body, err := c.AppendValue(nil, &avro.Event{Op: 'c', After: row, Origin: &avro.Origin{}})
				if err != nil {
					t.Fatal(err)
				}
				if got, err := c.DecodeValue(body, new(avro.Arena)); err != nil || !got.After.Identical(row) {
					t.Errorf("%s: %d read back as %v, %v", typ.Name, micros, got.After, err)
				}
				if was, ok := seen[string(body)]; ok && was != micros {
					t.Errorf("%s: %d and %d are the same bytes", typ.Name, was, micros)
				}
				seen[string(body)] = micros
			}
		}
	}
}

func TestArrays(t *testing.T) {
	array := func(elems ...schema.Value) schema.Value { return schema.Array(schema.AppendArray(nil, elems...)) }
	t.Run("P49 arrays", func(t *testing.T) {
		for _, f := range []fieldBytes{
			{"empty", arrayOf(integer), array(), "00", "00"},
			{"NULL elements", arrayOf(integer), array(schema.Int(1), schema.Null()), "0402020000", "0402020000"},
			{"text", arrayOf(text), array(schema.Text([]byte("a,\"b"))), "020208612c226200", "020208612c226200"},
			{"numeric", arrayOf(numeric), array(decimal("1.5"), decimal("NaN")), "", ""},
			{"uuid", arrayOf(uuid), array(schema.UUID([]byte("0123456789abcdef"))), "", ""},
		} {
			f.check(t)
		}
		nested := array(array(schema.Int(1)), array(schema.Int(2)))
		c := compile(t, one(arrayOf(integer)), rowOptions())
		_, err := c.AppendValue(nil, &avro.Event{After: schema.Row{schema.Int(0), nested}})
		if err == nil || !strings.Contains(err.Error(), "several dimensions") {
			t.Errorf("two dimensions: %v", err)
		}
	})
}

// What cannot be written is refused with the table, the column and a reason; no
// value stands in the error (X14) and the buffer is as it was.
func TestRefusals(t *testing.T) {
	tests := []struct {
		name  string
		typ   schema.Type
		value schema.Value
		want  string
	}{
		{"P13 unchanged toast", text, schema.Unknown(), "did not send"},
		{"wrong kind", integer, schema.Text([]byte("secret")), "kind text"},
		{"int too wide", integer, schema.Int(1 << 31), "does not fit"},
		{"infinite numeric(p,s)", numericOf(10, 2), decimal("Infinity"), "infinite"},
		{"too many digits", numericOf(10, 2), decimal("77.777"), "never rounded"},
		{"too many digits, wide", numericOf(60, 2), decimal(strings.Repeat("7", 50) + ".777"), "never rounded"},
		{"no number", numericOf(10, 2), decimal("secret"), "not decimal"},
		{"no digits", numeric, decimal("-."), "not decimal"},
		{"timestamp finer than its type", stampMs, schema.Timestamp(1), "fractional digits"},
		{"zoned finer than its type", zonedSecs, schema.Timestamp(1), "fractional digits"},
		{"time finer than its type", timeMs, schema.Time(1), "fractional digits"},
		{"uuid", uuid, schema.UUID([]byte("secret")), "16 bytes"},
		{"array of the wrong kind", arrayOf(integer), schema.Array(schema.AppendArray(nil, schema.Text([]byte("secret")))), "kind text"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			c := compile(t, one(test.typ), options)
			for _, e := range []avro.Event{
				{Op: 'c', After: schema.Row{schema.Int(0), test.value}, Origin: &avro.Origin{}},
				{Op: 'd', Before: schema.Row{schema.Int(0), test.value}, Origin: &avro.Origin{}},
			} {
				dst, err := c.AppendValue([]byte("head"), &e)
				if err == nil || string(dst) != "head" {
					t.Fatalf("dst %q, error %v", dst, err)
				}
				for _, want := range []string{"public.t", "column v", test.want} {
					if !strings.Contains(err.Error(), want) {
						t.Errorf("error %q lacks %q", err, want)
					}
				}
				if strings.Contains(err.Error(), "secret") || strings.Contains(err.Error(), "777") {
					t.Errorf("X14: a value stands in %q", err)
				}
				if errors.Is(err, avro.ErrUnknown) != !test.value.IsKnown() {
					t.Errorf("ErrUnknown: %v", err)
				}
			}
		})
	}
}

func TestNullInNotNull(t *testing.T) {
	c := compile(t, one(text), options)
	if _, err := c.AppendKey(nil, schema.Row{schema.Null(), schema.Null()}); err == nil || !strings.Contains(err.Error(), "column id") {
		t.Errorf("a NULL key: %v", err)
	}
	if _, err := c.AppendKey(nil, schema.Row{schema.Unknown(), schema.Null()}); !errors.Is(err, avro.ErrUnknown) {
		t.Errorf("an unknown key: %v", err)
	}
	if _, err := c.AppendKey(nil, schema.Row{schema.Int(1)}); err == nil {
		t.Error("a row of another version was taken")
	}
	if key, err := c.AppendKey(nil, schema.Row{schema.Int(1), schema.Unknown()}); err != nil || string(key) != "\x02" {
		t.Errorf("a key needs no more than its columns: % x, %v", key, err)
	}
}

func TestMisuse(t *testing.T) {
	table := one(text)
	row := schema.Row{schema.Int(1), schema.Null()}
	debezium, native := compile(t, table, options), compile(t, table, rowOptions())
	parsed, err := avro.ParseCodec(native.KeySchema(), native.ValueSchema())
	if err != nil {
		t.Fatal(err)
	}
	for name, call := range map[string]func() error{
		"no origin": func() error { _, err := debezium.AppendValue(nil, &avro.Event{Op: 'c', After: row}); return err },
		"no op": func() error {
			_, err := debezium.AppendValue(nil, &avro.Event{After: row, Origin: &avro.Origin{}})
			return err
		},
		"delete as row":  func() error { _, err := native.AppendValue(nil, &avro.Event{Op: 'd', Before: row}); return err },
		"parsed, value":  func() error { _, err := parsed.AppendValue(nil, &avro.Event{After: row}); return err },
		"parsed, key":    func() error { _, err := parsed.AppendKey(nil, row); return err },
		"no topic":       func() error { _, err := avro.Compile(table, avro.Options{}); return err },
		"oracle":         func() error { _, err := avro.Compile(table, avro.Options{Topic: "t", Connector: "oracle"}); return err },
		"array of array": func() error { _, err := avro.Compile(one(arrayOf(arrayOf(text))), options); return err },
		"no kind":        func() error { _, err := avro.Compile(one(schema.Type{Name: "x"}), options); return err },
		"keyless": func() error {
			keyless := *table
			keyless.Key = nil
			_, err := compile(t, &keyless, options).AppendKey(nil, row)
			return err
		},
	} {
		if call() == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestNames(t *testing.T) {
	t.Run("K25 names that become one are refused", func(t *testing.T) {
		table := one(text)
		table.Columns = append(table.Columns, schema.Column{Name: "a-b", Type: text}, schema.Column{Name: "a.b", Type: text})
		_, err := avro.Compile(table, options)
		if err == nil || !strings.Contains(err.Error(), `"a-b"`) || !strings.Contains(err.Error(), `"a.b"`) {
			t.Errorf("error is %v", err)
		}
	})
	table := one(text)
	table.Columns[1].Name = "1. Größe ☂"
	o := options
	o.Topic = "2shop.public..t"
	c := compile(t, table, o)
	for _, want := range []string{`"_1__Gr__e__"`, `"namespace":"_2shop.public._.t"`, `"name":"1. Größe ☂"`} {
		if !strings.Contains(c.ValueSchema(), want) {
			t.Errorf("%s lacks %s", c.ValueSchema(), want)
		}
	}
	parsed, err := avro.ParseCodec(c.KeySchema(), c.ValueSchema())
	if err != nil || parsed.Table().Columns[1].Name != "1. Größe ☂" {
		t.Errorf("the name is lost: %v, %v", parsed, err)
	}
}

// A key's schema, and so the id in every key, outlives an ALTER that leaves the
// values alone.
func TestKeySchemaIsStable(t *testing.T) {
	t.Run("K26 key schema", func(t *testing.T) {
		key := func(typ schema.Type, collation string) string {
			table := one(text)
			table.Columns[0] = schema.Column{Name: "id", Type: typ, Collation: schema.Collation{Name: collation}}
			return compile(t, table, options).KeySchema()
		}
		short := schema.Type{Kind: schema.KindText, Name: "character varying(10)"}
		long := schema.Type{Kind: schema.KindText, Name: "character varying(20)"}
		more := mood
		more.Labels = append([]string{"new"}, mood.Labels...)
		for name, pair := range map[string][2]string{
			"varchar grows":       {key(short, "C"), key(long, "C")},
			"collation changes":   {key(short, "C"), key(short, "en-x-icu")},
			"enum gets a label":   {key(mood, ""), key(more, "")},
			"numeric gets digits": {key(numericOf(10, 2), ""), key(numericOf(12, 2), "")},
		} {
			if pair[0] != pair[1] {
				t.Errorf("%s: %s became %s", name, pair[0], pair[1])
			}
		}
	})
}

// Rows decoded with one arena stay as they are until its Reset, also where it
// had to grow.
func TestArena(t *testing.T) {
	table, row := wide()
	c := compile(t, table, options)
	body, err := c.AppendValue(nil, &avro.Event{Op: 'u', Before: row, After: row, Origin: &benchOrigin, At: benchOrigin.At})
	if err != nil {
		t.Fatal(err)
	}
	var a avro.Arena
	for range 2 {
		var events []avro.Event
		for range 500 {
			e, err := c.DecodeValue(body, &a)
			if err != nil {
				t.Fatal(err)
			}
			events = append(events, e)
		}
		for i, e := range events {
			if !e.Before.Identical(row) || !e.After.Identical(row) || e.Origin.Postgres != benchOrigin.Postgres || !e.Origin.At.Equal(benchOrigin.At) {
				t.Fatalf("event %d has changed", i)
			}
		}
		a.Reset()
	}
}

func TestNoAllocations(t *testing.T) {
	table, row := wide()
	for _, o := range []avro.Options{options, rowOptions()} {
		c := compile(t, table, o)
		e := avro.Event{Op: 'u', Before: row, After: row, Origin: &benchOrigin, At: time.Unix(1, 0)}
		dst, err := c.AppendValue(nil, &e)
		if err != nil {
			t.Fatal(err)
		}
		if n := testing.AllocsPerRun(100, func() { dst, _ = c.AppendValue(dst[:0], &e) }); n != 0 {
			t.Errorf("envelope %d: %v allocations to write a row", o.Envelope, n)
		}
		var a avro.Arena
		read := func() { a.Reset(); _, _ = c.DecodeValue(dst, &a) }
		read()
		if n := testing.AllocsPerRun(100, read); n != 0 {
			t.Errorf("envelope %d: %v allocations to read a row", o.Envelope, n)
		}
	}
}
