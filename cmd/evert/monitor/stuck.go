package monitor

import (
	"slices"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
)

// Stucks are the transactions that hold a topic's stable end, as they were last
// seen. Its methods may be called from any goroutine; nil and the zero value are
// none.
type Stucks struct {
	mu  sync.Mutex
	all []Problem
}

// Observed takes in all of them, and gives those that are new.
func (s *Stucks) Observed(all []Problem) (fresh []Problem) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, p := range all {
		known := slices.IndexFunc(s.all, func(o Problem) bool { return o.Text == p.Text })
		if known < 0 {
			fresh = append(fresh, p)
			continue
		}
		all[i].At = s.all[known].At
	}
	s.all = slices.Clone(all)
	return fresh
}

// List gives all; the caller owns it.
func (s *Stucks) List() []Problem {
	if s == nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.all)
}

func stuckDesc() *prometheus.Desc {
	return prometheus.NewDesc("evert_kafka_stuck_transactions", "Partitions of our topics whose stable end is held by a transaction that is open for longer than kafka.transaction_timeout. Absent for the embedded log.", nil, nil)
}

func (s *Stucks) collect(ch chan<- prometheus.Metric) {
	if s != nil {
		level(ch, stuckDesc(), float64(len(s.List())))
	}
}
