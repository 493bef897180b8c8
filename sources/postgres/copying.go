package postgres

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/handover"
	"github.com/evertdb/evert/sources/postgres/pgoutput"
	"github.com/evertdb/evert/sources/postgres/pgsql"
	"github.com/evertdb/evert/sources/postgres/window"
)

// copying copies tables while the source streams, one after the other, chunk by
// chunk. Everything in it but the requests belongs to the owner goroutine; a job
// runs beside it, one at a time, and is looked at when it is done.
//
//	resting ──► describing ──► described ──► resting      a copy begins, or goes on after a restart
//	   ▲ │          table, place      │ the stream has passed the place
//	   │ └─────► reading ──► merging ─┴► resting           a chunk; the window is open from reading to merging
//	   └── again ───┘   the stream has passed the chunk's place
//
// Where the connection of the stream ends, everything rests, and what was read beside it
// is dropped.
//
// What is due is done between two transactions (step), and never waits, but for a
// chunk when its window is full.
type copying struct {
	source *Source
	pace   handover.Pace
	conn   *pgconn.PgConn // of jobs; used by one at a time
	from   *standby       // that chunks are read from, likewise; nil: conn

	phase    copyPhase
	window   window.Window
	shape    *shape                    // of the table being copied; nil: not described on this connection of the stream
	older    *pgoutput.RelationMessage // told of another shape, when the table was last described; nil: none did
	chosen   []string                  // conditions of its rows to be read
	attnames []string                  // of the publication
	table    tableCopy                 // being copied, as the state has it; OID 0: none
	name     pgsql.TableName           // that it was asked for by
	later    []*shape                  // tables that the snapshot leaves to be copied in chunks
	job      *chunkJob
	facts    *describeJob
	unlike   *pipeline.Refusal // why rows copied before cannot stay; of facts, and the job's until it is done
	done     chan struct{}     // of the job that runs
	stop     func()            // ends it
	until    time.Time         // resting
	nudgeAt  time.Time         // when the stream is nudged; zero: it does not wait
	nudging  atomic.Bool       // one nudge is under way
	failed   int               // attempts in a row
	told     string            // why it waits, as told last
	halted   []stop            // not told yet
	out      []*handover.Batch
	stats    *tableProgress

	busy atomic.Bool // there is something to do

	mu       sync.Mutex
	requests []copyRequest // not begun, in order; one per table
}

type copyPhase int

const (
	resting copyPhase = iota
	describing
	described
	reading
	merging
)

func (c *copying) wake() {
	if st := c.source.current.Load(); st != nil {
		st.wakeUp()
	}
}

// resume takes over what was not complete when the source was last open.
func (c *copying) resume(was state) {
	if slices.ContainsFunc(was.Copies, func(t tableCopy) bool { return !t.Done }) {
		c.busy.Store(true)
	}
}

// step does what is due between two transactions.
func (c *copying) step() error {
	a := c.source.a
	if !c.busy.Load() || a.open || a.leaveOut > 0 {
		return nil
	}
	if err := c.flush(); err != nil {
		return err
	}
	if len(c.halted) > 0 {
		return c.halt()
	}
	switch c.phase {
	case resting:
		return c.rest()
	case describing:
		if c.isDone() {
			return c.takeFacts()
		}
	case described:
		if c.passed(c.facts.place) {
			return c.begin()
		}
	case reading:
		if c.isDone() {
			return c.takeChunk()
		}
	case merging:
		if c.passed(c.job.place) {
			return c.merge()
		}
	}
	return nil
}

// waits reports whether the next step depends on what the server says.
func (c *copying) waits() bool { return c.phase == described || c.phase == merging }

// within gives how soon a step is due that nobody wakes for.
func (c *copying) within() time.Duration {
	switch {
	case !c.busy.Load() || c.phase == describing || c.phase == reading:
		return time.Hour
	case c.phase == resting:
		return max(time.Until(c.until), time.Millisecond)
	}
	return askEvery
}

// askEvery is how often the server is asked how far it is, while a chunk waits for
// that.
const askEvery = 20 * time.Millisecond

func (c *copying) isDone() bool {
	select {
	case <-c.done:
		return true
	default:
		return false
	}
}

// passed reports whether every transaction that ended before a place was read. The
// stream does not come to the end of what nobody has flushed, such as what readers
// write who tidy up a page; where no commit flushes it, it is nudged.
func (c *copying) passed(place lsn) bool {
	if max(c.source.a.idleTo, c.source.a.atLSN) >= receivedLSN(place) {
		c.nudgeAt = time.Time{}
		return true
	}
	switch now := time.Now(); {
	case c.nudgeAt.IsZero():
		c.nudgeAt = now.Add(firstNudge)
	case now.After(c.nudgeAt):
		c.nudgeAt = now.Add(nextNudge)
		c.nudge()
	}
	return false
}

// How long the stream may take to come to a place before it is nudged.
const (
	firstNudge = 40 * time.Millisecond
	nextNudge  = time.Second
)

// nudge nudges the stream, unless that is under way.
func (c *copying) nudge() {
	if c.nudging.Swap(true) {
		return
	}
	c.source.life.Go(func() {
		defer c.nudging.Store(false)
		c.source.nudge()
	})
}

// nudgeSQL is a transaction that has a number and writes nothing, if there is log that
// is not flushed: it needs no right, and its end is flushed within wal_writer_delay.
const nudgeSQL = "SELECT CASE WHEN pg_current_wal_insert_lsn() > pg_current_wal_flush_lsn() THEN txid_current() END"

// nudge lets the server flush its log.
func (s *Source) nudge() {
	if _, err := s.side.query(s.life.Ended, nudgeSQL); err != nil && s.life.Ended.Err() == nil {
		s.config.Log.Debug("the server was not asked to flush its log", "error", err)
	}
}

// rest goes on with the table that is being copied, or with the next one.
func (c *copying) rest() error {
	if time.Now().Before(c.until) {
		return nil
	}
	if c.table.OID == 0 || c.superseded() || c.shape != nil && c.source.a.state.stops(c.table.OID) {
		if !c.next() {
			return nil
		}
	}
	if c.shape == nil {
		c.describe()
		return nil
	}
	if !c.mayRead() {
		return nil
	}
	return c.read()
}

// run starts a job, which waits for the one before to end.
func (c *copying) run(phase copyPhase, f func(ctx context.Context)) {
	before, done := c.done, make(chan struct{})
	ctx, stop := context.WithCancel(c.source.life.Ended)
	c.phase, c.done, c.stop = phase, done, stop
	c.source.life.Go(func() {
		defer stop()
		if before != nil {
			<-before
		}
		f(ctx)
		close(done)
		c.wake()
	})
}

// drop gives up what was read beside a stream that has ended, and the connection that
// it was read on. The server may come back without the transactions that a snapshot
// showed and nobody had flushed, or be another one, and gives their numbers to others.
func (c *copying) drop() {
	if c.stop != nil {
		c.stop()
	}
	c.window.Close()
	dropped := c.job
	c.shape, c.job, c.facts, c.nudgeAt = nil, nil, nil, time.Time{}
	c.run(resting, func(context.Context) {
		dropped.discard()
		c.disconnect()
	})
}

// connected gives the connection of jobs.
func (c *copying) connected(ctx context.Context) (*pgconn.PgConn, error) {
	if c.conn != nil && !c.conn.IsClosed() {
		return c.conn, nil
	}
	closeConn(c.conn) // it is lost
	conn, err := c.source.config.connectBriefly(ctx)
	c.conn = conn
	return conn, err
}

// keep puts the progress into the state that goes with every end from here on.
func (c *copying) keep() {
	a := c.source.a
	a.keep(a.state.copy(c.table))
	a.settle()
}

// hand hands over a batch at the place that the stream has reached.
func (c *copying) hand(b *handover.Batch) error {
	a := c.source.a
	b.EndWhole(a.resume(), c.source.config.Now())
	c.out = append(c.out, b)
	return c.flush()
}

// flush hands over what is complete. What nobody took, because the connection ended
// while the queue was full, goes before everything else.
func (c *copying) flush() error {
	for len(c.out) > 0 {
		if err := c.source.a.emit(c.out[0]); err != nil {
			return err
		}
		c.out = c.out[1:]
	}
	return nil
}

// settled reports whether the stream reads the table with the shape that was described.
// A message that told of another one and is the last still after the table was described
// again is older than that: rows of what it is now come behind a message of their own.
func (c *copying) settled(r *relation) bool {
	if r == nil || r.shape != c.shape {
		return false
	}
	if r.pending != nil && r.pending == c.older {
		r.pending = nil
	}
	c.older = r.pending
	return r.pending == nil
}

// read opens the window and lets a chunk be read.
func (c *copying) read() error {
	if !c.settled(c.source.a.rels[c.table.OID]) {
		c.shape = nil // the stream has another one by now
		return nil
	}
	if err := c.source.a.flush(); err != nil {
		return err
	}
	a := c.source.a
	ask := c.window.LostXIDs && c.from == nil
	c.window.Open()
	j := &chunkJob{
		source: c.source, shape: c.shape, chosen: c.chosen, attnames: c.attnames, from: c.table.At, rows: map[string]int{},
		suspects: slices.Clone(c.window.Suspects), ask: ask,
		opened: receivedLSN(beforeHeader(lsn(max(a.idleTo, a.atLSN)))), system: c.source.system,
	}
	before := c.job
	c.job = j
	c.run(reading, func(ctx context.Context) {
		before.discard()
		conn, err := c.connected(ctx)
		if err == nil {
			err = j.run(ctx, conn, c.from)
		}
		j.err = c.source.config.whereFailed(j.name(), err)
	})
	return nil
}

func (c *copying) waitFor(what string) {
	if c.told == what && what == "" {
		return
	}
	c.told = what
	c.source.stats.waitFor(what)
}

func (c *copying) say(what string, more ...any) {
	c.source.config.Log.Info(what, append([]any{"table", c.shape.table.String(), "request", c.table.ID}, more...)...)
}

// disconnect ends the connections of jobs, when none runs.
func (c *copying) disconnect() {
	closeConn(c.conn)
	c.from.close()
}
