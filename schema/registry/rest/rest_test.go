package rest_test

import (
	"context"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/evertdb/evert/schema/registry"
	"github.com/evertdb/evert/schema/registry/rest"
)

var update = flag.Bool("update", false, "rewrite golden files")

// topic is a registry's topic in memory.
type topic struct {
	mu      sync.Mutex
	records []registry.Record
	broken  error
}

func (*topic) Take(context.Context) error { return nil }

func (t *topic) Read(_ context.Context, from string, fn func(key, value []byte) error) (string, bool, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	next, _ := strconv.Atoi(from)
	for _, r := range t.records[next:] {
		if err := fn(r.Key, r.Value); err != nil {
			return from, from == "", err
		}
	}
	return strconv.Itoa(len(t.records)), from == "", t.broken
}

func (t *topic) Append(_ context.Context, records ...registry.Record) (string, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.records = append(t.records, records...)
	return strconv.Itoa(len(t.records)), nil
}

func serve(t testing.TB, kept *topic) http.Handler {
	t.Helper()
	l, err := registry.Open(t.Context(), kept)
	if err != nil {
		t.Fatal(err)
	}
	return rest.Handler(l)
}

// ask gives status, type and body of an answer.
func ask(h http.Handler, method, path, body string) string {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(method, path, strings.NewReader(body)))
	text, _ := io.ReadAll(w.Result().Body)
	kind := ""
	if got := w.Header().Get("Content-Type"); got != rest.ContentType {
		kind = " " + got
	}
	return fmt.Sprintf("%d%s %s", w.Code, kind, strings.TrimRight(string(text), "\n"))
}

// TestProtocol asks what stands in testdata/protocol.txt, in its order, and
// compares the answers. A line is a request, with its body behind it; the answer
// follows, indented. # is a heading.
func TestProtocol(t *testing.T) {
	const file = "testdata/protocol.txt"
	script, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	kept := &topic{}
	h := serve(t, kept)
	var out strings.Builder
	for line := range strings.Lines(string(script)) {
		line = strings.TrimRight(line, "\n")
		switch {
		case strings.HasPrefix(line, "    "):
			continue
		case line == "# restart":
			h = serve(t, kept)
		}
		out.WriteString(line + "\n")
		if line == "" || line[0] == '#' {
			continue
		}
		method, rest, _ := strings.Cut(line, " ")
		path, body, _ := strings.Cut(rest, " ")
		out.WriteString("    " + ask(h, method, path, body) + "\n")
	}
	if *update {
		if err := os.WriteFile(file, []byte(out.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(string(script), out.String()); diff != "" && !*update {
		t.Errorf("answers differ (-want +got):\n%s", diff)
	}
}

// A log that fails is told from what a client did wrong.
func TestStoreFails(t *testing.T) {
	kept := &topic{}
	h := serve(t, kept)
	kept.mu.Lock()
	kept.broken = io.ErrUnexpectedEOF
	kept.mu.Unlock()
	if got := ask(h, "GET", "/subjects", ""); !strings.HasPrefix(got, `500 {"error_code":50001,`) {
		t.Errorf("a log that fails: %s", got)
	}
}

// X18: whatever is sent, there is an answer by the protocol, and the topic stays
// readable.
func FuzzX18Requests(f *testing.F) {
	for _, seed := range []string{`{"schema":"\"long\""}`, `{"schema":"{\"type\":\"record\",\"name\":\"R\",\"fields\":[{\"name\":\"r\",\"type\":[\"null\",\"R\"],\"default\":null}]}"}`,
		`{"schema":"\"x\"","references":[{"name":"x","subject":"s","version":-1}]}`, `{"schema":"[[]]","id":7}`, `{"mode":"IMPORT"}`, `{"compatibility":"FULL"}`, `[`, `null`} {
		for _, path := range []string{"/subjects/s/versions", "/compatibility/subjects/s/versions/latest?verbose=true", "/config/s", "/mode", "/contexts/:.:/subjects/s"} {
			f.Add("POST", path, seed)
		}
	}
	f.Add("DELETE", "/subjects/s/versions/latest?permanent=true", "")
	f.Fuzz(func(t *testing.T, method, path, body string) {
		r, err := http.NewRequest(method, "http://registry", strings.NewReader(body))
		if err != nil {
			t.Skip()
		}
		if r.URL, err = r.URL.Parse("/" + strings.TrimLeft(path, "/")); err != nil {
			t.Skip()
		}
		kept := &topic{}
		h := serve(t, kept)
		ask(h, "POST", "/subjects/s/versions", `{"schema":"\"int\""}`)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code >= 500 {
			t.Errorf("%s %q %q: %d %s", method, path, body, w.Code, w.Body)
		}
		serve(t, kept)
	})
}
