package mysql

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/handover"
)

// A Source captures one server. It implements pipeline.Source, and is used once.
type Source struct {
	config Config
	queue  *handover.Queue
	stats  *stats
	life   *handover.Lifecycle

	// Set by Open; owned by the owner goroutine once it runs.
	facts      *facts
	collations *collations
	tables     *relations
	versions   map[TableName]uint32
	a          *assembler
	doomed     []*pipeline.Refusal // of tables that stop when the stream begins
	attempts   int
	takenSince time.Time

	copies   *copies
	hasty    atomic.Bool
	separate atomic.Bool

	sideMu   sync.Mutex
	side     *session   // for questions besides the stream
	statusMu sync.Mutex // one session at a time asks for the place of its snapshot
}

var _ pipeline.Copier = (*Source)(nil)

// New makes a source; it does nothing before Open.
func New(c Config) *Source {
	c = c.withDefaults()
	q := handover.Config{Batches: c.QueueBatches, Bytes: c.QueueBytes, Borrows: true, Weigh: (*handover.Batch).Size} // values refer to events
	s := &Source{config: c, queue: handover.New(q), stats: &stats{}, life: handover.NewLifecycle(), versions: map[TableName]uint32{}}
	s.copies = newCopies(s)
	return s
}

// Open checks server and tables, tells everything that is wrong at once, and starts to
// read.
func (s *Source) Open(ctx context.Context, from pipeline.Resume) error {
	return s.life.Open(ctx, func(ctx context.Context) error { return s.open(ctx, from) })
}

func (s *Source) open(ctx context.Context, from pipeline.Resume) error {
	if err := s.prepare(ctx, from); err != nil {
		return err
	}
	s.life.Go(s.own)
	return nil
}

// prepare is all of a start but the owner goroutine.
func (s *Source) prepare(ctx context.Context, from pipeline.Resume) error {
	problems, was, err := s.problems(ctx, &from)
	if err != nil {
		return err
	}
	if err := errors.Join(problems...); err != nil {
		return err
	}
	if err := s.assemble(from, was); err != nil {
		return err
	}
	return emptySpill(s.config.SpillDir)
}

// problems looks at everything a start depends on, and gives what keeps it from
// starting; a nil from means that the place is not known.
func (s *Source) problems(ctx context.Context, from *pipeline.Resume) (problems []error, was state, err error) {
	side, err := s.config.dial(ctx)
	if err != nil {
		return nil, was, err
	}
	s.setSide(side)
	if from != nil && !from.IsZero() {
		if was, err = decodeState(from.State); err != nil {
			return nil, was, s.withReset(err)
		}
	}
	if s.facts, err = loadFacts(ctx, side); err != nil {
		return nil, was, err
	}
	if s.collations, err = loadCollations(ctx, side); err != nil {
		return nil, was, err
	}
	if was.Copied {
		at, err := parsePlace(from.At.Native)
		if err != nil {
			return nil, was, s.withReset(&pipeline.Refusal{Code: CodeState, What: "the stored position is no position", Err: err})
		}
		other, err := s.facts.gap(ctx, side, &s.config, was, at)
		if len(other) > 0 || err != nil {
			return other, was, err // what another server has says nothing of the position
		}
	}
	tables := s.ofUnknown(s.choose(ctx, side), was)
	conditions := s.conditions(ctx, side, func(t *tableInfo) bool { return s.copiesFirst(t, was) })
	return slices.Concat(s.facts.refusals(), s.facts.idTaken(&s.config), tables, conditions, s.facts.locks()), was, s.charsets(ctx, side, was)
}

// ofUnknown leaves out what is wrong by now with tables that the place knows. The log
// tells of it, and stops that table alone; what no log tells of stops it at once.
func (s *Source) ofUnknown(problems []error, was state) []error {
	return slices.DeleteFunc(problems, func(err error) bool {
		var r *pipeline.Refusal
		if !errors.As(err, &r) {
			return false
		}
		isKnown := was.knows(r.Where)
		switch {
		case isKnown && r.Code == CodeCascade:
			s.doomed = append(s.doomed, r)
		case isKnown:
		case r.Code == CodeNoTables:
			return len(was.tables) > 0
		case was.Copied && s.isMatched(r.Where): // it was made while the others were captured
			s.leaveOut(r)
			s.facts.chosen = slices.DeleteFunc(s.facts.chosen, func(t *tableInfo) bool { return t.String() == r.Where })
		default:
			return false
		}
		return true
	})
}

// isMatched reports whether a table is captured because of a pattern.
func (s *Source) isMatched(table string) bool {
	name, ok := nameOf(table)
	wanted, named := s.config.wants(name)
	return ok && wanted && !named
}

// charsets makes the character sets known that the rows behind the place are in.
func (s *Source) charsets(ctx context.Context, side *session, was state) error {
	for _, k := range was.tables {
		if err := s.collations.need(ctx, side, k.Columns); err != nil {
			return err
		}
	}
	return nil
}

func (s *Source) withReset(err error) error {
	var r *pipeline.Refusal
	if errors.As(err, &r) {
		r.Mend = s.config.ResetCommand
	}
	return err
}

// assemble sets up the assembler at the place to go on from. The tables of a place are
// those of its state, as they were there; the server's are those of now.
func (s *Source) assemble(from pipeline.Resume, was state) error {
	s.tables = newRelations(s.collations, !s.facts.is("lower_case_table_names", "0"))
	s.a = &assembler{config: &s.config, tables: s.tables, copies: s.copies, fresh: s.queue.Get, shape: s.describes, said: s.says, byPosition: s.facts.byPosition}
	s.a.emit = func(b *handover.Batch) error { return s.queue.Put(s.life.Ended, b) }
	if !was.Copied {
		return s.assembleFresh()
	}
	at, err := parsePlace(from.At.Native)
	if err != nil {
		return err
	}
	for _, k := range was.tables {
		if wanted, _ := s.config.wants(k.TableName); !wanted {
			continue // left out by the configuration since it was copied
		}
		if err := s.relate(k); err != nil {
			return err
		}
	}
	s.stopAgain(was.Stopped)
	s.copies.restore(was.Copies)
	for _, t := range was.Altered {
		if rel := s.tables.find(t.TableName); rel != nil {
			rel.touched = t.Touched
			s.isAltered(rel)
		}
	}
	for _, t := range s.facts.chosen {
		if rel := s.tables.find(t.TableName); rel == nil { // it came since then, to the server or to the configuration
			s.copies.add(t.TableName)
		} else if rel.shape != nil && !s.is(t, rel.shape) {
			s.copies.look(rel)
		}
	}
	s.a.at, s.a.set, s.a.leaveOut, s.a.state = from.At, at, from.Rows, was
	s.a.keepTables()
	return nil
}

// stopAgain stops the tables that had stopped at the place.
func (s *Source) stopAgain(had []stop) {
	for _, t := range had {
		s.doomed = append(s.doomed, t.refusal())
	}
	for _, rel := range s.tables.all() {
		for _, r := range s.doomed {
			if rel.String() == r.Where {
				rel.stopped = r
			}
		}
	}
}

func (s *Source) assembleFresh() error {
	for _, t := range s.facts.chosen {
		key, _ := t.keyed(s.config.keyOf(t.TableName)) // it was chosen, so it has one
		if err := s.relate(keptTable{TableName: t.TableName, Key: key, Columns: t.columns}); err != nil {
			return err
		}
		if t.bytes > s.config.ChunkAbove && s.config.chunkable(t, key) == nil && !s.config.NoSnapshot {
			s.copies.start(s.tables.find(t.TableName), keptCopy{Begun: true, Where: s.config.where(t.TableName).Fingerprint()})
		}
	}
	s.a.state = state{MariaDB: s.facts.mariaDB, Server: s.facts.server()}
	s.a.keepTables()
	return nil
}

// relate makes a table captured, in a shape.
func (s *Source) relate(k keptTable) error {
	sh, err := s.newShape(k.TableName, k.columnsOf(), k.Key)
	if err != nil {
		return err
	}
	s.tables.add(&relation{TableName: k.TableName, shape: sh, gone: k.Gone, kept: len(s.config.keyOf(k.TableName)) > 0})
	return nil
}

// Next gives the next batch. See pipeline.Source.
func (s *Source) Next(ctx context.Context) (pipeline.Batch, error) {
	return s.queue.Next(ctx, s.life.Ended)
}

// Ack does nothing: a server keeps its log for as long as it is set to, whoever reads.
func (s *Source) Ack(_ context.Context, durable pipeline.Position) error {
	if durable.IsZero() {
		return nil
	}
	_, err := parsePlace(durable.Native)
	return err
}

// Reached compares places. See pipeline.Source.
func (s *Source) Reached(have, want string) (bool, error) { return reached(have, want) }

// Hasten says whether somebody waits for an idle source to move on; if so it does so
// every 250 ms.
func (s *Source) Hasten(waiting bool) { s.hasty.Store(waiting) }

// Separate says whether each batch is to end behind its transaction. It may be called
// from any goroutine.
func (s *Source) Separate(each bool) { s.separate.Store(each) }

// Close ends the connections and waits for the goroutines.
func (s *Source) Close() error {
	s.life.Close(nil)
	s.copies.idle.hangUp()
	s.setSide(nil)
	return nil
}

func (s *Source) setSide(side *session) {
	s.sideMu.Lock()
	defer s.sideMu.Unlock()
	if s.side != nil {
		s.side.close()
	}
	s.side = side
}

// ask runs f on the side connection, with a new one if the old one is gone. Any
// goroutine may call it.
func (s *Source) ask(f func(ctx context.Context, side *session) error) error {
	s.sideMu.Lock()
	defer s.sideMu.Unlock()
	if s.side != nil {
		err := f(s.life.Ended, s.side)
		var r *pipeline.Refusal
		if err == nil || errors.As(err, &r) || s.life.Ended.Err() != nil {
			return err
		}
		s.side.close()
		s.side = nil
	}
	side, err := s.config.dial(s.life.Ended)
	if err != nil {
		return err
	}
	s.side = side
	return f(s.life.Ended, side)
}
