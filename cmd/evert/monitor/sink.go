package monitor

import (
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Filling is the state of a sink whose target is filled from the topic's
// beginning.
const Filling State = "filling"

// SinkStates are those of a sink of a running daemon, for metrics.
func SinkStates() []State {
	return []State{Starting, Filling, Streaming, Frozen, Paused, Waiting, Refused, Standby}
}

// Paused is the state of a sink that somebody paused.
const Paused State = "paused"

// A SinkStatus is how one sink is. Numbers that are not known are absent in JSON
// (pointers are nil).
type SinkStatus struct {
	Name     string      `json:"name"`
	Kind     string      `json:"kind"`
	From     string      `json:"from"` // the view or table; of several, all
	Topic    string      `json:"topic"`
	Tables   []SinkTable `json:"tables,omitempty"` // where it delivers several
	State    State       `json:"state"`
	Since    time.Time   `json:"since"`
	Position string      `json:"position,omitempty"` // that readers of the system see; of a view those of its sources
	Problem  *Problem    `json:"problem,omitempty"`
	Filling  *Fill       `json:"filling,omitempty"`
	Totals   SinkTotals  `json:"totals"`

	LagRows    *int64  `json:"lag_rows,omitempty"` // records of the topic that the system does not have, about; absent while it was never asked
	LagSeconds float64 `json:"lag_seconds"`        // since it last had everything; 0 while it follows
	Restarts   uint64  `json:"restarts"`

	PausedAt    *time.Time `json:"paused_at,omitempty"`    // when it was told to rest
	PausedBy    string     `json:"paused_by,omitempty"`    // and by whom, as user@host
	DeadLetters *int       `json:"dead_letters,omitempty"` // that lie in its topic; absent while nobody looked
}

// A SinkTable is one of several tables of a sink.
type SinkTable struct {
	Table   string `json:"table"`
	Topic   string `json:"topic"`
	LagRows *int64 `json:"lag_rows,omitempty"` // as that of the sink
}

// SinkTotals count since the daemon started.
type SinkTotals struct {
	Rows     uint64 `json:"rows"` // delivered and committed
	Bytes    uint64 `json:"bytes"`
	Commits  uint64 `json:"commits"`
	Rejected uint64 `json:"rejected"` // that the system did not take
	Renewals uint64 `json:"renewals"` // times it was filled anew
}

// Fill is how far a sink's system is filled.
type Fill struct {
	Rows        int64   `json:"rows"`
	Ratio       float64 `json:"ratio"`
	LeftSeconds float64 `json:"left_seconds,omitempty"`
}

// Up reports whether the sink runs, stands by, is paused, or waits for its table.
func (s *SinkStatus) Up() bool {
	return s.State != Starting && s.State != Waiting && s.State != Refused && s.State != Stopped
}

// A Sink collects what happens to one sink. Its methods may be called from any
// goroutine.
type Sink struct {
	name, kind string
	commits    prometheus.Histogram

	mu       sync.Mutex
	state    State
	since    time.Time
	problem  *Problem
	attempts uint64
	rejected uint64
	paused   time.Time // zero: it is not
	by       string
}

// NewSink makes the collector of one sink.
func NewSink(name, kind string) *Sink {
	return &Sink{name: name, kind: kind, state: Starting, since: time.Now(), commits: prometheus.NewHistogram(prometheus.HistogramOpts{
		Name: "evert_sink_commit_seconds", Help: "Seconds that the sink's system took for a commit.",
		ConstLabels: prometheus.Labels{"sink": name}, Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60}})}
}

func (s *Sink) turn(to State) {
	if s.state != to {
		s.state, s.since = to, time.Now()
	}
}

// turnIfWell turns a sink that has no problem.
func (s *Sink) turnIfWell(to State) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.problem == nil {
		s.turn(to)
	}
}

// Starting notes that a run begins.
func (s *Sink) Starting() {
	s.mu.Lock()
	s.attempts++
	s.mu.Unlock()
	s.turnIfWell(Starting)
}

// StandingBy notes that another daemon may hold the sink.
func (s *Sink) StandingBy() { s.turnIfWell(Standby) }

// Owning notes that it is this daemon's turn.
func (s *Sink) Owning() { s.turnIfWell(Starting) }

// Running notes that the target and its topic are open.
func (s *Sink) Running() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.problem = nil
	s.turn(Streaming)
}

// Failed notes that a run ended with p and begins anew after wait; person says
// that it will fail again until somebody mends it.
func (s *Sink) Failed(p *Problem, wait time.Duration, person bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	retry := p.At.Add(wait)
	p.Retry = &retry
	s.problem = p
	s.turn(Waiting)
	if person {
		s.turn(Refused)
	}
}

// Paused notes that the sink rests because somebody told it to.
func (s *Sink) Paused(at time.Time, by string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.paused, s.by, s.problem = at, by, nil
	s.turn(Paused)
}

// Resumed notes that the sink may deliver.
func (s *Sink) Resumed() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.paused, s.by = time.Time{}, ""
	if s.state == Paused {
		s.turn(Starting)
	}
}

// Parked notes that the sink waits at a record until a person says more.
func (s *Sink) Parked(p *Problem) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.problem = p
	s.turn(Refused)
}

// Committed notes a commit.
func (s *Sink) Committed(took time.Duration) { s.commits.Observe(took.Seconds()) }

// Rejected notes rows that the system did not take.
func (s *Sink) Rejected(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.rejected += uint64(n)
}

// Status gives what is known.
func (s *Sink) Status() SinkStatus {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := SinkStatus{Name: s.name, Kind: s.kind, State: s.state, Since: s.since, Problem: s.problem, Totals: SinkTotals{Rejected: s.rejected}}
	if !s.paused.IsZero() {
		at := s.paused
		st.PausedAt, st.PausedBy = &at, s.by
	}
	if s.attempts > 1 {
		st.Restarts = s.attempts - 1
	}
	return st
}

// JudgeSinks adds what is not well with sinks to a health.
func (h *Health) JudgeSinks(sinks []SinkStatus) {
	for i := range sinks {
		s := &sinks[i]
		light := OK
		switch s.State {
		case Refused:
			light = Red
		case Waiting, Frozen, Starting, Filling, Paused:
			light = Degraded
		}
		if light == OK {
			continue
		}
		p := Problem{Text: "the sink is " + string(s.State), At: s.Since}
		if s.State == Paused {
			p.Text, p.Mend = "the sink is paused by "+s.PausedBy, "evert resume "+s.Name
		}
		if s.Problem != nil {
			p = *s.Problem
		}
		h.Add(Reason{Component: "sink " + s.Name, Light: light, Problem: p})
	}
}

func sinkDesc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("evert_sink_"+name, help, append([]string{"sink"}, labels...), nil)
}

// A sinkGauge is one number of a sink's status.
type sinkGauge struct {
	desc  *prometheus.Desc
	kind  prometheus.ValueType
	value func(s *SinkStatus) (v float64, ok bool)
}

func sinkGauges() []sinkGauge {
	counter := func(name, help string, get func(*SinkStatus) uint64) sinkGauge {
		return sinkGauge{sinkDesc(name, help), prometheus.CounterValue, func(s *SinkStatus) (float64, bool) { return float64(get(s)), true }}
	}
	level := func(name, help string, get func(*SinkStatus) (float64, bool)) sinkGauge {
		return sinkGauge{sinkDesc(name, help), prometheus.GaugeValue, get}
	}
	return []sinkGauge{
		counter("rows_total", "Rows delivered and committed since the daemon started.", func(s *SinkStatus) uint64 { return s.Totals.Rows }),
		counter("bytes_total", "Bytes of those rows in the topic.", func(s *SinkStatus) uint64 { return s.Totals.Bytes }),
		counter("commits_total", "Commits since the daemon started.", func(s *SinkStatus) uint64 { return s.Totals.Commits }),
		counter("rejected_total", "Rows that the system did not take, since the daemon started.", func(s *SinkStatus) uint64 { return s.Totals.Rejected }),
		counter("renewals_total", "Times the system was filled anew since the daemon started.", func(s *SinkStatus) uint64 { return s.Totals.Renewals }),
		counter("restarts_total", "Times the sink was begun anew after a failure.", func(s *SinkStatus) uint64 { return s.Restarts }),
		level("lag_seconds", "Seconds since the system last had everything that its source committed; 0 while it follows.", func(s *SinkStatus) (float64, bool) { return s.LagSeconds, true }),
		level("lag_rows", "Records of the topic that the system does not have, about; absent until the system was asked.", func(s *SinkStatus) (float64, bool) {
			if s.LagRows == nil {
				return 0, false
			}
			return float64(*s.LagRows), true
		}),
		level("dead_letters", "Records in the sink's topic of dead letters; absent until something was kept there.", func(s *SinkStatus) (float64, bool) {
			if s.DeadLetters == nil {
				return 0, false
			}
			return float64(*s.DeadLetters), true
		}),
		level("filling_ratio", "Delivered share of what fills the system, 0 to 1; absent when it is filled.", func(s *SinkStatus) (float64, bool) {
			if s.Filling == nil {
				return 0, false
			}
			return s.Filling.Ratio, true
		}),
	}
}

func sinkTableDesc() *prometheus.Desc {
	return sinkDesc("table_lag_rows", "Records of one of a sink's several tables that the system does not have, about; absent for a sink of one table.", "table")
}

func sinkStateDesc() *prometheus.Desc {
	return sinkDesc("state", "1 for the state that the sink is in, 0 for the others.", "state")
}

// describeSinks lists the metrics of sinks.
func (c *Collector) describeSinks(ch chan<- *prometheus.Desc) {
	if c.Sinks == nil {
		return
	}
	for _, g := range sinkGauges() {
		ch <- g.desc
	}
	ch <- sinkTableDesc()
	ch <- sinkStateDesc()
	for _, s := range c.SinkMeters {
		ch <- s.commits.Desc()
	}
}

// collectSinks reads what there is.
func (c *Collector) collectSinks(ch chan<- prometheus.Metric, h *Health) {
	if c.Sinks == nil {
		return
	}
	all := c.Sinks()
	for i := range all {
		s := &all[i]
		for _, g := range sinkGauges() {
			if v, ok := g.value(s); ok {
				ch <- prometheus.MustNewConstMetric(g.desc, g.kind, v, s.Name)
			}
		}
		for _, t := range s.Tables {
			if t.LagRows != nil {
				level(ch, sinkTableDesc(), float64(*t.LagRows), s.Name, t.Table)
			}
		}
		for _, state := range SinkStates() {
			level(ch, sinkStateDesc(), bit(state == s.State), s.Name, string(state))
		}
		level(ch, componentDesc(), bit(s.Up()), "sink "+s.Name)
	}
	for _, s := range c.SinkMeters {
		ch <- s.commits
	}
	h.JudgeSinks(all)
}
