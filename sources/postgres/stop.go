package postgres

import (
	"cmp"
	"errors"
	"slices"
	"strconv"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/schema"
	"github.com/evertdb/evert/sources/postgres/pgsql"
)

// A stop says that a table is not read on, and why (I8). Its rows are left out
// until its copy begins; the other tables, and the slot, go on. Stops lie in
// Resume.State, so that a restart does not go on behind rows that were left out.
// It is immutable.
type stop struct {
	OID    uint32        `json:"oid"`
	Schema string        `json:"schema"`
	Name   string        `json:"name"`
	Code   pipeline.Code `json:"code"`
	What   string        `json:"what"`
	Mend   string        `json:"mend"`
}

func newStop(oid uint32, name pgsql.TableName, why *pipeline.Refusal) stop {
	what := why.What
	if why.Err != nil {
		what += ": " + why.Err.Error()
	}
	return stop{OID: oid, Schema: name.Schema, Name: name.Name, Code: why.Code, What: what, Mend: why.Mend}
}

func (s stop) name() pgsql.TableName { return pgsql.TableName{Schema: s.Schema, Name: s.Name} }

// told is the stop as the consumer is told of it.
func (s stop) told(database string) pipeline.TableStop {
	return pipeline.TableStop{
		Table: &schema.Table{Database: database, Schema: s.Schema, Name: s.Name, Native: strconv.FormatUint(uint64(s.OID), 10)},
		Why:   &pipeline.Refusal{Code: s.Code, Where: s.Schema + "." + s.Name, What: s.What, Mend: s.Mend},
	}
}

// stop gives s with one more table that has stopped. The first cause stays.
func (s state) stop(t stop) state {
	if s.stops(t.OID) {
		return s
	}
	s.Stopped = append(slices.Clone(s.Stopped), t)
	slices.SortFunc(s.Stopped, func(a, b stop) int { return cmp.Compare(a.OID, b.OID) })
	return s
}

// stops reports whether a table has stopped.
func (s state) stops(oid uint32) bool {
	return slices.ContainsFunc(s.Stopped, func(t stop) bool { return t.OID == oid })
}

// tableCodes are the refusals that concern one table, and stop it alone.
var tableCodes = []pipeline.Code{
	CodeTableChanged, CodeTableRenamed, CodeTableDropped, CodeUnpublished, CodeUnlogged,
	CodeNoKey, CodeBadKey, CodeIdentity, CodeValue, CodeArrayShape,
	CodeTableMissing, CodePartition, CodeTableAdded, CodeWhere,
}

// ofTable gives the refusal of an error that stops one table alone; nil if it is
// another error.
func ofTable(err error) *pipeline.Refusal {
	var r *pipeline.Refusal
	if errors.As(err, &r) && slices.Contains(tableCodes, r.Code) {
		return r
	}
	return nil
}

// concerning gives the refusal of an error that concerns the table of a name alone,
// also by a code that others have too; nil if it is another error.
func concerning(err error, name pgsql.TableName) *pipeline.Refusal {
	var r *pipeline.Refusal
	if errors.As(err, &r) && r.Where == name.Schema+"."+name.Name {
		return r
	}
	return ofTable(err)
}

// orHalt stops the table of a row that cannot be kept, and gives every other
// error back.
func (a *assembler) orHalt(id uint32, err error) error {
	r := a.rels[id]
	if why := ofTable(err); why != nil && r != nil && r.shape != nil {
		a.halt(r, newStop(id, pgsql.TableName{Schema: r.shape.table.Schema, Name: r.shape.table.Name}, why))
		return nil
	}
	return err
}

// halt stops a table. What was read of it and not handed over is forgotten: it is
// not to be written from the batch on that tells of the stop. A stop is not undone
// when the connection breaks.
func (a *assembler) halt(r *relation, t stop) {
	r.halted = true
	b := a.batch()
	b.Stopped = append(b.Stopped, t.told(a.database))
	b.Forget(func(c *pipeline.Change) bool { return c.Table.Native == b.Stopped[len(b.Stopped)-1].Table.Native })
	a.ended = a.ended.stop(t)
	a.keep(a.state.stop(t))
}
