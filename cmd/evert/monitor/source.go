package monitor

import (
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/schema"
)

// Config is what a Source needs.
type Config struct {
	Name       string
	Kind       string // of server: postgres
	StuckAfter time.Duration
	Facts      func() (Facts, bool) // what the source knows of itself now; false between two; may be nil
	Now        func() time.Time
}

// A Source collects what happens to one source. Its methods may be called from
// any goroutine.
type Source struct {
	Config
	commits, deliveries prometheus.Histogram

	mu       sync.Mutex
	state    State
	since    time.Time
	problem  *Problem
	standing time.Time // since when another daemon may hold the source; zero while we do
	progress time.Time // when rows were last written or committed
	position pipeline.Resume
	ready    bool
	clock    time.Time     // the source's clock at position
	skew     time.Duration // by which that clock is ahead of ours, when last asked
	totals   Totals
	pending  int
	handed   int       // rows that the sink was given and has not taken yet
	given    time.Time // when it was given them
	restarts uint64
	tables   map[*schema.Table]*TableStatus
	order    []*TableStatus
	last     *schema.Table // of the change before, most often also of this one
	lastRow  *TableStatus
	halted   map[string]*Problem  // tables that have stopped
	copies   map[string]TableCopy // tables that are copied while the source streams
	server   *ServerStatus
	ahead    bool  // the server's end lies ahead of what is committed
	limit    trend // of what the server may still write
	copying  time.Time
	took     ring
	delay    ring
}

// Facts are what a source knows of itself.
type Facts struct {
	Connected  bool
	LastError  string      // why it is not connected
	WaitingFor string      // what in the server it waits for
	Fill       float64     // how full its queue is, 0 to 1
	Copies     []TableCopy // of the tables of a running snapshot
}

// A TableCopy is how far the copy of one table is.
type TableCopy struct {
	Table    string
	Rows     int64
	Estimate int64 // 0 if unknown
	Done     bool
}

// NewSource makes the collector of one source.
func NewSource(c Config) *Source {
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.StuckAfter == 0 {
		c.StuckAfter = time.Minute
	}
	now := c.Now()
	return &Source{Config: c, state: Starting, since: now, progress: now,
		tables:  map[*schema.Table]*TableStatus{},
		commits: histogram("evert_source_commit_seconds", "Seconds from the start of a commit to the log to its end.", c.Name),
		deliveries: histogram("evert_source_delivery_seconds",
			"Seconds from a commit in the source, by its clock, to the commit in the log.", c.Name)}
}

func histogram(name, help, source string) prometheus.Histogram {
	return prometheus.NewHistogram(prometheus.HistogramOpts{Name: name, Help: help,
		ConstLabels: prometheus.Labels{"source": source},
		Buckets:     []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60}})
}

// Events are the ears of a stage.
func (s *Source) Events() pipeline.Events {
	return pipeline.Events{Opened: s.opened, Writing: s.writing, Written: s.written, Committed: s.committed}
}

// Starting notes that a stage is made.
func (s *Source) Starting(attempt int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if attempt > 1 {
		s.restarts++
	}
	s.pending, s.handed = 0, 0
	s.halted, s.copies = nil, nil                            // the sink and the source tell again
	s.tables, s.last = map[*schema.Table]*TableStatus{}, nil // a new source makes new versions (I9)
	if s.problem == nil {                                    // else it is still what was wrong, until the source opens
		s.turn(Starting)
	}
}

// StandingBy notes that the source waits for its turn: another daemon may hold
// it.
func (s *Source) StandingBy() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.standing = s.Now()
}

// Owning notes that it is this daemon's turn.
func (s *Source) Owning() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.standing = time.Time{}
}

// Failed notes that a stage ended with err and is made anew after wait; person
// says that it will fail again until somebody mends what err says.
func (s *Source) Failed(err error, wait time.Duration, person bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.Now()
	retry := now.Add(wait)
	s.problem = ProblemOf(err, now)
	s.problem.Retry = &retry
	s.turn(Waiting)
	if person {
		s.turn(Refused)
	}
}

// ProblemOf tells err in the words of its refusal, if it is one.
func ProblemOf(err error, at time.Time) *Problem {
	var r *pipeline.Refusal
	if !errors.As(err, &r) {
		return &Problem{Text: err.Error(), At: at}
	}
	bare := *r
	bare.Mend = ""
	return &Problem{Code: r.Code, Text: bare.Error(), Mend: r.Mend, At: at}
}

// Done notes that the source came to where it was told to stop.
func (s *Source) Done() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.problem = nil
	s.turn(Done)
}

// turn changes the state; mu is held.
func (s *Source) turn(to State) {
	if s.state != to {
		s.state, s.since = to, s.Now()
	}
}

func (s *Source) opened(from pipeline.Resume) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.problem = nil
	s.position = from
	s.progress = s.Now()
	s.ready = s.ready || !from.At.IsZero()
	s.turn(Streaming)
	if from.At.IsZero() {
		s.copying = s.Now()
		s.turn(Snapshot)
	}
}

func (s *Source) writing(b pipeline.Batch) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.handed, s.given = len(b.Changes), s.Now()
}

func (s *Source) written(b pipeline.Batch) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, t := range b.Tables {
		s.table(t)
	}
	for i := range b.Changes {
		c := &b.Changes[i]
		if c.Table != s.last {
			s.last, s.lastRow = c.Table, s.table(c.Table)
		}
		s.lastRow.Rows++
	}
	s.pending += len(b.Changes)
	s.handed = 0
	if len(b.Changes) > 0 {
		s.progress = s.Now()
	}
}

// TableStopped notes that a table is written no more.
func (s *Source) TableStopped(table string, why *Problem) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.halted == nil {
		s.halted = map[string]*Problem{}
	}
	s.halted[table] = why
	s.entry(table)
}

// TableIs notes the state of a table: copying, ok or stopped.
func (s *Source) TableIs(table, state string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if state != "stopped" {
		delete(s.halted, table)
	}
	if state != "copying" {
		delete(s.copies, table)
	} else if _, known := s.copies[table]; !known {
		s.copy(TableCopy{Table: table})
	}
	s.entry(table)
}

// Copying notes how far the copy of a table is, while the source streams.
func (s *Source) Copying(c TableCopy) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.copy(c)
}

func (s *Source) copy(c TableCopy) {
	if s.copies == nil {
		s.copies = map[string]TableCopy{}
	}
	s.copies[c.Table] = c
}

// Oversize counts a row that was too large for its topic.
func (s *Source) Oversize(table string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.entry(table).Oversized++
}

// table finds the entry of a table's version; mu is held.
func (s *Source) table(t *schema.Table) *TableStatus {
	if e := s.tables[t]; e != nil {
		return e
	}
	e := s.entry(t.String())
	s.tables[t] = e
	return e
}

func (s *Source) entry(name string) *TableStatus {
	i := slices.IndexFunc(s.order, func(e *TableStatus) bool { return e.Table == name })
	if i >= 0 {
		return s.order[i]
	}
	e := &TableStatus{Table: name}
	s.order = append(s.order, e)
	return e
}

func (s *Source) committed(c pipeline.Committed) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.Now()
	s.position, s.progress, s.pending = c.At, now, 0
	s.totals.Rows += uint64(c.Rows)
	s.totals.Bytes += uint64(c.Bytes)
	s.totals.Commits++
	s.countEnds(c)
	s.commits.Observe(c.Took.Seconds())
	s.took.add(c.Took.Seconds())
	if !c.Time.IsZero() {
		s.clock = c.Time
	}
	if c.Rows > 0 && c.At.Whole() && s.state == Streaming && !c.Time.IsZero() {
		took := max(0, now.Add(s.skew).Sub(c.Time)).Seconds()
		s.deliveries.Observe(took)
		s.delay.add(took)
	}
	if c.At.Whole() {
		s.ready = true
		s.turn(Streaming)
	}
}

// countEnds counts transactions; a commit of rows without an end is a part of
// one, unless it belongs to the snapshot.
func (s *Source) countEnds(c pipeline.Committed) {
	switch {
	case c.Rows == 0:
	case c.Ends > 0:
		s.totals.Transactions += uint64(c.Ends)
	case c.At.Rows > 0:
		s.totals.Parts++
	}
}

// A Probe is an answer of the server.
type Probe struct {
	End           string
	LagBytes      int64  // between what we acknowledged and the end
	RetainedBytes *int64 // kept for us
	LimitBytes    *int64 // until it is kept no longer
	Slot          string // what the server says of what it keeps for us; see SlotStatuses
	Ahead         bool   // the end lies ahead of what is committed

	ClockAhead *time.Duration // by how much its clock is ahead of ours; nil if not known
}

// SlotStatuses are what a server may say of what it keeps for us: kept; kept
// beyond the usual; to be dropped at its next checkpoint; dropped; and that it
// keeps nothing for us, although we go on from a position.
func SlotStatuses() []string {
	return []string{"reserved", "extended", "unreserved", "lost", "missing"}
}

// Probed notes an answer of the server.
func (s *Source) Probed(p Probe) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.Now()
	s.ahead = p.Ahead
	if p.ClockAhead != nil {
		s.skew = *p.ClockAhead
	}
	s.server = &ServerStatus{End: p.End, LagBytes: p.LagBytes, RetainedBytes: p.RetainedBytes, LimitBytes: p.LimitBytes,
		Slot: p.Slot, Ahead: p.Ahead, At: now}
	if p.LimitBytes == nil {
		s.limit = trend{}
		return
	}
	s.limit.add(now, *p.LimitBytes)
	s.server.LimitSeconds = s.limit.secondsLeft()
}

// ProbeFailed notes that the server did not answer.
func (s *Source) ProbeFailed(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.server == nil {
		s.server = &ServerStatus{}
	}
	answer := *s.server
	answer.Error = err.Error()
	s.server = &answer
}

// Position gives what is committed.
func (s *Source) Position() pipeline.Resume {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.position
}
