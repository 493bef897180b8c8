package capture

import (
	"context"
	"fmt"
	"time"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/control"
	"github.com/evertdb/evert/pipeline/log"
	"github.com/evertdb/evert/schema"
	"github.com/evertdb/evert/schema/avro"
	"github.com/evertdb/evert/schema/registry"
)

// Config says where a source's changes go. All of it is read only.
type Config struct {
	Deployment  string
	Source      string
	Connector   string // the kind of source, as Debezium names it: postgresql, mysql
	Prefix      string // of topic names
	Version     string // Evert's own, for the records' source block
	Log         log.Log
	Registry    registry.Registry
	Envelope    avro.Envelope
	Handling    avro.Handling
	Canonical   bool                                                        // partition by key bytes without the schema id
	Topic       func(t *schema.Table) Topic                                 // per table; nil: all defaults
	Reread      func(context.Context, *pipeline.Change) (schema.Row, error) // the row of this change, as it is now; may be nil
	Holding     func(ctx context.Context, topic string) error               // who else holds the stable end of a topic, as a refusal that passes; nil: nobody
	Copies      bool                                                        // the source is a Copier: mends name the copy of one table
	Events      Events
	Now         func() time.Time // time.Now if nil
	RecordBytes int              // the largest record; a topic may take less; DefaultRecordBytes if 0
	ValueBytes  int              // the largest value of a column; DefaultRecordBytes if 0
	VerifyEvery time.Duration    // how often the topics are compared with what they were at start; 1 min if 0
	VoidBudget  time.Duration    // how long one commit may be held up by owed tombstones; 1 s if 0
}

// A Topic is what can be said about the topic of one table.
type Topic struct {
	Name       string // empty: <prefix>.<schema>.<table>
	Partitions int    // 1 if 0
	Settings   map[string]string
	MaxBytes   int    // the largest record that the topic has to take; 0 is the log's default
	OnOversize Policy // what happens to a row that is too large
	StopSource bool   // what would stop the table alone is an error of Write instead
	KeepRows   bool   // a TRUNCATE stops the table, and its rows stay
	Append     bool   // every change stays as a record of its own, and is deleted by age

	// Retention is how long the records of an append-only topic stay; 0 is the log's
	// default of 7 days, negative is for ever.
	Retention time.Duration
}

// Events are told what happens to single values and tables; any may be nil.
type Events struct {
	Filled func(t *schema.Table, from string, n int) // n unknown values were filled from: log, source
	Voided func(topic string, n int)                 // n tombstones for void rows were written
	Part   func(at pipeline.Resume, part int)        // a part of a large transaction was committed

	Oversize func(o Oversize) // a row was too large, and its table's policy was followed
	// Stopped: a table has stopped, alone. One that had is told of at Open, when
	// only its topic is known, and again with the table when that is announced.
	Stopped func(topic string, t *schema.Table, why *pipeline.Refusal)
	// Table tells what the frontier says of a table: when it is announced, and behind
	// each commit that changed its state. t is nil if only its topic is known.
	Table func(topic string, t *schema.Table, state log.TableState)
}

// A Sink writes the changes of one source into the log. See pipeline.Sink for
// its contract.
type Sink struct {
	Config
	writer log.Writer
	index  log.Index // the writer, if it can find the newest record of a key; else nil

	incarnation uint64
	committed   log.Frontier // the newest frontier record; Number is that of the next if fresh
	fresh       bool         // there is no frontier record yet
	next        log.Frontier // what the next frontier record will say

	tables   map[*schema.Table]*table
	topics   map[string]*table // by topic: the newest version of each
	owned    map[string]bool   // topics that are recorded as ours
	sides    map[string]int    // side topics that are there, and their largest record
	last     *table            // of the change before, most often also of this one
	codecs   map[int]*avro.Codec
	specs    []log.TopicSpec               // of the topics, as they were at start
	verified time.Time                     // when they were last compared
	debts    []*debt                       // topics that owe tombstones
	behind   uint64                        // rows of the open commit whose place is behind all of their transaction
	beyond   log.Offsets                   // ends of stopped tables: rows there that no cut has
	changed  map[string]bool               // tables whose state is not committed yet
	running  map[string]pipeline.TableCopy // by table of the source: copies of this run whose rows may name tables
	joined   map[string]string             // topics that a row was the first of in a copy, and the copy's table of the source
	routes   []pipeline.Route              // of the present batch
	awaited  map[string]map[string]bool    // by topic: keys of rows that a copy left out, until they change again
	left     *control.Reset                // the last reset of the source; nil until it was asked for
	part     int                           // parts of the open source transaction committed so far
	read     uint64                        // rows of the snapshot so far
	at       time.Time                     // when the present batch came: the clock is not asked for each row
	records  []log.Record
	arena    []byte
	scratch  scratch
}

// New makes a sink; nothing happens before Open.
func New(c Config) *Sink {
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Topic == nil {
		c.Topic = func(*schema.Table) Topic { return Topic{} }
	}
	if c.Holding == nil {
		c.Holding = func(context.Context, string) error { return nil }
	}
	setDefault(&c.VoidBudget, time.Second)
	setDefault(&c.VerifyEvery, defaultVerifyEvery)
	setDefault(&c.RecordBytes, DefaultRecordBytes)
	setDefault(&c.ValueBytes, DefaultRecordBytes)
	plant(&c) // wrong orders of commit, in test builds
	return &Sink{Config: c, tables: map[*schema.Table]*table{}, topics: map[string]*table{}, owned: map[string]bool{}, sides: map[string]int{}, beyond: log.Offsets{}, changed: map[string]bool{}, running: map[string]pipeline.TableCopy{}, joined: map[string]string{}, awaited: map[string]map[string]bool{}, codecs: map[int]*avro.Codec{}}
}

func setDefault[T comparable](v *T, to T) {
	var zero T
	if *v == zero {
		*v = to
	}
}

// Open fences older writers of this source, settles what they left, and reads
// from the frontier where the log's effects end.
func (s *Sink) Open(ctx context.Context) (pipeline.Resume, error) {
	w, err := s.Log.Writer(ctx, WriterID(s.Source))
	if err != nil {
		return pipeline.Resume{}, fmt.Errorf("take the writer of source %q: %w", s.Source, err)
	}
	s.writer = w
	s.index, _ = w.(log.Index)
	from, err := s.recover(ctx)
	if err != nil || !from.Whole() {
		return from, err
	}
	return from, s.payOwed(ctx, from) // an idle source may not commit for long
}

// Write encodes a batch and appends its records to the open commit.
func (s *Sink) Write(ctx context.Context, b pipeline.Batch) error {
	s.recycle()
	s.at = s.Now()
	if err := s.giveUp(b.Stopped); err != nil {
		return err
	}
	s.routes = b.Routes
	if err := s.announce(ctx, b.Tables); err != nil {
		return err
	}
	if err := s.copies(ctx, b.Copies); err != nil {
		return err
	}
	for i := range b.Changes {
		c := &b.Changes[i]
		if err := s.orHalt(c.Table, s.change(ctx, c)); err != nil {
			return err
		}
	}
	if !b.At.IsZero() {
		s.next.Time = b.At
	}
	return s.flushRecords(ctx)
}

// Commit writes the frontier record, or a resume record inside a transaction or
// a snapshot, and commits it with the rows (I1, I3).
func (s *Sink) Commit(ctx context.Context, at pipeline.Resume) error {
	s.at = s.Now()
	if err := s.verify(ctx); err != nil {
		return err
	}
	if !at.Whole() {
		return s.commitPart(ctx, at)
	}
	if err := s.commitWhole(ctx, at); err != nil {
		return err
	}
	return s.payOwed(ctx, at)
}

// commitWhole writes a frontier record: everything up to at is here.
func (s *Sink) commitWhole(ctx context.Context, at pipeline.Resume) error {
	if err := s.reach(ctx, at); err != nil {
		return err
	}
	since := &s.committed
	if s.fresh {
		since = nil
	}
	if err := s.commit(ctx, s.next.Key(), s.next.AppendRecord(nil, since)); err != nil {
		return err
	}
	s.committed, s.fresh, s.part = s.next.Clone(), false, 0
	s.tellTables()
	return nil
}

// commitPart writes a resume record: a place to go on from, and no cut.
func (s *Sink) commitPart(ctx context.Context, at pipeline.Resume) error {
	if err := s.reach(ctx, at); err != nil {
		return err
	}
	if err := s.commit(ctx, []byte(log.ResumeKey), s.next.AppendPart(nil)); err != nil {
		return err
	}
	if at.Rows == 0 {
		return nil // of a snapshot
	}
	s.part++
	if s.Events.Part != nil {
		s.Events.Part(at, s.part)
	}
	return nil
}

// reach moves what the next record will say to at, and to the offsets that the
// open commit touched.
func (s *Sink) reach(ctx context.Context, at pipeline.Resume) error {
	touched, err := s.writer.Flush(ctx)
	if err != nil {
		return fmt.Errorf("flush: %w", err)
	}
	for tp, next := range touched {
		if s.isStopped(tp.Topic) {
			s.beyond[tp] = next
		} else {
			s.next.Offsets[tp] = next
		}
	}
	s.next.Resume = at
	s.next.Number = s.number()
	return nil
}

// number is that of the frontier record that comes next.
func (s *Sink) number() uint64 {
	if s.fresh {
		return s.committed.Number
	}
	return s.committed.Number + 1
}

// commit appends a record to the frontier topic and makes it visible together
// with the rows, in one step (I1).
func (s *Sink) commit(ctx context.Context, key, value []byte) error {
	tp := log.TopicPartition{Topic: s.frontierTopic()}
	if err := s.writer.Append(ctx, log.Record{TopicPartition: tp, Key: key, Value: value}); err != nil {
		return fmt.Errorf("append to %s: %w", tp, err)
	}
	s.behind = 0
	return s.writer.Commit(ctx, nil)
}

func (s *Sink) frontierTopic() string { return log.FrontierTopic(s.Deployment, s.Source) }

// flushRecords appends what was encoded since it was last called.
func (s *Sink) flushRecords(ctx context.Context) error {
	if len(s.records) == 0 {
		return nil
	}
	if err := s.writer.Append(ctx, s.records...); err != nil { // K03: also of a limit that was lowered; the next sink knows it
		return fmt.Errorf("append: %w", err)
	}
	clear(s.records) // a value may be as large as a record
	s.records = s.records[:0]
	return nil
}

// arenaKept is the most memory of encoded rows that is held from batch to batch,
// in bytes.
const arenaKept = 16 << 20

// recycle takes back the memory of records that were appended. Keys and values
// of one change may be needed past flushRecords, never past the batch.
func (s *Sink) recycle() {
	if cap(s.arena) > arenaKept {
		s.arena = nil // of a row that seldom comes
	}
	s.arena, s.scratch.packed = s.arena[:0], s.scratch.packed[:0]
	s.scratch.stored.Reset()
	clear(s.scratch.laid)
	clear(s.scratch.after) // what it refers to may be as large as a record
}

// Close drops what is not committed and frees the writer.
func (s *Sink) Close() error {
	if s.writer == nil {
		return nil
	}
	w := s.writer
	s.writer = nil
	return w.Close()
}

// WriterID is the id of the writer that a source's rows go through.
func WriterID(source string) string { return "capture." + source }
