package postgres

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/handover"
	"github.com/evertdb/evert/sources/postgres/pgsql"
)

// A source is drained before its server is upgraded to another major version, which
// drops its slot or leaves it where nothing vouches for it (P41):
//
//	nobody may write (fence) ─► place: the end of the log ─► everything before it is read, nothing with rows behind it
//	─► that is committed downstream, as an end whose state says drained ─► the source ends
//
// It does not go on by itself on this server, and goes on on the next one (cross.go).
//
// Who says READ WRITE may write between that and the shutdown of the server, and nobody
// reads it. A drain until the shutdown leaves no room for that: the server lets its
// sessions end, sends what they have committed, and ends the stream in order only once it was
// told that all of it is durable.
//
//	… rows ── fast shutdown: no sessions ── the rest ── all of it confirmed ── COMMAND COMPLETE

// drained is what a drained source needs to go on. It lies in Resume.State.
type drained struct {
	At      time.Time         `json:"at"`
	Version int               `json:"version"` // server_version_num
	Fenced  bool              `json:"fenced"`  // the database was read-only; else somebody vouched for it
	Tables  map[string]uint32 `json:"tables"`  // what each captured table is, by its name as SQL
}

// A Drained says where a source was drained, and what is to be done now.
type Drained struct {
	Position string   // native
	Fenced   bool     // the database is read-only
	Next     []string // steps, in order
}

// DrainOptions say how a source is drained.
type DrainOptions struct {
	WritersStopped bool // somebody vouches that nobody writes before the source goes on
	UntilShutdown  bool // the drain ends with the server, and reads what is written until then
}

// A drain is under way. The owner goroutine ends it by one of its channels.
type drain struct {
	place  receivedLSN // to read to
	until  bool        // there is no place: it ends with the server
	record drained
	failed chan error    // of size 1
	stored chan struct{} // closed when end is committed downstream
	once   sync.Once     // of closing it
	owned  atomic.Bool   // its end is handed over, or it was given up: what came first
	end    pipeline.Position
}

// Drain reads everything that is committed, ends the source at a place behind which
// nothing is left to read, and returns when that is committed downstream. It is
// refused, and the source goes on, while somebody may write; WritersStopped vouches that
// nobody who may does. With UntilShutdown it returns when the server was shut down in order,
// and is refused if its end comes otherwise. A ctx that ends gives the drain up, unless
// its end was handed over. It may be called by any goroutine, after Open.
func (s *Source) Drain(ctx context.Context, o DrainOptions) (Drained, error) {
	if !s.opened.Load() {
		return Drained{}, s.notDrained("it does not run", "evert status   # why, and what mends it")
	}
	d, f, err := s.prepareDrain(ctx, o)
	if err != nil {
		return Drained{}, err
	}
	if !s.draining.CompareAndSwap(nil, d) {
		return Drained{}, s.notDrained("it is being drained already", "wait for that")
	}
	if st := s.current.Load(); st != nil {
		st.wakeUp()
	}
	select {
	case <-d.stored:
		s.awaitEnd(ctx)
		return Drained{Position: d.end.Native, Fenced: d.record.Fenced, Next: s.nextSteps(d, f)}, nil
	case err = <-d.failed:
	case <-s.life.Ended.Done():
		err = s.life.Why()
	case <-ctx.Done():
		err = context.Cause(ctx)
	}
	if d.owned.CompareAndSwap(false, true) {
		s.draining.CompareAndSwap(d, nil)
	}
	return Drained{}, err
}

// drains reports whether the source is to be drained at a place, so that it is urgent to be
// there.
func (s *Source) drains() bool {
	d := s.draining.Load()
	return d != nil && !d.until
}

// awaitEnd waits until the server knows how far a drained source has read.
func (s *Source) awaitEnd(ctx context.Context) {
	select {
	case <-s.life.Ended.Done():
	case <-ctx.Done():
	}
}

func (s *Source) notDrained(what, mend string) error {
	return &pipeline.Refusal{Code: CodeNotDrained, Where: "source " + s.config.Name, What: what, Mend: mend}
}

// prepareDrain looks whether the source can be drained, and gives the place to read to:
// the end of the log once nobody writes. A transaction that writes nothing lets the
// server flush what lies before it.
func (s *Source) prepareDrain(ctx context.Context, o DrainOptions) (*drain, *fence, error) {
	seen, again := s.a.seen.Load(), s.config.Name
	if o.UntilShutdown {
		again += " --until-shutdown"
	}
	if !seen.Copied || slices.ContainsFunc(seen.Copies, func(t tableCopy) bool { return !t.Done }) {
		return nil, nil, s.notDrained("tables of it are being copied", "evert status   # how far they are\nevert drain "+again)
	}
	f, err := s.lookAtFence(ctx, s.fenceBefore())
	if err != nil {
		return nil, nil, err
	}
	s.noteFence(f)
	switch {
	case o.UntilShutdown && o.WritersStopped:
	case o.UntilShutdown:
		err = f.shut(again)
	case o.WritersStopped:
		err = f.writing(again)
	default:
		err = f.gap(again)
	}
	if err != nil {
		return nil, nil, err
	}
	tables, err := s.describeForDrain(ctx)
	if err != nil {
		return nil, nil, err
	}
	if _, err := s.side.query(ctx, "SELECT txid_current()"); err != nil {
		return nil, nil, fmt.Errorf("let the server flush its log: %w", err)
	}
	rs, err := s.side.query(ctx, "SELECT pg_current_wal_insert_lsn()")
	if err != nil {
		return nil, nil, err
	}
	place, err := parseLSN(rs.Text(0, 0))
	return &drain{
		place: receivedLSN(beforeHeader(place)), until: o.UntilShutdown, failed: make(chan error, 1), stored: make(chan struct{}),
		record: drained{At: s.config.Now(), Version: s.version, Fenced: !o.WritersStopped, Tables: tables},
	}, f, err
}

// fenceBefore is what was seen of the fence before; zero: nothing.
func (s *Source) fenceBefore() fenceSeen {
	if seen := s.fenced.Load(); seen != nil {
		return *seen
	}
	return fenceSeen{}
}

// noteFence remembers when the fence was first seen as it is: sessions that begin later
// cannot write.
func (s *Source) noteFence(f *fence) {
	switch before := s.fenced.Load(); {
	case !f.on || f.roles != "":
		s.fenced.Store(nil)
	case before == nil || before.settings != f.seen.settings:
		s.fenced.CompareAndSwap(before, &f.seen)
	}
}

// describeForDrain gives what each captured table is, so that the next server can be
// compared with this one.
func (s *Source) describeForDrain(ctx context.Context) (map[string]uint32, error) {
	keys := *s.watched.Load()
	all, err := loadTables(ctx, s.side, false)
	if err != nil {
		return nil, err
	}
	all = slices.DeleteFunc(all, func(t *tableInfo) bool { return keys[t.oid] == nil })
	if err := describe(ctx, s.side, all); err != nil {
		return nil, err
	}
	if err := markPublished(ctx, s.side, s.version, s.config.Publication, all); err != nil {
		return nil, err
	}
	out := map[string]uint32{}
	for _, t := range all {
		out[t.SQL()] = t.likeness(keys[t.oid])
	}
	return out, nil
}

// likeness hashes what a table is to its readers, whatever its numbers are: columns in
// order, key, and what the publication sends of it.
func (t *tableInfo) likeness(key []string) uint32 {
	words := []string{t.kind, strings.Join(key, "\x01"), t.filter, strings.Join(t.attnames, "\x01")}
	for _, c := range t.columns {
		words = append(words, c.name, c.typeName)
	}
	return sum(words...)
}

// drainStep ends the source if it is to be drained and is there. It is called between
// two reads.
func (st *stream) drainStep() error {
	d, a := st.source.draining.Load(), st.a
	switch {
	case d == nil || d.until:
		return nil
	case a.rowsTo > d.place:
		st.source.draining.CompareAndSwap(d, nil)
		d.failed <- st.source.notDrained(fmt.Sprintf("rows still come: a transaction that changed a captured table was committed before %s, behind the place %s at which nobody wrote", lsn(a.rowsTo), lsn(d.place)),
			"stop those who write\nevert drain "+st.source.config.Name)
		return nil
	case max(a.idleTo, a.atLSN) < d.place || !a.quiet() || st.source.copying.busy.Load():
		return nil
	case !d.owned.CompareAndSwap(false, true):
		return nil // it was given up
	}
	err := st.source.endDrained(d)
	if pipeline.CodeOf(err) == CodeDrained {
		st.leave()
	}
	return err
}

// shutDown is what a stream does when the server, which shuts down, has sent everything and
// was told that it is durable.
func (st *stream) shutDown() error {
	s := st.source
	d := s.draining.Load()
	if d == nil || !d.until || !st.a.quiet() || !d.owned.CompareAndSwap(false, true) {
		return errors.New("the server shuts down")
	}
	d.record.At = s.config.Now()
	st.a.emit = func(b *handover.Batch) error { return s.queue.Put(s.life.Ended, b) } // there is nobody to answer any more
	return s.endDrained(d)
}

// cutOff ends a drain that was to last until the shutdown, of which the server has not said
// that everything was sent.
func (s *Source) cutOff(err error) {
	d := s.draining.Load()
	if d == nil || !d.until || s.life.Ended.Err() != nil || !d.owned.CompareAndSwap(false, true) {
		return
	}
	s.draining.CompareAndSwap(d, nil)
	d.failed <- s.notDrained(fmt.Sprintf("the connection ended, and the server had not said that everything was read (%v): it was ended by force, or it runs", pgsql.WithoutValues(err)),
		"start the server, if it does not run: pg_ctl start\nevert drain "+s.config.Name+" --until-shutdown\nand then: pg_ctl stop -m fast")
}

// leave tells the server what is durable and ends the stream in order, so that the
// server has taken that: pg_upgrade from version 17 on asks whether the slot has caught
// up. A connection that fails leaves the slot where it was.
func (st *stream) leave() {
	err := st.tell(st.confirmed(), time.Now(), false)
	if err == nil {
		_, err = st.net.Write([]byte{'c', 0, 0, 0, 4}) // CopyDone
	}
	end := time.Now().Add(connectTimeout)
	for err == nil && st.source.life.Ended.Err() == nil && time.Now().Before(end) {
		var kind byte
		_ = st.net.SetReadDeadline(end)
		if kind, _, err = st.in.next(); kind == 'c' {
			return
		}
		if errors.Is(err, os.ErrDeadlineExceeded) {
			err = nil // or woken
		}
	}
	st.source.config.Log.Warn("the server was not told how far a drained source has read", "slot", st.source.config.Slot, "error", err)
}

// endDrained hands over the end of a drained source. Its Seq is one of its own, so that
// its commit can be told from that of an idle place.
func (s *Source) endDrained(d *drain) error {
	a := s.a
	a.atLSN, a.last = max(a.atLSN, a.idleTo), a.read
	a.at = pipeline.Position{Seq: a.at.Seq + 1, Native: lsn(a.atLSN).String()}
	d.end = a.at // before seen says so, for ackDrained
	was := a.state
	was.Drained = &d.record
	a.keep(was)
	a.endWhole(a.idleTime)
	if err := a.flush(); err != nil {
		return err
	}
	return s.awaitDrained()
}

// awaitDrained ends a source whose end was handed over, once that is committed.
func (s *Source) awaitDrained() error {
	select {
	case <-s.draining.Load().stored:
		return s.drainedRefusal(*s.a.state.Drained, s.a.at.Native)
	case <-s.life.Ended.Done():
		return s.life.Why()
	}
}

// ackDrained notes that the end of a drained source is committed.
func (s *Source) ackDrained(durable pipeline.Position) {
	if d := s.draining.Load(); d != nil && s.a.seen.Load().Drained != nil && durable == d.end {
		d.once.Do(func() { close(d.stored) })
	}
}

// drainedRefusal says that a source has ended, and how it goes on.
func (s *Source) drainedRefusal(d drained, at string) error {
	return &pipeline.Refusal{
		Code: CodeDrained, Where: "source " + s.config.Name,
		What: fmt.Sprintf("it was drained at %s, at %s of Postgres %d, for an upgrade of the server, and goes on by itself on the new one", d.At.UTC().Format(time.RFC3339), at, d.Version/10000),
		Mend: "url: that of the new server\nor, to go on on this one: evert drain " + s.config.Name + " --cancel",
	}
}

// nextSteps says what is to be done now, in order.
func (s *Source) nextSteps(d *drain, f *fence) []string {
	upgrade := "stop the server cleanly, and upgrade it: pg_upgrade; or pg_dump --create into a new one with PGOPTIONS='-c default_transaction_read_only=off'"
	if d.until {
		upgrade = "upgrade the server: pg_upgrade"
	}
	if d.record.Version >= failoverVersion {
		upgrade += " (pg_upgrade takes slot " + s.config.Slot + " along, if the new server has wal_level = logical; where it says that the slot has not caught up: SELECT pg_drop_replication_slot(" + pgsql.QuoteLiteral(s.config.Slot) + "), and it is made anew)"
	}
	open := "once evert status says that it streams, let the writers write"
	if d.record.Fenced {
		open = "once evert status says that it streams: " + f.openSQL()
	}
	return []string{
		"keep the writers away until step 5",
		upgrade,
		"set wal_level = logical on the new server, and max_replication_slots and max_wal_senders as they were",
		"if host, port or password changed, set url: and start evert again; else it finds the new server by itself. It makes slot " + s.config.Slot + " there, and copies nothing",
		open,
		"to be sure that nobody wrote meanwhile: evert verify TABLE",
		"to call the upgrade off instead: evert drain " + s.config.Name + " --cancel",
	}
}

// byName gives the numbers of tables by their names.
func (n names) byName() map[pgsql.TableName]uint32 {
	out := map[pgsql.TableName]uint32{}
	for oid, name := range maps.All(n) {
		out[name] = oid
	}
	return out
}

// Undrain lets Open go on with a source that was drained and whose server was not
// upgraded.
func (s *Source) Undrain() { s.undrained = true }

// goOn gives the place and the state of a drained source that goes on on its server.
func (s *Source) goOn(from pipeline.Resume, was state) (pipeline.Resume, state) {
	was.Drained = nil
	from = pipeline.Resume{At: pipeline.Position{Seq: from.At.Seq + 1, Native: from.At.Native}, State: was.encode()}
	s.moved = &from
	s.toldMoved.Store(true) // there is nothing to tell
	return from, was
}
