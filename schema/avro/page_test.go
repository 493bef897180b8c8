package avro_test

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/evertdb/evert/schema"
	"github.com/evertdb/evert/schema/avro"
)

const pageHead = `# How the types of Postgres are written

Each line is what a codec makes of a column of that type; a test writes this page. The debezium envelope has Debezium 3.6's
type wherever that holds the value. ` + "`handling:`" + ` below a source changes some, by the names of Debezium's settings; the last
columns say which setting, and what a value becomes that Debezium's type does not hold. Whatever is written is read back, by
Evert's views and sinks, as the value that the server prints, but for ` + "`decimal: double`, `interval: numeric` and `time: connect`" + `,
which lose by design.

| Postgres | debezium envelope | row envelope | handling | values that Debezium does not hold |
|---|---|---|---|---|
`

// The page is what the codec does; -update rewrites it.
func TestPageOfTypesIsCurrent(t *testing.T) {
	var page strings.Builder
	page.WriteString(pageHead)
	for _, l := range []struct {
		typ            schema.Type
		handling, note string
	}{
		{boolean, "", ""},
		{smallint, "", ""},
		{integer, "", ""},
		{bigint, "", ""},
		{textOf("oid", schema.FormOID, -1), "", ""},
		{realType, "", ""},
		{double, "", ""},
		{numericOf(10, 2), "decimal", "NaN: no bytes"},
		{numericOf(5, -2), "decimal", "no logicalType, which Avro forbids here"},
		{numeric, "decimal", "NaN, Infinity, -Infinity: no bytes, scale 0, 1, -1"},
		{textOf("money", schema.FormMoney, -1), "", "hundredths, whatever lc_monetary makes of them"},
		{text, "", ""},
		{textOf("inet, cidr, macaddr, name, ranges, multiranges, composites, anything else", "", -1), "", "as the server prints it"},
		{mood, "", ""},
		{bytea, "binary", ""},
		{textOf("bit(1)", schema.FormBit, 1), "", ""},
		{textOf("bit(13)", schema.FormBit, 13), "", ""},
		{textOf("bit varying", "", -1), "", "zeros and ones: Debezium's bytes lose the length"},
		{date, "time", "infinity, -infinity: the greatest and the least int"},
		{timeMs, "time", "24:00: 86400000"},
		{timeUs, "time", "24:00: 86400000000"},
		{textOf("time with time zone", schema.FormTimeTZ, -1), "", "the zone is kept, where Debezium turns it to GMT"},
		{stampMs, "time", "infinity: as Debezium"},
		{stampUs, "time", "after 294247-01-10: wrapped around; infinity: as Debezium"},
		{zoned, "", "infinity: the word; years beyond 9999 and BC: with a sign"},
		{interval, "interval", "string by default, because numeric loses months and days; infinity: the word"},
		{uuid, "", ""},
		{jsonType, "", ""},
		{jsonb, "", ""},
		{textOf("xml", schema.FormXML, -1), "", ""},
		{textOf("ltree", schema.FormLTree, -1), "", ""},
		{textOf("tsvector", schema.FormTSVector, -1), "", ""},
		{textOf("hstore", schema.FormHStore, -1), "hstore", ""},
		{textOf("point", schema.FormPoint, -1), "", ""},
		{textOf("line, lseg, box, path, polygon, circle, tsquery, jsonpath, pgvector's, PostGIS's", "", -1), "", "as the server prints it"},
		{arrayOf(integer), "arrays", "of any element above; several dimensions or another lower bound: `arrays: text`, or declared integer[][]"},
	} {
		o := options
		debezium := fieldType(t, compile(t, one(l.typ), o))
		o.Envelope = avro.Row
		fmt.Fprintf(&page, "| %s | %s | %s | %s | %s |\n", l.typ.Name, debezium, fieldType(t, compile(t, one(l.typ), o)), l.handling, l.note)
	}
	writeTimes(t, &page)
	if *update {
		if err := os.WriteFile("TYPES.md", []byte(page.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	have, err := os.ReadFile("TYPES.md")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(have), page.String()); diff != "" {
		t.Errorf("TYPES.md is not current, run with -update if that is meant (-have +want):\n%s", diff)
	}
}

const timesHead = `
## handling.time

What becomes of types without a zone in the debezium envelope, as under Debezium's ` + "`time.precision.mode`" + `; types with a zone are the
same in every mode. An infinity is what it is in the table above, and in a text the word.

| handling.time | date | time(3) | time | timestamp(3) | timestamp | what it does not hold |
|---|---|---|---|---|---|---|
`

// writeTimes writes the table of the time precision modes.
func writeTimes(t *testing.T, page *strings.Builder) {
	t.Helper()
	page.WriteString(timesHead)
	for _, m := range []struct {
		mode avro.Time
		name string
		note string
	}{
		{avro.Adaptive, "adaptive", ""},
		{avro.AdaptiveMicroseconds, "adaptive_time_microseconds", ""},
		{avro.Microseconds, "microseconds", ""},
		{avro.Nanoseconds, "nanoseconds", "timestamps outside the years 1677 to 2262: the table stops"},
		{avro.Connect, "connect", "digits finer than a millisecond: cut off, and in a key the table stops; MySQL's times beyond 596:31:23: the table stops"},
		{avro.ISOString, "isostring", ""},
	} {
		o := options
		o.Handling.Time = m.mode
		fmt.Fprintf(page, "| %s |", m.name)
		for _, typ := range []schema.Type{date, timeMs, timeUs, stampMs, stampUs} {
			fmt.Fprintf(page, " %s |", fieldType(t, compile(t, one(typ), o)))
		}
		fmt.Fprintf(page, " %s |\n", m.note)
	}
}

// fieldType names the Avro type of column v, and what it means.
func fieldType(t *testing.T, c *avro.Codec) string {
	t.Helper()
	var root map[string]any
	if err := json.Unmarshal([]byte(c.ValueSchema()), &root); err != nil {
		t.Fatal(err)
	}
	if c.Envelope() == avro.Debezium {
		root = root["fields"].([]any)[0].(map[string]any)["type"].([]any)[1].(map[string]any)
	}
	return typeName(root["fields"].([]any)[1].(map[string]any)["type"].([]any)[1])
}

func typeName(of any) string {
	m, ok := of.(map[string]any)
	if !ok {
		return fmt.Sprint(of)
	}
	if items, ok := m["items"].([]any); ok {
		return "array of optional " + typeName(items[1])
	}
	if values, ok := m["values"].([]any); ok {
		return "map of optional " + typeName(values[1])
	}
	words := []string{fmt.Sprint(m["type"])}
	for _, key := range []string{"connect.name", "logicalType", "connect.type"} {
		if m[key] != nil {
			words = append(words, fmt.Sprint(m[key]))
		}
	}
	if p, ok := m["connect.parameters"].(map[string]any); ok && p["length"] != nil {
		words = append(words, "length "+fmt.Sprint(p["length"]))
	}
	return strings.Join(words, ", ")
}
