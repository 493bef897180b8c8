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
		{"date for Connect", date, schema.Date(1), avro.Handling{Time: avro.Connect}, "02", "1970-01-02"},
		{"date BC for Connect", date, schema.Date(-735_160), avro.Handling{Time: avro.Connect}, "efde59", "0044-03-15 BC"},
		{"infinite date for Connect", date, schema.Date(schema.DateInfinity), avro.Handling{Time: avro.Connect}, "feffffff0f", "infinity"},
		{"time for Connect", timeUs, schema.Time(1_999), avro.Handling{Time: avro.Connect}, "02", "00:00:00.001"},
		{"24:00 for Connect", timeUs, schema.Time(schema.MicrosPerDay), avro.Handling{Time: avro.Connect}, "80f0b252", "24:00:00"},
		{"duration for Connect", timeUs, schema.Time(-1_999), avro.Handling{Time: avro.Connect}, "01", "-00:00:00.001"},
		{"timestamp for Connect", stampUs, schema.Timestamp(-schema.UnixEpoch2000 + 1_999), avro.Handling{Time: avro.Connect}, "02", "1970-01-01 00:00:00.001"},
		{"timestamp before 1970 for Connect", stampUs, schema.Timestamp(-schema.UnixEpoch2000 - 1), avro.Handling{Time: avro.Connect}, "01", "1969-12-31 23:59:59.999"},
		{"infinity for Connect, as Debezium", stampUs, schema.Timestamp(schema.TimestampInfinity), avro.Handling{Time: avro.Connect}, "e08197def4a6e220", "infinity"},
		{"-infinity for Connect, as Debezium", stampUs, schema.Timestamp(schema.TimestampMinusInfinity), avro.Handling{Time: avro.Connect}, "", "-infinity"},
		{"the instant that is Debezium's infinity", stampUs, schema.Timestamp(9_223_372_036_825_200_000 - schema.UnixEpoch2000), avro.Handling{Time: avro.Connect}, "", "294247-01-10 04:00:25.2"},
		{"date as text", date, schema.Date(12_915), avro.Handling{Time: avro.ISOString}, ascii("2005-05-12Z"), "2005-05-12"},
		{"the last date as text", date, schema.Date(2_145_042_905), avro.Handling{Time: avro.ISOString}, ascii("+5874897-12-31Z"), "5874897-12-31"},
		{"date BC as text", date, schema.Date(-735_160), avro.Handling{Time: avro.ISOString}, ascii("-0043-03-15Z"), "0044-03-15 BC"},
		{"infinite date as text", date, schema.Date(schema.DateMinusInfinity), avro.Handling{Time: avro.ISOString}, ascii("-infinity"), "-infinity"},
		{"time as text", timeMs, schema.Time(10*3_600_000_000 + 1_800_000_000 + 1_000_000), avro.Handling{Time: avro.ISOString}, ascii("10:30:01Z"), "10:30:01"},
		{"digits of a time as text", timeUs, schema.Time(120), avro.Handling{Time: avro.ISOString}, ascii("00:00:00.00012Z"), "00:00:00.00012"},
		{"duration as text", timeUs, schema.Time(-schema.MaxDuration), avro.Handling{Time: avro.ISOString}, ascii("-838:59:59.999999Z"), "-838:59:59.999999"},
		{"duration in nanoseconds", timeUs, schema.Time(-schema.MaxDuration), avro.Handling{Time: avro.Nanoseconds}, "", "-838:59:59.999999"},
		{"timestamp as text", stampUs, schema.Timestamp(1732117483000000 - schema.UnixEpoch2000), avro.Handling{Time: avro.ISOString}, ascii("2024-11-20T15:44:43Z"), "2024-11-20 15:44:43"},
		{"digits of a timestamp as text", stampUs, schema.Timestamp(120), avro.Handling{Time: avro.ISOString}, ascii("2000-01-01T00:00:00.00012Z"), "2000-01-01 00:00:00.00012"},
		{"the last timestamp as text", stampUs, schema.Timestamp(end), avro.Handling{Time: avro.ISOString}, ascii("+294276-12-31T23:59:59.999999Z"), "294276-12-31 23:59:59.999999"},
		{"infinity as text", stampUs, schema.Timestamp(schema.TimestampInfinity), avro.Handling{Time: avro.ISOString}, ascii("infinity"), "infinity"},
		{"a zone is text in every mode", zoned, schema.Timestamp(1), avro.Handling{Time: avro.Connect}, ascii("2000-01-01T00:00:00.000001Z"), "2000-01-01 00:00:00.000001+00"},
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
	t.Run("a key is not cut", func(t *testing.T) {
		o := options
		o.Handling.Time = avro.Connect
		for _, typ := range []schema.Type{timeUs, stampUs} {
			table := one(typ)
			table.Key = []int{1}
			c := compile(t, table, o)
			value := func(micros int64) schema.Row {
				if typ.Kind == schema.KindTime {
					return schema.Row{schema.Int(0), schema.Time(micros)}
				}
				return schema.Row{schema.Int(0), schema.Timestamp(micros)}
			}
			if _, err := c.AppendKey(nil, value(2_000)); err != nil {
				t.Error(err)
			}
			if _, err := c.AppendKey(nil, value(2_001)); err == nil || !strings.Contains(err.Error(), "two keys could become one") {
				t.Errorf("got %v", err)
			}
		}
	})
	t.Run("a duration that an int of milliseconds does not hold", func(t *testing.T) {
		o := options
		o.Handling.Time = avro.Connect
		c := compile(t, one(timeUs), o)
		_, err := c.AppendValue(nil, &avro.Event{Op: 'c', After: schema.Row{schema.Int(0), schema.Time(schema.MaxDuration)}, Origin: &avro.Origin{}})
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
