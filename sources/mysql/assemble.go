package mysql

import (
	"errors"
	"fmt"
	"time"

	"github.com/go-mysql-org/go-mysql/replication"
	"github.com/google/uuid"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/handover"
)

// An assembler turns the events of the log into batches. It does no input or output of
// its own: what it needs it asks for by its functions. Owned by one goroutine.
//
//	        GTID                rows              XID, COMMIT
//	idle ─────────► in a transaction ──────────────────────────► idle
//	                       │ XA PREPARE
//	                       ▼
//	                 kept aside by its name ── XA COMMIT ──► as a transaction's rows
type assembler struct {
	config  *Config
	tables  *relations
	copies  *copies // nil: none
	framing framing

	decoders *decoders // of the connection

	byPosition bool        // places are files and positions
	here       logPosition // then: the end of what was taken last

	fresh func() *handover.Batch
	emit  func(b *handover.Batch) error                                 // hands over a batch; may take long. After an error the batch is still here
	shape func(m *tableMap) (*shape, error)                             // of a Table_map of a captured table; nil: passed over
	said  func(s statement, database, text string) ([]*relation, error) // a statement that concerns captured tables; those that it empties

	state    state
	encoded  []byte            // the same, as Resume.State
	at       pipeline.Position // the end of the last transaction that was handed over whole
	set      place             // everything that was read
	moved    bool              // set is further than at
	clock    time.Time         // the server's, of the last event
	file     string            // of the log that is read
	leaveOut uint64            // rows of the next transaction that were handed over before
	catchUp  *place            // set while what the snapshot's pieces saw is evened out; until then

	out  *handover.Batch
	xa   prepared
	noTx pipeline.Tx // of the snapshot

	// The open transaction.
	open      bool
	server    uint32 // who committed it
	skip      bool   // it was handed over before
	alone     bool   // it is one statement
	begun     bool   // a statement said that it begins
	early     bool   // it comes before the one that was handed over in part
	held      bool   // it is an XA transaction, whose rows wait
	settles   bool   // it is the commit of one
	gtid      gtid
	tx        *pipeline.Tx // nil until it has a change
	rows      uint64       // its rows of captured tables so far
	events    uint64       // its row events so far, of every table
	leave     part         // what was handed over of it before
	partOf    *part        // of the batch that was handed over last; nil: none
	mapped    map[uint64]*mapped
	row       rowsEvent
	handedOut bool // a part of it was handed over
}

// A mapped is a table's id in row events.
type mapped struct {
	body []byte // of its Table_map
	rel  *relation
}

const maxMapped = 4096 // ids that are remembered

// event takes the next event of the log.
func (a *assembler) event(e *replication.BinlogEvent) error {
	a.framing.note(e)
	if !a.byPosition {
		return a.takeEvent(e)
	}
	if err := a.reach(e); err != nil {
		return err
	}
	if err := a.takeEvent(e); err != nil {
		return err
	}
	return a.reached(e)
}

// takeEvent takes an event for what it says of rows.
func (a *assembler) takeEvent(e *replication.BinlogEvent) error {
	if e.Header.Timestamp > 0 {
		a.clock = time.Unix(int64(e.Header.Timestamp), 0).UTC()
		a.server = e.Header.ServerID
	}
	switch v := e.Event.(type) {
	case *replication.RotateEvent:
		a.file = string(v.NextLogName)
		return nil
	case *replication.MariadbGTIDEvent:
		g := gtid{domainGTID: domainGTID{v.GTID.DomainID, v.GTID.ServerID, v.GTID.SequenceNumber}}
		return a.begin(g, v.IsStandalone(), v.Flags&preparedXA != 0)
	case *replication.GTIDEvent:
		return a.beginMySQL(e, v)
	case *replication.GtidTaggedLogEvent:
		return a.beginMySQL(e, &v.GTIDEvent)
	case *replication.XIDEvent:
		return a.end()
	case *replication.QueryEvent:
		return a.query(v)
	case *replication.TransactionPayloadEvent:
		return a.payload(v)
	}
	return a.content(e)
}

// preparedXA is the flag of a MariaDB transaction that is only prepared.
const preparedXA = 64

func (a *assembler) beginMySQL(e *replication.BinlogEvent, v *replication.GTIDEvent) error {
	if e.Header.EventType == replication.ANONYMOUS_GTID_EVENT && !a.byPosition {
		return gtidOff()
	}
	sid, err := uuid.FromBytes(v.SID)
	if err != nil {
		return err
	}
	g := gtid{my: true, sid: sid, tag: v.Tag}
	g.seq = uint64(v.GNO)
	return a.begin(g, false, false)
}

// payload takes a compressed transaction of MySQL, whose events have no checksums of
// their own (M14).
func (a *assembler) payload(v *replication.TransactionPayloadEvent) error {
	outer := a.framing
	a.framing = framing{}
	defer func() { a.framing = outer }()
	for _, e := range v.Events {
		if err := a.takeEvent(e); err != nil {
			return err
		}
	}
	return nil
}

// content takes what is no beginning and no end.
func (a *assembler) content(e *replication.BinlogEvent) error {
	t := e.Header.EventType
	switch t {
	case replication.TABLE_MAP_EVENT:
		return a.inside(e, a.mapTable)
	case replication.XA_PREPARE_LOG_EVENT:
		return a.prepare(a.framing.body(e))
	case replication.INCIDENT_EVENT:
		return &pipeline.Refusal{Code: CodeEvent, Where: a.where(), What: "the server says that changes are missing from its log (INCIDENT)", Mend: a.config.reset()}
	case replication.PARTIAL_UPDATE_ROWS_EVENT:
		return a.partial(a.framing.body(e))
	case replication.EXECUTE_LOAD_QUERY_EVENT:
		return a.loaded(a.framing.body(e))
	}
	if _, ok := rowsOp(t); ok {
		return a.rowsLogged(e)
	}
	if ignored(t) || e.Header.Flags&replication.LOG_EVENT_IGNORABLE_F != 0 {
		return nil
	}
	return a.unreadable(t)
}

// inside hands a body on, or keeps it until its XA transaction commits.
func (a *assembler) inside(e *replication.BinlogEvent, f func(body []byte) error) error {
	if !a.open {
		return errors.New("rows outside of a transaction")
	}
	if a.held {
		return a.hold(e)
	}
	if a.skip {
		return nil
	}
	return f(a.framing.body(e))
}

// ignored lists the events that say nothing of rows.
func ignored(t replication.EventType) bool {
	switch t {
	case replication.FORMAT_DESCRIPTION_EVENT, replication.ROTATE_EVENT, replication.STOP_EVENT, replication.HEARTBEAT_EVENT, replication.HEARTBEAT_LOG_EVENT_V2,
		replication.IGNORABLE_EVENT, replication.ROWS_QUERY_EVENT, replication.PREVIOUS_GTIDS_EVENT, replication.TRANSACTION_CONTEXT_EVENT, replication.VIEW_CHANGE_EVENT,
		replication.INTVAR_EVENT, replication.RAND_EVENT, replication.USER_VAR_EVENT, replication.BEGIN_LOAD_QUERY_EVENT, replication.APPEND_BLOCK_EVENT, replication.DELETE_FILE_EVENT,
		replication.MARIADB_ANNOTATE_ROWS_EVENT, replication.MARIADB_BINLOG_CHECKPOINT_EVENT, replication.MARIADB_GTID_LIST_EVENT, replication.MARIADB_START_ENCRYPTION_EVENT:
		return true
	}
	return false
}

// unreadable refuses an event whose meaning is not known: it may change rows (M14).
func (a *assembler) unreadable(t replication.EventType) error {
	return &pipeline.Refusal{Code: CodeEvent, Where: a.where(), What: fmt.Sprintf("the log has an event of type %d (%s), which cannot be read", t, t), Mend: a.config.reset()}
}

// partial refuses an update of which the log holds a part of a JSON document (M31).
func (a *assembler) partial(body []byte) error {
	id, err := rowsTable(body)
	m := a.mapped[id]
	if err != nil || a.skip || m == nil || m.rel == nil {
		return err
	}
	return a.stop(m.rel, &pipeline.Refusal{
		Code: CodePartialJSON, Where: m.rel.String(), What: "an update holds parts of a JSON document, which a session asked for with binlog_row_value_options",
		Mend: a.config.again(m.rel.TableName, "SET GLOBAL binlog_row_value_options = '';"),
	})
}

func (a *assembler) where() string {
	if a.open {
		return "transaction " + a.gtid.String()
	}
	return "behind " + a.set.String()
}

// begin opens a transaction. What lies before the position is done.
func (a *assembler) begin(g gtid, alone, prepared bool) error {
	if a.open {
		return errors.New("a transaction begins inside another")
	}
	if a.byPosition {
		g.log, g.seq = a.here, a.here.offset
	}
	a.open, a.skip, a.alone, a.held, a.gtid = true, a.set.holds(g), alone, prepared, g
	a.tx, a.rows, a.events, a.leave, a.handedOut, a.begun, a.partOf, a.early = nil, 0, 0, part{}, false, false, nil, false
	a.settles = false
	a.xa.begin()
	if a.skip || a.leaveOut == 0 {
		return nil
	}
	if a.early = a.state.Part == nil || a.state.Part.GTID != g.String(); !a.early {
		a.leave, a.rows = *a.state.Part, a.leaveOut
	}
	return nil
}

// gap refuses to go on behind a part of a transaction: what comes is not its rest.
func (a *assembler) gap(what string) error {
	return &pipeline.Refusal{
		Code: CodeGap, Where: "behind " + a.at.Native, Mend: a.config.reset(),
		What: fmt.Sprintf("of the transaction after it the first %d rows were committed, and %s", a.leaveOut, what),
	}
}

// end closes the transaction. One without changes only moves the place.
func (a *assembler) end() error {
	if !a.open {
		return errors.New("a transaction ends that did not begin")
	}
	a.open = false
	if a.skip {
		return nil
	}
	if a.leave != (part{}) {
		if a.events < a.leave.Events {
			return a.gap(fmt.Sprintf("now it has only %d events", a.events))
		}
		s := a.state
		s.Part = nil
		a.keep(s)
	}
	changed := a.tx != nil || a.leaveOut > 0 && !a.early
	a.pass()
	if !a.early {
		a.leaveOut = 0
	}
	if a.catchUp != nil {
		return a.evenOut()
	}
	if !changed {
		return nil
	}
	a.at.Seq++
	return a.endWhole()
}

// pass moves the place behind the transaction that ends.
func (a *assembler) pass() {
	if a.moved = true; a.byPosition {
		a.set.log = a.here
		return
	}
	a.set.add(a.gtid)
}

// endWhole gives the batch an end at what was read.
func (a *assembler) endWhole() error {
	a.at.Native, a.moved = a.set.String(), false
	if a.tx != nil && !a.handedOut { // a Tx that was handed over is not ours any more
		a.tx.Position.Native = a.at.Native
	}
	a.tx = nil
	a.batch().EndWhole(pipeline.Resume{At: a.at, State: a.encoded}, a.clock)
	return nil
}

// announce hands over what stands between transactions.
func (a *assembler) announce(fill func(b *handover.Batch)) error {
	if err := a.flush(); err != nil {
		return err
	}
	fill(a.batch())
	if err := a.endWhole(); err != nil {
		return err
	}
	return a.flush()
}

// chunk hands over rows of a copy, which stand between transactions.
func (a *assembler) chunk(b *handover.Batch) error {
	if err := a.flush(); err != nil {
		return err
	}
	a.out = b
	if err := a.endWhole(); err != nil {
		return err
	}
	tx := b.Changes[0].Tx
	tx.Position, tx.At = a.at, a.clock
	return a.flush()
}

// moveOn makes the place that was read the position, if it is further.
func (a *assembler) moveOn() error {
	if !a.moved || a.open || a.leaveOut > 0 || a.catchUp != nil || a.out != nil && !a.out.Empty() {
		return nil
	}
	if err := a.endWhole(); err != nil {
		return err
	}
	return a.flush()
}

func (a *assembler) batch() *handover.Batch {
	if a.out == nil {
		a.out = a.fresh()
	}
	return a.out
}

// part hands over a batch inside a transaction (I3), before the next row.
func (a *assembler) part(p part) error {
	if len(a.out.Changes) > a.out.Whole && a.catchUp == nil {
		if a.moved { // transactions without a row of ours lie before it
			a.at.Native, a.moved = a.set.String(), false
		}
		s := a.state
		s.Part = &p
		a.out.EndPart(pipeline.Resume{At: a.at, Rows: a.rows, State: s.encode()})
		a.partOf, a.handedOut = &p, true
	}
	if a.catchUp != nil {
		a.out.EndWhole(pipeline.Resume{State: a.encoded}, a.clock)
	}
	return a.flush()
}

// flush hands over what is gathered.
func (a *assembler) flush() error {
	if a.out == nil || a.out.Empty() {
		return nil
	}
	if err := a.emit(a.out); err != nil {
		return err
	}
	a.out = nil
	return nil
}

// evenOut ends a transaction of the catch-up, and the snapshot with it once every
// piece is contained.
func (a *assembler) evenOut() error {
	a.tx = nil
	if !a.set.contains(*a.catchUp) {
		if a.out != nil && a.out.Full(a.config.BatchRows, a.config.BatchBytes) {
			return a.part(part{})
		}
		return nil
	}
	return a.copied()
}

// copied ends the snapshot: its first position.
func (a *assembler) copied() error {
	a.batch().Snapshot = true
	a.catchUp, a.at.Seq = nil, 1
	s := a.state
	s.Copied = true
	a.keep(s)
	if err := a.endWhole(); err != nil {
		return err
	}
	return a.flush()
}

// interrupt prepares for a new connection, which sends the open transaction from its
// beginning: what was handed over of it is left out then.
func (a *assembler) interrupt() {
	if a.open && !a.skip && a.handedOut {
		s := a.state
		s.Part = a.partOf
		a.keep(s)
		a.leaveOut = a.partRows()
	}
	if a.out != nil && a.catchUp == nil {
		a.out.DropPart()
	}
	a.open, a.tx, a.held = false, nil, false
	a.mapped, a.framing = nil, framing{}
}

// partRows is how many rows of the open transaction were handed over.
func (a *assembler) partRows() uint64 {
	rows := a.rows
	if a.out != nil {
		rows -= uint64(len(a.out.Changes) - a.out.Whole)
	}
	return rows
}
