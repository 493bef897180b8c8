package event_test

import (
	"encoding/json"
	"testing"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/deliver/event"
	"github.com/evertdb/evert/schema"
)

// TestEvent shows whole events, byte for byte: what is not known is left out, and
// what is in a row or beside it cannot break out of its string.
func TestEvent(t *testing.T) {
	table := &schema.Table{Schema: "public", Name: "t", Key: []int{1, 0}, Columns: []schema.Column{
		{Name: "id", Type: schema.Type{Kind: schema.KindInt, Name: "bigint", Bits: 64}}, {Name: `a"b`, Type: schema.Type{Kind: schema.KindText, Name: "text"}}}}
	row := schema.Row{schema.Int(7), schema.Text([]byte("x\n\"}\xff"))}
	tx := &pipeline.Tx{Position: pipeline.Position{Seq: 9, Native: "0/1A"}, Incarnation: 0xABC}
	for name, c := range map[string]struct {
		origin event.Origin
		change pipeline.Change
		want   string
	}{
		"a table": {event.Origin{Topic: "shop.public.t", From: "shop.public.t", Source: "shop"},
			pipeline.Change{Table: table, Op: pipeline.Update, After: row, Tx: tx, Offset: 12, Partition: 3, Headers: []pipeline.Header{{Key: "op", Value: []byte("c")}, {Key: "q\"", Value: []byte("\x00")}}},
			`{"op":"upsert","key":{"a\"b":"x\n\"}�","id":7},"row":{"id":7,"a\"b":"x\n\"}�"},"from":"shop.public.t","source":"shop","position":{"seq":9,"native":"0/1A"},` +
				`"place":{"topic":"shop.public.t","partition":3,"offset":12},"incarnation":"0000000000000abc","headers":{"op":"c","q\"":"\u0000"},"filling":true}`},
		"a view": {event.Origin{Topic: "d.views.v", From: "v"}, pipeline.Change{Table: table, Op: pipeline.Delete, Before: row, Offset: 1},
			`{"op":"delete","key":{"a\"b":"x\n\"}�","id":7},"row":null,"from":"v","place":{"topic":"d.views.v","partition":0,"offset":1},"filling":true}`},
		"an append-only table": {event.Origin{Topic: "shop.public.t", From: "shop.public.t", Source: "shop"}, pipeline.Change{Table: table, Op: pipeline.Truncate, Offset: 2},
			`{"op":"truncate","key":null,"row":null,"from":"shop.public.t","source":"shop","place":{"topic":"shop.public.t","partition":0,"offset":2},"filling":true}`},
	} {
		t.Run(name, func(t *testing.T) {
			got := event.New(c.origin).Append(nil, &c.change, true)
			if string(got) != c.want || !json.Valid(got) {
				t.Errorf("got\n%s\nwant\n%s", got, c.want)
			}
		})
	}
}

// BenchmarkEvent writes events of a row of two columns.
func BenchmarkEvent(b *testing.B) {
	table := &schema.Table{Schema: "public", Name: "t", Key: []int{0}, Columns: []schema.Column{
		{Name: "id", Type: schema.Type{Kind: schema.KindInt, Name: "bigint", Bits: 64}}, {Name: "v", Type: schema.Type{Kind: schema.KindText, Name: "text"}}}}
	c := pipeline.Change{Table: table, Op: pipeline.Update, After: schema.Row{schema.Int(7), schema.Text([]byte("some text"))}, Tx: &pipeline.Tx{Position: pipeline.Position{Seq: 9}, Incarnation: 1}}
	e := event.New(event.Origin{Topic: "shop.public.t", From: "shop.public.t", Source: "shop"})
	b.ReportAllocs()
	var dst []byte
	for b.Loop() {
		dst = e.Append(dst[:0], &c, false)
	}
	b.SetBytes(int64(len(dst)))
}
