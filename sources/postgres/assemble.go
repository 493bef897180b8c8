package postgres

import (
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/handover"
	"github.com/evertdb/evert/sources/postgres/pgoutput"
	"github.com/evertdb/evert/sources/postgres/pgvalue"
)

// An assembler turns the messages of the stream into batches. It does no input
// or output of its own: what it needs it asks for by its functions, so that tests
// drive it message by message. Owned by one goroutine.
//
//	       Begin              Commit
//	idle ────────► in transaction ────────► idle        rows go straight into the batch
//	 │  ▲ Stream Start
//	 ▼  │ Stream Stop                                    rows go to the spill
//	in a stream block
//	       Stream Commit                                 the spill goes into the batch
type assembler struct {
	config   *Config
	database string // its name
	dec      pgoutput.Decoder
	replay   pgoutput.Decoder // of spilled messages
	spill    *spill
	asides   *asides        // values of the messages that are too large for memory
	reader   pgvalue.Reader // into the batch
	rels     map[uint32]*relation

	shape   func(m *pgoutput.RelationMessage, before []shapeColumn) (*shape, error) // nil shape: not captured
	changed func(s *shape, xid uint32, c *pipeline.Change) error                    // told of each change
	fresh   func() *handover.Batch
	busy    func() error                                               // called now and then by what may take long
	emit    func(b *handover.Batch) error                              // hands over a batch; may take long. After an error the batch is still here
	ask     func(s *shape, col int, b []byte) (text []byte, err error) // what a value in binary form is that is not read here

	state    state                 // of every end; set by keep
	encoded  []byte                // the same, as Resume.State
	seen     atomic.Pointer[state] // the same, for any goroutine
	at       pipeline.Position     // the end of the last transaction, or an idle place behind it
	atLSN    receivedLSN           // the same as a number
	leaveOut uint64                // rows of transaction partOf that were handed over before; it comes after at
	partOf   txID
	idleTo   receivedLSN // everything before this place was read
	idleTime time.Time   // the server's clock then
	rowsTo   receivedLSN // the end of the last transaction that had rows
	read     landmark    // the last transaction that had rows, captured or not
	last     landmark    // the same, of those before at
	marked   bool        // the end that is gathered says so
	proof    proof

	out   *handover.Batch
	block *spilled // the open stream block
	undo  []undo   // shapes that were taken since the last end
	ended state    // of the last end

	// The open transaction.
	open    bool
	skip    bool // it was handed over before
	xid     uint32
	commit  lsn // where its commit record begins
	when    int64
	tx      *pipeline.Tx // nil until it has a change
	rows    uint64       // its rows so far, of all tables that are sent
	leave   uint64       // of them were handed over before
	handed  uint64       // of them in batches handed over
	early   bool         // it comes before the one that was handed over in part
	skipped uint64       // transactions skipped so far, for tests and metrics
}

// message takes one message of the stream, which stood at place in the log.
func (a *assembler) message(place lsn, msg []byte) error {
	kind, err := a.dec.Decode(msg)
	if err != nil {
		return err
	}
	if a.block != nil && kind.CarriesXID() {
		a.block.asides = append(a.block.asides, a.asides.in(msg)...)
		return a.spill.add(a.block, a.dec.XID, place, msg)
	}
	switch kind {
	case pgoutput.Begin:
		return a.begin(&a.dec.Tx)
	case pgoutput.Commit:
		return a.end(lsn(a.dec.Tx.EndLSN))
	case pgoutput.StreamStart:
		a.block = a.spill.begin(a.dec.Tx.XID)
		return nil
	case pgoutput.StreamStop:
		a.block = nil
		return nil
	case pgoutput.StreamAbort:
		return a.spill.abort(a.dec.Tx.XID, a.dec.Tx.SubXID)
	case pgoutput.StreamCommit:
		return a.streamed()
	}
	return a.content(kind, &a.dec, place)
}

// content takes what lies inside a transaction, streamed or not.
func (a *assembler) content(kind pgoutput.Kind, d *pgoutput.Decoder, place lsn) error {
	switch kind {
	case pgoutput.Insert, pgoutput.Update, pgoutput.Delete:
		return a.row(kind, &d.Row, place)
	case pgoutput.Truncate:
		return a.truncate(d.Truncate.Relations, place)
	case pgoutput.Relation:
		a.announce(&d.Relation)
		return nil
	case pgoutput.Type, pgoutput.Origin, pgoutput.Message:
		return nil
	}
	return &pipeline.Refusal{
		Code: CodeSlotForeign, Where: "slot " + a.config.Slot,
		What: fmt.Sprintf("it sends two-phase transactions (message %q), which this source did not ask for", byte(kind)),
		Mend: a.config.ResetCommand,
	}
}

// begin opens a transaction. One whose commit record begins before the place
// that was reached is done (P07).
func (a *assembler) begin(t *pgoutput.TxMessage) error {
	if a.open {
		return errors.New("a transaction begins inside another")
	}
	a.open, a.skip = true, receivedLSN(t.LSN) < a.atLSN
	a.xid, a.commit, a.when = t.XID, lsn(t.LSN), t.Time
	a.tx, a.rows, a.leave, a.early = nil, 0, 0, false
	err := a.recognise(landmark{t.XID, uint64(t.LSN), t.Time})
	if a.skip {
		a.skipped++
	} else if a.leaveOut > 0 && err == nil {
		return a.again()
	}
	a.handed = 0
	return err
}

// again looks whether the transaction that begins is the one that was handed over
// in part. Those before it have no row of ours.
func (a *assembler) again() error {
	now := txID{XID: a.xid, Commit: uint64(a.commit)}
	a.early = a.partOf.Commit > now.Commit
	if !a.early && a.partOf != (txID{}) && a.partOf != now {
		return a.gap(fmt.Sprintf("%s is not sent again: %s comes in its place", a.partOf, now))
	}
	if !a.early {
		a.leave = a.leaveOut
	}
	a.handed = a.leave
	return nil
}

// gap refuses to go on behind a part of a transaction: what comes is not its rest.
func (a *assembler) gap(what string) error {
	return &pipeline.Refusal{
		Code: CodeGap, Where: "slot " + a.config.Slot, Mend: a.config.ResetCommand,
		What: fmt.Sprintf("of the transaction after %s the first %d rows were committed, and %s", a.at, a.leaveOut, what),
	}
}

// keep sets the state that goes with every end from here on.
func (a *assembler) keep(s state) {
	a.state, a.encoded = s, s.encode()
	a.seen.Store(&s)
}

// inPart gives the state of a place inside the open transaction.
func (a *assembler) inPart() []byte {
	s := a.state
	if a.last != (landmark{}) {
		s.Last = &a.last
	}
	s.Part = &txID{XID: a.xid, Commit: uint64(a.commit)}
	return s.encode()
}

// end closes the transaction. One without changes only moves the idle place.
func (a *assembler) end(end lsn) error {
	a.open = false
	if a.skip {
		return a.unread()
	}
	if a.rows < a.leave {
		return a.gap(fmt.Sprintf("now it has only %d", a.rows))
	}
	a.idle(end, a.when)
	if a.rows > 0 {
		a.read = landmark{a.xid, uint64(a.commit), a.when}
	}
	if a.tx == nil && a.leave == 0 {
		return nil // nothing of ours
	}
	a.at.Seq++
	a.at.Native, a.atLSN, a.rowsTo = end.String(), receivedLSN(end), receivedLSN(end)
	a.leaveOut, a.partOf = 0, txID{}
	if a.tx != nil && a.tx.Position.Native == "" {
		a.tx.Position.Native = a.at.Native
	}
	a.last = a.read
	a.endWhole(pgTime(a.when))
	a.settle()
	return nil
}

// idle notes that everything before a place was read.
func (a *assembler) idle(to lsn, clock int64) {
	if receivedLSN(to) > a.idleTo {
		a.idleTo, a.idleTime = receivedLSN(to), pgTime(clock)
	}
}

// resume is the place that was reached between transactions.
func (a *assembler) resume() pipeline.Resume {
	return pipeline.Resume{At: a.at, State: a.last.in(a.encoded)}
}

// endWhole ends what is gathered at that place. Its state is completed when it is handed
// over: most ends are followed by another one before.
func (a *assembler) endWhole(at time.Time) {
	a.marked = false
	a.batch().EndWhole(pipeline.Resume{At: a.at, State: a.encoded}, at)
}

// quiet reports whether nothing was read that is not handed over yet, and no part
// of a transaction was handed over whose rest is still to come: a place in
// between would be taken for a whole transaction (I3).
func (a *assembler) quiet() bool {
	return !a.open && a.block == nil && a.leaveOut == 0 && (a.out == nil || a.out.Empty())
}

// moveOn makes the idle place the position, if it is further (P04) and all is
// quiet.
func (a *assembler) moveOn() error {
	if a.idleTo <= a.atLSN || !a.quiet() || a.proof.held {
		return nil
	}
	a.at.Native, a.atLSN, a.last = lsn(a.idleTo).String(), a.idleTo, a.read
	a.endWhole(a.idleTime)
	return a.flush()
}

// streamed takes a transaction from the spill at its commit.
func (a *assembler) streamed() error {
	t := a.dec.Tx
	kept := a.spill.txs[t.XID]
	if err := a.begin(&t); err != nil {
		return err
	}
	if kept != nil && (!a.skip || a.proof.held) {
		err := kept.each(a.busy, func(place lsn, msg []byte) error {
			kind, err := a.replay.DecodeIn(msg)
			if err != nil {
				return err
			}
			return a.content(kind, &a.replay, place)
		})
		if err != nil {
			return err
		}
	}
	err := a.end(lsn(t.EndLSN))
	if kept == nil {
		return err
	}
	return errors.Join(err, a.spill.drop(kept))
}

func (a *assembler) batch() *handover.Batch {
	if a.out == nil {
		a.out = a.fresh()
	}
	return a.out
}

// leftOut counts one more row of the open transaction, captured or not, and
// reports whether it was handed over before. Every row that is sent counts, so
// that the number of a row is the same whichever tables are captured.
func (a *assembler) leftOut() bool {
	a.rows++
	return a.rows <= a.leave
}

// change opens the change of the row that was counted last.
func (a *assembler) change(s *shape, op pipeline.Op, place lsn) (*pipeline.Change, error) {
	if a.early {
		return nil, a.gap(fmt.Sprintf("transaction %d before it has rows as well", a.xid))
	}
	if a.tx == nil {
		a.tx = &pipeline.Tx{
			Position: pipeline.Position{Seq: a.at.Seq + 1}, ID: uint64(a.xid), Commit: uint64(a.commit), At: pgTime(a.when),
		}
	}
	c := a.batch().Add()
	c.Table, c.Op, c.Tx, c.Row, c.Offset = s.table, op, a.tx, uint32(a.rows-1), uint64(place)
	return c, nil
}

// makeRoom hands over a full batch before the row that was counted last.
func (a *assembler) makeRoom() error {
	if a.out == nil || !a.out.Full(a.config.BatchRows, a.config.BatchBytes) {
		return nil
	}
	return a.part()
}

// part hands over a batch inside a transaction (I3), before the row that was
// counted last. Its end is not known yet, so that its Tx goes by where its commit
// record begins.
func (a *assembler) part() error {
	if a.tx != nil && a.tx.Position.Native == "" {
		a.tx.Position.Native = a.commit.String()
	}
	if len(a.out.Changes) == a.out.Whole {
		return a.flush() // nothing of this one
	}
	rows := a.rows - 1
	a.out.EndPart(pipeline.Resume{At: a.at, Rows: rows, State: a.inPart()})
	if err := a.flush(); err != nil {
		return err
	}
	a.handed = rows
	a.settle()
	return nil
}

// flush hands over what is gathered. What nobody took, because the connection
// ended while the queue was full, stays gathered: the place has moved on behind
// it, and the server will not send it again (I2).
func (a *assembler) flush() error {
	if a.out == nil || a.out.Empty() {
		return nil
	}
	if end := a.out.WholeEnd; end != nil && !a.marked {
		end.State, a.marked = a.last.in(end.State), true
	}
	if err := a.emit(a.out); err != nil {
		return err
	}
	a.out = nil
	return nil
}

// interrupt prepares for a new connection, which sends the open transaction from
// its beginning: what was handed over of it is left out then.
func (a *assembler) interrupt() error {
	if a.open && !a.skip && a.handed > 0 {
		a.leaveOut, a.partOf = a.handed, txID{XID: a.xid, Commit: uint64(a.commit)}
	}
	if a.out != nil {
		a.out.DropPart()
	}
	a.unsettle()
	a.open, a.block, a.tx = false, nil, nil
	a.dec.Reset()
	return a.spill.clear()
}
