package postgres

import (
	"fmt"
	"slices"

	"github.com/evertdb/evert/sources/postgres/pgoutput"
	"github.com/evertdb/evert/sources/postgres/pgsql"
)

// A relation is what the stream last said about a table.
type relation struct {
	shape   *shape                    // nil: not captured, or not looked at yet
	pending *pgoutput.RelationMessage // announced and not looked at yet
	before  []shapeColumn             // what the rows handed over were written under, if not shape
	halted  bool                      // its rows are left out
}

// An undo is what a relation was before its open transaction.
type undo struct {
	relation *relation
	was      relation
}

// announce notes what rows of a relation look like from here on. It is looked
// at when a row needs it: what a savepoint rolled back never does.
func (a *assembler) announce(m *pgoutput.RelationMessage) {
	r := a.rels[m.ID]
	if r == nil {
		r = &relation{}
		a.rels[m.ID] = r
	}
	if r.shape != nil && r.before == nil && r.shape.matches(m) {
		r.pending = nil
		return
	}
	r.pending = cloneRelation(m)
}

// resolve gives the shape of a relation's rows; nil if it is not captured.
func (a *assembler) resolve(id uint32) (*shape, error) {
	r := a.rels[id]
	if r == nil {
		return nil, fmt.Errorf("a row of relation %d came before its description", id)
	}
	if r.halted {
		return nil, nil
	}
	if r.pending == nil {
		return r.shape, nil
	}
	before := r.before
	if before == nil && r.shape != nil {
		before = r.shape.columns
	}
	s, err := a.shape(r.pending, before)
	if err != nil {
		return nil, err
	}
	if was := r.shape; was != nil && s != nil && !slices.Equal(was.keyNames(), s.keyNames()) {
		return nil, a.config.keyChanged(pgsql.TableName{Schema: was.table.Schema, Name: was.table.Name}, s)
	}
	a.take(r, s)
	return s, nil
}

// take makes s what the rows of a relation are read with. The state says so from
// the next end on, and not if the transaction is sent again.
func (a *assembler) take(r *relation, s *shape) {
	a.undo = append(a.undo, undo{relation: r, was: relation{shape: r.shape, before: r.before}})
	r.shape, r.pending, r.before = s, nil, nil
	if s == nil {
		return
	}
	b := a.batch()
	b.Tables = append(b.Tables, s.table)
	if slices.Equal(a.state.kept[s.oid], s.columns) {
		return
	}
	next := a.state.keep(a.state.kept.with(s.oid, s.columns))
	if m, marked := next.marks[s.oid]; marked && s.outdated {
		m.columns = unknownColumns
		next = next.marked(next.marks.with(s.oid, m))
	}
	a.keep(next)
}

// settle notes that what was taken so far goes with an end.
func (a *assembler) settle() { a.undo, a.ended = a.undo[:0], a.state }

// unsettle forgets the shapes of a transaction that is sent again.
func (a *assembler) unsettle() {
	if len(a.undo) == 0 {
		return
	}
	for _, u := range slices.Backward(a.undo) {
		u.was.halted = u.relation.halted
		*u.relation = u.was
	}
	a.undo = a.undo[:0]
	a.keep(a.ended)
}
