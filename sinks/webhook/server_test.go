package webhook_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/deliver"
	"github.com/evertdb/evert/pipeline/deliver/event"
	"github.com/evertdb/evert/sinks/sinktest"
	"github.com/evertdb/evert/sinks/webhook"
)

// endpoint takes events and does what they say. It refuses or breaks as a test
// scripts it.
type endpoint struct {
	*httptest.Server
	keeper sinktest.MemoryKeeper

	mu       sync.Mutex
	rows     map[int64]string
	others   map[int64]string // of the second table
	requests []request
	// answer is asked before anything is done; 0: take it. It may hang up.
	answer func(n int, r *request, w http.ResponseWriter) int
	after  func(n int, w http.ResponseWriter) // is called when the events are done
}

// request is one that came in, taken or not.
type request struct {
	http.Header
	body   []byte
	path   string
	events []json.RawMessage
	status int
}

func newEndpoint(t testing.TB) *endpoint {
	e := &endpoint{rows: map[int64]string{}, others: map[int64]string{}}
	e.Server = httptest.NewServer(e.handler(t))
	t.Cleanup(e.Close)
	return e
}

func (e *endpoint) handler(t testing.TB) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return // hung up
		}
		in := request{Header: r.Header, body: body, path: r.URL.Path, events: split(t, r.Header, body)}
		e.mu.Lock()
		defer e.mu.Unlock()
		n := len(e.requests)
		if e.answer != nil {
			in.status = e.answer(n, &in, w)
		}
		e.requests = append(e.requests, in)
		if in.status != 0 {
			w.WriteHeader(in.status)
			return
		}
		for _, event := range in.events {
			sinktest.ApplyEventOf(t, e.rows, e.others, event)
		}
		if e.after != nil {
			e.after(n, w)
		}
	})
}

// split gives the events of a body in either format.
func split(t testing.TB, h http.Header, body []byte) (events []json.RawMessage) {
	if h.Get("Content-Type") == "application/x-ndjson" {
		for line := range bytes.Lines(body) {
			events = append(events, bytes.TrimSuffix(line, []byte("\n")))
		}
		return events
	}
	if err := json.Unmarshal(body, &events); err != nil {
		t.Errorf("no array of events: %v: %s", err, body)
	}
	return events
}

func (e *endpoint) Rows(testing.TB) map[int64]string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return maps.Clone(e.rows)
}

// both are the rows of both tables.
func (e *endpoint) both(testing.TB) (items, others map[int64]string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return maps.Clone(e.rows), maps.Clone(e.others)
}

func (e *endpoint) got() []request {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.requests
}

// config is that of a target over e which is in no hurry to give up.
func (e *endpoint) config() webhook.Config {
	return webhook.Config{Name: "hook", URL: func() (string, error) { return e.URL + "/in", nil }, RetryMax: 2 * time.Millisecond, RetryFor: time.Minute,
		Origins: []event.Origin{{Topic: "app.public.items", From: "app.public.items", Source: "app"}, {Topic: "app.public.others", From: "app.public.others", Source: "app"}}, Keeper: e.keeper.New()}
}

// session is a target that is open.
type session struct {
	*testing.T
	target *webhook.Target
	offset uint64
}

func open(t *testing.T, c webhook.Config) *session {
	t.Helper()
	s := &session{T: t, target: webhook.New(c)}
	t.Cleanup(func() { s.target.Close() })
	if _, err := s.target.Open(t.Context()); err != nil {
		t.Fatal(err)
	}
	return s
}

// batch gives the changes their places.
func (s *session) batch(changes ...pipeline.Change) pipeline.Batch {
	b := sinktest.Batch(changes...)
	for i := range b.Changes {
		s.offset++
		b.Changes[i].Offset = s.offset
	}
	return b
}

func (s *session) write(changes ...pipeline.Change) {
	s.Helper()
	if err := s.target.Write(s.Context(), s.batch(changes...)); err != nil {
		s.Fatal(err)
	}
}

func (s *session) commit() {
	s.Helper()
	if err := s.target.Commit(s.Context(), place()); err != nil {
		s.Fatal(err)
	}
}

func place() pipeline.Resume { return pipeline.Resume{At: pipeline.Position{Seq: 1, Native: "0/1"}} }

// refuses tries to deliver one row, which has to end in a code.
func (s *session) refuses(code pipeline.Code) error {
	s.Helper()
	err := s.target.Write(s.Context(), s.batch(sinktest.Put(1, "a")))
	if err == nil {
		err = s.target.Commit(s.Context(), place())
	}
	if pipeline.CodeOf(err) != code {
		s.Fatalf("delivers with %v, want %s", err, code)
	}
	return err
}

// rejects remembers what was rejected.
type rejects struct {
	mu  sync.Mutex
	all []deliver.Rejection
}

func (r *rejects) Reject(_ context.Context, all ...deliver.Rejection) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.all = append(r.all, all...)
	return nil
}
