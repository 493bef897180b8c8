package mysql

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-mysql-org/go-mysql/mysql"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/handover"
)

// copies are the tables that are copied while the stream goes on: large ones, those
// that came later, and those that somebody asked for. A copy goes through the key in
// chunks. Tables are copied beside each other, and readers that are free then read several
// chunks of a table at a time: see span.
//
//	asked for ─► described ─► begun ─► chunk ─► chunk ─► … ─► done
//	                 ▲                   │
//	                 └── its definition changed: from the beginning
//
// Owned by the owner of the stream, save what has another owner by its comment.
type copies struct {
	source *Source
	tables []*copying
	looks  []*copying // tables that were altered: see look
	ended  []keptCopy // the last one of each table
	flying int        // chunks that are read now

	here  chan report  // of the readers; has room for all that they tell
	idle  idleSessions // of the readers
	bell  bell         // rung by whoever has something for the owner
	pace  chunkPace    // of all readers
	asked atomic.Bool  // requests may hold something
	mu    sync.Mutex   // of requests
	queue []pipeline.CopyRequest
}

// A copying is the copy of one table.
type copying struct {
	keptCopy
	rel      *relation
	spans    []*span // that are still to be given, in the order of the key; never empty
	limit    int     // rows of the next chunk
	typical  int     // bytes of the chunk before; 0: there was none
	due      time.Time
	tries    int    // failures in a row
	renewals int    // how often it began again by itself
	waits    string // for what it rests, as told; empty: for nothing
	isLook   bool
}

// A keptCopy is what a state holds of a copy.
type keptCopy struct {
	TableName
	ID    string     `json:"id,omitempty"`    // of the request
	Begun bool       `json:"begun,omitempty"` // it was announced; its rows come
	Done  bool       `json:"done,omitempty"`
	Ahead []keyRange `json:"ahead,omitempty"` // rows still to be given, up to a span per reader and as many again; empty: all
	Rows  int64      `json:"rows,omitempty"`
	Where string     `json:"where,omitempty"` // fingerprint of the condition that chooses its rows
	Empty bool       `json:"empty,omitempty"` // no rows are read: it counts from its beginning on

	Silent bool `json:"silent,omitempty"` // changes of the table are passed over until it begins
}

func newCopies(s *Source) *copies {
	n := s.config.SnapshotWorkers
	return &copies{source: s, here: make(chan report, reportsPerChunk*n), pace: newChunkPace(s.config.MaxRate)}
}

// kept gives the copies for a state.
func (c *copies) kept() []keptCopy {
	out := slices.Clone(c.ended)
	for _, t := range c.tables {
		t.Silent = t.rel.silent
		k := t.keptCopy
		k.Ahead = t.ahead()
		if c.source.config.hides(t.TableName) {
			k.Ahead, k.Rows = nil, 0 // a restart reads its rows again (X12)
		}
		out = append(out, k)
	}
	return out
}

// add begins to capture a table whose rows are not known.
func (c *copies) add(name TableName) {
	rel := c.source.tables.find(name)
	if rel == nil {
		rel = &relation{TableName: name}
		c.source.tables.add(rel)
	}
	if rel.copying != nil {
		return
	}
	rel.silent = true
	c.start(rel, keptCopy{Empty: c.source.config.NoSnapshot})
}

// start begins to work on the copy of a table, or begins it again.
func (c *copies) start(rel *relation, k keptCopy) *copying {
	c.forget(rel)
	k.TableName = rel.TableName
	t := &copying{keptCopy: k, rel: rel, limit: c.source.config.ChunkRows, spans: spansOf(k.Ahead)}
	rel.copying = t
	c.tables = append(c.tables, t)
	return t
}

// forget drops the copy of a table, and what is known of an earlier one.
func (c *copies) forget(rel *relation) {
	if t := rel.copying; t != nil {
		c.goesOn(t)
	}
	rel.copying, rel.windows = nil, nil
	c.tables = slices.DeleteFunc(c.tables, func(t *copying) bool { return t.rel == rel })
	c.looks = slices.DeleteFunc(c.looks, func(t *copying) bool { return t.rel == rel })
	c.ended = slices.DeleteFunc(c.ended, func(k keptCopy) bool { return k.TableName == rel.TableName })
}

// restore takes the copies of a state.
func (c *copies) restore(was []keptCopy) {
	for _, k := range was {
		rel := c.source.tables.find(k.TableName)
		wanted, _ := c.source.config.wants(k.TableName)
		switch {
		case !wanted:
			continue
		case k.Done:
			c.ended = append(c.ended, k)
			continue
		case rel == nil:
			rel = &relation{TableName: k.TableName}
			c.source.tables.add(rel)
		}
		isOther := k.Where != c.source.config.where(k.TableName).Fingerprint() // its earlier rows were chosen otherwise
		k.Begun = k.Begun && rel.shape != nil && rel.stopped == nil && !isOther
		if !k.Begun {
			k.Ahead, k.Rows = nil, 0
		}
		c.start(rel, k)
		c.source.stats.copyBegins(rel.String(), c.source.facts.estimate(rel.TableName))
		c.source.stats.copiedRows(rel.String(), int(k.Rows), false)
		rel.silent = k.Silent || rel.shape == nil
	}
}

// interrupted drops the chunks that are on their way: the next connection may be to
// another server.
func (c *copies) interrupted() {
	for _, t := range slices.Concat(c.tables, c.looks) {
		t.dropAll()
	}
}

// step does what can be done between two transactions.
func (c *copies) step() error {
	a := c.source.a
	if len(c.tables)+len(c.looks) == 0 && !c.asked.Load() || a.open || a.leaveOut > 0 || a.catchUp != nil {
		return nil
	}
	if c.asked.Load() {
		c.requests()
	}
	c.collect()
	for _, t := range slices.Concat(c.tables, c.looks) {
		if err := c.advance(t); err != nil {
			return err
		}
	}
	for _, t := range c.tables {
		for t.readsRows() && c.ask(t) { // of readers that no other table wants
		}
	}
	return nil
}

// collect takes what the readers tell.
func (c *copies) collect() {
	for {
		select {
		case r := <-c.here:
			if !r.read {
				c.cut(r.chunk, r.until)
				continue
			}
			c.flying--
			c.pace.came(r.chunk)
			r.chunk.isHere = true
			r.chunk.settle()
		default:
			return
		}
	}
}

// advance takes a copy as far as it goes without waiting, and has a chunk of it read if
// none is.
func (c *copies) advance(t *copying) error {
	for _, s := range slices.Clone(t.spans) {
		if !c.works(t) || !t.holds(s) || !c.isReady(s.chunk) {
			continue
		}
		k := s.chunk
		t.drop(s)
		if err := c.settle(t, s, k); err != nil {
			return err
		}
	}
	if c.works(t) && !t.isRead() {
		c.ask(t)
	}
	return nil
}

// works reports whether a copy, or a look, has not ended.
func (c *copies) works(t *copying) bool {
	return t.rel.copying == t || slices.Contains(c.looks, t)
}

// isReady reports whether it is known what becomes of a chunk.
func (c *copies) isReady(k *chunk) bool {
	if k == nil || !k.isHere {
		return false
	}
	isOpen := k.err == nil && k.paused == "" && k.passes() && !c.source.a.set.contains(k.passed)
	return !isOpen
}

// settle does what follows from a chunk whose window has ended.
func (c *copies) settle(t *copying, s *span, k *chunk) error {
	switch {
	case k.err != nil:
		return c.failed(t, k)
	case k.paused != "":
		c.rest(t, c.source.config.PausePoll, "the copy of "+t.String()+" pauses: "+k.paused)
		return nil
	case !k.passes():
		return c.missed(t, k)
	}
	return c.close(t, s, k)
}

// minChunkRows is how far chunks shrink when the table changes faster than they are read.
const minChunkRows = 64

// missed decides what becomes of a copy whose chunk cannot be merged: it is read again,
// smaller if the table changes too fast, and later otherwise. When that helps not, the copy
// ends.
func (c *copies) missed(t *copying, k *chunk) error {
	smaller := max(minChunkRows, k.limit/2)
	why := "the server that was asked for them lags behind the stream"
	switch {
	case k.full && smaller < k.limit:
		t.limit = min(t.limit, smaller)
		return nil
	case k.full:
		why = "it changes faster than they are read"
	case k.altered:
		why = "it was defined anew while they were read"
	}
	c.again(t, k)
	c.source.config.Log.Warn("a chunk could not be merged; trying again", "table", t.String(), "why", why, "tries", t.tries)
	if t.tries < c.source.config.CopyTries || t.isLook {
		return nil
	}
	return c.giveUp(t, &pipeline.Refusal{Code: CodeCopy, Where: t.rel.String(), What: "its rows cannot be merged with the stream: " + why, Mend: c.source.config.again(t.TableName)})
}

// again lets chunks wait behind one that failed. Those that are read at one time fail once.
func (c *copies) again(t *copying, k *chunk) {
	t.tries = max(t.tries, k.try+1)
	c.pause(t, handover.Backoff(t.tries, c.source.config.BackoffMax))
}

// ask lets the next chunk of a table be read, if a reader is free, and reports whether it is.
func (c *copies) ask(t *copying) bool {
	s, others := t.free()
	if s == nil || c.flying >= c.source.config.SnapshotWorkers || time.Now().Before(t.due) || !c.mayRead(t) || !c.mayPass(t) {
		return false
	}
	k := &chunk{table: t.TableName, keyRange: s.keyRange, limit: t.limit, try: t.tries, from: c.source.a.set.clone(), most: c.source.config.WindowKeys, committed: c.source.a.xa.doubtful()}
	k.begins = !t.Begun && !t.isLook
	if t.readsRows() {
		k.booked = c.pace.book(t.typical, c.source.config.ChunkBytes)
		k.shape, k.chosen = t.rel.shape, c.source.config.chosenRows(t.TableName)
		k.cuts = len(s.Until) == 0 && others == 0 && len(c.tables) < c.source.config.SnapshotWorkers
	}
	s.chunk, t.rel.windows = k, append(t.rel.windows, k)
	c.flying++
	c.source.life.Go(func() {
		k.err = c.read(k)
		c.tell(report{chunk: k, read: true})
	})
	return true
}

// tell tells the owner; there is room for it. A reader calls it.
func (c *copies) tell(r report) {
	c.here <- r
	c.bell.ring()
}

// pause lets the next chunk wait.
func (c *copies) pause(t *copying, wait time.Duration) {
	if due := time.Now().Add(wait); wait > 0 && due.After(t.due) {
		t.due = due
		time.AfterFunc(wait, c.bell.ring)
	}
}

// close ends the window of a chunk: the stream has passed it.
func (c *copies) close(t *copying, s *span, k *chunk) error {
	t.tries = 0
	if !time.Now().Before(t.due) { // another chunk of it may have found that it is to rest
		c.goesOn(t)
	}
	switch {
	case t.isLook:
		return c.looked(t, k)
	case !t.Begun:
		return c.begin(t, k)
	case t.Empty:
		return c.done(t)
	case k.batch == nil && k.shape != t.rel.shape: // another chunk has found that before
		return nil
	case k.batch == nil:
		return c.reshape(t, k)
	}
	n := k.rest()
	t.rel.described() // the chunk has seen what it is
	last := t.given(s, k)
	t.limit = k.next
	t.Rows += int64(n)
	t.typical = k.bytes
	c.source.stats.copiedRows(t.String(), n, false)
	if n > 0 || !last {
		c.source.a.keepTables()
	}
	if n > 0 {
		if err := c.source.a.chunk(k.batch); err != nil {
			return err
		}
	}
	if !last {
		return nil
	}
	return c.done(t)
}

// begin announces that a copy begins, with the definition that its table has now.
func (c *copies) begin(t *copying, k *chunk) error {
	s := c.source
	if why := s.capturable(k.info); why != nil {
		return c.giveUp(t, why)
	}
	key, _ := k.info.keyed(s.config.keyOf(t.TableName))
	if why := s.config.chunkable(k.info, key); why != nil && !t.Empty {
		return c.giveUp(t, why)
	}
	if err := s.ask(func(ctx context.Context, side *session) error { return s.collations.need(ctx, side, k.info.columns) }); err != nil {
		return err
	}
	rel := t.rel
	if rel.shape == nil || !s.is(k.info, rel.shape) {
		sh, err := s.newShape(rel.TableName, k.info.columns, key)
		var why *pipeline.Refusal
		if errors.As(err, &why) {
			return c.giveUp(t, why)
		}
		rel.shape = sh
	}
	rel.described()
	rel.kept, rel.stopped, rel.silent, rel.gone, rel.current = len(s.config.keyOf(t.TableName)) > 0, nil, false, nil, false
	t.Begun, t.spans, t.Rows, t.Where = true, spansOf(nil), 0, s.config.where(t.TableName).Fingerprint()
	s.stats.copyBegins(t.String(), s.facts.estimate(t.TableName))
	s.config.Log.Info("copy of a table begins", "table", t.String(), "request", t.ID)
	s.a.mapped = nil // what it was mapped to counts no more
	s.a.keepTables()
	return s.a.announce(func(b *handover.Batch) {
		b.Tables = append(b.Tables, rel.shape.table)
		b.Copies = append(b.Copies, pipeline.TableCopy{Table: rel.shape.table, ID: t.ID})
	})
}

// done announces that a copy is complete.
func (c *copies) done(t *copying) error {
	s := c.source
	c.forget(t.rel)
	if t.rel.stale {
		c.look(t.rel)
	}
	t.Done = true
	c.ended = append(c.ended, t.keptCopy)
	s.stats.copiedRows(t.String(), 0, true)
	s.config.Log.Info("copy of a table is done", "table", t.String(), "request", t.ID, "rows", t.Rows)
	s.a.keepTables()
	return s.a.announce(func(b *handover.Batch) {
		b.Copies = append(b.Copies, pipeline.TableCopy{Table: t.rel.shape.table, ID: t.ID, Done: true})
	})
}

// reshape takes a definition that a chunk found before the log described it.
func (c *copies) reshape(t *copying, k *chunk) error {
	m := &tableMap{database: t.Database, table: t.Table, columns: k.info.columns, full: true}
	key, _ := k.info.keyed(c.source.config.keyOf(t.TableName))
	for _, name := range key {
		m.key = append(m.key, slices.IndexFunc(m.columns, isNamed(name)))
	}
	sh, err := c.source.altered(t.rel, m)
	if err != nil {
		return c.source.a.fault(t.rel, err, part{})
	}
	c.source.a.take(t.rel, sh)
	return nil
}

// renew begins a copy again, by itself, if a table is being copied whose rows so far do
// not follow any more.
func (c *copies) renew(rel *relation, why *pipeline.Refusal) bool {
	t := rel.copying
	if t == nil || !t.Begun || t.renewals >= c.source.config.CopyTries {
		return false
	}
	switch why.Code {
	case CodeTableChanged, CodeRowMetadata, CodeStatement, CodePartialJSON:
	default:
		return false // it would happen again
	}
	c.source.config.Log.Warn("copy of a table begins again", "table", rel.String(), "why", why.What)
	t.dropAll()
	t.renewals++
	t.Begun, t.spans, t.Rows, rel.silent = false, spansOf(nil), 0, true
	return true
}

// failed decides what an error means for a copy: it is tried again, unless it is of a
// kind that lasts. A table that is not there may be made in a moment: between DROP and
// CREATE, or where the snapshot is older than it.
func (c *copies) failed(t *copying, k *chunk) error {
	err := k.err
	var r *pipeline.Refusal
	if c.source.life.Ended.Err() != nil {
		return nil
	}
	if t.isLook && !isPassing(err) {
		c.forget(t.rel) // what became of it the log tells
		return nil
	}
	if errors.As(err, &r) && (r.Code == CodeWhere || r.Where == t.rel.String() && r.Code != CodeTableMissing) {
		return c.giveUp(t, r)
	}
	c.again(t, k)
	if isPassing(err) {
		c.source.config.Log.Warn("a chunk could not be read; trying again", "table", t.String(), "error", err)
		return nil
	}
	if t.tries < c.source.config.CopyTries {
		return nil
	}
	if pipeline.CodeOf(err) == CodeTableMissing || serverCode(err) == mysql.ER_NO_SUCH_TABLE {
		return c.giveUp(t, missing(t.TableName))
	}
	return c.giveUp(t, &pipeline.Refusal{Code: CodeCopy, Where: t.rel.String(), What: "its rows cannot be read", Err: err, Mend: c.source.config.again(t.TableName, "GRANT SELECT ON "+t.sql()+" TO the user\nor correct what the server says")})
}

func nothing(*handover.Batch) {}

// giveUp ends a copy, and its table with it.
func (c *copies) giveUp(t *copying, why *pipeline.Refusal) error {
	c.forget(t.rel)
	t.rel.stopped = nil // for another reason, now
	if t.rel.shape == nil {
		c.source.leaveOut(why)
		c.source.a.keepTables()
	} else if err := c.source.a.stop(t.rel, why); err != nil {
		return err
	}
	return c.source.a.announce(nothing) // no transaction may follow for long
}
