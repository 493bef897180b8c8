package postgres

import (
	"context"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"sync"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/schema"
	"github.com/evertdb/evert/sources/postgres/pgsql"
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
	watched := map[uint32][]string{}
	for _, t := range s.chosen.tables {
		shapes = append(shapes, s.shapeNow(t, ts))
		watched[t.oid] = s.chosen.keys[t.oid]
	}
	s.shapes = shapes
	s.watched.Store(&watched)
	for _, r := range s.chosen.skipped {
		s.leaveOut(r)
	}
	for _, t := range s.facts.tables {
		mayCome := slices.ContainsFunc(s.chosen.skipped, func(r *pipeline.Refusal) bool { return r.Code == CodeTableAdded && r.Where == t.Schema+"."+t.Name })
		if !slices.Contains(s.chosen.tables, t) && !mayCome {
			s.passed.add(t.oid)
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
	if s.stats.leaveOut(r) {
		s.config.Log.Warn("table is not captured", "table", r.Where, "code", string(r.Code), "why", r.What, "mend", r.Mend)
	}
}

// follow lets a table be copied that came after the snapshot and matches. Any
// goroutine may call it.
func (s *Source) follow(oid uint32, name pgsql.TableName) {
	if wanted, _ := s.config.wants(name); wanted && s.passed.add(oid) {
		s.copying.request(copyRequest{oid: oid, name: name})
	}
}

// newTables looks for tables that came after the snapshot: the log does not tell of
// them as long as they are not in the publication.
func (s *Source) newTables(ctx context.Context) error {
	rs, err := s.side.query(ctx, `
		SELECT c.oid, n.nspname, c.relname, c.relkind, c.relispartition
		FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
		WHERE c.relkind IN ('r', 'p') AND c.relpersistence = 'p' AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'
		  AND c.oid <> ALL($1::oid[])`, pgsql.OIDList(slices.Sorted(maps.Keys(*s.watched.Load()))))
	if err != nil {
		return err
	}
	for _, cols := range rs {
		r := pgsql.Record{Cols: cols}
		oid, t := r.OID(), tableInfo{TableName: pgsql.TableName{Schema: r.Text(), Name: r.Text()}, kind: r.Text(), partition: r.Bool()}
		if !t.hidden(s.viaRoot) {
			s.follow(oid, t.TableName)
		}
	}
	return nil
}

// forget takes an oid out again.
func (o *oidSet) forget(oid uint32) {
	o.mu.Lock()
	defer o.mu.Unlock()
	delete(o.oids, oid)
}

// An oidSet may be used by several goroutines.
type oidSet struct {
	mu   sync.Mutex
	oids map[uint32]bool
}

// add reports whether oid is new.
func (o *oidSet) add(oid uint32) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.oids[oid] {
		return false
	}
	if o.oids == nil {
		o.oids = map[uint32]bool{}
	}
	o.oids[oid] = true
	return true
}

func (s *Source) tables() []*schema.Table {
	var out []*schema.Table
	for _, sh := range s.shapes {
		out = append(out, sh.table)
	}
	return out
}
