package monitor

import (
	"sync"
	"time"
)

// A Disk is the one that holds data_dir. Its methods may be called from any
// goroutine; a nil one knows nothing.
type Disk struct {
	mu     sync.Mutex
	status DiskStatus
	free   trend
}

// A DiskStatus is how much room a disk has.
type DiskStatus struct {
	FreeBytes   int64    `json:"free_bytes"`
	SizeBytes   int64    `json:"size_bytes"`
	FullSeconds *float64 `json:"full_seconds,omitempty"` // until it is full, as it filled over the last minutes; absent while it does not
}

// Sampled notes what the system says.
func (d *Disk) Sampled(now time.Time, free, size int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.free.add(now, free)
	d.status = DiskStatus{FreeBytes: free, SizeBytes: size, FullSeconds: d.free.secondsLeft()}
}

// Status gives the newest sample; ok is false before the first.
func (d *Disk) Status() (st DiskStatus, ok bool) {
	if d == nil {
		return st, false
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.status, d.status.SizeBytes > 0
}
