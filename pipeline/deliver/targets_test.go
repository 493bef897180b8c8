package deliver_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/deliver"
)

// seeing notes what a target is given. Safe for concurrent use.
type seeing struct {
	mu    sync.Mutex
	lines []string
}

type seeingTarget struct {
	deliver.Target
	s     *seeing
	width int
}

func (s *seeing) over(t deliver.Target) deliver.Target { return &seeingTarget{Target: t, s: s} }

func (t *seeingTarget) Write(ctx context.Context, b pipeline.Batch) error {
	t.s.mu.Lock()
	for _, table := range b.Tables {
		t.width = len(table.Columns)
	}
	for i := range b.Changes {
		c := &b.Changes[i]
		row := c.After
		if row == nil {
			row = c.Before
		}
		if len(row) != t.width || len(c.Table.Columns) != t.width {
			t.s.lines = append(t.s.lines, fmt.Sprintf("a row of %d columns of a table of %d, and %d were announced", len(row), len(c.Table.Columns), t.width))
		}
		t.s.lines = append(t.s.lines, fmt.Sprintf("%d columns, %d/%d id %d", t.width, len(c.Table.Key), c.Partition, row[0].Int()))
	}
	t.s.mu.Unlock()
	return t.Target.Write(ctx, b)
}

func (s *seeing) want(t *testing.T, lines ...string) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if !slices.Equal(s.lines, lines) {
		t.Errorf("the target was given %q, want %q", s.lines, lines)
	}
	s.lines = nil
}

// tearing finds itself torn, as often as n says.
type tearing struct {
	deliver.Target
	n *int
}

func (t *tearing) Write(ctx context.Context, b pipeline.Batch) error {
	if *t.n > 0 && len(b.Changes) > 0 {
		*t.n--
		return &deliver.Renewal{Why: "the index is torn"}
	}
	return t.Target.Write(ctx, b)
}

// awaying is a system that can be away. Safe for concurrent use.
type awaying struct{ away atomic.Bool }

var errAway = errors.New("the system is away")

type awayTarget struct {
	deliver.Target
	a *awaying
}

func (a *awaying) set(away bool) { a.away.Store(away) }

func (a *awaying) over(t deliver.Target) deliver.Target { return &awayTarget{t, a} }

func (t *awayTarget) Open(ctx context.Context) (pipeline.Resume, error) {
	if t.a.away.Load() {
		return pipeline.Resume{}, errAway
	}
	return t.Target.Open(ctx)
}

func (t *awayTarget) Write(ctx context.Context, b pipeline.Batch) error {
	if t.a.away.Load() {
		return errAway
	}
	return t.Target.Write(ctx, b)
}
