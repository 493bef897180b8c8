package monitor

import (
	"cmp"
	"slices"
	"sync"
	"time"

	"github.com/evertdb/evert/pipeline"
)

// maxFindings bounds what is remembered; there are few per topic.
const maxFindings = 1000

// Findings are what is not as the file says and stops nothing: each is kept
// once. Methods may be called from any goroutine; the zero value is ready.
type Findings struct {
	mu  sync.Mutex
	all []Problem
}

// Add takes note of a finding, and reports whether it is new.
func (f *Findings) Add(r *pipeline.Refusal, now time.Time) bool {
	p := *ProblemOf(r, now)
	f.mu.Lock()
	defer f.mu.Unlock()
	known := slices.ContainsFunc(f.all, func(o Problem) bool { return o.Code == p.Code && o.Text == p.Text })
	if known || len(f.all) == maxFindings {
		return false
	}
	f.all = append(f.all, p)
	return true
}

// List gives all, in the order of their texts.
func (f *Findings) List() []Problem {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.SortedFunc(slices.Values(f.all), func(a, b Problem) int { return cmp.Compare(a.Text, b.Text) })
}
