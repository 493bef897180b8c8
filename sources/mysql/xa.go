package mysql

import (
	"errors"
	"fmt"
	"slices"

	"github.com/go-mysql-org/go-mysql/replication"

	"github.com/evertdb/evert/pipeline"
)

// An XA transaction lies in the log twice: its rows when it is prepared, and its end
// when it is committed or rolled back, with other transactions between (M13).
//
//	GTID 5  XA START x · rows · XA END x · XA PREPARE      kept aside
//	GTID 6  another transaction
//	GTID 7  XA COMMIT x                                    its rows, as transaction 7
//
// Rows that wait lie in memory, up to XABytes, and beyond that in files. They are not in
// a state: a start reads the log again from before the oldest prepared transaction and
// leaves out all that was handed over, save these rows.
type prepared struct {
	current *heldTx
	open    []*heldTx // in the order in which they were prepared

	committed []string // names of the last ones; over connections as well
}

// begin makes ready for a transaction that may be one of XA.
func (p *prepared) begin() {
	if p.current != nil {
		p.current.drop()
	}
	p.current = &heldTx{}
}

// occupy says how much the transactions have in memory and in files.
func (p *prepared) occupy() (memory, disk int64) {
	memory, disk = p.current.bytes, p.current.size
	for _, t := range p.open {
		memory, disk = memory+t.bytes, disk+t.size
	}
	return memory, disk
}

// drop lets all of them go.
func (p *prepared) drop() {
	for _, t := range p.open {
		t.drop()
	}
	if p.current != nil {
		p.current.drop()
	}
	*p = prepared{committed: p.committed}
}

// hold keeps an event of a captured table until its transaction commits.
func (a *assembler) hold(e *replication.BinlogEvent) error {
	body := a.framing.body(e)
	wanted, err := a.holdsFor(e.Header.EventType, body)
	if err != nil || !wanted {
		return err
	}
	if a.xa.current.before == "" {
		a.xa.current.before = a.set.String()
	}
	if err := a.xa.current.add(heldEvent{e.Header.EventType, body, uint64(e.Header.LogPos)}); err != nil {
		return err
	}
	memory, disk := a.xa.occupy()
	switch {
	case memory > a.config.XABytes && a.config.SpillDir != "":
		return a.xa.current.spill(a.config.SpillDir)
	case memory > a.config.XABytes || disk > a.config.SpillMost:
		return &pipeline.Refusal{
			Code: CodeXALarge, Where: a.where(), What: fmt.Sprintf("prepared XA transactions need more than %d bytes of memory and %d of disk", a.config.XABytes, a.config.SpillMost),
			Mend: "limits: {spill_bytes: 256GiB}\nor XA COMMIT or XA ROLLBACK of what XA RECOVER lists",
		}
	}
	return nil
}

// holdsFor reports whether an event of an XA transaction is of a captured table.
func (a *assembler) holdsFor(t replication.EventType, body []byte) (bool, error) {
	if t == replication.TABLE_MAP_EVENT {
		id, database, table, _, err := tableMapHead(body)
		if err != nil || a.tables.find(TableName{string(database), string(table)}) == nil {
			return false, err
		}
		a.xa.current.ids = append(a.xa.current.ids, id)
		return true, nil
	}
	id, err := rowsTable(body)
	return slices.Contains(a.xa.current.ids, id), err
}

// prepare ends the first half of an XA transaction. One that commits in one phase is
// an ordinary one.
func (a *assembler) prepare(body []byte) error {
	if !a.open || len(body) == 0 {
		return errors.New("XA PREPARE outside of a transaction")
	}
	a.held = false
	tx := a.xa.current
	if body[0] == 1 {
		if err := a.replay(tx); err != nil {
			return err
		}
		return a.end()
	}
	if err := tx.rest(); err != nil {
		return err
	}
	if tx.before == "" {
		tx.before = a.set.String()
	}
	a.open = false
	a.xa.open, a.xa.current = append(a.xa.open, tx), nil
	if a.skip {
		return nil
	}
	a.pass()
	a.mark()
	return nil
}

// settle takes XA COMMIT and XA ROLLBACK. A place among the rows of a commit is behind its
// PREPARE and not behind its COMMIT: a start there needs the rows again, so that the state
// lets them go at its end alone.
func (a *assembler) settle(s statement) error {
	if s.kind == stXACommit {
		a.xa.commits(s.rest)
		a.settles = true
	}
	i := slices.IndexFunc(a.xa.open, func(t *heldTx) bool { return t.name == s.rest })
	switch {
	case i < 0 && !a.skip && s.kind == stXACommit:
		return &pipeline.Refusal{
			Code: CodeGap, Where: a.where(), What: "an XA transaction commits that was prepared before the tables were copied; its rows are not in the log since", Mend: a.config.reset(),
		}
	case i < 0:
		return a.end()
	}
	tx := a.xa.open[i]
	defer tx.drop()
	a.xa.open = slices.Delete(a.xa.open, i, i+1)
	if s.kind == stXACommit {
		if err := a.replay(tx); err != nil {
			return err
		}
	}
	if !a.skip {
		a.mark()
	}
	return a.end()
}

// replay gives the rows of a transaction that commits now.
func (a *assembler) replay(tx *heldTx) error {
	return tx.each(func(e heldEvent) error {
		switch {
		case a.skip:
			return nil
		case e.kind == replication.TABLE_MAP_EVENT:
			return a.mapTable(e.body)
		}
		return a.rowsEvent(e.kind, e.place, e.body, nil)
	})
}

// mark notes in the state where a start has to read from.
func (a *assembler) mark() {
	s := a.state
	s.Restart = ""
	if len(a.xa.open) > 0 {
		s.Restart = a.xa.open[0].before
	}
	a.keep(s)
}
