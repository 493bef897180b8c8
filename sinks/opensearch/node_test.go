//go:build unix

package opensearch_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/deliver"
	"github.com/evertdb/evert/pipeline/document"
	"github.com/evertdb/evert/schema"
	"github.com/evertdb/evert/sinks/opensearch"
	"github.com/evertdb/evert/sinks/opensearch/opensearchserver"
	"github.com/evertdb/evert/sinks/sinktest"
)

func column(name string, kind schema.Kind, edit func(t *schema.Type)) schema.Column {
	c := schema.Column{Name: name, Nullable: true, Type: schema.Type{Kind: kind, Name: name, Precision: -1, Scale: -1}}
	if edit != nil {
		edit(&c.Type)
	}
	return c
}

// zoo has a column of each type that is mapped in its own way.
func zoo() *schema.Table {
	bits := func(n int) func(t *schema.Type) { return func(t *schema.Type) { t.Bits = n } }
	return &schema.Table{Schema: "public", Name: "zoo", Version: 1, Key: []int{0}, Columns: []schema.Column{
		column("id", schema.KindInt, bits(64)),
		column("small", schema.KindInt, bits(16)),
		column("middle", schema.KindInt, bits(32)),
		column("yes", schema.KindBool, nil),
		column("single", schema.KindFloat, bits(32)),
		column("double", schema.KindFloat, bits(64)),
		column("price", schema.KindDecimal, func(t *schema.Type) { t.Precision, t.Scale = 10, 2 }),
		column("exact", schema.KindDecimal, nil),
		column("name", schema.KindText, nil),
		column("mood", schema.KindText, func(t *schema.Type) { t.Labels = []string{"sad", "ok"} }),
		column("raw", schema.KindBytes, nil),
		column("who", schema.KindUUID, nil),
		column("day", schema.KindDate, nil),
		column("clock", schema.KindTime, nil),
		column("local", schema.KindTimestamp, nil),
		column("instant", schema.KindTimestamp, func(t *schema.Type) { t.Zoned = true }),
		column("doc", schema.KindJSON, func(t *schema.Type) { t.Binary = true }),
		column("history", schema.KindJSON, func(t *schema.Type) { t.Binary = true }),
		column("tags", schema.KindArray, func(t *schema.Type) { t.Elem = &schema.Type{Kind: schema.KindText, Name: "text"} }),
	}}
}

// full is a row of zoo; odd holds what its types have no room for in JSON or Lucene.
func full(id int64) schema.Row {
	tag := schema.Array(schema.AppendArray(nil, schema.Text([]byte("red")), schema.Null(), schema.Text([]byte("blue"))))
	return schema.Row{
		schema.Int(id), schema.Int(-32768), schema.Int(math.MaxInt32), schema.Bool(true), schema.Float(1.5), schema.Float(-1e300),
		schema.Decimal([]byte("12345678.90")), schema.Decimal([]byte("1234567890123456789012345.50")),
		schema.Text([]byte("Ann \"of\" Berlin\n\u2028")), schema.Text([]byte("ok")), schema.Bytes([]byte{0, 255}),
		schema.UUID([]byte{1, 2, 3, 15: 0}), schema.Date(8000), schema.Time(3_600_000_001), schema.Timestamp(700_000_000_123_456), schema.Timestamp(700_000_000_123_456),
		schema.JSON([]byte(`{"a": [1, {"b": 1234567890123456789012345.50}]}`)), schema.JSON([]byte(`[{"id": 1, "total": 2.50}, {"id": 2, "total": 3}]`)), tag,
	}
}

func odd(id int64) schema.Row {
	r := full(id)
	r[5], r[7] = schema.Float(math.NaN()), schema.Decimal([]byte("NaN"))
	r[12], r[15] = schema.Date(-2_000_000), schema.Timestamp(math.MaxInt64) // BC, infinity
	r[16], r[17], r[18] = schema.JSON([]byte(`"a scalar"`)), schema.Null(), schema.Array(schema.AppendArray(nil))
	return r
}

// rowsBatch gives rows of a table, from an offset on.
func rowsBatch(t *schema.Table, offset int, rows ...schema.Row) pipeline.Batch {
	b := pipeline.Batch{Tables: []*schema.Table{t}}
	for i, r := range rows {
		b.Changes = append(b.Changes, pipeline.Change{Table: t, Op: pipeline.Update, After: r, Offset: uint64(offset + i)})
	}
	return b
}

// filledWith makes a target whole with these rows, and gives it.
func filledWith(t *testing.T, o opensearch.Options, b pipeline.Batch) *opensearch.Target {
	t.Helper()
	target := opensearch.New(o)
	t.Cleanup(func() { target.Close() })
	if _, err := target.Open(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := target.Write(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	if err := target.Commit(t.Context(), place(len(b.Changes), true)); err != nil {
		t.Fatal(err)
	}
	return target
}

// TestMapping: the mapping that is derived, documents that are byte for byte what was
// sent, and what is found by them.
func TestMapping(t *testing.T) {
	o := options(t)
	o.Mapping = map[string]json.RawMessage{"history": json.RawMessage(`{"type": "nested", "properties": {"id": {"type": "long"}, "total": {"type": "double"}}}`)}
	o.Settings = map[string]string{"number_of_replicas": "0", "refresh_interval": "7s"}
	table := zoo()
	filledWith(t, o, rowsBatch(table, 0, full(1), odd(2)))

	encoder := document.New(table.Columns)
	got := documents(t, o.URL, o.Index)
	for id, row := range map[string]schema.Row{"1": full(1), "2": odd(2)} {
		if want := string(encoder.Append(nil, row)); string(got[id]) != want {
			t.Errorf("document %s:\n%s, want\n%s", id, got[id], want)
		}
	}
	for query, want := range map[string]string{
		`{"term": {"exact.exact": "1234567890123456789012345.50"}}`:                     "1",
		`{"nested": {"path": "history", "query": {"term": {"history.total": 2.5}}}}`:    "1",
		`{"match": {"name": "berlin"}}`:                                                 "1 2",
		`{"term": {"tags": "blue"}}`:                                                    "1",
		`{"term": {"_ignored": "double"}}`:                                              "2",
		`{"range": {"instant": {"gte": "2022-03-01", "lt": "2022-04-01"}}}`:             "1",
		`{"term": {"price": 12345678.90}}`:                                              "1 2",
		`{"bool": {"must": [{"term": {"_ignored": "day"}}, {"term": {"mood": "ok"}}]}}`: "2",
		`{"term": {"who": "01020300-0000-0000-0000-000000000000"}}`:                     "1 2",
	} {
		if got := search(t, &o, query); got != want {
			t.Errorf("%s finds %q, want %q", query, got, want)
		}
	}
	settings := string(must(t, http.MethodGet, o.URL+"/"+o.Index+"/_settings?flat_settings=true", ""))
	for _, want := range []string{`"index.refresh_interval":"7s"`, `"index.number_of_replicas":"0"`, `"index.translog.durability":"request"`, `"index.gc_deletes":"600000ms"`} {
		if !strings.Contains(settings, want) {
			t.Errorf("S04 the settings have no %s: %s", want, settings)
		}
	}
}

func search(t *testing.T, o *opensearch.Options, query string) string {
	t.Helper()
	var found struct {
		Hits struct {
			Hits []struct {
				ID string `json:"_id"`
			}
		}
	}
	if err := json.Unmarshal(must(t, http.MethodPost, o.URL+"/"+o.Index+"/_search", `{"query": `+query+`}`), &found); err != nil {
		t.Fatal(err)
	}
	var ids []string
	for _, h := range found.Hits.Hits {
		ids = append(ids, h.ID)
	}
	slices.Sort(ids)
	return strings.Join(ids, " ")
}

// TestColumnsComeAndGo: a new column is a new field of the same index; one that is gone
// fills another.
func TestColumnsComeAndGo(t *testing.T) {
	o := options(t)
	small := sinktest.Items
	target := filledWith(t, o, rowsBatch(small, 0, schema.Row{schema.Int(1), schema.Text([]byte("a"))}))
	wide := *small
	wide.Columns = append(slices.Clone(small.Columns), column("city", schema.KindText, nil))
	if err := target.Write(t.Context(), rowsBatch(&wide, 1, schema.Row{schema.Int(2), schema.Text([]byte("b")), schema.Text([]byte("Berlin"))})); err != nil {
		t.Fatal(err)
	}
	if err := target.Commit(t.Context(), place(2, true)); err != nil {
		t.Fatal(err)
	}
	documents(t, o.URL, o.Index) // it is refreshed
	if got := search(t, &o, `{"match": {"city": "berlin"}}`); got != "2" {
		t.Errorf("the new column finds %q", got)
	}
	again := opensearch.New(o)
	defer again.Close()
	if _, err := again.Open(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := again.Write(t.Context(), rowsBatch(&wide, 2)); err != nil {
		t.Errorf("the same columns after a restart: %v", err)
	}
	if err := again.Write(t.Context(), rowsBatch(small, 2)); !errors.As(err, new(*deliver.Renewal)) {
		t.Errorf("a column is gone: %v", err)
	}
}

// TestJSONKeys: S05 as many keys of JSON as there are make no field.
func TestJSONKeys(t *testing.T) {
	o := options(t)
	table := &schema.Table{Schema: "public", Name: "docs", Key: []int{0}, Columns: []schema.Column{zoo().Columns[0], zoo().Columns[16]}}
	var text strings.Builder
	for i := range 5000 {
		fmt.Fprintf(&text, `,"key%d":%d`, i, i)
	}
	deep := strings.Repeat(`{"a":`, 200) + "1" + strings.Repeat("}", 200)
	filledWith(t, o, rowsBatch(table, 0, schema.Row{schema.Int(1), schema.JSON([]byte("{" + text.String()[1:] + "}"))}, schema.Row{schema.Int(2), schema.JSON([]byte(deep))}))
	if got := documents(t, o.URL, o.Index); len(got) != 2 {
		t.Errorf("%d documents", len(got))
	}
	if mapping := string(must(t, http.MethodGet, o.URL+"/"+o.Index+"/_mapping", "")); strings.Contains(mapping, "key7") {
		t.Error("the keys became fields")
	}
}

// TestLongKeys: S06 keys that are longer than an _id may be.
func TestLongKeys(t *testing.T) {
	o := options(t)
	table := &schema.Table{Schema: "public", Name: "named", Key: []int{0}, Columns: []schema.Column{{Name: "k", Type: schema.Type{Kind: schema.KindText, Name: "text"}}}}
	row := func(k string) schema.Row { return schema.Row{schema.Text([]byte(k))} }
	long := strings.Repeat("k", 3000)
	target := filledWith(t, o, rowsBatch(table, 0, row(long+"1"), row(long+"2"), row(""), row("%/ü")))
	if got := documents(t, o.URL, o.Index); len(got) != 4 || got["%E"] == nil || got["%25%2Fü"] == nil {
		t.Errorf("%d documents", len(got))
	}
	b := pipeline.Batch{Changes: []pipeline.Change{{Table: table, Op: pipeline.Delete, Before: row(long + "1"), Offset: 4}, {Table: table, Op: pipeline.Delete, Before: row(""), Offset: 5}}}
	if err := target.Write(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	if err := target.Commit(t.Context(), place(6, true)); err != nil {
		t.Fatal(err)
	}
	if got := documents(t, o.URL, o.Index); len(got) != 2 {
		t.Errorf("%d documents after two deletes", len(got))
	}
}

// TestRefusedByTheCluster: a mapping that it does not know, a row that does not fit, a
// column that cannot be a field.
func TestRefusedByTheCluster(t *testing.T) {
	write := func(o opensearch.Options, b pipeline.Batch) error {
		target := opensearch.New(o)
		defer target.Close()
		if _, err := target.Open(t.Context()); err != nil {
			return err
		}
		if err := target.Write(t.Context(), b); err != nil {
			return err
		}
		return target.Commit(t.Context(), place(1, true))
	}
	item := schema.Row{schema.Int(1), schema.Text([]byte("not a number"))}
	o := options(t)
	o.Mapping = map[string]json.RawMessage{"v": json.RawMessage(`{"type": "no such type"}`)}
	if err := write(o, rowsBatch(sinktest.Items, 0, item)); pipeline.CodeOf(err) != "OPENSEARCH_MAPPING" {
		t.Error(err)
	}
	o.Mapping = map[string]json.RawMessage{"v": json.RawMessage(`{"type": "long"}`)}
	if err := write(o, rowsBatch(sinktest.Items, 0, item)); pipeline.CodeOf(err) != "OPENSEARCH_ROW" || strings.Contains(err.Error(), "not a number") || !strings.Contains(err.Error(), `"v"`) {
		t.Error(err)
	}
	o.Mapping = map[string]json.RawMessage{"w": json.RawMessage(`{"type": "long"}`)}
	if err := write(o, rowsBatch(sinktest.Items, 0, item)); pipeline.CodeOf(err) != "OPENSEARCH_COLUMN" {
		t.Error(err)
	}
	o = options(t)
	for _, name := range []string{"_id", "a.b", " "} {
		bad := &schema.Table{Name: "bad", Key: []int{0}, Columns: []schema.Column{column(name, schema.KindText, nil)}}
		if err := write(o, rowsBatch(bad, 0)); pipeline.CodeOf(err) != "OPENSEARCH_COLUMN" {
			t.Errorf("%q: %v", name, err)
		}
	}
}

// TestReplayAfterMend: S03 a row that the mapping does not take is rejected, the mapping
// is mended, and a replay writes the row at once, while the server remembers the
// version of the delete.
func TestReplayAfterMend(t *testing.T) {
	o := options(t)
	o.Rejects = &kept{}
	o.Mapping = map[string]json.RawMessage{"v": json.RawMessage(`{"type": "long"}`)}
	number, word := schema.Row{schema.Int(1), schema.Text([]byte("1"))}, schema.Row{schema.Int(1), schema.Text([]byte("one"))}
	target := filledWith(t, o, rowsBatch(sinktest.Items, 0, number))
	again := func(replay bool, want map[string]json.RawMessage) {
		t.Helper()
		b := rowsBatch(sinktest.Items, 1, word)
		if replay {
			b.Changes[0].Headers = []pipeline.Header{{Key: deliver.ReplayHeader, Value: []byte("true")}}
		}
		if err := target.Write(t.Context(), b); err != nil {
			t.Fatal(err)
		}
		if err := target.Commit(t.Context(), place(2, true)); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, documents(t, o.URL, o.Index)); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	}
	again(false, map[string]json.RawMessage{})
	must(t, http.MethodPut, o.URL+"/"+o.Index+"/_mapping", `{"properties":{"v":{"type":"long","ignore_malformed":true}}}`)
	again(true, map[string]json.RawMessage{"1": json.RawMessage(`{"id":1,"v":"one"}`)})
}

// TestAuditor: S14 documents that somebody edited, deleted and added are found and put
// right, and the topic's next records win.
func TestAuditor(t *testing.T) {
	o := options(t)
	var rows []schema.Row
	for i := range int64(2000) {
		rows = append(rows, schema.Row{schema.Int(i), schema.Text([]byte("v"))})
	}
	b := rowsBatch(sinktest.Items, 0, rows...)
	target := filledWith(t, o, b)
	if found := audit(t, o, b.Changes, nil); len(found) != 0 {
		t.Fatalf("a sound index differs: %v", found)
	}
	for _, id := range []string{"3", "5", "1999"} {
		must(t, http.MethodPut, o.URL+"/"+o.Index+"/_doc/"+id, `{"id": `+id+`, "v": "edited"}`)
	}
	must(t, http.MethodDelete, o.URL+"/"+o.Index+"/_doc/7", "")
	must(t, http.MethodPut, o.URL+"/"+o.Index+"/_doc/foreign", `{"id": -1}`)

	want := []string{"1999", "3", "5", "7", "foreign"}
	if diff := cmp.Diff(want, audit(t, o, b.Changes, nil)); diff != "" {
		t.Errorf("found (-want +got):\n%s", diff)
	}
	audit(t, o, b.Changes, func(a *opensearch.Auditor, fixes []deliver.Fix) {
		if err := a.Repair(t.Context(), fixes); err != nil {
			t.Fatal(err)
		}
	})
	if found := audit(t, o, b.Changes, nil); len(found) != 0 {
		t.Errorf("not put right: %v", found)
	}
	next := rowsBatch(sinktest.Items, 2000, schema.Row{schema.Int(3), schema.Text([]byte("newer"))}, schema.Row{schema.Int(7), schema.Text([]byte("newer"))})
	if err := target.Write(t.Context(), next); err != nil {
		t.Fatal(err)
	}
	if err := target.Commit(t.Context(), place(2002, true)); err != nil {
		t.Fatal(err)
	}
	if got := rowsOf(t, &o); got[3] != "newer" || got[7] != "newer" || len(got) != 2000 {
		t.Errorf("the next records do not win: %q %q", got[3], got[7])
	}
}

// audit compares an index with the changes of a topic and gives the ids that differ.
func audit(t *testing.T, o opensearch.Options, topic []pipeline.Change, repair func(*opensearch.Auditor, []deliver.Fix)) (ids []string) {
	t.Helper()
	a, err := opensearch.NewAuditor(o)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	want, newest := map[string]string{}, map[string]*pipeline.Change{}
	for i := range topic {
		id, form, err := a.Expect(&topic[i])
		if err != nil {
			t.Fatal(err)
		}
		want[string(id)], newest[string(id)] = string(form), &topic[i]
	}
	err = a.Contents(t.Context(), func(id, form []byte) error {
		if want[string(id)] != string(form) {
			ids = append(ids, string(id))
		}
		delete(want, string(id))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for id := range want {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	if repair != nil {
		var fixes []deliver.Fix
		for _, id := range ids {
			fixes = append(fixes, deliver.Fix{ID: []byte(id), Change: newest[id]})
		}
		repair(a, fixes)
	}
	return ids
}

// TestDeletedBehindUs: S08 on the server itself: nothing is made by the way, whatever
// the operations are.
func TestDeletedBehindUs(t *testing.T) {
	o := options(t)
	target := filledWith(t, o, rowsBatch(sinktest.Items, 0, schema.Row{schema.Int(1), schema.Text([]byte("a"))}))
	must(t, http.MethodDelete, o.URL+"/"+o.Index+"-1", "")
	gone := pipeline.Change{Table: sinktest.Items, Op: pipeline.Delete, Before: schema.Row{schema.Int(1), schema.Unknown()}, Offset: 1}
	err := target.Write(t.Context(), pipeline.Batch{Changes: []pipeline.Change{gone}})
	if err == nil {
		err = target.Commit(t.Context(), place(2, true))
	}
	if !errors.As(err, new(*deliver.Renewal)) {
		t.Errorf("it says %v", err)
	}
	names := strings.Fields(string(must(t, http.MethodGet, o.URL+"/_cat/indices/"+o.Index+"*?h=index&expand_wildcards=all", "")))
	if !slices.Equal(names, []string{o.Index + "-evert-position"}) {
		t.Errorf("indexes: %v", names)
	}
}

// TestNarrowNode: S02 S06 a node that takes little at once, by its own settings: it
// refuses requests with 413 and 429, whole and in part, and everything gets through.
func TestNarrowNode(t *testing.T) {
	node(t) // it can be started
	d, err := opensearchserver.Find()
	if err != nil {
		t.Fatal(err)
	}
	n, err := opensearchserver.Start(t.Context(), d, opensearchserver.Options{Settings: []string{
		"http.max_content_length: 200kb", "indexing_pressure.memory.limit: 150kb", "thread_pool.write.size: 1", "thread_pool.write.queue_size: 1",
	}})
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	o := opensearch.DefaultOptions()
	o.URL, o.Owner, o.Topic, o.Index = n.URL(), "test/sink", "items", "items"
	o.Settings = map[string]string{"number_of_shards": "3", "number_of_replicas": "0"}
	var rows []schema.Row
	for i := range int64(1500) {
		rows = append(rows, schema.Row{schema.Int(i), schema.Text([]byte(strings.Repeat("x", 300)))})
	}
	filledWith(t, o, rowsBatch(sinktest.Items, 0, rows...))
	if got := rowsOf(t, &o); len(got) != len(rows) {
		t.Errorf("%d documents of %d", len(got), len(rows))
	}
	var stats struct {
		Nodes map[string]struct {
			Pressure struct {
				Memory struct {
					Total struct {
						Rejections int `json:"coordinating_rejections"`
					}
				}
			} `json:"indexing_pressure"`
		}
	}
	if err := json.Unmarshal(must(t, http.MethodGet, o.URL+"/_nodes/stats/indexing_pressure", ""), &stats); err != nil {
		t.Fatal(err)
	}
	for _, one := range stats.Nodes {
		if one.Pressure.Memory.Total.Rejections == 0 {
			t.Error("the node refused nothing: the test shows nothing")
		}
	}
}
