package api

import (
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/evertdb/evert/schema"
	"github.com/evertdb/evert/schema/registry"
	"github.com/evertdb/evert/schema/registry/rest"
)

// hostile is text that a browser must never take for a page.
const hostile = `<script src=//evil.example></script><img src=x onerror=alert(1)>`

// wanted are the headers without which a browser does more than show data.
var wanted = map[string]string{
	"X-Content-Type-Options":       "nosniff",
	"Content-Security-Policy":      "default-src 'none'; frame-ancestors 'none'; sandbox",
	"Cross-Origin-Resource-Policy": "same-origin",
}

// X22 what a browser gets, of every route on every face and of every refusal, is
// data that it neither runs nor frames nor shows to a page of another site.
func TestBrowser(t *testing.T) {
	h, views := viewHandlers(t)
	views["customers"].Step(epoch(6), []schema.Row{person(4, hostile, "1")})
	h.Daemon = &fake{lines: []string{`{"v":"` + hostile + `"}`}}
	h.Indexes, h.Commands, h.Tables, h.Requests = someIndexes(t), &someSinks{}, &someTables{}, 100
	h.Sources = &someSources{}
	inside := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		rest.Refuse(w, &registry.Error{Code: registry.CodeUnauthorized, Message: hostile})
	})
	faces := map[string]http.Handler{"http": h.HTTP(), "health": h.Health(), "socket": h.Socket(), "registry": h.Registry(inside)}
	paths := []string{"/", "/v1//views", "/v1/views/" + "%3Cscript%3E", "/v1/views/customers/rows/4", "/v1/views/customers/rows/%3Cscript%3E",
		"/v1/views/customers/rows?city=eq." + "%3Cscript%3E", "/v1/topics/t/records", "/v1/%3Cscript%3E/../x"}
	for _, r := range h.routes() {
		if _, path, _ := strings.Cut(r.pattern, " "); !strings.HasSuffix(path, "/changes") {
			paths = append(paths, strings.NewReplacer("{topic}", "t", "{view}", "customers", "{sink}", "customers", "{key...}", "4", "{name}", "n", "{table}", "t", "{source}", "s").Replace(path))
		}
	}
	for name, face := range faces {
		for _, path := range paths {
			for _, method := range []string{"GET", "OPTIONS", "POST"} {
				checkForBrowser(t, name, face, method, path)
			}
		}
	}
}

func checkForBrowser(t *testing.T, name string, face http.Handler, method, path string) {
	t.Helper()
	r := httptest.NewRequest(method, path, strings.NewReader(bodyOf(path)))
	r.Header.Set("Origin", "https://evil.example")
	r.Header.Set("Access-Control-Request-Method", "POST")
	w := httptest.NewRecorder()
	face.ServeHTTP(w, r)
	header := w.Result().Header
	for known, value := range wanted {
		if header.Get(known) != value {
			t.Errorf("X22 %s %s %s: %s is %q", name, method, path, known, header.Get(known))
		}
	}
	for given := range header {
		if strings.HasPrefix(given, "Access-Control-") || given == "Set-Cookie" {
			t.Errorf("X22 %s %s %s: %s: %s", name, method, path, given, header.Get(given))
		}
	}
	if kind := header.Get("Content-Type"); strings.Contains(kind, "html") && w.Code/100 != 3 {
		t.Errorf("X22 %s %s %s: %d with content type %s", name, method, path, w.Code, kind)
	}
	if to := header.Get("Location"); strings.Contains(to, "//") {
		t.Errorf("X22 %s %s %s: sent to %s", name, method, path, to)
	}
}

// X22 without a token a page whose own name leads to us gets nothing, and changes
// nothing; who asks by address or as localhost is answered.
func TestForeignHost(t *testing.T) {
	h := handlers(&fake{})
	h.AnyHost = false
	asked := func(h Handlers, host string) int {
		r := httptest.NewRequest("GET", "/v1/status", nil)
		r.Host = host
		w := httptest.NewRecorder()
		h.HTTP().ServeHTTP(w, r)
		return w.Code
	}
	registered := func(h Handlers, host string) int {
		r := httptest.NewRequest("POST", "/subjects/a/versions", nil)
		r.Host = host
		w := httptest.NewRecorder()
		h.Registry(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})).ServeHTTP(w, r)
		return w.Code
	}
	for host, want := range map[string]int{
		"127.0.0.1:8380": 200, "localhost:8380": 200, "LOCALHOST": 200, "[::1]:8380": 200, "evert.localhost": 200, "10.1.2.3": 200, "localhost.:1": 200,
		"evil.example:8380": 403, "localhost.evil.example": 403, "127.0.0.1.evil.example": 403, "": 403, "evil": 403,
	} {
		if got, there := asked(h, host), registered(h, host); got != want || there != want {
			t.Errorf("X22 host %q: %d, registry %d, want %d", host, got, there, want)
		}
	}
	h.Token = func() (string, error) { return "sesame", nil }
	if got := asked(h, "evert.example"); got != 401 {
		t.Errorf("with a token: %d, want 401", got)
	}
	h.Token = func() (string, error) { return "", nil }
	if got := asked(h, "evert.example"); got != 403 {
		t.Errorf("with an empty token: %d, want 403", got)
	}
	h.AnyHost = true
	if got := asked(h, "evert.example"); got != 200 {
		t.Errorf("behind a proxy: %d, want 200", got)
	}
}

// X22 the same over a network: net/http adds nothing of its own.
func TestBrowserOverNetwork(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	h := handlers(&fake{})
	h.AnyHost = false
	s := Serve(l, h.HTTP(), slog.New(slog.DiscardHandler))
	t.Cleanup(func() { s.Stop(t.Context()) })
	resp, err := http.Get("http://" + l.Addr().String() + "/v1/status")
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("%v %v", resp, err)
	}
	defer resp.Body.Close()
	for name, value := range wanted {
		if resp.Header.Get(name) != value {
			t.Errorf("%s: %q", name, resp.Header.Get(name))
		}
	}
}
