package postgres

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/handover"
	"github.com/evertdb/evert/schema"
)

// A Source captures one database. It implements pipeline.Source, and is used
// once.
type Source struct {
	config  Config
	side    *side
	catalog *catalog
	queue   *handover.Queue
	stats   *stats
	life    *handover.Lifecycle // of the owner and the poller

	// Set by Open, and by the first snapshot; owned by the owner goroutine once it runs.
	version       int
	senderTimeout time.Duration
	system        system
	initial       state // of the snapshot, or as resumed
	facts         *facts
	chosen        *chosen
	shapes        []*shape                            // of the captured tables; owned by the owner goroutine once it runs
	watched       atomic.Pointer[map[uint32][]string] // their keys, by OID
	watch         *watch
	notices       notices
	viaRoot       bool
	stopped       []stop          // tables that had stopped where the source goes on, or do so there
	form          form            // of the stream; owned by the owner goroutine once it runs
	fellBack      bool            // to form, because the server could not send another
	faults        faults          // of the server's decoding; owned by the owner goroutine
	resting       []*schema.Table // those of them that the catalog has, as it has them
	passed        oidSet          // tables that are not captured, and of which that was told if it is news

	a       *assembler // owned by the owner goroutine once it runs
	asides  *asides
	copying copying

	closed sync.Once

	durableAt atomic.Uint64 // durableLSN
	acked     chan struct{} // of size 1: something was acknowledged
	planned   chan struct{} // closed at the first acknowledgement
	plan      sync.Once
	hasty     atomic.Bool
	separate  atomic.Bool
	current   atomic.Pointer[stream]
	opened    atomic.Bool

	draining  atomic.Pointer[drain]     // nil: it is not to be drained
	fenced    atomic.Pointer[fenceSeen] // nil: the database is not read-only, or was not seen to be
	undrained bool                      // it goes on where it was drained; set before Open
	moved     *pipeline.Resume          // on another server than before, the place there; set by Open
	toldMoved atomic.Bool

	retentionLevel int  // owned by the poller: the percentage last warned of
	warnedOfMost   bool // likewise: of MaxRetainedWAL
}

var _ pipeline.Copier = (*Source)(nil)

// New makes a source; it does nothing before Open.
func New(c Config) *Source {
	c = c.withDefaults()
	s := &Source{
		config: c, stats: &stats{now: c.Now}, life: handover.NewLifecycle(),
		acked: make(chan struct{}, 1), planned: make(chan struct{}),
	}
	s.watch = &watch{source: s}
	s.asides = newAsides(&s.config)
	s.config.asides = s.asides
	s.side = &side{config: &s.config}
	s.copying = copying{source: s, pace: handover.Pace{Rate: c.MaxRate}, from: standbyOf(&s.config)}
	s.catalog = &catalog{config: &s.config, side: s.side, versions: map[uint32]uint32{}}
	s.queue = handover.New(handover.Config{Batches: c.QueueBatches, Bytes: c.QueueBytes, Weigh: (*handover.Batch).Held, Taken: s.stats.progress})
	return s
}

// Open checks server, publication, tables and slot, tells everything that is
// wrong at once, and starts to read. See the package's documentation.
func (s *Source) Open(ctx context.Context, from pipeline.Resume) error {
	return s.life.Open(ctx, func(ctx context.Context) error { return s.open(ctx, from) })
}

func (s *Source) open(ctx context.Context, from pipeline.Resume) error {
	was, err := s.ready(ctx, from)
	if err != nil {
		return err
	}
	conn, err := s.dial(ctx)
	if err != nil {
		return err
	}
	if s.crosses(was) {
		from, was, err = s.cross(ctx, conn, from, was)
	} else if was.Drained != nil && s.undrained {
		from, was = s.goOn(from, was)
	}
	if err == nil {
		err = s.prepare(ctx, from, was)
	}
	if err != nil {
		closeConn(conn.PgConn)
		return err
	}
	s.side.waitBriefly(ctx)
	s.stats.connected()
	s.life.Go(func() { s.own(conn) })
	s.life.Go(s.poll)
	s.opened.Store(true)
	return nil
}

func (s *Source) resumed(from pipeline.Resume) (state, error) {
	if from.IsZero() {
		return state{}, nil
	}
	was, err := decodeState(from.State)
	var r *pipeline.Refusal
	if errors.As(err, &r) {
		r.Mend = s.config.ResetCommand
	}
	return was, err
}

// look reads what the start depends on.
func (s *Source) look(ctx context.Context) (err error) {
	if s.facts, err = loadFacts(ctx, &s.config, s.side); err != nil {
		return err
	}
	s.version, s.viaRoot = s.facts.Version, s.facts.viaRoot()
	s.catalog.version = s.version
	s.config.platform = s.facts.Platform
	s.senderTimeout = time.Duration(s.facts.SenderTimeoutMS) * time.Millisecond
	s.chosen, err = choose(ctx, &s.config, s.side, s.facts)
	return err
}

// dial opens the replication connection and verifies whose it is.
func (s *Source) dial(ctx context.Context) (*replConn, error) {
	conn, err := s.config.connectReplication(ctx)
	if err != nil {
		return nil, err
	}
	sys, err := identify(ctx, conn.PgConn)
	if err == nil && s.system.id != "" {
		err = s.sameServer(sys)
	}
	if err != nil {
		closeConn(conn.PgConn)
		return nil, err
	}
	s.system = sys
	return conn, nil
}

// problems gives everything that keeps the source from starting at from.
func (s *Source) problems(ctx context.Context, from pipeline.Resume, was state) []error {
	var problems []error
	if s.crosses(was) {
		return s.crossing(ctx, was)
	}
	if !from.IsZero() {
		if other := s.otherServer(s.system, was, from.At.Native); len(other) > 0 {
			return other // what another server has says nothing of the position (K12)
		}
		problems = s.identityRefusals(was, from.At.Native)
	}
	if was.Drained != nil {
		return append(problems, s.drainedRefusal(*was.Drained, from.At.Native))
	}
	if isFresh(from) {
		return slices.Concat(s.unready(ctx), problems, s.leftover(was))
	}
	s.stopped = s.standing(was)
	s.spare(s.stopped)
	conditions := s.conditions(ctx, s.chosen.tables, func(t *tableInfo) bool { return s.isAdded(t, was) })
	s.keepCopied(was.holdsAs)
	problems = slices.Concat(s.facts.Refusals(s.config.InvalidText, s.facts.slot == nil), s.chosen.refusals, conditions,
		s.facts.publicationRefusals(&s.config, s.chosen, false), problems)
	return append(problems, s.slotRefusals(s.facts.slot, from.At.Native)...)
}

// unready gives what keeps any source from starting with a copy.
func (s *Source) unready(ctx context.Context) []error {
	conditions := s.conditions(ctx, s.chosen.tables, func(*tableInfo) bool { return true })
	return slices.Concat(s.facts.Refusals(s.config.InvalidText, s.facts.slot == nil), s.chosen.refusals, conditions, s.facts.publicationRefusals(&s.config, s.chosen, true))
}

// isFresh reports whether the tables are still to be copied.
func isFresh(from pipeline.Resume) bool { return from.At.IsZero() && from.Rows == 0 }

// prepare refuses what would go wrong later, and makes what reading needs.
func (s *Source) prepare(ctx context.Context, from pipeline.Resume, was state) error {
	if err := errors.Join(s.problems(ctx, from, was)...); err != nil {
		return err
	}
	for _, w := range s.facts.Warnings(s.config.InvalidText) {
		s.config.Log.Warn(w.What, "code", string(w.Code), "mend", w.Mend)
	}
	fresh := isFresh(from)
	if fresh {
		if err := s.publish(ctx); err != nil {
			return err
		}
	}
	if err := s.makeShapes(ctx, s.side); err != nil {
		return err
	}
	var found []notice
	if !fresh {
		var err error
		seen := s.captured(was)
		if found, err = s.watch.found(ctx, &seen, slices.Collect(maps.Keys(*s.watched.Load()))); err != nil {
			return err
		}
	}
	if err := s.assemble(from, was, found); err != nil {
		return err
	}
	return s.describeStopped(ctx)
}

// assemble sets up the assembler at the place to go on from.
func (s *Source) assemble(from pipeline.Resume, was state, found []notice) error {
	sp := newSpill(s.config.SpillDir, s.config.SpillBytes, s.config.SpillMost)
	if err := sp.open(); err != nil {
		return err
	}
	s.a = &assembler{config: &s.config, database: s.system.database, spill: sp, asides: s.asides, rels: map[uint32]*relation{}, fresh: s.queue.Get, shape: s.lookUp, changed: s.copying.change, ask: s.ask}
	s.a.reader.Invalid = s.config.InvalidText
	for _, sh := range s.shapes {
		s.a.rels[sh.oid] = &relation{shape: sh}
	}
	for _, t := range s.stopped {
		s.a.rels[t.OID] = &relation{halted: true}
	}
	if isFresh(from) {
		s.initial = state{System: s.system.id, Timeline: s.system.timeline, Database: s.system.database, Slot: s.config.Slot, Publication: s.config.Publication}
		s.a.keep(s.initial)
		return nil
	}
	was.Timeline = s.system.timeline // it follows from that of the position
	s.initial = was
	was = s.compare(was, found)
	at, err := parseLSN(from.At.Native)
	if err != nil {
		return &pipeline.Refusal{Code: CodeState, What: "the stored position is not an LSN", Err: err, Mend: s.config.ResetCommand}
	}
	s.a.at, s.a.atLSN, s.a.leaveOut = from.At, receivedLSN(at), from.Rows
	if was.Part != nil {
		s.a.partOf = *was.Part
	}
	if was.Last != nil {
		s.a.read, s.a.last = *was.Last, *was.Last
	}
	s.a.keep(s.captured(was))
	if was.names == nil { // stored before names were
		s.initial.names = s.a.state.names
	}
	s.a.settle()
	s.copying.resume(s.a.state)
	s.durableAt.Store(uint64(at))
	return nil
}

// Next gives the next batch. See pipeline.Source.
func (s *Source) Next(ctx context.Context) (pipeline.Batch, error) {
	return s.queue.Next(ctx, s.life.Ended)
}

// Ack lets the server forget what lies before the end of a transaction (P06).
func (s *Source) Ack(_ context.Context, durable pipeline.Position) error {
	s.plan.Do(func() { close(s.planned) })
	defer s.ackDrained(durable) // once durable() says so
	s.tellMoved(durable)
	if durable.IsZero() {
		return nil
	}
	at, err := parseLSN(durable.Native)
	if err != nil {
		return fmt.Errorf("acknowledged position: %w", err)
	}
	if at <= lsn(s.durableAt.Load()) {
		return nil
	}
	s.durableAt.Store(uint64(at))
	select {
	case s.acked <- struct{}{}:
	default:
	}
	if st := s.current.Load(); st != nil {
		st.wakeUp()
	}
	return nil
}

func (s *Source) durable() durableLSN { return durableLSN(s.durableAt.Load()) }

// Reached compares LSNs. See pipeline.Source.
func (s *Source) Reached(have, want string) (bool, error) { return reached(have, want) }

// Hasten says whether somebody waits for an idle source to move on; if so it does
// so every 250 ms.
func (s *Source) Hasten(waiting bool) {
	s.hasty.Store(waiting)
	if st := s.current.Load(); st != nil && waiting {
		st.wakeUp()
	}
}

// Separate says whether each batch is to end behind its transaction, so that a
// consumer can stop between any two that were committed from now on. It may be
// called from any goroutine.
func (s *Source) Separate(each bool) { s.separate.Store(each) }

// Close ends the connections and waits for the goroutines. The slot stays.
func (s *Source) Close() error {
	s.life.Close(func() {
		if st := s.current.Load(); st != nil {
			st.wakeUp()
		}
	})
	var err error
	s.closed.Do(func() {
		s.side.close()
		s.copying.disconnect()
		if s.a != nil {
			err = s.a.spill.clear()
			s.asides.clear()
		}
	})
	return err
}
