package avro_test

import (
	"encoding/hex"
	"strings"
	"testing"

	"github.com/evertdb/evert/schema"
	"github.com/evertdb/evert/schema/avro"
)

// textOf is an opaque type of this form.
func textOf(name string, form schema.Form, precision int) schema.Type {
	return schema.Type{Kind: schema.KindText, Name: name, Opaque: true, Form: form, Precision: precision, Scale: -1}
}

func word(s string) schema.Value { return schema.Text([]byte(s)) }

func le(s string) string { return strings.ReplaceAll(s, " ", "") }

// What is text at the source and more in Debezium's envelope lies there as Debezium
// writes it, and is read back as the same text (P48, P51).
func TestForms(t *testing.T) {
	bit1, bit13 := textOf("bit(1)", schema.FormBit, 1), textOf("bit(13)", schema.FormBit, 13)
	money, oid := textOf("money", schema.FormMoney, -1), textOf("oid", schema.FormOID, -1)
	timetz, hstore := textOf("time with time zone", schema.FormTimeTZ, -1), textOf("public.hstore", schema.FormHStore, -1)
	point := textOf("point", schema.FormPoint, -1)
	const oneTwo = "000000000000f03f 0000000000000040"
	for _, f := range []fieldBytes{
		{"bit set", bit1, word("1"), "01", ascii("1")},
		{"bit", bit1, word("0"), "00", ascii("0")},
		{"bits, the lowest first", bit13, word("1000000000101"), "040510", ascii("1000000000101")},
		{"money", money, word("-$1,234.56"), "06fe1dc0", ascii("-$1,234.56")},
		{"little money", money, word("$0.07"), "0207", ascii("$0.07")},
		{"the most money", money, word("$92,233,720,368,547,758.07"), "107fffffffffffffff", ""},
		{"the last oid", oid, word("4294967295"), "feffffff1f", ascii("4294967295")},
		{"zoned time", timetz, word("10:00:00.5+05"), ascii("10:00:00.5+05:00"), ascii("10:00:00.5+05")},
		{"zoned time with seconds", timetz, word("10:00:00-00:00:01"), ascii("10:00:00-00:00:01"), ""},
		{"zoned time with minutes", timetz, word("24:00:00+05:30"), ascii("24:00:00+05:30"), ""},
		{"hstore", hstore, word(`"b"=>"1", "a\"\\"=>NULL`), ascii(`{"b":"1","a\"\\":null}`), ""},
		{"empty hstore", hstore, word(""), ascii("{}"), ascii("")},
		{"point", point, word("(1,2)"), le(oneTwo + "02 2a 01 01000000" + oneTwo + "00"), ascii("(1,2)")},
		{"point of odd numbers", point, word("(-0,NaN)"), "", ""},
	} {
		f.check(t)
	}
	for _, bad := range []struct {
		typ  schema.Type
		text string
	}{{bit1, "2"}, {bit1, ""}, {bit13, "1"}, {bit13, "x000000000101"}, {oid, "4294967296"}, {oid, "-1"}, {hstore, `"a"=>`}, {hstore, `"a"=>"b",`}, {hstore, "a=>b"}, {point, "(1)"}, {point, "1,2"}} {
		c := compile(t, one(bad.typ), options)
		if body, err := c.AppendValue(nil, &avro.Event{Op: 'c', After: schema.Row{schema.Int(0), word(bad.text)}, Origin: &avro.Origin{}}); err == nil {
			t.Errorf("%s %q was written as % x", bad.typ.Name, bad.text, body)
		} else if strings.Contains(err.Error(), bad.text) && bad.text != "" && bad.text != "2" && bad.text != "1" {
			t.Errorf("the error holds the value: %v", err)
		}
	}
}

// What a setting of Debezium's name does to bytes, and what is read back of them.
func TestHandling(t *testing.T) {
	hstore := textOf("hstore", schema.FormHStore, -1)
	day := schema.Interval(1, 2, 3_000_000)
	for _, c := range []struct {
		name     string
		typ      schema.Type
		value    schema.Value
		handling avro.Handling
		bytes    string
		back     string // as text
	}{
		{"numeric as text", numeric, decimal("NaN"), avro.Handling{Decimal: avro.DecimalString}, ascii("NaN"), "NaN"},
		{"numeric(10,2) as text", numericOf(10, 2), decimal("-1.50"), avro.Handling{Decimal: avro.DecimalString}, ascii("-1.50"), "-1.50"},
		{"numeric as double", numericOf(10, 2), decimal("1.50"), avro.Handling{Decimal: avro.DecimalDouble}, "000000000000f83f", "1.5"},
		{"numeric infinity as double", numeric, decimal("-Infinity"), avro.Handling{Decimal: avro.DecimalDouble}, "000000000000f0ff", "-Infinity"},
		{"numeric too large for a double", numeric, decimal("1" + strings.Repeat("0", 400)), avro.Handling{Decimal: avro.DecimalDouble}, "000000000000f07f", "Infinity"},
		{"interval as text", interval, day, avro.Handling{}, ascii("P0Y1M2DT0H0M3S"), "1 mon 2 days 00:00:03"},
		{"interval as microseconds", interval, day, avro.Handling{Interval: avro.IntervalNumeric}, "8083c08291a301", "778:30:03"},
		{"hstore as a map", hstore, word(`"a"=>"1", "b"=>NULL`), avro.Handling{HStore: avro.HStoreMap}, "04026102023102620000", `"a"=>"1", "b"=>NULL`},
		{"bytes in hex", bytea, schema.Bytes([]byte{0xfb, 0xff}), avro.Handling{Binary: avro.BinaryHex}, ascii("fbff"), `\xfbff`},
		{"bytes in base64", bytea, schema.Bytes([]byte{0xfb, 0xff}), avro.Handling{Binary: avro.Base64}, ascii("+/8="), `\xfbff`},
		{"bytes in base64 for URLs", bytea, schema.Bytes([]byte{0xfb, 0xff}), avro.Handling{Binary: avro.Base64URL}, ascii("-_8="), `\xfbff`},
		{"time in microseconds", timeMs, schema.Time(1000), avro.Handling{Time: avro.AdaptiveMicroseconds}, "d00f", "00:00:00.001"},
		{"time in nanoseconds", timeMs, schema.Time(1000), avro.Handling{Time: avro.Nanoseconds}, "80897a", "00:00:00.001"},
		{"timestamp(3) in microseconds", stampMs, schema.Timestamp(-schema.UnixEpoch2000 + 1000), avro.Handling{Time: avro.Microseconds}, "d00f", "1970-01-01 00:00:00.001"},
		{"timestamp(3) stays in milliseconds", stampMs, schema.Timestamp(-schema.UnixEpoch2000 + 1000), avro.Handling{Time: avro.AdaptiveMicroseconds}, "02", "1970-01-01 00:00:00.001"},
		{"timestamp in nanoseconds", stampUs, schema.Timestamp(-schema.UnixEpoch2000 + 1), avro.Handling{Time: avro.Nanoseconds}, "d00f", "1970-01-01 00:00:00.000001"},
		{"infinity in nanoseconds", stampUs, schema.Timestamp(schema.TimestampInfinity), avro.Handling{Time: avro.Nanoseconds}, "feffffffffffffffff01", "infinity"},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := options
			o.Handling = c.handling
			codec := compile(t, one(c.typ), o)
			body, err := codec.AppendValue(nil, &avro.Event{Op: 'c', After: schema.Row{schema.Int(0), c.value}, Origin: &avro.Origin{}})
			if err != nil {
				t.Fatal(err)
			}
			if got := hex.EncodeToString(body[4:]); !strings.HasPrefix(got, c.bytes) {
				t.Errorf("written as %s, want %s", got[:min(len(got), len(c.bytes)+8)], c.bytes)
			}
			parsed, err := avro.ParseCodec(codec.KeySchema(), codec.ValueSchema())
			if err != nil {
				t.Fatal(err)
			}
			e, err := parsed.DecodeValue(body, new(avro.Arena))
			if err != nil {
				t.Fatal(err)
			}
			if got := string(parsed.Table().Columns[1].Type.AppendText(nil, e.After[1])); got != c.back {
				t.Errorf("read back as %q, want %q", got, c.back)
			}
		})
	}
	t.Run("a timestamp far from 1970 has no nanoseconds", func(t *testing.T) {
		o := options
		o.Handling.Time = avro.Nanoseconds
		c := compile(t, one(stampUs), o)
		_, err := c.AppendValue(nil, &avro.Event{Op: 'c', After: schema.Row{schema.Int(0), schema.Timestamp(end)}, Origin: &avro.Origin{}})
		if err == nil || !strings.Contains(err.Error(), "does not fit") {
			t.Errorf("got %v", err)
		}
	})
	t.Run("an interval that microseconds do not hold", func(t *testing.T) {
		o := options
		o.Handling.Interval = avro.IntervalNumeric
		c := compile(t, one(interval), o)
		_, err := c.AppendValue(nil, &avro.Event{Op: 'c', After: schema.Row{schema.Int(0), schema.Interval(2_000_000_000, 0, 0)}, Origin: &avro.Origin{}})
		if err == nil || !strings.Contains(err.Error(), "does not fit") {
			t.Errorf("got %v", err)
		}
	})
}
