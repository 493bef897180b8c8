package monitor

import (
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/evertdb/evert/pipeline"
)

// The states of a view that a source does not have.
const (
	Hydrating State = "hydrating" // its state is filled from the topics
	Frozen    State = "frozen"    // a table is being copied or has stopped; it keeps its last cut
)

// ViewStates are those of a view of a running daemon, for metrics.
func ViewStates() []State {
	return []State{Starting, Hydrating, Streaming, Frozen, Waiting, Refused, Standby}
}

// A ViewStatus is how one view is.
type ViewStatus struct {
	Name     string     `json:"name"`
	Topic    string     `json:"topic"`
	Version  string     `json:"version,omitempty"` // of its definition; empty until it was compiled
	State    State      `json:"state"`
	Since    time.Time  `json:"since"`
	Ready    bool       `json:"ready"` // it can be read
	Epoch    uint64     `json:"epoch,omitempty"`
	Position string     `json:"position,omitempty"`
	Problem  *Problem   `json:"problem,omitempty"`
	Totals   ViewTotals `json:"totals"`

	Hydration          *Hydration `json:"hydration,omitempty"`
	BehindTransactions uint64     `json:"behind_transactions"` // that its sources committed and it does not show
	BehindRecords      int64      `json:"behind_records"`      // of its table topics, about
	LagSeconds         float64    `json:"lag_seconds"`         // since it last showed everything, or is held
	StateBytes         int64      `json:"state_bytes"`
	EpochP50Seconds    float64    `json:"epoch_p50_seconds,omitempty"`
	EpochP99Seconds    float64    `json:"epoch_p99_seconds,omitempty"`
	Restarts           uint64     `json:"restarts"`
}

// ViewTotals count since the daemon started.
type ViewTotals struct {
	Epochs  uint64 `json:"epochs"`
	RowsIn  uint64 `json:"rows_in"`  // read from table topics
	RowsOut uint64 `json:"rows_out"` // changed in the result
}

// Hydration is how far a view's state is filled.
type Hydration struct {
	Rows        int64   `json:"rows"`
	Bytes       int64   `json:"bytes"`
	Ratio       float64 `json:"ratio"`
	LeftSeconds float64 `json:"left_seconds,omitempty"`
}

// codeViewWaits: a view waits for a table that is not captured yet.
const codeViewWaits pipeline.Code = "VIEW_WAITS"

// Up reports whether the view runs, stands by, or waits for a table that is not
// captured yet: then its source is what it waits for.
func (s *ViewStatus) Up() bool {
	if s.Problem != nil && s.Problem.Code == codeViewWaits {
		return true
	}
	return s.State != Starting && s.State != Waiting && s.State != Refused && s.State != Stopped
}

// A ViewEpoch describes one epoch.
type ViewEpoch struct {
	RowsIn, RowsOut int64
	Took            time.Duration
	StateBytes      int64
	SourceTime      time.Time // the sources' clock; zero if unknown
}

// A View collects what happens to one view. Its methods may be called from any
// goroutine.
type View struct {
	name   string
	epochs prometheus.Histogram

	mu       sync.Mutex
	state    State
	since    time.Time
	problem  *Problem
	standing time.Time // since when another daemon may hold the view; zero while we do
	attempts uint64
	totals   ViewTotals
	bytes    int64
	took     ring
}

// NewView makes the collector of one view.
func NewView(name string) *View {
	return &View{name: name, state: Starting, since: time.Now(), epochs: prometheus.NewHistogram(prometheus.HistogramOpts{
		Name: "evert_view_epoch_seconds", Help: "Seconds from the choice of an epoch's cuts to its rows being shown.",
		ConstLabels: prometheus.Labels{"view": name}, Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60}})}
}

func (v *View) turn(to State) {
	if v.state != to {
		v.state, v.since = to, time.Now()
	}
}

// Starting notes that a run begins.
func (v *View) Starting() {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.attempts++
	if v.problem == nil {
		v.turn(Starting)
	}
}

// StandingBy notes that another daemon may hold the view. When it does for longer
// than our own turn may take, what was wrong here is its matter.
func (v *View) StandingBy() {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.standing = time.Now()
	if v.problem == nil {
		v.turn(Standby)
	}
}

// Owning notes that it is this daemon's turn. The view does not run before Running.
func (v *View) Owning() {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.standing = time.Time{}
	if v.problem == nil {
		v.turn(Starting)
	}
}

// Running notes that the view was taken up.
func (v *View) Running() {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.problem = nil
	v.turn(Streaming)
}

// Failed notes that a run ended with p and begins anew after wait; person says
// that it will fail again until somebody mends it.
func (v *View) Failed(p *Problem, wait time.Duration, person bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	retry := p.At.Add(wait)
	p.Retry = &retry
	v.problem, v.standing = p, time.Time{}
	v.turn(Waiting)
	if person {
		v.turn(Refused)
	}
}

// Epoch notes an epoch.
func (v *View) Epoch(e ViewEpoch) {
	v.epochs.Observe(e.Took.Seconds())
	v.mu.Lock()
	defer v.mu.Unlock()
	v.totals.Epochs++
	v.totals.RowsIn += uint64(e.RowsIn)
	v.totals.RowsOut += uint64(e.RowsOut)
	v.bytes = e.StateBytes
	v.took.add(e.Took.Seconds())
}

// Status gives what is known.
func (v *View) Status() ViewStatus {
	v.mu.Lock()
	defer v.mu.Unlock()
	s := ViewStatus{Name: v.name, State: v.state, Since: v.since, Problem: v.problem, Totals: v.totals, StateBytes: v.bytes}
	if !v.standing.IsZero() && time.Since(v.standing) > turnTime {
		s.State, s.Since, s.Problem = Standby, v.standing, nil
	}
	if v.attempts > 1 {
		s.Restarts = v.attempts - 1
	}
	s.EpochP50Seconds, s.EpochP99Seconds = v.took.quantiles()
	return s
}

// JudgeViews adds what is not well with views to a health.
func (h *Health) JudgeViews(views []ViewStatus) {
	for i := range views {
		s := &views[i]
		h.Ready = h.Ready || s.Ready
		light := OK
		switch s.State {
		case Refused:
			light = Red
		case Waiting, Frozen, Starting, Hydrating:
			light = Degraded
		}
		if light == OK {
			continue
		}
		p := Problem{Text: "the view is " + string(s.State), At: s.Since}
		if s.Problem != nil {
			p = *s.Problem
		}
		h.Add(Reason{Component: "view " + s.Name, Light: light, Problem: p})
	}
}

func viewDesc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("evert_view_"+name, help, append([]string{"view"}, labels...), nil)
}

// A viewGauge is one number of a view's status.
type viewGauge struct {
	desc  *prometheus.Desc
	kind  prometheus.ValueType
	value func(s *ViewStatus) (v float64, ok bool)
}

func viewGauges() []viewGauge {
	counter := func(name, help string, get func(*ViewStatus) uint64) viewGauge {
		return viewGauge{viewDesc(name, help), prometheus.CounterValue, func(s *ViewStatus) (float64, bool) { return float64(get(s)), true }}
	}
	level := func(name, help string, get func(*ViewStatus) (float64, bool)) viewGauge {
		return viewGauge{viewDesc(name, help), prometheus.GaugeValue, get}
	}
	return []viewGauge{
		counter("epochs_total", "Epochs committed since the daemon started.", func(s *ViewStatus) uint64 { return s.Totals.Epochs }),
		counter("rows_in_total", "Rows read from table topics since the daemon started.", func(s *ViewStatus) uint64 { return s.Totals.RowsIn }),
		counter("rows_out_total", "Rows of the view changed since the daemon started.", func(s *ViewStatus) uint64 { return s.Totals.RowsOut }),
		counter("restarts_total", "Times the view was begun anew after a failure.", func(s *ViewStatus) uint64 { return s.Restarts }),
		level("ready", "1 when the view can be read, else 0.", func(s *ViewStatus) (float64, bool) { return bit(s.Ready), true }),
		level("state_bytes", "Bytes that the view's state occupies.", func(s *ViewStatus) (float64, bool) { return float64(s.StateBytes), true }),
		level("lag_seconds", "Seconds since the view last showed everything that its sources committed, or since it is held; 0 while it follows.", func(s *ViewStatus) (float64, bool) { return s.LagSeconds, true }),
		level("behind_transactions", "Source transactions that are committed to the log and not shown by the view.", func(s *ViewStatus) (float64, bool) { return float64(s.BehindTransactions), true }),
		level("behind_records", "Records of table topics that the view has not read, about.", func(s *ViewStatus) (float64, bool) { return float64(s.BehindRecords), true }),
		level("hydration_ratio", "Read share of what fills the view's state, 0 to 1; absent when it is filled.", func(s *ViewStatus) (float64, bool) {
			if s.Hydration == nil {
				return 0, false
			}
			return s.Hydration.Ratio, true
		}),
	}
}

func viewStateDesc() *prometheus.Desc {
	return viewDesc("state", "1 for the state that the view is in, 0 for the others.", "state")
}

// describeViews lists the metrics of views.
func (c *Collector) describeViews(ch chan<- *prometheus.Desc) {
	if c.Views == nil {
		return
	}
	for _, g := range viewGauges() {
		ch <- g.desc
	}
	ch <- viewStateDesc()
	for _, v := range c.Meters {
		ch <- v.epochs.Desc()
	}
}

// collectViews reads what there is.
func (c *Collector) collectViews(ch chan<- prometheus.Metric, h *Health) {
	if c.Views == nil {
		return
	}
	all := c.Views()
	for i := range all {
		s := &all[i]
		for _, g := range viewGauges() {
			if v, ok := g.value(s); ok {
				ch <- prometheus.MustNewConstMetric(g.desc, g.kind, v, s.Name)
			}
		}
		for _, state := range ViewStates() {
			level(ch, viewStateDesc(), bit(state == s.State), s.Name, string(state))
		}
		level(ch, componentDesc(), bit(s.Up()), "view "+s.Name)
	}
	for _, v := range c.Meters {
		ch <- v.epochs
	}
	h.JudgeViews(all)
}
