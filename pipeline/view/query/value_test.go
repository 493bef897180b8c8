package query_test

import (
	"testing"

	"github.com/evertdb/evert/pipeline/document"
	"github.com/evertdb/evert/pipeline/view/query"
	"github.com/evertdb/evert/schema"
)

func TestValues(t *testing.T) {
	kind := func(k schema.Kind, name string) schema.Type { return schema.Type{Kind: k, Name: name} }
	small, single := kind(schema.KindInt, "smallint"), kind(schema.KindFloat, "real")
	small.Bits, single.Bits = 16, 32
	zoned := kind(schema.KindTimestamp, "timestamp with time zone")
	zoned.Zoned = true
	mood := kind(schema.KindText, "mood")
	mood.Labels = []string{"sad", "ok"}
	stamp, date, clock := kind(schema.KindTimestamp, "timestamp"), kind(schema.KindDate, "date"), kind(schema.KindTime, "time")
	uuid, double := kind(schema.KindUUID, "uuid"), kind(schema.KindFloat, "double precision")
	for _, c := range []struct {
		t    schema.Type
		text string
		want string // the JSON of what is read; empty: refused
	}{
		{kind(schema.KindBool, "boolean"), "true", "true"}, {kind(schema.KindBool, "boolean"), "f", "false"}, {kind(schema.KindBool, "boolean"), "TRUE", ""},
		{typeInt, "9223372036854775807", "9223372036854775807"}, {typeInt, "-1", "-1"}, {typeInt, "1.0", ""}, {typeInt, " 1", ""}, {typeInt, "", ""},
		{small, "32767", "32767"}, {small, "32768", ""},
		{double, "1e20", "1e+20"}, {double, "0.1", "0.1"}, {double, "NaN", `"NaN"`}, {double, "-Infinity", `"-Infinity"`}, {double, "0x1p3", ""}, {double, "1e999", ""},
		{single, "0.1", "0.1"},
		{typeDecimal, "-12.30", "-12.30"}, {typeDecimal, "1234567890123456789012345.5", "1234567890123456789012345.5"},
		{typeDecimal, "NaN", `"NaN"`}, {typeDecimal, "Infinity", `"Infinity"`}, {typeDecimal, "1e5", ""}, {typeDecimal, "-", ""}, {typeDecimal, "1.", ""},
		{typeText, "", `""`}, {typeText, "a\"\\\n\u0007é", `"a\"\\\n\u0007é"`}, {typeText, "\xff", ""},
		{mood, "ok", `"ok"`}, {mood, "glad", ""},
		{kind(schema.KindBytes, "bytea"), `\x00ff`, `"\\x00ff"`}, {kind(schema.KindBytes, "bytea"), "00ff", ""}, {kind(schema.KindBytes, "bytea"), `\x0`, ""},
		{uuid, "0f8fad5b-d9cb-469f-a165-70867728950e", `"0f8fad5b-d9cb-469f-a165-70867728950e"`},
		{uuid, "0F8FAD5BD9CB469FA16570867728950E", `"0f8fad5b-d9cb-469f-a165-70867728950e"`},
		{uuid, "0f8fad5b-d9cb469f-a165-70867728950e-", ""}, {uuid, "0f8f", ""},
		{date, "2024-02-29", `"2024-02-29"`}, {date, "2023-02-29", ""}, {date, "0044-03-15 BC", `"0044-03-15 BC"`}, {date, "infinity", `"infinity"`},
		{date, "24-02-29", ""}, {date, "2024-2-9", ""}, {date, "9999999-01-01", ""[:0]},
		{clock, "12:34:56.7", `"12:34:56.7"`}, {clock, "24:00:00", `"24:00:00"`}, {clock, "24:00:01", ""}, {clock, "12:60:00", ""}, {clock, "12:34", `"12:34:00"`}, {clock, "1:2:3", ""},
		{stamp, "2024-02-29T12:34:56.123456", `"2024-02-29T12:34:56.123456"`}, {stamp, "2024-02-29 12:34:56", `"2024-02-29T12:34:56"`},
		{stamp, "2024-02-29", ""}, {stamp, "2024-02-29T12:34:56Z", ""}, {stamp, "-infinity", `"-infinity"`}, {stamp, "9999999-01-01T00:00:00", ""},
		{stamp, "0044-03-15T12:00:00 BC", `"0044-03-15T12:00:00 BC"`},
		{zoned, "2024-02-29T12:34:56Z", `"2024-02-29T12:34:56+00:00"`}, {zoned, "2024-03-01T01:04:56.5+12:30", `"2024-02-29T12:34:56.5+00:00"`},
		{zoned, "2024-02-29T10:34:56-02", `"2024-02-29T12:34:56+00:00"`}, {zoned, "2024-02-29T12:34:56", ""}, {zoned, "2024-02-29T12:34:56 02:00", ""},
		{typeJSONB, "{}", ""},
	} {
		v, how := query.ParseValue(&c.t, c.text)
		switch {
		case how != "" && c.want != "":
			t.Errorf("%s %q: refused: %s", c.t.Name, c.text, how)
		case how == "" && c.want != string(document.AppendValue(nil, &c.t, v)):
			t.Errorf("%s %q: %s, want %q", c.t.Name, c.text, document.AppendValue(nil, &c.t, v), c.want)
		}
	}
}
