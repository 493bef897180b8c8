package api

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/view/query"
)

// sendPatience is how long a follower may take for 32 KiB of a stream.
const sendPatience = 10 * time.Second

// changes serves a view's rows and then its changes, as server-sent events.
func (h Handlers) changes(w http.ResponseWriter, r *http.Request) {
	name, v, ok := h.named(w, r)
	if !ok {
		return
	}
	_, wait, err := parameters(r)
	if err != nil {
		WriteProblem(w, err)
		return
	}
	select {
	case h.streams <- struct{}{}:
		defer func() { <-h.streams }()
	default:
		WriteProblem(w, &pipeline.Refusal{Code: CodeStreams, What: "too many streams of changes are open", Mend: "raise limits.streams, or close some"})
		return
	}
	leavePlace(r.Context())
	s := &stream{w: w, control: http.NewResponseController(w)}
	s.out = bufio.NewWriterSize(s, 32<<10)
	_ = s.control.SetReadDeadline(time.Time{})
	_ = s.control.SetWriteDeadline(time.Now().Add(h.Reads.Longest(wait) + sendPatience))
	s.end(h.Reads.Follow(r.Context(), name, v, r.Header.Get("Last-Event-ID"), wait, s.event))
}

// A stream writes events to one follower.
type stream struct {
	w       http.ResponseWriter
	control *http.ResponseController
	out     *bufio.Writer
	begun   bool
}

// Write gives the follower his time for what is sent now.
func (s *stream) Write(b []byte) (int, error) {
	_ = s.control.SetWriteDeadline(time.Now().Add(sendPatience))
	return s.w.Write(b)
}

// event writes one event.
func (s *stream) event(e query.Event) error {
	s.begin()
	switch e.Name {
	case query.Quiet:
		return s.flush()
	case "alive":
		_, _ = s.out.WriteString(": alive\n\n")
		return s.flush()
	}
	if e.ID != "" {
		_, _ = s.out.WriteString("id: " + e.ID + "\n")
	}
	_, _ = s.out.WriteString("event: " + e.Name + "\ndata: ")
	_, _ = s.out.Write(e.Data)
	_, err := s.out.WriteString("\n\n") // it keeps the first error
	return err
}

func (s *stream) begin() {
	if s.begun {
		return
	}
	s.begun = true
	header := s.w.Header()
	header.Set("Content-Type", "text/event-stream")
	header.Set("Cache-Control", "no-store")
	header.Set("X-Accel-Buffering", "no")
	s.w.WriteHeader(http.StatusOK)
	_, _ = s.out.WriteString("retry: 1000\n\n")
}

func (s *stream) flush() error {
	if err := s.out.Flush(); err != nil {
		return err
	}
	return s.control.Flush()
}

// end says why the stream ends, if the follower is still there to hear it.
func (s *stream) end(err error) {
	if errors.Is(err, context.Canceled) {
		return
	}
	p := problemOf(err)
	if !s.begun {
		p.write(s.w)
		return
	}
	data, err := json.Marshal(p)
	if err != nil {
		panic(err) // strings and numbers always have a JSON form
	}
	if s.event(query.Event{Name: "error", Data: data}) == nil {
		_ = s.flush()
	}
}
