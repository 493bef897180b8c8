package avro_test

import (
	"os"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	hamba "github.com/hamba/avro/v2"

	"github.com/evertdb/evert/schema"
	"github.com/evertdb/evert/schema/avro"
)

// Records that Debezium wrote, an older one at that and for another database,
// are read as well as its own names tell.
func TestForeignRecords(t *testing.T) {
	key, value := foreign(t)
	c, err := avro.ParseCodec(key, value)
	if err != nil {
		t.Fatal(err)
	}
	body := marshal(t, value, map[string]any{
		"before": nilUnion, "after": map[string]any{"dbserver1.inventory.customers.Value": foreignRow()},
		"source": map[string]any{
			"version": "2.4", "connector": "mysql", "name": "dbserver1", "ts_ms": int64(1_700_000_000_000),
			"snapshot": map[string]any{"string": "last"}, "db": "inventory", "sequence": nilUnion, "table": map[string]any{"string": "customers"},
			"server_id": int64(1), "gtid": nilUnion, "file": "binlog.000003", "pos": int64(154), "row": int32(0),
			"labels": map[string]any{"a": "b", "c": "d"},
		},
		"op": "c", "ts_ms": map[string]any{"long": int64(1_700_000_000_001)},
		"transaction": map[string]any{"io.confluent.connect.avro.ConnectDefault": map[string]any{"id": "x", "total_order": int64(1), "data_collection_order": int64(1)}},
	})
	e, err := c.DecodeValue(body, new(avro.Arena))
	if err != nil {
		t.Fatal(err)
	}
	table := c.Table()
	want := `{"id":7,"tiny":null,"level":"high","price":-1.25,"ratio":10.5,"born":"1969-12-31","made":"1970-01-01 00:00:00.000001",` +
		`"fine":"1970-01-01 00:00:00.000001","seen":"2016-11-04 11:51:30.123+00","doc":"{}",` +
		`"token":"01234567-89ab-cdef-0123-456789abcdef","tags":"{a,NULL}"}`
	if diff := cmp.Diff(want, string(table.AppendJSON(nil, e.After))); diff != "" {
		t.Error(diff)
	}
	if e.Op != 'c' || e.Before != nil || e.Origin.Snapshot != avro.SnapshotLast {
		t.Errorf("event is %c %v %v", e.Op, e.Before, e.Origin)
	}
	if !e.At.Equal(time.UnixMilli(1_700_000_000_001)) || !e.Origin.At.Equal(time.UnixMilli(1_700_000_000_000)) {
		t.Errorf("times are %v and %v", e.At, e.Origin.At)
	}
	if table.Schema != "inventory" || table.Name != "customers" || len(table.Key) != 1 || !table.Columns[1].Nullable {
		t.Errorf("table is %+v", table)
	}
	got, err := c.DecodeKey([]byte{14}, new(avro.Arena))
	if err != nil || got[0].Int() != 7 || got[1].IsKnown() {
		t.Errorf("key is %v, %v", got, err)
	}
}

var nilUnion = map[string]any(nil)

func foreignRow() map[string]any {
	return map[string]any{
		"id": int32(7), "tiny": nilUnion, "level": map[string]any{"string": "high"},
		"price": map[string]any{"bytes": []byte{0x83}}, "ratio": map[string]any{"io.debezium.data.VariableScaleDecimal": map[string]any{"scale": 1, "value": []byte{105}}},
		"born": map[string]any{"int": int32(-1)}, "made": map[string]any{"long": int64(1)}, "fine": map[string]any{"long": int64(1000)},
		"seen": map[string]any{"string": "2016-11-04T13:51:30.123+02:00"}, "doc": map[string]any{"string": "{}"},
		"token": map[string]any{"string": "01234567-89ab-cdef-0123-456789abcdef"},
		"tags":  map[string]any{"array": []any{map[string]any{"string": "a"}, nilUnion}},
	}
}

func foreign(t *testing.T) (key, value string) {
	t.Helper()
	k, err := os.ReadFile("testdata/foreign-key.avsc")
	if err != nil {
		t.Fatal(err)
	}
	v, err := os.ReadFile("testdata/foreign-value.avsc")
	if err != nil {
		t.Fatal(err)
	}
	return string(k), string(v)
}

func marshal(t *testing.T, text string, v any) []byte {
	t.Helper()
	parsed, err := hamba.ParseWithCache(bare(text), "", &hamba.SchemaCache{})
	if err != nil {
		t.Fatal(err)
	}
	b, err := hamba.Config{}.Freeze().Marshal(parsed, v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// What is not a row is refused with the name of the field.
func TestForeignRefusals(t *testing.T) {
	for name, value := range map[string]string{
		"no record":       `"string"`,
		"a point":         `{"type":"record","name":"Value","fields":[{"name":"loc","type":{"type":"record","name":"Point","fields":[{"name":"x","type":"double"}]}}]}`,
		"a wide union":    `{"type":"record","name":"Value","fields":[{"name":"u","type":["null","int","string"]}]}`,
		"array of arrays": `{"type":"record","name":"Value","fields":[{"name":"a","type":{"type":"array","items":{"type":"array","items":"int"}}}]}`,
		"no scale":        `{"type":"record","name":"Value","fields":[{"name":"a","type":{"type":"bytes","connect.name":"org.apache.kafka.connect.data.Decimal"}}]}`,
		"a lie":           `{"type":"record","name":"Value","fields":[{"name":"a","type":"int","evert.column":{"kind":"text"}}]}`,
		"an odd lie":      `{"type":"record","name":"Value","fields":[{"name":"a","type":"int","evert.column":7}]}`,
	} {
		if _, err := avro.ParseCodec("", value); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	_, value := foreign(t)
	for name, key := range map[string]string{
		"no record":   `"int"`,
		"not a field": `{"type":"record","name":"Key","fields":[{"name":"nobody","type":"int"}]}`,
		"other type":  `{"type":"record","name":"Key","fields":[{"name":"id","type":"boolean"}]}`,
	} {
		if _, err := avro.ParseCodec(key, value); err == nil {
			t.Errorf("key %s: no error", name)
		}
	}
	if _, err := avro.ParseCodec("", value); err != nil {
		t.Errorf("without a key: %v", err)
	}
}

// Two schemas in one process may define a name differently.
func TestSchemasDoNotMeet(t *testing.T) {
	for _, typ := range []string{"int", "string"} {
		c, err := avro.ParseCodec("", `{"type":"record","name":"Value","namespace":"a.b","fields":[{"name":"x","type":"`+typ+`"}]}`)
		if err != nil || c.Table().Schema != "a" || c.Table().Name != "b" {
			t.Fatalf("%s: %v, %v", typ, c, err)
		}
	}
	if _, err := avro.ParseCodec("", `{"type":"record","name":"Other","fields":[{"name":"x","type":"a.b.Value"}]}`); err == nil {
		t.Error("a name of another schema is known")
	}
}

// Cutting a record anywhere, or changing any byte, ends in an error or a row.
func TestDamagedRecords(t *testing.T) {
	table, row := everything()
	for _, o := range []avro.Options{options, rowOptions()} {
		c := compile(t, table, o)
		body, err := c.AppendValue(nil, &avro.Event{Op: 'u', Before: row, After: row, Origin: &benchOrigin, At: benchOrigin.At})
		if err != nil {
			t.Fatal(err)
		}
		var a avro.Arena
		for i := range body {
			if _, err := c.DecodeValue(body[:i], &a); err == nil {
				t.Fatalf("a record cut at %d of %d was read", i, len(body))
			}
			damaged := append([]byte(nil), body...)
			for _, c2 := range []byte{0x00, 0x01, 0x7f, 0x80, 0xff} {
				damaged[i] = c2
				_, _ = c.DecodeValue(damaged, &a)
			}
			a.Reset()
		}
		if _, err := c.DecodeValue(append(body, 0), &a); err == nil {
			t.Error("a byte behind the record was overlooked")
		}
	}
}

// Defaults decide compatibility, and the same reader without one is asked
// about first: the library's cache would know the answer, and be wrong.
func TestCompatible(t *testing.T) {
	old := `{"type":"record","name":"R","fields":[{"name":"a","type":"int"}]}`
	bare := `{"type":"record","name":"R","fields":[{"name":"a","type":"int"},{"name":"b","type":["null","int"]}]}`
	defaulted := `{"type":"record","name":"R","fields":[{"name":"a","type":"int"},{"name":"b","type":["null","int"],"default":null}]}`
	for range 2 {
		if compatible(bare, old) == nil {
			t.Error("a field without a default reads records that lack it")
		}
		if err := compatible(defaulted, old); err != nil {
			t.Errorf("a field with a default: %v", err)
		}
	}
	if same, err := avro.Same(bare, defaulted); !same || err != nil {
		t.Errorf("same: %t, %v", same, err)
	}
	if same, _ := avro.Same(old, bare); same {
		t.Error("two schemas are the same")
	}
	if compatible("{", old) == nil || compatible(old, "{") == nil || parses("{") || !parses(schemaText) {
		t.Error("what is no schema")
	}
}

const schemaText = `{"type":"fixed","name":"F","size":4}`

// An added nullable column goes through the default compatibility, both ways
// through FULL.
func TestEvolution(t *testing.T) {
	before := one(text)
	after := *before
	after.Columns = append(append([]schema.Column(nil), before.Columns...), schema.Column{Name: "extra", Type: numeric, Nullable: true})
	for _, o := range []avro.Options{options, rowOptions()} {
		a, b := compile(t, before, o).ValueSchema(), compile(t, &after, o).ValueSchema()
		if err := compatible(a, b); err != nil {
			t.Error(err)
		}
		if err := compatible(b, a); err != nil {
			t.Error(err)
		}
	}
}

func parses(text string) bool {
	_, err := avro.Parse(text)
	return err == nil
}

// compatible is the first thing that keeps a reader with one schema from reading what was
// written with another.
func compatible(reader, writer string) error {
	r, err := avro.Parse(reader)
	if err != nil {
		return err
	}
	w, err := avro.Parse(writer)
	if err != nil {
		return err
	}
	if found := r.Reads(w); len(found) > 0 {
		return found[0]
	}
	return nil
}
