//go:build unix

package opensearch_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/evertdb/evert/pipeline/deliver"
	"github.com/evertdb/evert/sinks/opensearch"
	"github.com/evertdb/evert/sinks/opensearch/opensearchserver"
	"github.com/evertdb/evert/sinks/sinktest"
)

// shared is one node for the tests of this package; each test has an index of its
// own.
var shared struct {
	once sync.Once
	node *opensearchserver.Node
	err  error
	next int
}

func TestMain(m *testing.M) {
	code := m.Run()
	if shared.node != nil {
		shared.node.Close()
	}
	os.Exit(code)
}

// node gives the shared node.
func node(t testing.TB) *opensearchserver.Node {
	t.Helper()
	shared.once.Do(func() {
		d, err := opensearchserver.Fetch(t.Context())
		if err == nil {
			shared.node, err = opensearchserver.Start(t.Context(), d, opensearchserver.Options{})
		}
		shared.err = err
	})
	if shared.err != nil && os.Getenv("CI") == "" {
		t.Skipf("opt-in: %v\n%s", shared.err, opensearchserver.InstallHint())
	}
	if shared.err != nil {
		t.Fatalf("%v\n%s", shared.err, opensearchserver.InstallHint())
	}
	return shared.node
}

// options are those of a target with an index of its own.
func options(t testing.TB) opensearch.Options {
	n := node(t)
	shared.next++
	o := opensearch.DefaultOptions()
	o.URL, o.Owner, o.Topic = n.URL(), "test/sink", "items"
	o.Index = "items" + strconv.Itoa(shared.next)
	return o
}

// TestTarget tells the clauses over OpenSearch itself. S03 S04 S08 R16
func TestTarget(t *testing.T) {
	sinktest.RunTarget(t, func(t *testing.T) sinktest.TargetHarness {
		o := options(t)
		return sinktest.TargetHarness{
			New:    func(testing.TB) deliver.Target { return opensearch.New(o) },
			Rows:   func(t testing.TB) map[int64]string { return rowsOf(t, &o) },
			Powers: sinktest.Powers{Fences: true, Versions: true, Beside: true},
		}
	})
}

// rowsOf gives what readers find by the alias, NULL as a word.
func rowsOf(t testing.TB, o *opensearch.Options) map[int64]string {
	t.Helper()
	rows := map[int64]string{}
	for id, source := range documents(t, o.URL, o.Index) {
		var row struct {
			ID int64
			V  *string
		}
		if err := json.Unmarshal(source, &row); err != nil {
			t.Fatal(err)
		}
		if strconv.FormatInt(row.ID, 10) != id {
			t.Errorf("document %s holds row %d", id, row.ID)
		}
		rows[row.ID] = "NULL"
		if row.V != nil {
			rows[row.ID] = *row.V
		}
	}
	return rows
}

// documents gives every document of an index or alias; none if there is none.
func documents(t testing.TB, url, index string) map[string]json.RawMessage {
	t.Helper()
	if status, _ := request(t, http.MethodPost, url+"/"+index+"/_refresh", ""); status == http.StatusNotFound {
		return nil
	}
	all := map[string]json.RawMessage{}
	for after := ""; ; {
		status, body := request(t, http.MethodPost, url+"/"+index+"/_search", `{"size": 10000, "sort": [{"_doc": "asc"}], "track_total_hits": true`+after+`}`)
		if status != http.StatusOK {
			t.Fatalf("search: %d %s", status, body)
		}
		var found struct {
			Hits struct {
				Hits []struct {
					ID     string          `json:"_id"`
					Source json.RawMessage `json:"_source"`
					Sort   []any
				}
			}
		}
		if err := json.Unmarshal(body, &found); err != nil {
			t.Fatal(err)
		}
		if len(found.Hits.Hits) == 0 {
			return all
		}
		for _, h := range found.Hits.Hits {
			all[h.ID] = h.Source
			after = fmt.Sprintf(`, "search_after": [%v]`, h.Sort[0])
		}
	}
}

func request(t testing.TB, method, url, body string) (int, []byte) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	a, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Body.Close()
	text, err := io.ReadAll(a.Body)
	if err != nil {
		t.Fatal(err)
	}
	return a.StatusCode, text
}

// must is a request that has to succeed.
func must(t testing.TB, method, url, body string) []byte {
	t.Helper()
	status, text := request(t, method, url, body)
	if status >= 300 {
		t.Fatalf("%s %s: %d %s", method, url, status, text)
	}
	return text
}
