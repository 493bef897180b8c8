package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/evertdb/evert/pipeline"
)

// A server may be put back to an older state, as from a copy of its files, and have written
// beyond the place again: identifier and timeline are the same, and what it has committed
// below the place would be taken for what was read (P39). The log itself tells:
//
//	captured    ──── T ───── place           T: the last transaction with rows
//	server      ──┬─ T ───── …               the same log: T is sent again, and nothing but T
//	put back      └─────── U ──── …          another one: no T, or a U that nobody has read
//	              ▲
//	             slot, as it is in the copy
//
// A slot does not go forward without us, so that in the copy it lies before all that was
// captured since. While a server restarts it may go back as well. Wherever it lies before the
// place, the stream begins at T, and the slot is not told to move until the place is passed.

// A landmark is a transaction that had rows. No two logs have the same.
type landmark struct {
	XID    uint32 `json:"xid"`
	Commit uint64 `json:"commit"` // where its commit record begins
	At     int64  `json:"at"`     // microseconds of Postgres's epoch
}

func (l landmark) String() string {
	return fmt.Sprintf("transaction %d at %s, of %s", l.XID, lsn(l.Commit), pgTime(l.At).UTC().Format(time.RFC3339Nano))
}

// in gives an encoded state with l as its last transaction.
func (l landmark) in(state []byte) []byte {
	if l == (landmark{}) || len(state) == 0 {
		return state
	}
	before := state[: len(state)-1 : len(state)-1]
	return fmt.Appendf(before, `,"last":{"xid":%d,"commit":%d,"at":%d}}`, l.XID, l.Commit, l.At)
}

// A proof is under way from the beginning of a stream until the place is passed.
type proof struct {
	held bool // nothing that was read is confirmed meanwhile, but what was before
	slot lsn  // where the slot was when the stream began
	due  bool // the last transaction is sent again, and was not yet
}

// prove begins the proof that the log is the one that was read so far.
func (a *assembler) prove(slot lsn) {
	known := a.last != (landmark{})
	a.proof = proof{held: known && receivedLSN(slot) < a.atLSN, slot: slot, due: known && slot <= lsn(a.last.Commit)}
}

// from is where a stream begins.
func (a *assembler) from() lsn {
	if a.last == (landmark{}) {
		return lsn(a.atLSN)
	}
	return min(lsn(a.atLSN), lsn(a.last.Commit))
}

// recognise compares a transaction that begins with what was read.
func (a *assembler) recognise(now landmark) error {
	if a.proof.held && a.proof.due && now == a.last {
		a.proof.due = false
		return nil
	}
	if a.proof.held && a.proof.due && now.Commit >= a.last.Commit {
		return a.config.putBack(a.database, fmt.Sprintf("was captured with %s, and the server has %s in its place", a.last, now))
	}
	return a.passed(lsn(now.Commit))
}

// passed notes that everything before a place was sent.
func (a *assembler) passed(to lsn) error {
	switch p := &a.proof; {
	case !p.held:
	case p.due && to > lsn(a.last.Commit):
		return a.config.putBack(a.database, fmt.Sprintf("was captured with %s, and the server has none there", a.last))
	case receivedLSN(to) >= a.atLSN:
		p.held = false
	}
	return nil
}

// unread refuses a transaction with rows that lies before the place and that was not there
// when that was read.
func (a *assembler) unread() error {
	now := landmark{a.xid, uint64(a.commit), a.when}
	if !a.proof.held || a.rows == 0 || now.Commit <= a.last.Commit {
		return nil
	}
	return a.config.putBack(a.database, fmt.Sprintf("was captured without %s", now))
}

// putBack refuses a server whose log is not the one that was read.
func (c *Config) putBack(database, how string) error {
	return &pipeline.Refusal{
		Code: CodeAhead, Where: database,
		What: "the log " + how + ": the server was restored from an older backup, and has written on since; what was captured after that backup is in the topics",
		Mend: c.ResetCommand,
	}
}

// slotAt gives how far the slot is that a stream holds.
func (s *Source) slotAt(ctx context.Context) (lsn, error) {
	slot, err := loadSlot(ctx, s.side, s.config.Slot)
	if err == nil && slot == nil {
		err = fmt.Errorf("slot %s is gone", s.config.Slot)
	}
	if err != nil {
		return 0, fmt.Errorf("look at the slot: %w", err)
	}
	return parseLSN(slot.confirmed)
}
