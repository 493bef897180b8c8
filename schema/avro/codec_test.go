package avro_test

import (
	"regexp"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	hamba "github.com/hamba/avro/v2"
	"pgregory.net/rapid"

	"github.com/evertdb/evert/schema"
	"github.com/evertdb/evert/schema/avro"
)

var options = avro.Options{
	Topic: "shop.public.order-lines", Version: "0.1.0", Name: "shop", Database: "shopdb",
}

func compile(t testing.TB, table *schema.Table, o avro.Options) *avro.Codec {
	t.Helper()
	c, err := avro.Compile(table, o)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func genOptions(t *rapid.T) avro.Options {
	o := options
	o.Envelope = rapid.SampledFrom([]avro.Envelope{avro.Debezium, avro.Row}).Draw(t, "envelope")
	return o
}

// Every row of every table is the same bytes as the library's generic encoder
// makes of it under the schema that is registered.
func TestSameBytesAsHamba(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		table, o := genTable(t), genOptions(t)
		c, err := avro.Compile(table, o)
		if err != nil {
			t.Fatal(err)
		}
		row := genRow(t, table)
		event := avro.Event{Op: 'c', After: row, Origin: &avro.Origin{}}
		if rapid.Bool().Draw(t, "before") && o.Envelope == avro.Debezium {
			event.Op, event.Before = 'u', genRow(t, table)
		}
		got, err := c.AppendValue(nil, &event)
		if err != nil {
			t.Fatal(err)
		}
		want := genericValue(t, c.ValueSchema(), table, &event, o.Envelope)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("bytes differ from hamba's (-want +got):\n%s\nschema %s", diff, c.ValueSchema())
		}
	})
}

// bare is a schema without logical types.
func bare(text string) string {
	return regexp.MustCompile(`,"logicalType":"[a-z-]+"`).ReplaceAllString(text, "")
}

// genericValue encodes an event with hamba. Logical types do not change bytes
// but the Go types it asks for, so they are taken out.
func genericValue(t *rapid.T, text string, table *schema.Table, e *avro.Event, env avro.Envelope) []byte {
	parsed, err := hamba.ParseWithCache(bare(text), "", &hamba.SchemaCache{})
	if err != nil {
		t.Fatal(err)
	}
	record := genericRow(table, e.After, env)
	if env == avro.Debezium {
		value := options.Topic[:12] + "order_lines.Value"
		record = map[string]any{
			"before": map[string]any(nil), "after": map[string]any{value: record}, "source": genericSource(table),
			"transaction": map[string]any(nil), "op": string(e.Op),
			"ts_ms": map[string]any(nil), "ts_us": map[string]any(nil), "ts_ns": map[string]any(nil),
		}
		if e.Before != nil {
			record["before"] = map[string]any{value: genericRow(table, e.Before, env)}
		}
	}
	api := hamba.Config{DisableBlockSizeHeader: true, BlockLength: 1 << 20}.Freeze()
	b, err := api.Marshal(parsed, record)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func genericRow(table *schema.Table, row schema.Row, env avro.Envelope) map[string]any {
	record := map[string]any{}
	for i, c := range table.Columns {
		name := c.Name
		if i == 0 {
			name = "na_ve_key"
		}
		if c.Nullable {
			record[name] = genericUnion(row[i], &c.Type, env)
		} else {
			record[name] = generic(row[i], &c.Type, env)
		}
	}
	return record
}

// genericSource is the source block of an empty Origin.
func genericSource(table *schema.Table) map[string]any {
	none := map[string]any(nil)
	return map[string]any{
		"version": options.Version, "connector": "postgresql", "name": options.Name, "ts_ms": int64(0),
		"snapshot": map[string]any{"string": "false"}, "db": options.Database,
		"sequence": map[string]any{"string": "[null,null]"}, "ts_us": none, "ts_ns": none,
		"schema": table.Schema, "table": table.Name,
		"txId": none, "lsn": none, "xmin": none, "origin": none, "origin_lsn": none,
	}
}

// What was written is read back, by the codec that wrote it and by one that
// knows the schemas alone; the latter also knows the table.
func TestRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		table, o := genTable(t), genOptions(t)
		writer, err := avro.Compile(table, o)
		if err != nil {
			t.Fatal(err)
		}
		reader, err := avro.ParseCodec(writer.KeySchema(), writer.ValueSchema())
		if err != nil {
			t.Fatal(err)
		}
		rebuilt := *table
		rebuilt.Native, rebuilt.Version = "", 0
		if diff := cmp.Diff(&rebuilt, reader.Table()); diff != "" {
			t.Fatalf("the table rebuilt from the schema differs (-want +got):\n%s", diff)
		}
		event := genEvent(t, table, o.Envelope)
		for _, c := range []*avro.Codec{writer, reader} {
			checkKey(t, writer, c, event.After)
			checkValue(t, writer, c, event)
		}
	})
}

func genEvent(t *rapid.T, table *schema.Table, env avro.Envelope) avro.Event {
	if env == avro.Row {
		return avro.Event{After: genRow(t, table)}
	}
	e := avro.Event{Op: 'u', Before: genRow(t, table), After: genRow(t, table), Origin: &avro.Origin{
		At:       time.UnixMicro(rapid.Int64Range(1, 4e15).Draw(t, "commit")).UTC(),
		Snapshot: avro.Snapshot(rapid.IntRange(0, 6).Draw(t, "snapshot")),
		Postgres: avro.Postgres{
			TxID: rapid.Uint64Range(0, 1<<62).Draw(t, "xid"), Xmin: rapid.Uint64Range(0, 1<<32).Draw(t, "xmin"),
			CommitLSN: rapid.Uint64Range(0, 1<<63-1).Draw(t, "commit lsn"), LSN: rapid.Uint64Range(0, 1<<63-1).Draw(t, "lsn"),
			Origin: rapid.StringMatching("[a-z]{0,9}").Draw(t, "origin"), OriginLSN: rapid.Uint64Range(0, 1<<62).Draw(t, "origin lsn"),
		},
	}}
	if rapid.Bool().Draw(t, "timed") {
		e.At = time.Unix(0, rapid.Int64Range(1, 4e18).Draw(t, "at")).UTC()
	}
	return e
}

func checkKey(t *rapid.T, writer, reader *avro.Codec, row schema.Row) {
	if len(writer.Table().Key) == 0 {
		if _, err := writer.AppendKey(nil, row); err == nil {
			t.Fatal("a table without a key gave one")
		}
		return
	}
	body, err := writer.AppendKey(nil, row)
	if err != nil {
		t.Fatal(err)
	}
	got, err := reader.DecodeKey(body, new(avro.Arena))
	if err != nil {
		t.Fatal(err)
	}
	for i, v := range got {
		if writer.Table().IsKey(i) != v.IsKnown() {
			t.Fatalf("column %d: known %t in a decoded key", i, v.IsKnown())
		}
		if v.IsKnown() && !v.Identical(row[i]) {
			t.Fatalf("key column %d: %v read as %v", i, row[i], v)
		}
	}
}

func checkValue(t *rapid.T, writer, reader *avro.Codec, want avro.Event) {
	body, err := writer.AppendValue([]byte("head"), &want)
	if err != nil {
		t.Fatal(err)
	}
	got, err := reader.DecodeValue(body[4:], new(avro.Arena))
	if err != nil {
		t.Fatal(err)
	}
	if !got.Before.Identical(want.Before) || !got.After.Identical(want.After) {
		t.Fatalf("rows differ:\nwant %v\n     %v\ngot  %v\n     %v", want.Before, want.After, got.Before, got.After)
	}
	got.Before, got.After, want.Before, want.After = nil, nil, nil, nil
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatalf("event differs (-want +got):\n%s", diff)
	}
}

// I6: the bytes of a row depend on the row and its table version alone.
func TestSameRowSameBytes(t *testing.T) {
	table := &schema.Table{Schema: "public", Name: "t", Key: []int{0}, Columns: []schema.Column{{Name: "id", Type: bigint}, {Name: "at", Type: zoned}}}
	row := schema.Row{schema.Int(7), schema.Timestamp(0)}
	o := options
	o.Envelope = avro.Row
	first := compile(t, table, o)
	copied := *table
	copied.Version, copied.Native = 9, "1"
	second := compile(t, &copied, o)
	if first.ValueSchema() != second.ValueSchema() || first.KeySchema() != second.KeySchema() {
		t.Error("the same shape has two schema texts")
	}
	a, _ := first.AppendValue(nil, &avro.Event{After: row})
	b, _ := second.AppendValue(nil, &avro.Event{After: row.Clone()})
	if string(a) != string(b) {
		t.Errorf("the same row is % x and % x", a, b)
	}
}
