package postgres

import (
	"context"
	"fmt"
	"reflect"
	"slices"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/schema"
)

// makeShapes describes the captured tables as one connection sees them, and tells
// what is carried as text and what was left out (I8). A shape that is as before
// stays the same.
func (s *Source) makeShapes(ctx context.Context, from *side) error {
	var oids []uint32
	for _, t := range s.chosen.tables {
		for _, c := range t.columns {
			oids = append(oids, c.typ)
		}
	}
	slices.Sort(oids)
	ts, err := loadTypes(ctx, from, slices.Compact(oids))
	if err != nil {
		return fmt.Errorf("read the types of columns: %w", err)
	}
	var shapes []*shape
	var watched []uint32
	for _, t := range s.chosen.tables {
		shapes = append(shapes, s.shapeNow(t, ts))
		watched = append(watched, t.oid)
	}
	s.shapes = shapes
	s.watched.Store(&watched)
	for _, r := range s.chosen.skipped {
		s.leaveOut(r)
	}
	for _, t := range s.facts.tables {
		if !slices.Contains(s.chosen.tables, t) {
			s.passed[t.oid] = true
		}
	}
	return nil
}

// shapeNow gives the shape of a table, the one of before if nothing has changed.
func (s *Source) shapeNow(t *tableInfo, ts types) *shape {
	sh := shapeOf(t, ts, s.chosen.keys[t.oid], 0)
	for _, before := range s.shapes {
		if sh.table.Version = before.table.Version; before.oid == sh.oid && reflect.DeepEqual(before, sh) {
			return before
		}
	}
	sh.table.Version = s.catalog.nextVersion(t.oid)
	for _, column := range sh.opaque() {
		s.config.Log.Warn("column is carried as text", "table", sh.table.String(), "column", column)
	}
	return sh
}

// leaveOut tells that a table is not captured (I8).
func (s *Source) leaveOut(r *pipeline.Refusal) {
	if s.stats.leaveOut(r.Where, r.What) {
		s.config.Log.Warn("table is not captured", "table", r.Where, "code", string(r.Code), "why", r.What, "mend", r.Mend)
	}
}

func (s *Source) tables() []*schema.Table {
	var out []*schema.Table
	for _, sh := range s.shapes {
		out = append(out, sh.table)
	}
	return out
}
