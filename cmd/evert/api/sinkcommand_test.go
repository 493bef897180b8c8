package api

import (
	"context"
	"net/http"
	"path/filepath"
	"testing"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/control"
)

// someSinks remember what they were told.
type someSinks struct {
	sink, name, place string
	command           SinkCommand
	replay            Replay
	limit             int
	values            bool
	err               error
}

func (s *someSinks) Command(_ context.Context, sink string, c SinkCommand) (SinkAnswer, error) {
	s.sink, s.command = sink, c
	return SinkAnswer{Sink: sink, Paused: &control.Given{By: c.By}, Changed: true}, s.err
}

func (s *someSinks) DeadLetters(_ context.Context, name string, limit int) (DeadLetters, error) {
	s.name, s.limit = name, limit
	return DeadLetters{Topic: name, Total: 1, Letters: []DeadLetter{{Place: "t/0/1"}}}, s.err
}

func (s *someSinks) DeadLetter(_ context.Context, name, place string, values bool) (DeadLetterShown, error) {
	s.name, s.place, s.values = name, place, values
	return DeadLetterShown{DeadLetter: DeadLetter{Place: place}, Key: []byte{1}}, s.err
}

func (s *someSinks) Replay(_ context.Context, sink string, r Replay) (Replayed, error) {
	s.sink, s.replay = sink, r
	return Replayed{Done: r.Yes, Letters: []ReplayedLetter{{Place: "t/0/1", Outcome: "delivered"}}}, s.err
}

// TestSinkCommands takes every command over the socket, there and back.
func TestSinkCommands(t *testing.T) {
	sinks := &someSinks{}
	h := handlers(&fake{})
	h.Commands = sinks
	c := dialHandlers(t, h)
	if a, err := c.SinkCommand(t.Context(), "hook", SinkCommand{Command: "skip", Place: "t/0/1", By: "ann@box"}); err != nil || a.Sink != "hook" || a.Paused.By != "ann@box" ||
		sinks.command != (SinkCommand{"skip", "t/0/1", "ann@box"}) {
		t.Errorf("command %+v, %v, %+v", a, err, sinks.command)
	}
	if r, err := c.Replay(t.Context(), "hook", Replay{Code: "X", Yes: true}); err != nil || !r.Done || sinks.replay.Code != "X" || r.Letters[0].Outcome != "delivered" {
		t.Errorf("replay %+v, %v", r, err)
	}
	if l, err := c.DeadLetters(t.Context(), "shop.public.orders", 7); err != nil || l.Total != 1 || sinks.name != "shop.public.orders" || sinks.limit != 7 {
		t.Errorf("list %+v, %v", l, err)
	}
	if l, err := c.DeadLetter(t.Context(), "hook", "a/0/1", true); err != nil || l.Place != "a/0/1" || !sinks.values || len(l.Key) != 1 {
		t.Errorf("letter %+v, %v", l, err)
	}
	sinks.err = &pipeline.Refusal{Code: CodeNoSuchSink, What: "there is no such sink", Mend: "name one"}
	if _, err := c.Replay(t.Context(), "x", Replay{}); pipeline.CodeOf(err) != CodeNoSuchSink {
		t.Errorf("replay of nothing: %v", err)
	}
	h.Commands = nil
	if _, err := dialHandlers(t, h).DeadLetters(t.Context(), "hook", 0); pipeline.CodeOf(err) != CodeNoSuchSink {
		t.Errorf("without sinks: %v", err)
	}
}

func dialHandlers(t *testing.T, h Handlers) *Client {
	t.Helper()
	socket := filepath.Join(t.TempDir(), "s")
	l, err := ListenSocket(socket)
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: h.Socket()}
	go server.Serve(l)
	t.Cleanup(func() { server.Close() })
	c, err := Dial(t.Context(), socket)
	if err != nil {
		t.Fatal(err)
	}
	return c
}
