package opensearch

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/evertdb/evert/pipeline"
)

// TestAnswers: S01 what servers answer, as TestRecord wrote it down, and what is made
// of each operation. Elasticsearch 7.9 is too old, and only its name is told.
func TestAnswers(t *testing.T) {
	files, err := filepath.Glob("testdata/answers/*.json")
	if err != nil || len(files) < 6 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) { answers(t, file) })
	}
}

func answers(t *testing.T, file string) {
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var said recorded
	if err := json.Unmarshal(text, &said); err != nil {
		t.Fatal(err)
	}
	s, err := detected(t, said.Info)
	if said.Server == "" {
		if pipeline.CodeOf(err) != codeVersion {
			t.Errorf("too old: %v", err)
		}
		return
	}
	if err != nil || s.name() != said.Server {
		t.Errorf("%s, %v", s.name(), err)
	}
	items, err := itemsOf(said.Bulk, len(said.Verdicts))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for i := range items {
		got = append(got, verdictText(answersOptions(), &items[i], said.Bulk, i))
	}
	if diff := cmp.Diff(said.Verdicts, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func answersOptions() *Options {
	o := DefaultOptions()
	o.Index, o.Topic = "items", "items"
	return &o
}

// detected says whom a client sees where a server answers GET / so.
func detected(t *testing.T, info []byte) (server, error) {
	cluster := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(info) }))
	defer cluster.Close()
	o := answersOptions()
	o.URL = cluster.URL
	c, err := newClient(o)
	if err != nil {
		t.Fatal(err)
	}
	return c.detect(context.Background())
}

// verdictText is what is made of one operation of version 256.
func verdictText(o *Options, it *item, bulk []byte, i int) string {
	var told struct{ Items []map[string]json.RawMessage }
	_ = json.Unmarshal(bulk, &told)
	_, isDelete := told.Items[i]["delete"]
	p := &op{version: 256, delete: isDelete}
	switch p.judge(it) {
	case done:
		return "done"
	case kept:
		return "kept"
	case again:
		return "again"
	case gone:
		return "gone"
	case refused:
		return "refused: " + o.rejection(p, it.Error, mapping{"id": json.RawMessage("{}"), "v": json.RawMessage("{}")}).Why.What
	}
	return "failed: " + string(pipeline.CodeOf(o.unknown(it)))
}

// TestTorn: S01 an answer that does not tell of each operation tells of none.
func TestTorn(t *testing.T) {
	for _, body := range []string{
		"", "{", `{"items":[]}`, `{"items":[{"index":{"status":201}}]}`, `{"items":[{"index":{"status":201}},{"index":{}}]}`,
		`{"items":[{"index":{"status":201}},{}]}`, `{"items":[{"index":{"status":201}},{"index":{"status":20`, `{"errors":false}`,
	} {
		if items, err := itemsOf([]byte(body), 2); err == nil {
			t.Errorf("%s: %v", body, items)
		}
	}
	stale := item{Status: 409, Error: &failure{Type: "version_conflict_engine_exception", Reason: "[1]: version conflict, current version [100] is higher"}}
	if got := (&op{version: 256}).judge(&stale); got != failed {
		t.Errorf("S03 a conflict with an older version is no success: %v", got)
	}
}

// FuzzAnswer: whatever a server answers, it is an error or says something of each
// operation.
func FuzzAnswer(f *testing.F) {
	f.Add([]byte(`{"items":[{"index":{"status":201}},{"delete":{"status":409,"error":{"type":"version_conflict_engine_exception","reason":"current version [9"}}}]}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		items, err := itemsOf(body, 2)
		if err != nil {
			return
		}
		for i := range items {
			if p := (&op{version: 256}); p.judge(&items[i]) == done && items[i].Status >= 300 {
				t.Errorf("%+v is done", items[i])
			}
		}
	})
}
