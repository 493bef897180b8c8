package api

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/deliver"
	"github.com/evertdb/evert/pipeline/view/query"
	"github.com/evertdb/evert/schema"
	"github.com/evertdb/evert/sinks/bleve"
)

// indexMap are indexes over folders, and how far they are.
type indexMap map[string]*placedIndex

func (m indexMap) Names() []string { return []string{"customers", "new"} }

func (m indexMap) Index(name string) (Index, bool) {
	x, ok := m[name]
	return x, ok
}

// placedIndex is an index whose places are LSNs of source shop.
type placedIndex struct {
	*bleve.Index
	progress Progress
}

func (x *placedIndex) At(place pipeline.Resume) (query.Vector, time.Time) {
	if place.At.IsZero() {
		return nil, time.Time{}
	}
	return query.Vector{"shop": place.At.Native}, time.Unix(int64(place.At.Seq), 0).UTC()
}

func (x *placedIndex) Progress() Progress { return x.progress }

var customers = &schema.Table{Schema: "public", Name: "customers", Key: []int{0}, Columns: []schema.Column{
	{Name: "id", Type: schema.Type{Kind: schema.KindInt, Name: "bigint", Bits: 64}},
	{Name: "name", Type: schema.Type{Kind: schema.KindText, Name: "text"}},
	{Name: "extra", Type: schema.Type{Kind: schema.KindJSON, Name: "jsonb", Binary: true}},
}}

// deliverTo commits customers to an index.
func deliverTo(t *testing.T, x *bleve.Index, at pipeline.Resume, names ...string) {
	t.Helper()
	target := x.Target(deliver.Stop{})
	if _, err := target.Open(context.Background()); err != nil {
		t.Fatal(err)
	}
	b := pipeline.Batch{}
	for i, name := range names {
		row := schema.Row{schema.Int(int64(9007199254740993 + i)), schema.Text([]byte(name)), schema.JSON([]byte(`{"n":  1.50}`))}
		b.Changes = append(b.Changes, pipeline.Change{Table: customers, Op: pipeline.Update, After: row})
	}
	if err := target.Write(context.Background(), b); err != nil {
		t.Fatal(err)
	}
	if err := target.Commit(context.Background(), at); err != nil {
		t.Fatal(err)
	}
	if err := target.Close(); err != nil {
		t.Fatal(err)
	}
}

func placed(seq uint64) pipeline.Resume {
	return pipeline.Resume{At: pipeline.Position{Seq: seq, Native: fmt.Sprint(seq)}}
}

// someIndexes are customers, at position shop:5, and new, which is being filled.
func someIndexes(t *testing.T) indexMap {
	t.Helper()
	all, dir := indexMap{}, t.TempDir()
	for _, name := range []string{"customers", "new"} {
		x, err := bleve.New(bleve.Config{Dir: dir, Name: name})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { x.Close() })
		all[name] = &placedIndex{Index: x}
	}
	deliverTo(t, all["customers"].Index, placed(5), "Ann <script>", "Bert")
	deliverTo(t, all["new"].Index, pipeline.Resume{State: []byte("filling")}, "Cid")
	all["new"].progress = Progress{Of: 40}
	return all
}

// native orders positions as numbers.
type native struct{}

func (native) Reached(have, want string) (bool, error) {
	var h, w int
	_, err := fmt.Sscan(have+" "+want, &h, &w)
	return h >= w, err
}

func (native) Hasten(bool) {}

func searching(t *testing.T) (Handlers, indexMap) {
	h := handlers(&fake{})
	all := someIndexes(t)
	h.Indexes = all
	h.Reads = query.NewReader(query.Config{Clocks: map[string]query.Clock{"shop": native{}}, WaitTimeout: 10 * time.Second})
	return h, all
}

func TestSearchAnswers(t *testing.T) {
	h, _ := searching(t)
	w := ask(h.HTTP(), "/v1/indexes/customers/search?q=ann&highlight=true&facet=name")
	const want = `{"hits":[{"id":"9007199254740993","score":SCORE,"document":{"id":9007199254740993,"name":"Ann <script>","extra":{"n":  1.50}},` +
		`"highlights":{"name":["\u003cmark\u003eAnn\u003c/mark\u003e \u0026lt;script\u0026gt;"]}}],"total":1,"next":null,` +
		`"facets":{"name":{"terms":[{"term":"Ann \u003cscript\u003e","count":1}],"other":0,"missing":0}},"position":"shop:5","as_of":"1970-01-01T00:00:05Z"}` + "\n"
	var got struct{ Hits []struct{ Score json.Number } }
	if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil || len(got.Hits) != 1 {
		t.Fatalf("%v: %s", err, w.Body)
	}
	if body := strings.Replace(w.Body.String(), got.Hits[0].Score.String(), "SCORE", 1); w.Code != http.StatusOK || body != want {
		t.Errorf("%d %s\nwant %s", w.Code, body, want)
	}
	for name, value := range map[string]string{"Content-Type": "application/json", "X-Content-Type-Options": "nosniff", "Evert-Position": "shop:5", "Cache-Control": "no-store"} {
		if w.Header().Get(name) != value {
			t.Errorf("%s: %q, want %q", name, w.Header().Get(name), value)
		}
	}
}

func TestSearchRefuses(t *testing.T) {
	h, _ := searching(t)
	for _, c := range []struct {
		path   string
		status int
		code   pipeline.Code
	}{
		{"/v1/indexes/none/search", 404, CodeNoSuchIndex},
		{"/v1/indexes/none", 404, CodeNoSuchIndex},
		{"/v1/indexes/new/search?q=cid", 503, bleve.CodeNotReady},
		{"/v1/indexes/customers/search?limit=x", 400, bleve.CodeQuery},
		{"/v1/indexes/customers/search?nowhere=eq.1", 400, bleve.CodeQuery},
		{"/v1/indexes/customers/search?q=%zz", 400, query.CodeRequest},
		{"/v1/indexes/customers/search?wait_for=crm:1", 400, query.CodeRequest},
		{"/v1/indexes/customers/search?wait_for=shop:6&timeout=10ms", 504, query.CodeTimeout},
		{"/v1/indexes/new/search?wait_for=shop:1&timeout=10ms", 504, query.CodeTimeout},
	} {
		w := ask(h.HTTP(), c.path)
		var p Problem
		if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil || w.Code != c.status || p.Code != c.code {
			t.Errorf("%s: %d %s, want %d %s: %v", c.path, w.Code, w.Body, c.status, c.code, err)
		}
		if w.Header().Get("Content-Type") != "application/problem+json" || w.Header().Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s: headers %v", c.path, w.Header())
		}
	}
	w := ask(h.HTTP(), "/v1/indexes/new/search")
	if !strings.Contains(w.Body.String(), `"progress":{"rows":0,"of":40}`) || w.Header().Get("Retry-After") == "" {
		t.Errorf("while it is filled: %s", w.Body)
	}
}

func TestSearchWaits(t *testing.T) {
	h, all := searching(t)
	done := make(chan *httptest.ResponseRecorder)
	go func() {
		done <- ask(h.HTTP(), "/v1/indexes/customers/search?q=late&wait_for="+url.QueryEscape("shop:7"))
	}()
	deliverTo(t, all["customers"].Index, placed(6), "early")
	deliverTo(t, all["customers"].Index, placed(7), "late")
	if w := <-done; w.Code != 200 || w.Header().Get("Evert-Position") != "shop:7" || !strings.Contains(w.Body.String(), `"name":"late"`) {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

func TestIndexesAreListed(t *testing.T) {
	h, all := searching(t)
	if err := all["customers"].Target(deliver.Stop{}).Renew(context.Background()); err != nil {
		t.Fatal(err)
	}
	w := ask(h.HTTP(), "/v1/indexes")
	var got struct{ Indexes []IndexStatus }
	if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil || len(got.Indexes) != 2 {
		t.Fatalf("%v: %s", err, w.Body)
	}
	c, n := got.Indexes[0], got.Indexes[1]
	if c.State != "rebuilding" || c.Documents != 2 || c.Position != "shop:5" || c.AsOf == nil || n.State != "filling" || n.Progress == nil || *n.Progress != (Progress{Rows: 1, Of: 40}) || n.Position != "" {
		t.Errorf("%s", w.Body)
	}
	w = ask(h.HTTP(), "/v1/indexes/customers/search")
	if w.Code != 200 || w.Header().Get("Evert-Stale") != string(bleve.CodeRebuilt) || !strings.Contains(w.Body.String(), `"stale":{"code":"INDEX_REBUILDING"`) {
		t.Errorf("R16 while it is filled anew the old one answers, and says so: %d %s", w.Code, w.Body)
	}
}
