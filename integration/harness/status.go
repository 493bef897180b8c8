//go:build unix

package harness

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"path/filepath"
	"slices"
	"time"
)

// A Status is what a daemon says of its one source.
type Status struct {
	Health   string
	Reasons  []Reason
	State    string  `json:"state"`
	Ready    bool    `json:"ready"`
	Position string  `json:"position"`
	Seq      uint64  `json:"seq"`
	Restarts uint64  `json:"restarts"`
	Age      float64 `json:"progress_age_seconds"`
	Problem  *struct {
		Code string `json:"code"`
		Text string `json:"text"`
	} `json:"problem"`
	Snapshot *struct {
		Rows  int64 `json:"rows"`
		Total int64 `json:"rows_total"`
	} `json:"snapshot"`
	Tables []struct {
		State  string `json:"state"`
		Copied int64  `json:"copied_rows"` // while the source streams
	} `json:"tables"`
	Server *struct {
		End      string `json:"end"`
		Lag      int64  `json:"lag_bytes"`
		Retained *int64 `json:"retained_bytes"`
	} `json:"server"`
	Totals struct {
		Rows         uint64 `json:"rows"`
		Transactions uint64 `json:"transactions"`
		Parts        uint64 `json:"parts"`
		Commits      uint64 `json:"commits"`
	} `json:"totals"`
	Pending int `json:"pending_rows"`
	Latency struct {
		Delivery50 float64 `json:"delivery_p50_seconds"`
		Delivery99 float64 `json:"delivery_p99_seconds"`
		Commit50   float64 `json:"commit_p50_seconds"`
		Commit99   float64 `json:"commit_p99_seconds"`
		Samples    int     `json:"samples"`
	} `json:"latency"`
}

// A Reason is one thing that is not well, as the whole daemon says it.
type Reason struct {
	Component string `json:"component"`
	Code      string `json:"code"`
	Text      string `json:"text"`
	Mend      string `json:"mend"`
}

// Says reports whether one of the reasons has this code.
func (s Status) Says(code string) bool {
	return slices.ContainsFunc(s.Reasons, func(r Reason) bool { return r.Code == code })
}

// StatusOf asks the daemon that owns a data directory how it is, over its
// control socket.
func StatusOf(ctx context.Context, dataDir string) (Status, error) {
	socket := filepath.Join(dataDir, "evert.sock")
	transport := &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", socket)
	}}
	defer transport.CloseIdleConnections()
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://evert/v1/status", nil)
	if err != nil {
		return Status{}, err
	}
	resp, err := (&http.Client{Transport: transport}).Do(req)
	if err != nil {
		return Status{}, err
	}
	defer resp.Body.Close()
	var all struct {
		Health  string   `json:"health"`
		Reasons []Reason `json:"reasons"`
		Sources []Status `json:"sources"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&all); err != nil {
		return Status{}, fmt.Errorf("status: %w", err)
	}
	if len(all.Sources) != 1 {
		return Status{}, fmt.Errorf("status tells of %d sources", len(all.Sources))
	}
	all.Sources[0].Health, all.Sources[0].Reasons = all.Health, all.Reasons
	return all.Sources[0], nil
}

// Status asks the daemon how it is.
func (d *Daemon) Status() (Status, error) {
	return StatusOf(d.world.Context(), d.data)
}

// AwaitStatus asks until the answer is as wished, and gives it. It asks often at
// first, where a moment may be short, and seldom after that: each time costs the
// machine half a millisecond.
func (d *Daemon) AwaitStatus(what string, wish func(Status) bool) Status {
	d.world.Helper()
	timeout, began := time.After(Patience), time.Now()
	for {
		s, err := d.Status()
		if err == nil && wish(s) {
			return s
		}
		select {
		case <-time.After(period(time.Since(began))):
		case <-d.Exited():
			d.world.Fatalf("the daemon ended before %s; its last lines:\n%s", what, d.Last(12))
		case <-timeout:
			d.world.Fatalf("no sign of %s; status %+v, %v; its last lines:\n%sthe server:\n%s", what, s, err, d.Last(12), d.world.Activity())
		}
	}
}

// period is how long to wait before asking again, after so long: a hundredth of it.
func period(waited time.Duration) time.Duration {
	return min(max(waited/100, 5*time.Millisecond), 50*time.Millisecond)
}

// Copying accepts a snapshot of which so many rows were read.
func Copying(rows int64) func(Status) bool {
	return func(s Status) bool {
		return s.State == "streaming" || s.Snapshot != nil && s.Snapshot.Rows >= rows
	}
}

// CopyingInChunks accepts a source that streams, of whose copies so many rows were read, or
// that has none.
func CopyingInChunks(rows int64) func(Status) bool {
	return func(s Status) bool {
		if s.State != "streaming" {
			return false
		}
		read, are := s.Copies()
		return !are || read >= rows
	}
}

// Copies gives the rows that were read of tables that are copied while the source streams,
// if there are any.
func (s Status) Copies() (rows int64, are bool) {
	for _, t := range s.Tables {
		rows, are = rows+t.Copied, are || t.State == "copying"
	}
	return rows, are
}

// Streaming accepts a source that follows its server and has committed so many
// times since its daemon started.
func Streaming(commits uint64) func(Status) bool {
	return func(s Status) bool { return s.State == "streaming" && s.Totals.Commits >= commits }
}

// Flowing accepts a source that follows its server and has carried so many of its
// transactions since its daemon started.
func Flowing(transactions uint64) func(Status) bool {
	return func(s Status) bool { return s.State == "streaming" && s.Totals.Transactions >= transactions }
}

// LSN reads a position of Postgres; what is none counts as 0.
func LSN(text string) uint64 {
	var high, low uint64
	if _, err := fmt.Sscanf(text, "%X/%X", &high, &low); err != nil {
		return 0
	}
	return high<<32 | low
}
