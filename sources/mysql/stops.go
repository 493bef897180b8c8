package mysql

import (
	"errors"

	"github.com/evertdb/evert/pipeline"
)

// stop gives up a table, and nothing else (I8): what was gathered before goes out, and
// from here on none of its changes does, also after a restart, until a copy of it begins.
func (a *assembler) stop(rel *relation, why *pipeline.Refusal) error {
	return a.stopAt(rel, why, part{GTID: a.gtid.String(), Events: a.events})
}

// stopAt is stop inside an event: done says how much of the open transaction was read.
func (a *assembler) stopAt(rel *relation, why *pipeline.Refusal, done part) error {
	if rel.stopped != nil {
		return nil
	}
	if a.copies != nil && a.copies.renew(rel, why) {
		a.passOver(rel)
		return nil
	}
	if err := a.cut(done); err != nil {
		return err
	}
	if rel.copying != nil && rel.copying.Begun { // one that was asked for is still to begin
		a.copies.forget(rel)
	}
	rel.stopped = why
	a.passOver(rel)
	a.config.Log.Error("table has stopped", "table", rel.String(), "code", string(why.Code), "why", why.What, "mend", why.Mend)
	b := a.batch()
	b.Stopped = append(b.Stopped, pipeline.TableStop{Table: rel.shape.table, Why: why})
	return nil
}

// passOver lets the rows of a table go from here on.
func (a *assembler) passOver(rel *relation) {
	for _, m := range a.mapped {
		if m.rel == rel {
			m.rel = nil
		}
	}
	a.keepTables()
}

// cut hands over what is gathered, also inside a transaction.
func (a *assembler) cut(done part) error {
	if a.out == nil || a.out.Empty() {
		return nil
	}
	return a.part(done)
}

// fault stops the table that an error is about, and gives every other error back.
func (a *assembler) fault(rel *relation, err error, done part) error {
	var why *pipeline.Refusal
	if errors.As(err, &why) && why.Where == rel.String() && rel.shape != nil {
		return a.stopAt(rel, why, done)
	}
	return err
}

// keepTables notes in the state what the tables are now.
func (a *assembler) keepTables() {
	s := a.state.keep(a.tables.kept())
	s.Stopped, s.Altered = a.tables.stops(), a.tables.altered()
	if a.copies != nil {
		s.Copies = a.copies.kept()
	}
	a.keep(s)
}
