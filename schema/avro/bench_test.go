package avro_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/evertdb/evert/schema"
	"github.com/evertdb/evert/schema/avro"
)

// wide is the 20-column row that encoders are compared by: 19 nullable columns
// of all common types.
func wide() (*schema.Table, schema.Row) {
	types := []schema.Type{
		bigint, integer, smallint, bigint, double, realType, numericOf(12, 2), numericOf(18, 4), text, text,
		text, text, boolean, boolean, stampUs, zoned, date, uuid, jsonb, text,
	}
	values := schema.Row{
		schema.Int(123456789), schema.Int(42), schema.Int(7), schema.Int(1 << 40), schema.Float(3.14159), schema.Float(2.5),
		schema.Decimal([]byte("12345.67")), schema.Decimal([]byte("-98765.4321")),
		schema.Text([]byte("Ada Lovelace")), schema.Text([]byte("ada@example.org")), schema.Text([]byte("12 St James's Square")),
		schema.Null(), schema.Bool(true), schema.Bool(false), schema.Timestamp(812_345_678_901_234), schema.Timestamp(812_345_678_901_234),
		schema.Date(20_000), schema.UUID([]byte("0123456789abcdef")), schema.JSON([]byte(`{"tags": ["a", "b"], "score": 12.5}`)),
		schema.Text([]byte("a longer remark that somebody typed into a form, about eighty bytes of it or so")),
	}
	t := &schema.Table{Schema: "public", Name: "wide", Key: []int{0}}
	for i, typ := range types {
		t.Columns = append(t.Columns, schema.Column{Name: fmt.Sprintf("c%d", i), Type: typ, Nullable: i > 0})
	}
	return t, values
}

// narrow is the 9-column row of the throughput benchmarks.
func narrow() (*schema.Table, schema.Row) {
	t, row := wide()
	n := &schema.Table{Schema: "public", Name: "narrow", Key: []int{0}}
	var values schema.Row
	for _, i := range []int{0, 1, 3, 6, 8, 9, 12, 14, 16} {
		n.Columns, values = append(n.Columns, t.Columns[i]), append(values, row[i])
	}
	return n, values
}

var benchOrigin = avro.Origin{
	At:       time.UnixMicro(1_767_225_600_123_456),
	Postgres: avro.Postgres{TxID: 771_234, CommitLSN: 24_023_128_000, LSN: 24_023_127_128},
}

func benchValue(b *testing.B, table *schema.Table, e *avro.Event, env avro.Envelope) {
	o := options
	o.Envelope = env
	c := compile(b, table, o)
	dst, err := c.AppendValue(nil, e)
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(dst)))
	b.ReportAllocs()
	for b.Loop() {
		dst, _ = c.AppendValue(dst[:0], e)
	}
}

func BenchmarkRow20(b *testing.B) {
	t, row := wide()
	benchValue(b, t, &avro.Event{After: row}, avro.Row)
}

func BenchmarkEnvelope20(b *testing.B) {
	t, row := wide()
	benchValue(b, t, &avro.Event{Op: 'c', After: row, Origin: &benchOrigin, At: benchOrigin.At}, avro.Debezium)
}

func BenchmarkEnvelope9(b *testing.B) {
	t, row := narrow()
	benchValue(b, t, &avro.Event{Op: 'c', After: row, Origin: &benchOrigin, At: benchOrigin.At}, avro.Debezium)
}

func BenchmarkKey(b *testing.B) {
	t, row := narrow()
	c := compile(b, t, options)
	var dst []byte
	b.ReportAllocs()
	for b.Loop() {
		dst, _ = c.AppendKey(dst[:0], row)
	}
}

func BenchmarkDecodeEnvelope20(b *testing.B) {
	t, row := wide()
	c := compile(b, t, options)
	body, err := c.AppendValue(nil, &avro.Event{Op: 'c', After: row, Origin: &benchOrigin, At: benchOrigin.At})
	if err != nil {
		b.Fatal(err)
	}
	var a avro.Arena
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		a.Reset()
		if _, err := c.DecodeValue(body, &a); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkCompile20(b *testing.B) {
	t, _ := wide()
	for b.Loop() {
		if _, err := avro.Compile(t, options); err != nil {
			b.Fatal(err)
		}
	}
}
