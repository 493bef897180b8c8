package api

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/evertdb/evert/cmd/evert/compare"
	"github.com/evertdb/evert/cmd/evert/monitor"
	"github.com/evertdb/evert/pipeline"
)

// fake is a daemon that says what the test tells it to.
type fake struct {
	status Status
	lines  []string
	fails  error // after the lines
	reset  Reset
}

func (f *fake) Status(context.Context) Status {
	f.status.Health = monitor.Judge(f.status.Sources)
	return f.status
}

func (f *fake) Records(_ context.Context, _ string, _ bool, emit func([]byte) error) error {
	for _, l := range f.lines {
		if err := emit([]byte(l + "\n")); err != nil {
			return err
		}
	}
	return f.fails
}

func (f *fake) Reset(_ context.Context, r Reset) (Plan, error) {
	f.reset = r
	return Plan{Done: r.Yes, Steps: []Step{{Does: "delete topic", What: "t"}}}, f.fails
}

func (f *fake) Verify(_ context.Context, req VerifyRequest, tell func(VerifyProgress)) (*Verified, error) {
	tell(VerifyProgress{Step: "reading"})
	tell(VerifyProgress{Step: "reading", Rows: 1000})
	return &Verified{Name: req.Name, Kind: "table", Report: compare.Report{Rows: 3, Equal: 2, Missing: 1, Keys: []compare.Difference{{Kind: "missing", Key: []byte(`{"id":1}`)}}}}, f.fails
}

func source(name string, state monitor.State, ready bool) monitor.SourceStatus {
	return monitor.SourceStatus{Name: name, State: state, Ready: ready}
}

func handlers(d Daemon) Handlers {
	metrics := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "evert_up 1\n") })
	return Handlers{Daemon: d, Metrics: metrics, AnyHost: true, Requests: 4}
}

func ask(h http.Handler, path string, header ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodGet, path, nil)
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// both are a source that is well and one that is not.
func both() []monitor.SourceStatus {
	return []monitor.SourceStatus{source("good", monitor.Streaming, true), source("bad", monitor.Refused, false)}
}

func TestReadiness(t *testing.T) {
	both := both()
	for _, c := range []struct {
		story   string
		sources []monitor.SourceStatus
		query   string
		want    int
		light   string
	}{
		{"all is well", both[:1], "", 200, "ok"},
		{"one of two is red: what the other serves is readable", both, "", 200, "red"},
		{"strict asks for all", both, "?strict=1", 503, "red"},
		{"the good one", both, "?source=good&strict=1", 200, "ok"},
		{"the bad one", both, "?source=bad", 503, "red"},
		{"nothing is readable", both[1:], "", 503, "red"},
		{"the first snapshot", []monitor.SourceStatus{source("new", monitor.Snapshot, false)}, "", 503, "degraded"},
		{"reconnecting", []monitor.SourceStatus{source("away", monitor.Waiting, true)}, "", 200, "degraded"},
	} {
		t.Run(c.story, func(t *testing.T) {
			w := ask(handlers(&fake{status: Status{Sources: c.sources}}).Health(), "/readyz"+c.query)
			if w.Code != c.want || !strings.Contains(w.Body.String(), `"health": "`+c.light+`"`) {
				t.Fatalf("%d %s", w.Code, w.Body)
			}
		})
	}
	t.Run("O12 alive is not well", func(t *testing.T) {
		w := ask(handlers(&fake{status: Status{Sources: both[1:]}}).Health(), "/healthz")
		if w.Code != 200 || !strings.Contains(w.Body.String(), `"health": "red"`) {
			t.Fatalf("%d %s", w.Code, w.Body)
		}
	})
}

func TestFaces(t *testing.T) {
	h := handlers(&fake{status: Status{Deployment: "shop"}})
	h.Token = func() (string, error) { return "secret", nil }
	for _, c := range []struct {
		face http.Handler
		path string
		auth string
		want int
	}{
		{h.Health(), "/metrics", "", 200},
		{h.Health(), "/v1/status", "Bearer secret", 404}, // no data there
		{h.HTTP(), "/v1/status", "", 401},
		{h.HTTP(), "/v1/status", "Bearer wrong", 401},
		{h.HTTP(), "/v1/status", "Bearer secret", 200},
		{h.HTTP(), "/metrics", "", 401},
		{h.HTTP(), "/v1/topics/t/records", "Bearer secret", 404}, // the socket's alone
		{h.HTTP(), "/v1/control", "Bearer secret", 404},
		{h.Socket(), "/v1/status", "", 200},
	} {
		if w := ask(c.face, c.path, "Authorization", c.auth); w.Code != c.want {
			t.Errorf("%s with %q: %d, want %d: %s", c.path, c.auth, w.Code, c.want, w.Body)
		}
	}
	w := ask(h.HTTP(), "/v1/status")
	var p Problem
	if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil || p.Code != CodeUnauthorized || p.Mend == "" ||
		w.Header().Get("Content-Type") != "application/problem+json" {
		t.Errorf("a problem: %+v %v", p, w.Header())
	}
}

// TestI9RequestsAreBounded holds as many requests as are allowed, and sees the
// next one refused.
func TestI9RequestsAreBounded(t *testing.T) {
	enter, leave := make(chan struct{}), make(chan struct{})
	h := handlers(&fake{})
	h.Requests = 2
	h.Metrics = http.HandlerFunc(func(http.ResponseWriter, *http.Request) { enter <- struct{}{}; <-leave })
	face := h.Health()
	for range 2 {
		go ask(face, "/metrics")
		<-enter
	}
	if w := ask(face, "/healthz"); w.Code != 503 || !strings.Contains(w.Body.String(), "TOO_MANY_REQUESTS") {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	close(leave)
}

// socket serves a daemon's socket and gives a client of it.
func socket(t *testing.T, d Daemon) *Client {
	t.Helper()
	path := filepath.Join(t.TempDir(), "evert.sock")
	if _, err := Dial(t.Context(), path); !errors.Is(err, ErrNoDaemon) {
		t.Fatalf("before there is a daemon: %v", err)
	}
	l, err := ListenSocket(path)
	if err != nil {
		t.Fatal(err)
	}
	s := Serve(l, handlers(d).Socket(), slog.New(slog.DiscardHandler))
	t.Cleanup(func() { s.Stop(context.Background()) })
	c, err := Dial(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestSocket(t *testing.T) {
	f := &fake{status: Status{Deployment: "shop"}, lines: []string{`{"offset":1}`, `{"offset":2}`}}
	c := socket(t, f)
	if st, err := c.Status(t.Context()); err != nil || st.Deployment != "shop" {
		t.Fatalf("status: %+v %v", st, err)
	}
	plan, err := c.Reset(t.Context(), Reset{Source: "shop", Resnapshot: true})
	if err != nil || plan.Done || f.reset.Source != "shop" || len(plan.Steps) != 1 {
		t.Fatalf("reset: %+v %v", plan, err)
	}
	var got strings.Builder
	emit := func(line []byte) error { got.Write(line); return nil }
	if err := c.Records(t.Context(), "t", true, emit); err != nil || got.String() != "{\"offset\":1}\n{\"offset\":2}\n" {
		t.Fatalf("records: %q %v", got.String(), err)
	}
	var steps []VerifyProgress
	found, err := c.Verify(t.Context(), VerifyRequest{Name: "t"}, func(p VerifyProgress) { steps = append(steps, p) })
	if err != nil || found.Name != "t" || found.Same() || len(found.Keys) != 1 || len(steps) != 2 || steps[1].Rows != 1000 {
		t.Fatalf("verify: %+v %v %v", found, steps, err)
	}
	f.fails = &pipeline.Refusal{Code: "NO_SUCH_TOPIC", What: "gone", Mend: "look"}
	if err := c.Records(t.Context(), "t", true, emit); pipeline.CodeOf(err) != "NO_SUCH_TOPIC" {
		t.Fatalf("a failure after records: %v", err)
	}
	if _, err := c.Verify(t.Context(), VerifyRequest{Name: "t"}, func(VerifyProgress) {}); pipeline.CodeOf(err) != "NO_SUCH_TOPIC" {
		t.Fatalf("verify that fails: %v", err)
	}
	f.lines = nil
	if err := c.Records(t.Context(), "a/b c", true, emit); pipeline.CodeOf(err) != "NO_SUCH_TOPIC" {
		t.Fatalf("a failure before records: %v", err)
	}
}

func TestO04PortsAreWaitedFor(t *testing.T) {
	first, err := Listen(t.Context(), "http", "127.0.0.1:0", 0)
	if err != nil {
		t.Fatal(err)
	}
	address := first.Addr().String()
	if _, err := Listen(t.Context(), "http", address, 0); pipeline.CodeOf(err) != CodePortTaken {
		t.Fatalf("O04 a port that is taken: %v", err)
	}
	got := make(chan error)
	go func() {
		second, err := Listen(context.Background(), "http", address, time.Minute)
		if err == nil {
			err = second.Close()
		}
		got <- err
	}()
	_ = first.Close()
	if err := <-got; err != nil {
		t.Fatal(err)
	}
}
