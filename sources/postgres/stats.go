package postgres

import (
	"context"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/sources/postgres/pgsql"
	"github.com/evertdb/evert/sources/postgres/preflight"
)

// Stats is what a source knows about itself at one moment. LSNs are native
// positions, empty if not known; sizes are bytes.
type Stats struct {
	Connected  bool
	LastError  string // why the last connection ended, while not connected
	WaitingFor string // transactions or processes that the source waits for
	Reconnects int64  // connections lost since Open

	Received  string    // the place up to which the log was read
	Confirmed string    // the place that the server was last told as durable
	ServerEnd string    // the server's end of log when last heard of
	At        time.Time // the server's clock at Received

	SlotStatus   string // wal_status; empty before Postgres 13
	RetainedWAL  int64  // log that the slot holds back
	SafeWALSize  int64  // how much more may be written before the slot is lost; -1: unlimited
	LagBytes     int64  // ServerEnd - Confirmed
	QueueBatches int
	QueueBytes   int64

	LastProgress time.Time // when Next last gave a batch
	NotCaptured  []string  // tables that match and are left out, with the reason and what mends it
	Snapshot     []TableProgress
	Copying      bool
}

// TableProgress is how far the snapshot of one table is.
type TableProgress struct {
	Table          string
	Rows           int64
	Bytes          int64 // as sent by the server
	EstimatedRows  int64 // the planner's; 0 unknown
	EstimatedBytes int64 // on disk
	Done           bool
}

type tableProgress struct {
	name            string
	estimated, size int64
	rows, bytes     atomic.Int64
	chunks, done    atomic.Int64
}

// stats is written by the goroutines of a source and read by any.
type stats struct {
	now      func() time.Time
	attempts int // connects since the last that worked; owned by the owner goroutine

	received   atomic.Uint64
	clock      atomic.Int64
	confirmed  atomic.Uint64
	end        atomic.Uint64
	progressed atomic.Int64 // unix nanoseconds
	lost       atomic.Int64

	mu         sync.Mutex
	up         bool
	lastError  string
	waitingFor string
	status     string
	retained   int64
	safe       int64
	tables     []*tableProgress
	copying    bool
	left       []string
}

func (s *stats) read(place lsn, clock int64) {
	s.received.Store(uint64(place))
	s.clock.Store(clock)
}

func (s *stats) told(d durableLSN) { s.confirmed.Store(uint64(d)) }

func (s *stats) serverEnd(end lsn, clock int64) {
	s.end.Store(uint64(end))
	s.received.Store(uint64(end)) // a keepalive comes when everything before it was sent
	s.clock.Store(clock)
}

func (s *stats) progress() { s.progressed.Store(s.now().UnixNano()) }

func (s *stats) connected() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.up, s.lastError, s.waitingFor = true, "", ""
}

func (s *stats) disconnected(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.up {
		s.lost.Add(1)
	}
	s.up = false
	if err != nil {
		s.lastError = pgsql.WithoutValues(err).Error()
	}
}

func (s *stats) waitFor(what string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.waitingFor = what
}

func (s *stats) table(name string, rows, bytes int64) *tableProgress {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := &tableProgress{name: name, estimated: rows, size: bytes}
	s.tables, s.copying = append(s.tables, p), true
	return p
}

// again gives the progress of a table that is copied while the source streams.
func (s *stats) again(name string, estimated, bytes, rows int64) *tableProgress {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := &tableProgress{name: name, estimated: estimated, size: bytes}
	p.chunks.Store(1)
	p.rows.Store(rows)
	s.tables = append(slices.DeleteFunc(s.tables, func(t *tableProgress) bool { return t.name == name }), p)
	s.copying = true
	return p
}

// copied notes that a table is copied; another one may follow.
func (s *stats) copied() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.copying = slices.ContainsFunc(s.tables, func(t *tableProgress) bool { return t.done.Load() < t.chunks.Load() })
}

func (s *stats) snapshotDone() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.copying = false
}

// leaveOut notes a table that is not captured, and reports whether that is news.
func (s *stats) leaveOut(r *pipeline.Refusal) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	line := r.Where + ": " + r.What + "; mend: " + strings.ReplaceAll(r.Mend, "\n", " ")
	if slices.Contains(s.left, line) {
		return false
	}
	s.left = append(s.left, line)
	return true
}

func (s *stats) slot(status string, retained, safe int64, end lsn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.status, s.retained, s.safe = status, retained, safe
	if uint64(end) > s.end.Load() {
		s.end.Store(uint64(end))
	}
}

// Stats may be called by any goroutine at any time.
func (s *Source) Stats() Stats {
	st := s.stats
	st.mu.Lock()
	defer st.mu.Unlock()
	out := Stats{
		Connected: st.up, LastError: st.lastError, WaitingFor: st.waitingFor, Reconnects: st.lost.Load(),
		Received: place(st.received.Load()), Confirmed: place(st.confirmed.Load()), ServerEnd: place(st.end.Load()),
		NotCaptured: slices.Clone(st.left), SlotStatus: st.status, RetainedWAL: st.retained, SafeWALSize: st.safe, Copying: st.copying,
	}
	out.LagBytes = max(0, int64(st.end.Load())-int64(s.durable()))
	if c := st.clock.Load(); c != 0 {
		out.At = pgTime(c)
	}
	if p := st.progressed.Load(); p != 0 {
		out.LastProgress = time.Unix(0, p)
	}
	out.QueueBatches, out.QueueBytes = s.queue.Fill()
	for _, t := range st.tables {
		out.Snapshot = append(out.Snapshot, TableProgress{
			Table: t.name, Rows: t.rows.Load(), Bytes: t.bytes.Load(), EstimatedRows: t.estimated, EstimatedBytes: t.size,
			Done: t.done.Load() == t.chunks.Load(),
		})
	}
	return out
}

func place(l uint64) string {
	if l == 0 {
		return ""
	}
	return lsn(l).String()
}

// poll reads the slot's statistics now and then, and looks what happened to the
// tables without a word in the log.
func (s *Source) poll() {
	ticker := time.NewTicker(s.config.PollInterval)
	defer ticker.Stop()
	told := ""
	for {
		err := s.pollOnce(s.life.Ended)
		if final(err) {
			s.life.End(err)
			return
		}
		told = s.tellOfPoll(err, told)
		select {
		case <-s.life.Ended.Done():
			return
		case <-ticker.C:
		}
	}
}

// tellOfPoll tells that the tables cannot be looked at, once for each cause (I8), and
// gives what was told last.
func (s *Source) tellOfPoll(err error, told string) string {
	if err == nil || s.life.Ended.Err() != nil {
		return ""
	}
	text := pgsql.WithoutValues(err).Error()
	if text != told {
		s.config.Log.Warn("slot and tables cannot be looked at now; trying again", "slot", s.config.Slot, "error", text)
	}
	return text
}

const pollSQL = `
SELECT coalesce(to_jsonb(s) ->> 'wal_status', ''), coalesce(pg_wal_lsn_diff(w.lsn, s.restart_lsn), 0)::bigint,
       coalesce((to_jsonb(s) ->> 'safe_wal_size')::bigint, -1), w.lsn
FROM pg_replication_slots s, (SELECT pg_current_wal_lsn() AS lsn) w WHERE s.slot_name = $1`

func (s *Source) pollOnce(ctx context.Context) error {
	rs, err := s.side.query(ctx, pollSQL, s.config.Slot)
	if err != nil {
		return err
	}
	if len(rs) == 1 {
		r := pgsql.Record{Cols: rs[0]}
		status, retained, safe := r.Text(), r.Int(), r.Int()
		end, _ := parseLSN(r.Text())
		s.stats.slot(status, retained, safe, end)
		s.warnOfRetention(retained, safe)
		if err := s.guard(retained); err != nil {
			return err
		}
	}
	if err := s.newTables(ctx); err != nil {
		return err
	}
	return s.watch.look(ctx)
}

// warnOfRetention tells once each when half and when four fifths of the log that
// the slot may hold back are used up (P01, P05), and again after it recovered.
func (s *Source) warnOfRetention(retained, safe int64) {
	percent := int64(0)
	if safe >= 0 && retained+safe > 0 {
		percent = 100 * retained / (retained + safe)
	}
	level := 0
	switch {
	case percent >= 80:
		level = 80
	case percent >= 50:
		level = 50
	}
	if level > s.retentionLevel {
		s.config.Log.Warn("the slot holds back much of the log that it may", "slot", s.config.Slot, "code", string(preflight.CodeRetention),
			"percent", percent, "retained_bytes", retained, "safe_bytes", safe)
	}
	s.retentionLevel = level
}
