package api

import (
	"time"

	"github.com/evertdb/evert/cmd/evert/monitor"
)

// Status is how a deployment is, as /v1/status and `evert status -o json` give it.
type Status struct {
	Deployment    string  `json:"deployment"`
	Version       string  `json:"version"`
	Running       bool    `json:"running"` // false: read from the data directory without a daemon
	PID           int     `json:"pid,omitempty"`
	UptimeSeconds float64 `json:"uptime_seconds,omitempty"`
	monitor.Health
	Log     LogStatus              `json:"log"`
	Listen  []Address              `json:"listen,omitempty"`
	Disk    *monitor.DiskStatus    `json:"disk,omitempty"`    // of data_dir
	Readers []monitor.ReaderStatus `json:"readers,omitempty"` // consumer groups on the table topics
	Sources []monitor.SourceStatus `json:"sources"`
	Views   []monitor.ViewStatus   `json:"views,omitempty"`
	Sinks   []monitor.SinkStatus   `json:"sinks,omitempty"`
	// Findings are what is not as the file says and stops nothing.
	Findings []monitor.Problem `json:"findings,omitempty"`
	At       time.Time         `json:"at"`
}

// LogStatus is where the topics live.
type LogStatus struct {
	Kind   string `json:"kind"`  // embedded or kafka
	Place  string `json:"place"` // folder or brokers
	Topics int    `json:"topics"`
	// Cluster is what a Kafka cluster told when it was opened.
	Cluster *monitor.ClusterStatus `json:"cluster,omitempty"`
}

// An Address is where something listens.
type Address struct {
	Name    string `json:"name"` // as in the section serve
	Address string `json:"address"`
}

// A Reset is a command to forget a source's position, and its plan.
type Reset struct {
	Source     string `json:"source"`
	Resnapshot bool   `json:"resnapshot"` // keep the table topics; copy into them again
	Yes        bool   `json:"yes"`        // do it; else only say what would be done
}

// A Step is one thing that a command touches.
type Step struct {
	Does  string `json:"does"` // delete topic, drop slot, …
	What  string `json:"what"` // its name
	Note  string `json:"note,omitempty"`
	Error string `json:"error,omitempty"` // why it was not possible; the rest goes on
}

// A Plan is what a command touches, or touched.
type Plan struct {
	Done  bool   `json:"done"`
	Steps []Step `json:"steps"`
}
