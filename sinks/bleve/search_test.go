package bleve_test

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/deliver"
	"github.com/evertdb/evert/schema"
	"github.com/evertdb/evert/sinks/bleve"
)

// people is a table with a column of each kind.
var people = &schema.Table{
	Database: "app", Schema: "public", Name: "people", Native: "7", Version: 1, Key: []int{0},
	Columns: []schema.Column{
		{Name: "id", Type: schema.Type{Kind: schema.KindInt, Name: "bigint", Bits: 64}},
		{Name: "name", Type: schema.Type{Kind: schema.KindText, Name: "text"}},
		{Name: "city", Type: schema.Type{Kind: schema.KindText, Name: "text"}},
		{Name: "notes", Type: schema.Type{Kind: schema.KindText, Name: "text"}},
		{Name: "spent", Type: schema.Type{Kind: schema.KindDecimal, Name: "numeric"}},
		{Name: "born", Type: schema.Type{Kind: schema.KindDate, Name: "date"}},
		{Name: "vip", Type: schema.Type{Kind: schema.KindBool, Name: "boolean"}},
		{Name: "ref", Type: schema.Type{Kind: schema.KindUUID, Name: "uuid"}},
		{Name: "tags", Type: schema.Type{Kind: schema.KindArray, Name: "text[]", Elem: &schema.Type{Kind: schema.KindText, Name: "text"}}},
		{Name: "extra", Type: schema.Type{Kind: schema.KindJSON, Name: "jsonb", Binary: true}},
		{Name: "_id", Type: schema.Type{Kind: schema.KindText, Name: "text"}},
	},
}

func text(s string) schema.Value { return schema.Text([]byte(s)) }

func texts(all ...string) schema.Value {
	var elems []schema.Value
	for _, s := range all {
		elems = append(elems, text(s))
	}
	return schema.Array(schema.AppendArray(nil, elems...))
}

// person makes a row of people.
func person(id int64, name, city, notes, spent string, born int32, vip bool, tags schema.Value, extra string) schema.Row {
	ref := slices.Repeat([]byte{byte(id)}, 16)
	row := schema.Row{schema.Int(id), text(name), text(city), text(notes), schema.Decimal([]byte(spent)), schema.Date(born), schema.Bool(vip),
		schema.UUID(ref), tags, schema.JSON([]byte(extra)), text("doc" + fmt.Sprint(id))}
	if city == "" {
		row[2] = schema.Null()
	}
	return row
}

func crowd() []schema.Row {
	return []schema.Row{
		person(1, "Ann Lee", "Berlin", "mag alte Häuser", "12.50", 0, true, texts("early", "Paid Up"), `{"plan": "gold", "seats": 3, "history": [{"what": "signed up", "cost": 9007199254740993}]}`),
		person(2, "Bert Ray", "Berlin", "ein Haus am See", "7.25", 365, false, texts("late"), `{"plan": "free", "seats": 1}`),
		person(3, "Anna Berlin", "Hamburg", "nichts", "12345678901234567890.10", 20000, false, texts(), `{}`),
		person(4, "Cid", "", "<b>bold</b> & loud", "-3", -10, true, texts("early"), `{"deep": {"a": {"b": {"c": {"d": {"e": {"f": {"g": {"h": {"i": "abyss"}}}}}}}}}}`),
	}
}

// delivered makes an index that holds rows.
func delivered(t testing.TB, c bleve.Config, table *schema.Table, rows ...schema.Row) *bleve.Index {
	t.Helper()
	x := open(t, c)
	w := writer{TB: t, Target: x.Target(deliver.Stop{})}
	w.open()
	w.put(table, rows...)
	w.commit(1)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return x
}

// writer drives a target as a stage does.
type writer struct {
	testing.TB
	deliver.Target
	offset uint64
}

func (w *writer) open() pipeline.Resume {
	w.Helper()
	at, err := w.Target.Open(context.Background())
	if err != nil {
		w.Fatal(err)
	}
	return at
}

func (w *writer) put(table *schema.Table, rows ...schema.Row) {
	w.Helper()
	if err := w.tryPut(table, rows...); err != nil {
		w.Fatal(err)
	}
}

func (w *writer) tryPut(table *schema.Table, rows ...schema.Row) error {
	b := pipeline.Batch{Tables: []*schema.Table{table}}
	for _, row := range rows {
		w.offset++
		b.Changes = append(b.Changes, pipeline.Change{Table: table, Op: pipeline.Update, After: row, Offset: w.offset})
	}
	return w.Target.Write(context.Background(), b)
}

func (w *writer) commit(seq uint64) {
	w.Helper()
	if err := w.Target.Commit(context.Background(), place(seq)); err != nil {
		w.Fatal(err)
	}
}

func place(seq uint64) pipeline.Resume {
	return pipeline.Resume{At: pipeline.Position{Seq: seq, Native: fmt.Sprintf("0/%X", seq)}, State: fmt.Appendf(nil, "state %d", seq)}
}

// ids are those of the hits of a URL's parameters.
func ids(t testing.TB, x *bleve.Index, params string) string {
	t.Helper()
	q, err := url.ParseQuery(params)
	if err != nil {
		t.Fatal(err)
	}
	r, err := bleve.ParseRequest(q)
	if err != nil {
		return string(pipeline.CodeOf(err))
	}
	found, err := x.Search(context.Background(), r)
	if err != nil {
		if code := pipeline.CodeOf(err); code != "" {
			return string(code)
		}
		t.Fatal(err)
	}
	var all []string
	for _, hit := range found.Hits {
		all = append(all, hit.ID)
	}
	return strings.Join(all, " ")
}

func TestSearch(t *testing.T) {
	x := delivered(t, bleve.Config{Dir: t.TempDir(), Languages: map[string]string{"notes": "de"}}, people, crowd()...)
	for _, c := range []struct{ name, params, want string }{
		{"everything, by id", "", "1 2 3 4"},
		{"both words are better than one", "q=ann berlin", "1 3 2"},
		{"all words needed", "q=%2Bann %2Bberlin", "1"},
		{"a word too many", "q=berlin -hamburg&order=id", "1 2"},
		{"a column", "q=city:berlin&order=id", "1 2"},
		{"a phrase", `q="bert ray"`, "2"},
		{"a prefix", "q=ber*&order=id", "1 2 3"},
		{"a prefix in capitals", "q=BER*&order=id", "1 2 3"},
		{"a typo", "q=berln~1&order=id", "1 2 3"},
		{"a typo of more letters than are looked for", "q=berln~3", "SEARCH_INVALID"},
		{"a typo of fewer letters than none, in a column", "q=city:berln~-1", "SEARCH_INVALID"},
		{"a column's language, from everywhere", "q=häuser&order=id", "1 2"},
		{"a column's language, from the column", "q=notes:haus&order=id", "1 2"},
		{"a number above", "q=spent:>10&order=id", "1 3"},
		{"a day before", `q=born:<"1970-01-01"`, "4"},
		{"a boolean", "q=vip:true&order=id", "1 4"},
		{"a uuid", "q=ref:02020202-0202-0202-0202-020202020202", "2"},
		{"an element", "q=tags:paid", "1"},
		{"a path", "q=extra.plan:gold", "1"},
		{"a path in an array", "q=extra.history.what:signed", "1"},
		{"a number at a path", "q=extra.seats:>2", "1"},
		{"S05 what is too deep for a field is found", "q=abyss", "4"},
		{"a column called as the index's own field", "q=_id:doc3", "3"},
		{"a filter", "city=eq.Berlin&order=id", "1 2"},
		{"a filter keeps to the whole text", "city=eq.berlin", ""},
		{"a filter on an element", "tags=eq.Paid Up", "1"},
		{"filters together", "city=eq.Berlin&spent=gte.10", "1"},
		{"a filter beside words", "q=berlin&vip=eq.true", "1"},
		{"one of", `city=in.(Hamburg,"Berlin")&order=id`, "1 2 3"},
		{"none of none", "city=in.()", ""},
		{"NULL", "city=is.null", "4"},
		{"not NULL", "city=not.is.null&order=id", "1 2 3"},
		{"between days", "born=gte.1970-01-01&born=lt.1971-01-01", "1"},
		{"on a day", "born=eq.1971-01-01", "2"},
		{"a prefix of the text", "name=prefix.Ann&order=id", "1 3"},
		{"text above", "name=gt.Anna&order=id", "2 3 4"},
		{"a filter on a path", "extra.plan=eq.free", "2"},
		{"a filter on a number at a path", "extra.seats=gte.3", "1"},
		{"numbers sort as numbers", "order=spent.desc", "3 1 2 4"},
		{"text sorts, NULL last", "order=city,name.desc", "2 1 3 4"},
		{"descending, NULL first", "order=city.desc,id", "4 3 1 2"},
		{"days sort", "order=born", "4 1 2 3"},
		{"a page", "order=id&limit=2&offset=1", "2 3"},
		{"no such word", "q=nowhere", ""},
		{"no such column in words", "q=nowhere:x", ""},
		{"no such column in a filter", "nowhere=eq.1", "SEARCH_INVALID"},
		{"no such operator", "city=like.B", "SEARCH_INVALID"},
		{"no number", "spent=gt.much", "SEARCH_INVALID"},
		{"no day", "born=eq.soon", "SEARCH_INVALID"},
		{"no query", `q="open`, "SEARCH_INVALID"},
		{"a pattern of everything", "q=*&order=id", "1 2 3 4"},
		{"a broken pattern", "q=/a(/", "SEARCH_INVALID"},
		{"beyond the hits that may be reached", "offset=10000", "SEARCH_INVALID"},
		{"a limit that is none", "limit=many", "SEARCH_INVALID"},
		{"a long value for a keyword", "city=eq." + strings.Repeat("x", 300), "SEARCH_INVALID"},
	} {
		t.Run(c.name, func(t *testing.T) {
			q := strings.NewReplacer(" ", "%20", `"`, "%22").Replace(c.params)
			if got := ids(t, x, q); got != c.want {
				t.Errorf("found %q, want %q", got, c.want)
			}
		})
	}
}

func TestDocumentsAreExact(t *testing.T) {
	x := delivered(t, bleve.Config{Dir: t.TempDir()}, people, crowd()...)
	found, err := x.Search(context.Background(), bleve.Request{Query: "ann"})
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"id":1,"name":"Ann Lee","city":"Berlin","notes":"mag alte Häuser","spent":12.50,"born":"1970-01-01","vip":true,` +
		`"ref":"01010101-0101-0101-0101-010101010101","tags":["early","Paid Up"],` +
		`"extra":{"plan": "gold", "seats": 3, "history": [{"what": "signed up", "cost": 9007199254740993}]},"_id":"doc1"}`
	if got := string(found.Hits[0].Document); got != want {
		t.Errorf("%s\nwant %s", got, want)
	}
	if found.Resume.At.Native != "0/1" || string(found.Resume.State) != "state 1" {
		t.Errorf("at %+v", found.Resume)
	}
}

func TestFacets(t *testing.T) {
	x := delivered(t, bleve.Config{Dir: t.TempDir()}, people, crowd()...)
	found, err := x.Search(context.Background(), bleve.Request{Facets: []string{"city", "vip", "tags", "extra.plan"}, FacetSize: 1, Limit: 1})
	if err != nil {
		t.Fatal(err)
	}
	got := fmt.Sprint(found.Facets)
	const want = `map[city:{[{Berlin 2}] 1 1 false} extra.plan:{[{free 1}] 1 2 false} tags:{[{early 2}] 2 1 false} vip:{[{false 2}] 2 0 false}]`
	if got != want {
		t.Errorf("%s\nwant %s", got, want)
	}
	if _, err := x.Search(context.Background(), bleve.Request{Facets: []string{"spent"}}); pipeline.CodeOf(err) != bleve.CodeQuery {
		t.Errorf("a facet of numbers: %v", err)
	}
}

func TestHighlights(t *testing.T) {
	x := delivered(t, bleve.Config{Dir: t.TempDir(), Languages: map[string]string{"notes": "de"}}, people, crowd()...)
	for _, c := range []struct{ q, want string }{
		{"ann", `map[name:[<mark>Ann</mark> Lee]]`},
		{"haus", `map[notes:[ein <mark>Haus</mark> am See]]`},
		{"+early +paid", `map[tags:[<mark>early</mark>]]`},
		{"signed", `map[extra.history.what:[<mark>signed</mark> up]]`},
		{"doc4", `map[_id:[<mark>doc4</mark>]]`},
		{"loud", `map[notes:[&lt;b&gt;bold&lt;/b&gt; &amp; <mark>loud</mark>]]`},
	} {
		found, err := x.Search(context.Background(), bleve.Request{Query: c.q, Highlight: true, Order: []bleve.Order{{Column: "id", Desc: c.q == "haus"}}})
		if err != nil || len(found.Hits) == 0 {
			t.Errorf("%s: %v", c.q, err)
			continue
		}
		if got := fmt.Sprint(found.Hits[0].Highlights); got != c.want {
			t.Errorf("%s: %s, want %s", c.q, got, c.want)
		}
	}
}

func TestS05FieldsOfJSONAreBounded(t *testing.T) {
	t.Run("S05 5000 keys, 100 fields, every value found", func(t *testing.T) {
		var rows []schema.Row
		for n := range 50 {
			var b strings.Builder
			for k := range 100 {
				fmt.Fprintf(&b, `%c"key%d": "value%d"`, "{,"[min(k, 1)], n*100+k, n*100+k)
			}
			rows = append(rows, person(int64(n), "x", "y", "", "0", 0, false, texts(), b.String()+"}"))
		}
		dir := t.TempDir()
		x := delivered(t, bleve.Config{Dir: dir, MaxFields: 100}, people, rows...)
		for _, n := range []int{0, 99, 100, 2500, 4999} {
			if got, want := ids(t, x, fmt.Sprintf("q=value%d", n)), fmt.Sprint(n/100); got != want {
				t.Errorf("value%d found in %q, want %q", n, got, want)
			}
		}
		if got := ids(t, x, "extra.key99=eq.value99"); got != "0" {
			t.Errorf("a field of its own: %q", got)
		}
		if got := ids(t, x, "extra.key4999=eq.value4999"); got != "" {
			t.Errorf("beyond the bound: %q", got)
		}
	})
	t.Run("S05 string, number and object under one name", func(t *testing.T) {
		x := delivered(t, bleve.Config{Dir: t.TempDir()}, people,
			person(1, "x", "y", "", "0", 0, false, texts(), `{"k": "seven"}`),
			person(2, "x", "y", "", "0", 0, false, texts(), `{"k": 7}`),
			person(3, "x", "y", "", "0", 0, false, texts(), `{"k": {"k": [7, "seven", null, true]}}`))
		for params, want := range map[string]string{"q=seven&order=id": "1 3", "extra.k=eq.7": "2", "q=extra.k:seven": "1", "extra.k.k=eq.true": "3"} {
			if got := ids(t, x, params); got != want {
				t.Errorf("%s: %q, want %q", params, got, want)
			}
		}
	})
	t.Run("S05 a column of another type asks to be filled anew", func(t *testing.T) {
		x := delivered(t, bleve.Config{Dir: t.TempDir()}, people, crowd()...)
		w := writer{TB: t, Target: x.Target(deliver.Stop{})}
		w.open()
		other := *people
		other.Columns = slices.Clone(people.Columns)
		other.Columns[1].Type = schema.Type{Kind: schema.KindInt, Name: "bigint", Bits: 64}
		row := crowd()[0]
		row[1] = schema.Int(5)
		if _, ok := w.tryPut(&other, row).(*deliver.Renewal); !ok {
			t.Error("it is taken")
		}
		grown := *people
		grown.Columns = append(slices.Clone(people.Columns), schema.Column{Name: "more", Type: schema.Type{Kind: schema.KindText, Name: "text"}})
		w.put(&grown, append(crowd()[1], text("added")))
		w.commit(2)
		if got := ids(t, x, "q=more:added"); got != "2" {
			t.Errorf("a column that came later: %q", got)
		}
	})
}

func TestLanguageIsAnotherDefinition(t *testing.T) {
	dir := t.TempDir()
	x := delivered(t, bleve.Config{Dir: dir}, people, crowd()...)
	if err := x.Close(); err != nil {
		t.Fatal(err)
	}
	x = open(t, bleve.Config{Dir: dir, Language: "de"})
	target := x.Target(deliver.Stop{})
	if _, err := target.Open(context.Background()); err == nil {
		t.Fatal("an index of another language is written")
	} else if _, ok := err.(*deliver.Renewal); !ok {
		t.Fatal(err)
	}
	if got := ids(t, x, "q=häuser"); got != "1" {
		t.Errorf("until it is filled anew the old one answers: %q", got)
	}
}
