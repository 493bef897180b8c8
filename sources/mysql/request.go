package mysql

import (
	"context"
	"slices"
	"strings"
	"sync"

	"github.com/evertdb/evert/pipeline"
)

// Copy asks for a copy of a table. See pipeline.Copier.
func (s *Source) Copy(ctx context.Context, r pipeline.CopyRequest) error {
	name, ok := nameOf(r.Table)
	if wanted, _ := s.config.wants(name); !ok || !wanted {
		return &pipeline.Refusal{Code: CodeTableMissing, Where: r.Table, What: "it is none of the tables of the source", Mend: "tables: [" + r.Table + "]"}
	}
	if err := s.copyable(ctx, name); err != nil {
		return err
	}
	s.copies.mu.Lock()
	s.copies.queue = append(s.copies.queue, r)
	s.copies.mu.Unlock()
	s.copies.asked.Store(true)
	s.copies.bell.ring()
	return nil
}

// copyable looks at a table as it is now.
func (s *Source) copyable(ctx context.Context, name TableName) error {
	side, err := s.config.dial(ctx)
	if err != nil {
		return err
	}
	defer side.close()
	info := newTableInfo(name)
	if err := info.describe(ctx, side, s.collations); err != nil {
		return err
	}
	if len(info.columns) == 0 {
		return missing(name)
	}
	if why := s.capturable(info); why != nil {
		return why
	}
	key, _ := info.keyed(s.config.keyOf(name))
	if why := s.config.chunkable(info, key); why != nil {
		return why
	}
	return nil
}

func missing(name TableName) *pipeline.Refusal {
	return &pipeline.Refusal{Code: CodeTableMissing, Where: name.String(), What: "the table does not exist, or the user may not read it", Mend: "GRANT SELECT ON " + name.sql() + " TO the user\nor create it"}
}

// nameOf reads schema.table.
func nameOf(text string) (TableName, bool) {
	database, table, ok := strings.Cut(text, ".")
	return TableName{database, table}, ok
}

// A bell wakes the owner while it waits for an event of the log. Any goroutine may ring
// it.
type bell struct {
	mu     sync.Mutex
	wake   func()
	missed bool
}

func (b *bell) ring() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.wake == nil {
		b.missed = true
		return
	}
	b.wake()
}

// listen lets wake be called when the bell rings, at once if it has rung since the last
// time; nil ends that.
func (b *bell) listen(wake func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.wake = wake
	if wake != nil && b.missed {
		b.missed = false
		wake()
	}
}

// requests takes what was asked for meanwhile.
func (c *copies) requests() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.asked.Store(false)
	for _, r := range c.queue {
		name, _ := nameOf(r.Table)
		rel := c.source.tables.find(name)
		if rel == nil {
			rel = &relation{TableName: name, silent: true}
			c.source.tables.add(rel)
		}
		same := func(k keptCopy) bool { return k.ID == r.ID && k.TableName == rel.TableName }
		if !slices.ContainsFunc(c.kept(), same) {
			c.start(rel, keptCopy{ID: r.ID})
		}
	}
	c.queue = nil
	c.source.a.keepTables()
}
