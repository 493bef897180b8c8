package api

import (
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/evertdb/evert/pipeline/view/query"
)

// A rule is the status of the answer on each face; 0 is a route that is not
// there. On serve.http it depends on the token: none, another one, the right one.
type rule struct {
	http   [3]int
	health int
	socket int
}

// rules are the whole matrix. A route without a rule fails the test.
func rules() map[string]rule {
	probe := rule{http: [3]int{401, 401, 200}, health: 200, socket: 200}
	view := rule{http: [3]int{401, 401, 200}, socket: 200}
	return map[string]rule{
		"GET /healthz":                       probe,
		"GET /readyz":                        probe,
		"GET /metrics":                       probe,
		"GET /v1/status":                     {http: [3]int{401, 401, 200}, socket: 200},
		"GET /v1/views":                      view,
		"GET /v1/views/{view}":               view,
		"GET /v1/views/{view}/plan":          view,
		"GET /v1/views/{view}/rows":          view,
		"GET /v1/views/{view}/rows/{key...}": view,
		"GET /v1/views/{view}/changes":       view,
		"GET /v1/indexes":                    view,
		"GET /v1/indexes/{sink}":             view,
		"GET /v1/indexes/{sink}/search":      view,
		"GET /v1/topics/{topic}/records":     {http: [3]int{401, 401, 0}, socket: 200},
		"GET /v1/dead-letters/{name}":        {http: [3]int{401, 401, 0}, socket: 200},
		"POST /v1/sinks/{sink}/control":      {http: [3]int{401, 401, 0}, socket: 200},
		"POST /v1/sinks/{sink}/replay":       {http: [3]int{401, 401, 0}, socket: 200},
		"POST /v1/tables/{table}/control":    {http: [3]int{401, 401, 0}, socket: 200},
		"POST /v1/sources/{source}/drain":    {http: [3]int{401, 401, 0}, socket: 200},
		"POST /v1/control":                   {http: [3]int{401, 401, 0}, socket: 200},
		"POST /v1/verify":                    {http: [3]int{401, 401, 0}, socket: 200},
	}
}

func TestWhoMayWhat(t *testing.T) {
	h := handlers(&fake{lines: []string{"{}"}})
	h.Views, h.Reads, h.Streams = someViews(t), query.NewReader(query.Config{}), 1
	h.Indexes = someIndexes(t)
	h.Commands = &someSinks{}
	h.Tables = &someTables{}
	h.Sources = &someSources{}
	h.Token = func() (string, error) { return "secret", nil }
	h.Daemon.(*fake).status.Sources = both()
	all := rules()
	for _, r := range h.routes() {
		t.Run("X07 "+r.pattern, func(t *testing.T) {
			want, ok := all[r.pattern]
			if !ok {
				t.Fatal("a route without a rule: say who may")
			}
			for i, auth := range []string{"", "Bearer wrong", "Bearer secret"} {
				expect(t, "http with "+auth, h.HTTP(), r.pattern, auth, want.http[i])
				expect(t, "health with "+auth, h.Health(), r.pattern, auth, want.health)
				expect(t, "the socket", h.Socket(), r.pattern, auth, want.socket)
			}
		})
		delete(all, r.pattern)
	}
	for pattern := range all {
		t.Errorf("a rule without a route: %s", pattern)
	}
	t.Run("X07 what is nearly the token", func(t *testing.T) {
		for _, auth := range []string{"Bearer ", "bearer secret", "Basic secret", "secret", "Bearer secret "} {
			expect(t, "http with "+auth, h.HTTP(), "GET /v1/status", auth, 401)
		}
	})
}

// bodyOf gives a body that a command takes.
func bodyOf(path string) string {
	switch {
	case strings.Contains(path, "verify"):
		return `{"name": "t"}`
	case strings.HasPrefix(path, "/v1/sinks"), strings.HasPrefix(path, "/v1/tables"):
		return `{"by": "ann@box"}`
	case strings.HasPrefix(path, "/v1/sources"):
		return `{}`
	}
	return `{"source": "s"}`
}

func expect(t *testing.T, who string, face http.Handler, pattern, auth string, want int) {
	t.Helper()
	method, path, _ := strings.Cut(strings.NewReplacer("{topic}", "t", "{view}", "customers", "{sink}", "customers", "{key...}", "1").Replace(pattern), " ")
	r := httptest.NewRequest(method, path, strings.NewReader(bodyOf(path)))
	r.Header.Set("Authorization", auth)
	ctx, leave := context.WithCancel(t.Context())
	defer leave()
	if !strings.HasSuffix(path, "/search") {
		leave() // a stream ends at once
	}
	w := httptest.NewRecorder()
	face.ServeHTTP(w, r.WithContext(ctx))
	if want == 0 {
		want = http.StatusNotFound
	}
	if w.Code != want {
		t.Errorf("%s, %s: %d, want %d", who, pattern, w.Code, want)
	}
}

func TestDoors(t *testing.T) {
	h := handlers(&fake{})
	for _, path := range []string{"/debug/pprof/", "/debug/pprof/heap", "/debug/vars", "/config", "/v1/config", "/", "/metrics/", "/v1/"} {
		t.Run("X08 nothing under "+path, func(t *testing.T) {
			for _, face := range []http.Handler{h.HTTP(), h.Health(), h.Socket()} {
				if w := ask(face, path); w.Code != http.StatusNotFound {
					t.Errorf("%d %s", w.Code, w.Body)
				}
			}
		})
	}
	t.Run("X08 health holds no data, and networks change nothing", func(t *testing.T) {
		for _, r := range h.routes() {
			if r.faces&onHealth != 0 && strings.Contains(r.pattern, "/v1/") {
				t.Errorf("%s is open to every probe", r.pattern)
			}
			if !strings.HasPrefix(r.pattern, "GET ") && r.faces != onSocket {
				t.Errorf("%s changes something, and is not on the socket alone", r.pattern)
			}
		}
	})
}

// X17 a client that sends its request a byte at a time is cut off, and does not
// hold up anybody else.
func TestSlowClient(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := Serve(l, handlers(&fake{}).Health(), slog.New(slog.DiscardHandler))
	t.Cleanup(func() { s.Stop(context.Background()) })
	if s.ReadTimeout == 0 || s.WriteTimeout == 0 || s.IdleTimeout == 0 || s.MaxHeaderBytes == 0 {
		t.Error("X17 something of a request has no bound")
	}
	slow, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer slow.Close()
	if _, err := io.WriteString(slow, "GET /healthz HTTP/1.1\r\nHost: x\r\nX-A: "); err != nil {
		t.Fatal(err)
	}
	resp, err := http.Get("http://" + l.Addr().String() + "/healthz")
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("another client meanwhile: %v %v", resp, err)
	}
	_ = resp.Body.Close()
	if err := slow.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadAll(slow); err != nil {
		t.Fatalf("X17 it is not cut off: %v", err)
	}
}
