package monitor

import (
	"time"

	"github.com/evertdb/evert/pipeline"
)

// A State is what a component is doing.
type State string

// The states of a source.
const (
	Starting  State = "starting"  // opening sink and source
	Snapshot  State = "snapshot"  // copying tables
	Streaming State = "streaming" // following the server
	Waiting   State = "waiting"   // failed, and will be tried again by itself
	Refused   State = "refused"   // failed in a way that a person has to mend; tried again slowly
	Stuck     State = "stuck"     // the server moves and we do not
	Standby   State = "standby"   // another daemon captures it; ready to take over
	Done      State = "done"      // reached where it was told to stop
	Stopped   State = "stopped"   // no daemon is running
)

// States are those of a running daemon, for metrics.
func States() []State {
	return []State{Starting, Snapshot, Streaming, Waiting, Refused, Stuck, Standby, Done}
}

// A SourceStatus is how one source is. Numbers of a kind that is not known are
// absent in JSON (pointers are nil).
type SourceStatus struct {
	Name     string         `json:"name"`
	Kind     string         `json:"kind"`
	State    State          `json:"state"`
	Since    time.Time      `json:"since"`
	Ready    bool           `json:"ready"` // its topics hold a complete cut, or we stand by to take over from who captures it
	Position string         `json:"position,omitempty"`
	Seq      uint64         `json:"seq"`
	Problem  *Problem       `json:"problem,omitempty"`
	Tables   []TableStatus  `json:"tables"`
	Snapshot *CopyProgress  `json:"snapshot,omitempty"`
	Server   *ServerStatus  `json:"server,omitempty"`
	Totals   Totals         `json:"totals"`
	Latency  LatencySummary `json:"latency"`

	LagSeconds         *float64 `json:"lag_seconds,omitempty"`  // age of what is committed, by the source's clock alone
	ClockSkewed        bool     `json:"clock_skewed,omitempty"` // that clock is more than two seconds from ours
	PendingRows        int      `json:"pending_rows"`           // written and not yet committed
	QueueFillRatio     float64  `json:"queue_fill_ratio"`
	ProgressAgeSeconds float64  `json:"progress_age_seconds"`
	Restarts           uint64   `json:"restarts"`
}

// Up reports whether the source runs or stands by: it is not being tried again
// after a failure. One that is stuck runs, and so does one whose log takes nothing:
// the log is what is down then.
func (s *SourceStatus) Up() bool {
	if s.Problem != nil && s.Problem.Code == codeLogWaits {
		return true
	}
	return s.State != Starting && s.State != Waiting && s.State != Refused && s.State != Stopped
}

// A Problem is why a component does not get on.
type Problem struct {
	Code  pipeline.Code `json:"code,omitempty"`
	Text  string        `json:"text"`
	Mend  string        `json:"mend,omitempty"`
	At    time.Time     `json:"at"`
	Retry *time.Time    `json:"retry,omitempty"`
}

// A TableStatus is how one table is.
type TableStatus struct {
	Table string `json:"table"`
	Topic string `json:"topic,omitempty"`
	State string `json:"state"` // copying, ok, stopped
	Rows  uint64 `json:"rows"`  // carried since the daemon started

	Oversized uint64   `json:"oversized,omitempty"` // rows too large for their topic since then
	Problem   *Problem `json:"problem,omitempty"`   // why it has stopped

	Copied    *int64 `json:"copied_rows,omitempty"`          // rows of its copy so far, while the source streams
	CopyTotal int64  `json:"copied_rows_estimate,omitempty"` // of all rows of the copy
}

// CopyProgress is how far the copy of the tables is.
type CopyProgress struct {
	TablesDone  int      `json:"tables_done"`
	TablesTotal int      `json:"tables_total"`
	Rows        int64    `json:"rows"`
	RowsTotal   int64    `json:"rows_total"` // an estimate
	LeftSeconds *float64 `json:"left_seconds,omitempty"`
}

// Share is the copied share of the estimate, at most 1.
func (c CopyProgress) Share() float64 {
	if c.RowsTotal <= 0 {
		return 0
	}
	return min(1, float64(c.Rows)/float64(c.RowsTotal))
}

// ServerStatus is what the server says, asked on a connection of its own.
type ServerStatus struct {
	End           string    `json:"end"`                      // its position
	LagBytes      int64     `json:"lag_bytes"`                // of its log between what is acknowledged and its end
	RetainedBytes *int64    `json:"retained_bytes,omitempty"` // kept for us
	LimitBytes    *int64    `json:"limit_bytes,omitempty"`    // until it stops keeping it; absent without a limit
	LimitSeconds  *float64  `json:"limit_seconds,omitempty"`  // the same in time, as it shrank over the last minutes; absent if it does not
	Slot          string    `json:"slot,omitempty"`           // see SlotStatuses
	Ahead         bool      `json:"ahead"`                    // its position lies ahead of what is committed
	At            time.Time `json:"at"`
	Error         string    `json:"error,omitempty"` // why the last question had no answer
}

// Totals count since the daemon started.
type Totals struct {
	Rows         uint64 `json:"rows"`
	Bytes        uint64 `json:"bytes"`
	Transactions uint64 `json:"transactions"`
	Parts        uint64 `json:"parts"` // commits inside a transaction
	Commits      uint64 `json:"commits"`
}

// LatencySummary is about the newest commits, in seconds.
type LatencySummary struct {
	CommitP50   float64 `json:"commit_p50_seconds"` // the call of commit
	CommitP99   float64 `json:"commit_p99_seconds"`
	DeliveryP50 float64 `json:"delivery_p50_seconds"` // from the commit in the database to the commit in the log
	DeliveryP99 float64 `json:"delivery_p99_seconds"`
	Samples     int     `json:"samples"`
}
