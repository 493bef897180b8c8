package monitor

import (
	"fmt"
	"math"
	"time"

	"github.com/evertdb/evert/pipeline"
)

// skewLimit is how far the source's clock may be from ours before that is marked
// (O05).
const skewLimit = 2 * time.Second

// Status gives how the source is now. The caller owns it.
func (s *Source) Status() SourceStatus {
	var facts Facts
	present := false
	if s.Facts != nil { // asked without the lock: the source has its own
		facts, present = s.Facts()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.Now()
	st := SourceStatus{
		Name: s.Name, Kind: s.Kind, State: s.state, Since: s.since, Ready: s.ready,
		Position: s.position.At.Native, Seq: s.position.At.Seq, Problem: s.problem,
		Server: s.server, Totals: s.totals, PendingRows: s.pending, Restarts: s.restarts,
		ProgressAgeSeconds: now.Sub(s.progress).Seconds(),
		Latency:            LatencySummary{Samples: s.delay.n},
	}
	st.Latency.CommitP50, st.Latency.CommitP99 = s.took.quantiles()
	st.Latency.DeliveryP50, st.Latency.DeliveryP99 = s.delay.quantiles()
	st.QueueFillRatio = facts.Fill
	s.lag(&st, now)
	s.describeTables(&st, facts.Copies)
	if present {
		s.connection(&st, facts, now)
	}
	if s.standsBy(now) {
		st.State, st.Since, st.Problem, st.Ready = Standby, s.standing, nil, true
		return st
	}
	if st.State == s.state && s.stuck(now) {
		st.State = Stuck
		st.Since = s.lastSign()
		st.Problem = s.stuckProblem(now)
	}
	if st.State == s.state && s.held(now) {
		st.State, st.Since, st.Problem = Waiting, s.heldSince(), s.heldProblem(now)
	}
	return st
}

// lag is reckoned by the source's clock alone: what it says now less what it said at
// the commit. A clock that jumps is put right by the next answer of the server.
func (s *Source) lag(st *SourceStatus, now time.Time) {
	if s.clock.IsZero() {
		return
	}
	age := now.Add(s.skew).Sub(s.clock)
	st.ClockSkewed = s.skew.Abs() > skewLimit || age < -skewLimit
	seconds := math.Max(0, age.Seconds())
	st.LagSeconds = &seconds
}

// connection looks at the source's own way to the server, which it mends by
// itself.
func (s *Source) connection(st *SourceStatus, f Facts, now time.Time) {
	working := s.state == Snapshot || s.state == Streaming
	switch {
	case working && !f.Connected && f.LastError != "":
		st.State = Waiting
		st.Problem = &Problem{Code: "SOURCE_DISCONNECTED", At: now, Text: "source " + s.Name + ": the connection was lost and is made anew: " + f.LastError,
			Mend: "wait; the source tries again by itself"}
	case f.WaitingFor != "":
		st.State = Waiting
		st.Problem = &Problem{Code: "SOURCE_WAITS", At: now, Text: "source " + s.Name + " waits for " + f.WaitingFor,
			Mend: "wait, or end what it waits for"}
	}
}

func (s *Source) describeTables(st *SourceStatus, copies []TableCopy) {
	st.Tables = make([]TableStatus, len(s.order))
	for i, e := range s.order {
		st.Tables[i] = *e
		st.Tables[i].State = "ok"
		if s.state == Snapshot {
			st.Tables[i].State = "copying"
		}
		if c, ok := s.copies[e.Table]; ok && s.state != Snapshot {
			st.Tables[i].State, st.Tables[i].Copied, st.Tables[i].CopyTotal = "copying", &c.Rows, estimated(copies, c)
		}
		if why := s.halted[e.Table]; why != nil {
			st.Tables[i].State, st.Tables[i].Problem = "stopped", why
		}
	}
	if s.state == Snapshot {
		st.Snapshot = s.copyProgress(copies)
	}
}

// estimated gives the rows that a table is thought to have, if the source has an
// estimate for its copy.
func estimated(copies []TableCopy, c TableCopy) int64 {
	for i := range copies {
		if copies[i].Table == c.Table && copies[i].Estimate > 0 {
			return max(copies[i].Estimate, c.Rows)
		}
	}
	return c.Estimate
}

// copyProgress sums up the tables. A table that holds more rows than estimated
// counts as it is.
func (s *Source) copyProgress(copies []TableCopy) *CopyProgress {
	p := &CopyProgress{TablesTotal: len(copies)}
	for _, c := range copies {
		total := max(c.Rows, c.Estimate)
		if c.Done {
			p.TablesDone++
			total = c.Rows
		}
		p.Rows += c.Rows
		p.RowsTotal += total
	}
	elapsed := s.Now().Sub(s.copying).Seconds()
	if p.Rows > 0 && p.RowsTotal > p.Rows && elapsed > 0.5 {
		left := elapsed * float64(p.RowsTotal-p.Rows) / float64(p.Rows)
		p.LeftSeconds = &left
	}
	return p
}

// stuck reports whether the source claims to work, the server moves, and
// nothing was carried for StuckAfter (O12).
func (s *Source) stuck(now time.Time) bool {
	working := s.state == Starting || s.state == Snapshot || s.state == Streaming
	moving := s.ahead || s.state != Streaming
	return working && moving && now.Sub(s.lastSign()) > s.StuckAfter
}

// turnTime is how long the own turn may take to come when nobody else holds the
// source.
const turnTime = 5 * time.Second

// standsBy reports whether another daemon holds the source.
func (s *Source) standsBy(now time.Time) bool {
	return !s.standing.IsZero() && now.Sub(s.standing) > turnTime
}

// lastSign is when the source last carried something or took up its work.
func (s *Source) lastSign() time.Time {
	if s.since.After(s.progress) {
		return s.since
	}
	return s.progress
}

// heldAfter is how long rows may wait for their commit before that is told.
const heldAfter = 5 * time.Second

// held reports whether rows wait and nothing is written or committed: the log
// does not take them.
func (s *Source) held(now time.Time) bool {
	working := s.state == Snapshot || s.state == Streaming
	return working && s.pending+s.handed > 0 && now.Sub(s.heldSince()) > heldAfter
}

// heldSince is when the log was last seen to take something, or began not to.
func (s *Source) heldSince() time.Time {
	if last := s.lastSign(); s.handed == 0 || last.After(s.given) {
		return last
	}
	return s.given
}

// codeLogWaits says that the log takes nothing.
const codeLogWaits pipeline.Code = "LOG_WAITS"

func (s *Source) heldProblem(now time.Time) *Problem {
	return &Problem{Code: codeLogWaits, At: now,
		Text: fmt.Sprintf("source %s: %d rows wait for their commit, and nothing was written or committed for %s", s.Name, s.pending+s.handed,
			now.Sub(s.heldSince()).Round(time.Second)),
		Mend: "wait, it goes on by itself; see that the brokers answer and that every partition has min.insync.replicas in sync"}
}

func (s *Source) stuckProblem(now time.Time) *Problem {
	return &Problem{Code: "SOURCE_STUCK", At: now,
		Text: "source " + s.Name + ": nothing was carried for " + now.Sub(s.lastSign()).Round(time.Second).String() +
			" although the server is ahead of what is committed",
		Mend: "evert status; restart the daemon if the log and the server both answer"}
}

// ring keeps the newest samples.
type ring struct {
	samples [512]float64
	n       int
	next    int
}

func (r *ring) add(v float64) {
	r.samples[r.next] = v
	r.next = (r.next + 1) % len(r.samples)
	r.n = min(r.n+1, len(r.samples))
}

// quantiles gives the median and the 99th percentile.
func (r *ring) quantiles() (p50, p99 float64) {
	if r.n == 0 {
		return 0, 0
	}
	sorted := sortedCopy(r.samples[:r.n])
	return sorted[r.n/2], sorted[min(r.n-1, r.n*99/100)]
}
