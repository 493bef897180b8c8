package mysql

import (
	"encoding/binary"

	"github.com/go-mysql-org/go-mysql/replication"

	"github.com/evertdb/evert/pipeline"
)

// query takes a statement.
func (a *assembler) query(q *replication.QueryEvent) error {
	text, database := string(q.Query), string(q.Schema)
	s := parseStatement(text, ansiQuotes(q.StatusVars))
	switch s.kind {
	case stBegin:
		a.begun = true
		return nil
	case stPart:
		return nil
	case stCommit:
		return a.end()
	case stRollback:
		return a.rolledBack()
	case stXA:
		a.held, a.begun = true, true
		a.xa.current.name = s.rest
		return nil
	case stXACommit, stXARoll:
		return a.settle(s)
	}
	if err := a.statement(s, database, text); err != nil {
		return err
	}
	if a.gtid.my && !a.begun && s.kind == stCreate && startsTransaction(text) {
		a.begun = true
	}
	if a.open && (a.alone || a.gtid.my && !a.begun) {
		return a.end()
	}
	return nil
}

// startsTransaction reports whether rows follow a definition in its transaction: CREATE
// TABLE … SELECT of MySQL 8.0.21 and newer (M35).
func startsTransaction(text string) bool {
	w := words{text: text}
	before := ""
	for word := w.next(); word != ""; before, word = word, w.next() {
		if before == "START" && word == "TRANSACTION" {
			return true
		}
	}
	return false
}

// statement does what a statement means for captured tables.
func (a *assembler) statement(s statement, database, text string) error {
	if a.skip || s.kind == stOther {
		return nil
	}
	emptied, err := a.said(s, database, text)
	if err != nil {
		return err
	}
	for _, rel := range emptied {
		if err := a.truncate(rel); err != nil {
			return err
		}
	}
	return nil
}

// rolledBack ends a transaction whose rows are logged only because some of its tables
// cannot roll back (M12). Which ones these are the log does not say.
func (a *assembler) rolledBack() error {
	if a.tx != nil {
		return &pipeline.Refusal{
			Code: CodeEvent, Where: a.where(), What: "a transaction over transactional and other tables was rolled back; which rows stayed the log does not say", Mend: a.config.reset(),
		}
	}
	return a.end()
}

// ansiQuotes reads from a Query event's status whether " quotes names in it.
func ansiQuotes(status []byte) bool {
	const flags2, sqlMode, ansi = 0, 1, 4
	for len(status) > 0 {
		switch status[0] {
		case flags2:
			if len(status) < 5 {
				return false
			}
			status = status[5:]
		case sqlMode:
			return len(status) >= 9 && binary.LittleEndian.Uint64(status[1:])&ansi != 0
		default:
			return false // the mode comes before all else
		}
	}
	return false
}

// loaded takes a LOAD DATA that was logged as a statement (M06).
//
//	u32 thread | u32 seconds | u8 length of database | u16 | u16 length of status | 13 bytes of the file | status | database 0 | text
func (a *assembler) loaded(body []byte) error {
	const head = 26
	if len(body) < head {
		return a.unreadable(replication.EXECUTE_LOAD_QUERY_EVENT)
	}
	database := head + int(binary.LittleEndian.Uint16(body[11:]))
	text := database + int(body[8]) + 1
	if len(body) < text {
		return a.unreadable(replication.EXECUTE_LOAD_QUERY_EVENT)
	}
	return a.statement(statement{kind: stRows}, string(body[database:text-1]), string(body[text:]))
}
