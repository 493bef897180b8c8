package postgres

import (
	"context"
	"errors"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/schema"
)

// Describe gives the tables that a source with this configuration would capture,
// as they are now. A table that it could not capture is an error. Nothing is
// changed.
func Describe(ctx context.Context, c Config) ([]*schema.Table, error) {
	s := New(c)
	defer s.Close()
	if _, err := s.ready(ctx, pipeline.Resume{}); err != nil {
		return nil, err
	}
	var refused error
	for _, r := range s.chosen.refusals {
		refused = errors.Join(refused, r)
	}
	if refused != nil {
		return nil, refused
	}
	if err := s.makeShapes(ctx, s.side); err != nil {
		return nil, err
	}
	tables := make([]*schema.Table, len(s.shapes))
	for i, sh := range s.shapes {
		tables[i] = sh.table
	}
	return tables, nil
}
