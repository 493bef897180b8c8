package intaketest

import (
	"context"
	"maps"
	"slices"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/schema"
)

// GiveUp stops a table, as a source does that cannot go on with it, and commits. What
// is committed of it from then on is not written.
func (s *Source) GiveUp(t *schema.Table) {
	s.t.Helper()
	why := &pipeline.Refusal{Code: "POISON", What: "it cannot be read"}
	s.write(pipeline.Batch{Stopped: []pipeline.TableStop{{Table: t, Why: why}}})
	s.stay()
}

// A Copy is a table that is copied while the source streams.
type Copy struct {
	source *Source
	table  *schema.Table
	id     string
	after  string // the key of the last row that was given
}

// Copy begins the copy of a table, and commits.
func (s *Source) Copy(t *schema.Table, id string) *Copy {
	s.t.Helper()
	s.write(pipeline.Batch{Copies: []pipeline.TableCopy{{Table: t, ID: id}}})
	s.stay()
	return &Copy{source: s, table: t, id: id}
}

// Chunk gives the next n rows as the database holds them now, and commits; false: there
// are none.
func (c *Copy) Chunk(n int) bool {
	c.source.t.Helper()
	held := c.source.At(c.source.Seq)[c.table.Name]
	tx := &pipeline.Tx{Position: pipeline.Position{Seq: c.source.Seq, Native: c.source.Native()}}
	var b pipeline.Batch
	for _, key := range slices.Sorted(maps.Keys(held)) {
		if key > c.after && len(b.Changes) < n {
			b.Changes = append(b.Changes, pipeline.Change{Table: c.table, Op: pipeline.Read, After: held[key], Tx: tx, Row: uint32(len(b.Changes))})
		}
	}
	if len(b.Changes) == 0 {
		return false
	}
	c.after = KeyText(b.Changes[len(b.Changes)-1].After, c.table.Key)
	c.source.write(b)
	c.source.stay()
	return true
}

// Done says that every row was given, and commits.
func (c *Copy) Done() {
	c.source.t.Helper()
	c.source.write(pipeline.Batch{Copies: []pipeline.TableCopy{{Table: c.table, ID: c.id, Done: true}}})
	c.source.stay()
}

func (s *Source) write(b pipeline.Batch) {
	s.t.Helper()
	if err := s.Sink.Write(context.Background(), b); err != nil {
		s.t.Fatal(err)
	}
}

// stay commits where the source is.
func (s *Source) stay() {
	s.t.Helper()
	at := pipeline.Resume{At: pipeline.Position{Seq: s.Seq, Native: s.Native()}, State: []byte("state")}
	if err := s.Sink.Commit(context.Background(), at); err != nil {
		s.t.Fatal(err)
	}
}
