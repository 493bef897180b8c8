package mysql

import (
	"fmt"

	"github.com/go-mysql-org/go-mysql/replication"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/handover"
	"github.com/evertdb/evert/schema"
)

// mapTable notes which table an id stands for.
func (a *assembler) mapTable(body []byte) error {
	id, database, table, _, err := tableMapHead(body)
	if err != nil {
		return err
	}
	if m := a.mapped[id]; m != nil && string(m.body) == string(body) && (m.rel == nil || m.rel.current) {
		return nil
	}
	m := &mapped{body: body}
	if rel := a.tables.find(TableName{string(database), string(table)}); rel != nil && rel.streams() {
		if m.rel, err = a.described(rel, body); err != nil {
			return err
		}
	}
	if a.mapped == nil || len(a.mapped) >= maxMapped {
		a.mapped = map[uint64]*mapped{}
	}
	a.mapped[id] = m
	return nil
}

// described takes the description of a table; nil means that its rows are passed over.
func (a *assembler) described(rel *relation, body []byte) (*relation, error) {
	m, err := parseTableMap(body, a.tables.collations)
	if err != nil {
		err = &pipeline.Refusal{Code: CodeEvent, Where: rel.String(), What: "its description in the log cannot be read", Err: err, Mend: a.config.again(rel.TableName)}
	}
	var sh *shape
	wasStale := rel.stale
	if err == nil {
		sh, err = a.shape(m)
	}
	if err != nil {
		return nil, a.fault(rel, err, part{GTID: a.gtid.String(), Events: a.events})
	}
	if sh == nil {
		return nil, nil
	}
	if a.take(rel, sh); wasStale {
		a.keepTables()
	}
	return rel, nil
}

// take makes a shape the current one, and announces it if it is new.
func (a *assembler) take(rel *relation, sh *shape) {
	rel.current = true
	if rel.shape != nil && rel.shape.table == sh.table {
		rel.shape = sh
		return
	}
	rel.shape = sh
	b := a.batch()
	b.Tables = append(b.Tables[:len(b.Tables):len(b.Tables)], sh.table)
	a.keepTables()
}

// keep sets the state that goes with every end from here on.
func (a *assembler) keep(s state) { a.state, a.encoded = s, s.encode() }

// rowsLogged takes a row event where it lies in the log.
func (a *assembler) rowsLogged(e *replication.BinlogEvent) error {
	a.decoders.fill(a)
	defer a.decoders.passed()
	return a.inside(e, func(body []byte) error {
		return a.rowsEvent(e.Header.EventType, uint64(e.Header.LogPos), body, a.decoders.here())
	})
}

// rowsEvent takes the rows of one event; ahead is the same event if its rows may have been
// read before.
func (a *assembler) rowsEvent(t replication.EventType, place uint64, body []byte, ahead *decoded) error {
	id, err := rowsTable(body)
	if err != nil {
		return err
	}
	m := a.mapped[id]
	if m == nil {
		return fmt.Errorf("rows of a table that was not described (id %d)", id)
	}
	a.events++
	if m.rel == nil || a.events <= a.leave.Events {
		return nil
	}
	if ahead = a.decoders.read(ahead, m.rel.shape); ahead != nil {
		a.row = ahead.event
	} else if err := a.row.parse(t, body); err != nil {
		return err
	}
	if a.row.columns != len(m.rel.shape.columns) {
		why := &pipeline.Refusal{Code: CodeEvent, Where: m.rel.String(), What: "a row event has another number of columns than the table's description", Mend: a.config.again(m.rel.TableName)}
		return a.stopAt(m.rel, why, part{GTID: a.gtid.String(), Events: a.events - 1})
	}
	return a.eachRow(m.rel, place, ahead)
}

// eachRow adds the rows of the event in a.row, of which the first ones may have been read.
func (a *assembler) eachRow(rel *relation, place uint64, ahead *decoded) error {
	rest, n := a.row.rows, uint64(0)
	first := true
	for len(rest) > 0 {
		if a.out != nil && a.out.Full(a.config.BatchRows, a.config.BatchBytes) {
			if err := a.part(part{GTID: a.gtid.String(), Events: a.events - 1, Rows: n}); err != nil {
				return err
			}
			first = true
		}
		b := a.batch()
		if first {
			b.Borrowed, first = b.Borrowed+len(rest), false
		}
		before, after, next, err := a.nextRow(b, rel.shape, rest, ahead.row(n))
		if err != nil {
			return a.fault(rel, valueRefused(a.config, rel.TableName, a.where(), err), part{GTID: a.gtid.String(), Events: a.events - 1, Rows: n})
		}
		rest = next
		n++
		if a.events == a.leave.Events+1 && n <= a.leave.Rows {
			continue // handed over before
		}
		if a.early {
			return a.gap("transaction " + a.gtid.String() + " before it has rows as well")
		}
		a.change(rel, a.row.op, before, after, place)
	}
	return nil
}

// nextRow gives the row that data begins with: the one that was read, or it reads it.
func (a *assembler) nextRow(b *handover.Batch, sh *shape, data []byte, ahead *decodedRow) (before, after schema.Row, rest []byte, err error) {
	if ahead == nil {
		return a.row.row(sh, data, &b.Rows, &b.Bytes)
	}
	ahead.stretch.lend(b, ahead)
	return ahead.before, ahead.after, data[ahead.size:], nil
}

// change adds one change to the batch.
func (a *assembler) change(rel *relation, op pipeline.Op, before, after schema.Row, place uint64) {
	if a.tx == nil {
		a.tx = &pipeline.Tx{ID: a.gtid.seq, At: a.clock, Name: a.gtid.String(), Server: a.server, File: a.file}
		if a.catchUp == nil {
			a.tx.Position = pipeline.Position{Seq: a.at.Seq + 1, Native: a.gtid.String()}
		}
	}
	b := a.batch()
	if a.catchUp != nil {
		a.catch(b, rel, op, before, after)
		return
	}
	if op == pipeline.Truncate {
		rel.note(note{by: a.gtid, xa: a.settles, all: true})
	} else {
		rel.noteRow(note{by: a.gtid, xa: a.settles}, before, after)
	}
	c := b.Add()
	*c = pipeline.Change{Table: rel.shape.table, Op: op, Before: before, After: after, Tx: a.tx, Row: uint32(a.rows), Offset: place}
	a.rows++
}

// catch adds a change while the pieces of the snapshot are evened out: rows of it are
// as if they were read now, because nobody sees what lies between.
func (a *assembler) catch(b *handover.Batch, rel *relation, op pipeline.Op, before, after schema.Row) {
	c := pipeline.Change{Table: rel.shape.table, Op: pipeline.Read, After: after, Tx: &a.noTx}
	if op == pipeline.Delete || op == pipeline.Truncate {
		c.Op, c.Before = op, before
	}
	moved := pipeline.Change{Table: rel.shape.table, Op: pipeline.Update, Before: before, After: after}
	if op == pipeline.Update && moved.KeyChanged() {
		*b.Add() = pipeline.Change{Table: rel.shape.table, Op: pipeline.Delete, Before: before, Tx: &a.noTx}
	}
	b.Snapshot = true
	*b.Add() = c
}

// truncate adds that a table was emptied.
func (a *assembler) truncate(rel *relation) error {
	a.change(rel, pipeline.Truncate, nil, nil, 0)
	return nil
}
