package pgvalue

import (
	"errors"
	"math"
	"testing"

	"github.com/evertdb/evert/schema"
	"github.com/evertdb/evert/schema/arena"
)

func TestTextRoundTrips(t *testing.T) {
	for _, c := range []struct {
		op    Op
		elem  Op
		texts []string
	}{
		{op: Bool, texts: []string{"t", "f"}},
		{op: Int2, texts: []string{"0", "-32768", "32767"}},
		{op: Int4, texts: []string{"-2147483648", "2147483647", "7"}},
		{op: Int8, texts: []string{"-9223372036854775808", "9223372036854775807", "-1"}},
		{op: Float4, texts: []string{"1", "-0", "1.1", "3.4028235e+38", "1e-45", "NaN", "Infinity", "-Infinity", "123456", "1.234567e+06", "0.0001", "1e-05"}},
		{op: Float8, texts: []string{"0", "-0", "0.1", "1.7976931348623157e+308", "5e-324", "NaN", "Infinity", "123456789012345", "1e+15", "0.0001", "1e-05"}},
		{op: Numeric, texts: []string{"0", "0.00", "-12.30", "NaN", "Infinity", "-Infinity", "99999999999999999999999999.9", "0.000000001"}},
		{op: Text, texts: []string{"", "a", "grüße", "a\tb\nc"}},
		{op: Bytea, texts: []string{`\x`, `\x00ff`}},
		{op: Date, texts: []string{"1970-01-01", "2000-02-29", "0001-01-01", "0001-12-31 BC", "4714-11-24 BC", "5874897-12-31", "infinity", "-infinity", "10000-01-01"}},
		{op: Time, texts: []string{"00:00:00", "23:59:59.999999", "24:00:00", "12:30:00.5", "01:02:03.000001"}},
		{op: Timestamp, texts: []string{"2000-01-01 00:00:00", "1999-12-31 23:59:59.999999", "294276-12-31 23:59:59.999999", "0044-03-15 12:00:00 BC", "4714-11-24 00:00:00 BC", "infinity", "-infinity"}},
		{op: Timestamptz, texts: []string{"2026-11-22 10:00:00.123456+00", "0044-03-15 12:00:00+00 BC", "infinity"}},
		{op: UUID, texts: []string{"2f1e6a52-6d6b-4b52-a3a5-8a6f7d0a0b11", "00000000-0000-0000-0000-000000000000"}},
		{op: JSON, texts: []string{`{"a": 1, "a":2}`}},
		{op: JSONB, texts: []string{`{"a": 2}`}},
		{op: Enum, texts: []string{"happy"}},
		{op: Array, elem: Int4, texts: []string{"{}", "{1,-2,NULL}"}},
		{op: Array, elem: Text, texts: []string{`{a,"b c","","NULL","x\"y","p\\q","{}",NULL,"a,b"}`}},
		{op: Array, elem: Bytea, texts: []string{`{"\\x00ff","\\x"}`}},
		{op: Array, elem: Timestamptz, texts: []string{`{"2026-11-22 10:00:00.123456+00",infinity}`}},
		{op: Array, elem: Numeric, texts: []string{`{1.50,NaN}`}},
		{op: Interval, texts: []string{"00:00:00", "1 year 2 mons 3 days 04:05:06.789", "-1 years -2 mons +3 days -04:05:06", "1 day", "2562047788:00:54.775807",
			"-2562047788:00:54.775808", "178956970 years 7 mons 2147483647 days", "infinity", "-infinity", "1 mon -1 days", "-00:00:00.000001"}},
		{op: Array, elem: Interval, texts: []string{`{"1 day",00:00:01,NULL}`}},
		{op: Array, elem: UUID, texts: []string{`{2f1e6a52-6d6b-4b52-a3a5-8a6f7d0a0b11}`}},
	} {
		for _, text := range c.texts {
			r := Reader{Arena: new(arena.Bytes)}
			codec := Codec{Op: c.op, Elem: c.elem}
			v, err := r.Text(codec, []byte(text))
			if err != nil {
				t.Errorf("%s %q: %v", c.op, text, err)
				continue
			}
			if again := printedAgain(codec, v); again != text {
				t.Errorf("%s %q: printed again as %q", c.op, text, again)
			}
		}
	}
}

// printedAgain prints v as the server does.
func printedAgain(c Codec, v schema.Value) string {
	typ := c.Type()
	return string(typ.AppendText(nil, v))
}

func TestTextIsStrict(t *testing.T) {
	for op, texts := range map[Op][]string{
		Bool:        {"", "true", "1"},
		Int2:        {"", "32768", "-32769", "+1", "01", "1 ", "-", "-0"},
		Int4:        {"2147483648", "1e3", "1.0"},
		Int8:        {"9223372036854775808", "-9223372036854775809", "99999999999999999999"},
		Float8:      {"", "0x1p4", "1_000", "inf", "nan", "1e999"},
		Numeric:     {"", ".", "1.", ".5", "1e5", "--1", "1.2.3", "inf", "-"},
		Bytea:       {"", "abc", `\x0`, `\x0g`, `\\x00`},
		Date:        {"", "2026-13-01", "2026-02-30", "26-01-01", "01/02/2026", "2026-01-01x", "0000-01-01", "5874898-01-01", "02026-01-01"},
		Time:        {"", "24:00:01", "12:60:00", "12:00", "12:00:00.", "12:00:00.1234567", "12:00:00.10", "12:00:00+00"},
		Timestamp:   {"", "2026-01-01", "2026-01-01 24:00:00", "2026-01-01T00:00:00", "2026-01-01 00:00:00+00", "294277-01-01 00:00:00", "22/11/2026 10:00:00"},
		Timestamptz: {"2026-01-01 00:00:00", "2026-01-01 00:00:00+01", "2026-01-01 00:00:00-07", "Sun Nov 22 10:00:00 2026 UTC"},
		Interval:    {"", "1", "1 day ", " 1 day", "1 days 1 year", "1 hour", "P1D", "1:00:00", "00:00", "01:60:00", "2562047788:00:54.775808", "2147483648 days", "@ 1 day"},
		UUID:        {"", "2f1e6a526d6b4b52a3a58a6f7d0a0b11", "2F1E6A52-6d6b-4b52-a3a5-8a6f7d0a0b11", "2f1e6a52-6d6b-4b52-a3a5-8a6f7d0a0b1g"},
	} {
		for _, text := range texts {
			r := Reader{Arena: new(arena.Bytes)}
			if v, err := r.Text(Codec{Op: op}, []byte(text)); err == nil {
				t.Errorf("%s %q was read as %v", op, text, v)
			}
		}
	}
	for _, text := range []string{"", "{", "}", "{1", "1}", "{1,}", "{,1}", "{1 2\"}", `{"1}`, `{"1"2}`, "{1}}", "{a\\b}"} {
		r := Reader{Arena: new(arena.Bytes)}
		if _, err := r.Text(Codec{Op: Array, Elem: Text}, []byte(text)); err == nil {
			t.Errorf("array %q was read", text)
		}
	}
}

func TestArraysOfOtherShapes(t *testing.T) {
	for _, text := range []string{"{{1,2},{3,4}}", "[0:1]={1,2}"} {
		r := Reader{Arena: new(arena.Bytes)}
		_, err := r.Text(Codec{Op: Array, Elem: Int4}, []byte(text))
		if !errors.As(err, new(ShapeError)) {
			t.Errorf("%s: %v, want a ShapeError", text, err)
		}
	}
}

func TestNumbersBehindText(t *testing.T) {
	r := Reader{Arena: new(arena.Bytes)}
	for _, c := range []struct {
		op   Op
		text string
		want schema.Value
	}{
		{Date, "1970-01-01", schema.Date(0)},
		{Date, "1969-12-31", schema.Date(-1)},
		{Date, "4714-11-24 BC", schema.Date(-2440588)},
		{Timestamp, "2000-01-01 00:00:00.000001", schema.Timestamp(1)},
		{Timestamp, "1970-01-01 00:00:00", schema.Timestamp(-schema.UnixEpoch2000)},
		{Timestamp, "294276-12-31 23:59:59.999999", schema.Timestamp(9223371331199999999)},
		{Timestamp, "4714-11-24 00:00:00 BC", schema.Timestamp(-211813488000000000)},
		{Float8, "NaN", schema.Float(math.NaN())},
		{Float4, "1.1", schema.Float(float64(float32(1.1)))},
		{Time, "24:00:00", schema.Time(86_400_000_000)},
	} {
		if got, err := r.Text(Codec{Op: c.op}, []byte(c.text)); err != nil || !got.Identical(c.want) {
			t.Errorf("%s %s: got %v (%v), want %v", c.op, c.text, got.Int(), err, c.want.Int())
		}
	}
}

func TestNumericBinary(t *testing.T) {
	word := func(ws ...uint16) (b []byte) {
		for _, w := range ws {
			b = be.AppendUint16(b, w)
		}
		return b
	}
	neg := func(i int16) uint16 { return uint16(i) }
	for _, c := range []struct {
		in   []byte
		want string
	}{
		{word(0, 0, 0, 0), "0"},
		{word(0, 0, 0, 2), "0.00"},
		{word(1, 0, 0, 0, 7), "7"},
		{word(2, 1, 0x4000, 0, 1, 2), "-10002"},
		{word(2, 0, 0, 2, 12, 3000), "12.30"},
		{word(2, 0, 0x4000, 1, 9999, 5000), "-9999.5"},
		{word(1, neg(-1), 0x4000, 2, 500), "-0.05"},
		{word(1, neg(-1), 0, 4, 5), "0.0005"},
		{word(1, neg(-2), 0, 8, 5), "0.00000005"},
		{word(1, neg(-3), 0, 9, 1000), "0.000000001"},
		{word(1, 2, 0, 0, 1), "100000000"},
		{word(0, 0, 0xC000, 0), "NaN"},
		{word(0, 0, 0xD000, 0), "Infinity"},
		{word(0, 0, 0xF000, 0), "-Infinity"},
	} {
		r := Reader{Arena: new(arena.Bytes)}
		v, err := r.Binary(Codec{Op: Numeric}, c.in)
		if err != nil || string(v.Ref()) != c.want {
			t.Errorf("%x: got %q (%v), want %q", c.in, v.Ref(), err, c.want)
		}
	}
	for _, in := range [][]byte{word(1, 0, 0, 0, 10000), word(2, 1, 0, 0, 1, 10000), word(2, 0, 0, 4, 1, 10000)} {
		r := Reader{Arena: new(arena.Bytes)}
		if v, err := r.Binary(Codec{Op: Numeric}, in); err == nil {
			t.Errorf("%x: a digit of 10000 was read as %q", in, v.Ref())
		}
	}
}

func FuzzText(f *testing.F) {
	for _, s := range []string{"1", "-12.30", "2026-11-22 10:00:00.5+00", "0044-03-15 BC", `{"a b",NULL}`, `\x00ff`, "24:00:00", "1e-05", "2f1e6a52-6d6b-4b52-a3a5-8a6f7d0a0b11", "{{1}}"} {
		for op := Opaque; op <= Array; op++ {
			f.Add(uint8(op), uint8(Text), []byte(s))
			f.Add(uint8(op), uint8(Int8), []byte(s))
		}
	}
	f.Fuzz(func(t *testing.T, op, elem uint8, text []byte) {
		c := Codec{Op: Op(op % (uint8(Array) + 1)), Elem: Op(elem % uint8(Array))}
		r := Reader{Arena: new(arena.Bytes)}
		v, err := r.Text(c, text)
		_, _ = r.Binary(c, text)
		if err != nil {
			return
		}
		printed := []byte(printedAgain(c, v))
		w, err := r.Text(c, printed)
		if err != nil || !w.Identical(v) {
			t.Fatalf("%s %q is read, printed as %q, and then %v", c.Op, text, printed, err)
		}
		switch c.Op {
		case Bool, Int2, Int4, Int8, Numeric, Bytea, Date, Time, Timestamp, Timestamptz, UUID:
			if string(printed) != string(text) && c.Op != Bytea {
				t.Fatalf("%s %q is printed as %q", c.Op, text, printed)
			}
		}
	})
}

func BenchmarkTextRow9(b *testing.B) {
	cols := []struct {
		c Codec
		s string
	}{
		{Codec{Op: Int8}, "1000001"}, {Codec{Op: Int4}, "4711"}, {Codec{Op: Int2}, "3"}, {Codec{Op: Numeric}, "1999.99"},
		{Codec{Op: Timestamptz}, "2026-11-22 10:00:00.123456+00"}, {Codec{Op: Bool}, "t"}, {Codec{Op: Text}, "some text of a row"},
		{Codec{Op: Float8}, "1.5"}, {Codec{Op: UUID}, "2f1e6a52-6d6b-4b52-a3a5-8a6f7d0a0b11"},
	}
	r := Reader{Arena: new(arena.Bytes)}
	raw := make([][]byte, len(cols))
	for i := range cols {
		raw[i] = []byte(cols[i].s)
	}
	b.ReportAllocs()
	for n := 0; b.Loop(); n++ {
		if n%1000 == 0 {
			r.Arena.Reset()
		}
		for i := range cols {
			if _, err := r.Text(cols[i].c, raw[i]); err != nil {
				b.Fatal(err)
			}
		}
	}
}
