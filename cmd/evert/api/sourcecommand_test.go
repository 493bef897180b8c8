package api

import (
	"context"
	"reflect"
	"testing"

	"github.com/evertdb/evert/pipeline"
)

// someSources remember what they were told.
type someSources struct {
	source string
	drain  Drain
	err    error
}

func (s *someSources) Drain(_ context.Context, source string, d Drain) (Drained, error) {
	s.source, s.drain = source, d
	return Drained{Source: source, Position: "0/1", Next: []string{"upgrade it"}}, s.err
}

// TestDrain takes a drain over the socket, there and back.
func TestDrain(t *testing.T) {
	sources := &someSources{}
	h := handlers(&fake{})
	h.Sources = sources
	c := dialHandlers(t, h)
	a, err := c.Drain(t.Context(), "shop/a", Drain{WritersStopped: true})
	if err != nil || !reflect.DeepEqual(a, Drained{Source: "shop/a", Position: "0/1", Next: []string{"upgrade it"}}) || sources.source != "shop/a" || sources.drain != (Drain{WritersStopped: true}) {
		t.Errorf("%+v, %v, %+v", a, err, sources)
	}
	sources.err = &pipeline.Refusal{Code: "PG_NOT_DRAINED", What: "somebody writes"}
	if _, err := c.Drain(t.Context(), "shop", Drain{}); pipeline.CodeOf(err) != "PG_NOT_DRAINED" {
		t.Errorf("refused: %v", err)
	}
}
