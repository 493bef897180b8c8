package records

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/log"
	"github.com/evertdb/evert/schema"
	"github.com/evertdb/evert/schema/avro"
	"github.com/evertdb/evert/schema/registry"
)

// store is a registry's topic in memory.
type store struct{ keys, values [][]byte }

func (*store) Take(context.Context) error { return nil }

func (s *store) Read(_ context.Context, _ string, fn func(key, value []byte) error) (string, bool, error) {
	for i := range s.keys {
		if err := fn(s.keys[i], s.values[i]); err != nil {
			return "", true, err
		}
	}
	return "", true, nil
}

func (s *store) Append(_ context.Context, records ...registry.Record) (string, error) {
	for _, r := range records {
		s.keys, s.values = append(s.keys, r.Key), append(s.values, r.Value)
	}
	return "", nil
}

// table has a key whose columns stand in another order than in the row.
func table() *schema.Table {
	return &schema.Table{Schema: "public", Name: "lines", Version: 1, Key: []int{2, 0}, Columns: []schema.Column{
		{Name: "line", Type: schema.Type{Kind: schema.KindInt, Name: "integer", Bits: 32}},
		{Name: "what", Type: schema.Type{Kind: schema.KindText, Name: "text"}, Nullable: true},
		{Name: "order", Type: schema.Type{Kind: schema.KindInt, Name: "bigint", Bits: 64}},
	}}
}

func row(line int64, what string, order int64) schema.Row {
	return schema.Row{schema.Int(line), schema.Text([]byte(what)), schema.Int(order)}
}

// topic writes records as capture does.
type topic struct {
	t        *testing.T
	registry *registry.Local
	codec    *avro.Codec
	key      int
	value    int
}

func newTopic(t *testing.T, envelope avro.Envelope) *topic {
	t.Helper()
	r, err := registry.Open(t.Context(), &store{})
	if err != nil {
		t.Fatal(err)
	}
	c, err := avro.Compile(table(), avro.Options{Topic: "shop.public.lines", Envelope: envelope, Connector: "postgresql", Name: "shop", Database: "shop"})
	if err != nil {
		t.Fatal(err)
	}
	w := &topic{t: t, registry: r, codec: c}
	if w.key, err = r.Register(t.Context(), "lines-key", c.KeySchema()); err != nil {
		t.Fatal(err)
	}
	if w.value, err = r.Register(t.Context(), "lines-value", c.ValueSchema()); err != nil {
		t.Fatal(err)
	}
	return w
}

func (w *topic) record(row schema.Row, e *avro.Event) *log.Record {
	w.t.Helper()
	key, err := w.codec.AppendKey(avro.AppendWire(nil, w.key), row)
	if err != nil {
		w.t.Fatal(err)
	}
	r := &log.Record{TopicPartition: log.TopicPartition{Topic: "shop.public.lines"}, Offset: 41, Key: key, Time: time.Date(2024, 1, 2, 3, 4, 5, 0, time.UTC),
		Headers: []log.Header{{Key: log.PosHeader, Value: log.Pos{Incarnation: 255, Seq: 7, Row: 3}.Append(nil)}}}
	if e == nil {
		return r
	}
	if r.Value, err = w.codec.AppendValue(avro.AppendWire(nil, w.value), e); err != nil {
		w.t.Fatal(err)
	}
	return r
}

func TestLines(t *testing.T) {
	origin := &avro.Origin{At: time.Date(2024, 5, 6, 7, 8, 9, 500_000_000, time.UTC), Postgres: avro.Postgres{TxID: 9, CommitLSN: 0x1_0000_00FF, LSN: 0x1_0000_0010}}
	const place = `"topic":"shop.public.lines","partition":0,"offset":41,`
	const key = `"key":{"order":9007199254740993,"line":1},`
	const pos = `"incarnation":"00000000000000ff","seq":7,"row":3`
	for _, c := range []struct {
		story    string
		envelope avro.Envelope
		event    *avro.Event
		want     string
	}{
		{"an update", avro.Debezium, &avro.Event{Op: 'u', After: row(1, "a \"b\"", 9007199254740993), Origin: origin},
			`"op":"u","before":null,"after":{"line":1,"what":"a \"b\"","order":9007199254740993},"position":{` + pos + `,"native":"1/FF"},"ts":"2024-05-06T07:08:09.5Z"`},
		{"a delete", avro.Debezium, &avro.Event{Op: 'd', Before: row(1, "x", 9007199254740993), Origin: origin},
			`"op":"d","before":{"line":1,"what":"x","order":9007199254740993},"after":null,"position":{` + pos + `,"native":"1/FF"},"ts":"2024-05-06T07:08:09.5Z"`},
		{"the row envelope", avro.Row, &avro.Event{After: row(1, "x", 9007199254740993)},
			`"op":"r","before":null,"after":{"line":1,"what":"x","order":9007199254740993},"position":{` + pos + `},"ts":"2024-01-02T03:04:05Z"`},
	} {
		t.Run(c.story, func(t *testing.T) {
			w := newTopic(t, c.envelope)
			line, err := NewDecoder(w.registry).AppendLine(t.Context(), nil, w.record(row(1, "", 9007199254740993), c.event))
			if err != nil {
				t.Fatal(err)
			}
			if want := "{" + place + key + c.want + "}\n"; string(line) != want {
				t.Fatalf("got\n%swant\n%s", line, want)
			}
			if !json.Valid(line) {
				t.Fatal("no JSON")
			}
		})
	}
	for _, envelope := range []avro.Envelope{avro.Debezium, avro.Row} {
		w := newTopic(t, envelope)
		line, err := NewDecoder(w.registry).AppendLine(t.Context(), nil, w.record(row(1, "", 9007199254740993), nil))
		if err != nil || !strings.Contains(string(line), `"op":null,"before":null,"after":null`) || !strings.Contains(string(line), `"key":{"order":9007199254740993,"line":1}`) {
			t.Fatalf("a tombstone that is the first record: %s %v", line, err)
		}
	}
}

func TestDamageIsAnError(t *testing.T) {
	w := newTopic(t, avro.Debezium)
	good := w.record(row(1, "", 2), &avro.Event{Op: 'c', After: row(1, "rowcanary", 2), Origin: &avro.Origin{}})
	for story, r := range map[string]log.Record{
		"no wire header": {Key: []byte("plain"), Value: good.Value},
		"unknown schema": {Key: good.Key, Value: avro.AppendWire(nil, 999)},
		"cut value":      {Key: good.Key, Value: good.Value[:len(good.Value)-3]},
	} {
		_, err := NewDecoder(w.registry).AppendLine(t.Context(), nil, &r)
		if err == nil || strings.Contains(err.Error(), "rowcanary") { // X14
			t.Errorf("%s: %v", story, err)
		}
	}
}

// named is a log of which only the names are asked.
type named struct {
	log.Log
	log.Admin
	topics []string
}

type namedLog struct{ named }

func (n namedLog) Admin() log.Admin { return n.named }
func (n named) Topics(_ context.Context, names ...string) (out []log.TopicInfo, err error) {
	for _, t := range n.topics {
		if len(names) > 0 && !slices.Contains(names, t) {
			continue
		}
		out = append(out, log.TopicInfo{TopicSpec: log.TopicSpec{Name: t}})
	}
	return out, nil
}

func TestFind(t *testing.T) {
	l := namedLog{named{topics: []string{"__evert.shop.schemas", "shop.public.orders", "bill.public.orders", "shop.public.Odd_Name"}}}
	for _, c := range []struct{ name, want string }{
		{"shop.public.orders", "shop.public.orders"},
		{`public."Odd Name"`, "shop.public.Odd_Name"},
		{"public.orders", ""},  // of two sources
		{"public.nothing", ""}, // of none
	} {
		got, err := Find(t.Context(), l, c.name, []string{"shop", "bill"})
		if got.Name != c.want || (err == nil) != (c.want != "") {
			t.Errorf("%s: %q %v", c.name, got.Name, err)
		}
		if err != nil && (pipeline.CodeOf(err) != CodeNoSuchTopic || strings.Contains(err.Error(), "__evert")) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

// deniedLog is a cluster that denies what does not begin with a prefix, whether it
// is there or not, as Apache Kafka does.
type deniedLog struct {
	named
	prefix string
}

func (d deniedLog) Admin() log.Admin { return d }
func (d deniedLog) Topics(ctx context.Context, names ...string) ([]log.TopicInfo, error) {
	for _, name := range names {
		if !strings.HasPrefix(name, d.prefix) {
			return nil, fmt.Errorf("%s: denied", name)
		}
	}
	return d.named.Topics(ctx, names...)
}

func TestFindWithLeastRights(t *testing.T) {
	l := deniedLog{named{topics: []string{"shop.public.orders"}}, "shop."}
	t.Run("X06 a table's name is no topic of ours", func(t *testing.T) {
		if info, err := Find(t.Context(), l, "public.orders", []string{"shop"}); err != nil || info.Name != "shop.public.orders" {
			t.Errorf("%q, %v", info.Name, err)
		}
		if _, err := Find(t.Context(), l, "public.nothing", []string{"shop"}); pipeline.CodeOf(err) != CodeNoSuchTopic {
			t.Errorf("no table: %v", err)
		}
		if _, err := Find(t.Context(), l, "theirs", []string{"shop"}); err == nil || pipeline.CodeOf(err) == CodeNoSuchTopic {
			t.Errorf("a topic of somebody else: %v", err)
		}
	})
}
