package mysql

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"

	"github.com/go-mysql-org/go-mysql/replication"
)

// A logPosition is a byte of a server's log, where no GTIDs say where a transaction is:
// MySQL with gtid_mode=OFF. Files follow each other by their numbers, which are compared as
// numbers (M22).
//
//	bin.000041 │ … │ GTID event │ rows │ XID │ … │ bin.000042 │ …
//	               ▲            ▲            ▲
//	           the place     its name     the place
//	           before it                  behind it
//
// A place lies between two transactions. A transaction is named by the end of its first
// event, so that it lies before just those places that are behind its name. Positions mean
// something on the server alone that wrote them, and until its log is reset: see origin.
type logPosition struct {
	base   string // bin
	number uint64 // 41
	offset uint64
}

// parseLogPosition reads bin.000041:1234.
func parseLogPosition(text string) (logPosition, bool) {
	colon := strings.LastIndexByte(text, ':')
	if colon < 0 {
		return logPosition{}, false
	}
	p, ok := parseLogFile(text[:colon])
	offset, err := strconv.ParseUint(text[colon+1:], 10, 64)
	p.offset = offset
	return p, ok && err == nil
}

// parseLogFile gives the beginning of a file.
func parseLogFile(name string) (logPosition, bool) {
	dot := strings.LastIndexByte(name, '.')
	if dot <= 0 {
		return logPosition{}, false
	}
	number, err := strconv.ParseUint(name[dot+1:], 10, 63)
	return logPosition{base: name[:dot], number: number, offset: firstOffset}, err == nil
}

// firstOffset of an event in a file, behind the four bytes that say what it is.
const firstOffset = 4

func (p logPosition) isZero() bool { return p == logPosition{} }

// file is the name as the server writes it.
func (p logPosition) file() string { return fmt.Sprintf("%s.%06d", p.base, p.number) }

func (p logPosition) String() string { return p.file() + ":" + strconv.FormatUint(p.offset, 10) }

// reaches reports whether q does not lie behind p. Logs of other names are not comparable.
func (p logPosition) reaches(q logPosition) bool {
	return p.base == q.base && cmp.Or(cmp.Compare(p.number, q.number), cmp.Compare(p.offset, q.offset)) >= 0
}

// to is a position further on in the file, of which the log holds the lower half.
func (p logPosition) to(low uint32) logPosition {
	const half = 1 << 32
	offset := p.offset&^(half-1) | uint64(low)
	if offset < p.offset {
		offset += half
	}
	p.offset = offset
	return p
}

// An origin tells the log of a position from another with the same files: one that was
// reset begins anew, with a file of the same name that was made at another time.
type origin struct {
	File string `json:"file"`
	Made uint32 `json:"made"` // by the server's clock, in seconds since 1970
}

// reach notes how far the log was read, before what lies there is taken.
func (a *assembler) reach(e *replication.BinlogEvent) error {
	if r, ok := e.Event.(*replication.RotateEvent); ok {
		a.here, ok = parseLogFile(string(r.NextLogName))
		if !ok {
			return fmt.Errorf("the log goes on in %q, which has no number", r.NextLogName)
		}
		a.here.offset = r.Position
		return nil
	}
	switch t := e.Header.EventType; {
	case t == replication.FORMAT_DESCRIPTION_EVENT:
		if err := a.descend(e.Header.Timestamp); err != nil {
			return err
		}
	case t == replication.HEARTBEAT_EVENT, t == replication.HEARTBEAT_LOG_EVENT_V2, e.Header.Flags&replication.LOG_EVENT_ARTIFICIAL_F != 0:
		return nil
	}
	if e.Header.LogPos > 0 {
		a.here = a.here.to(e.Header.LogPos)
	}
	return nil
}

// descend compares the file that is read with the one that the position was in.
func (a *assembler) descend(made uint32) error {
	now, was := origin{a.here.file(), made}, a.state.Log
	switch {
	case was != nil && *was == now:
		return nil
	case was != nil && was.File == now.File:
		return otherServer(a.config, "the stored position is "+a.set.String()+", and the server has made that file anew since (RESET BINARY LOGS)")
	}
	s := a.state
	s.Log = &now
	a.keep(s)
	return nil
}

// reached moves the place on over what lies between transactions.
func (a *assembler) reached(e *replication.BinlogEvent) error {
	if _, ok := e.Event.(*replication.RotateEvent); ok || a.open {
		return nil // what the file is comes next
	}
	if !a.set.log.reaches(a.here) {
		a.set.log, a.moved = a.here, true
	}
	if a.catchUp != nil && a.set.contains(*a.catchUp) {
		return a.copied()
	}
	return nil
}
