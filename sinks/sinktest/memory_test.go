package sinktest_test

import (
	"testing"

	"github.com/evertdb/evert/sinks/sinktest"
)

// TestMemory tells that the suite is about something that can be kept.
func TestMemory(t *testing.T) {
	sinktest.Run(t, func(*testing.T) sinktest.Harness {
		m := &sinktest.Memory{}
		return sinktest.Harness{New: m.New, Rows: m.Rows}
	})
}

// TestMemoryTarget tells that the clauses of a target can be kept.
func TestMemoryTarget(t *testing.T) {
	sinktest.RunTarget(t, func(*testing.T) sinktest.TargetHarness {
		m := sinktest.NewMemoryTarget()
		return sinktest.TargetHarness{New: m.New, Rows: m.Rows, Powers: sinktest.Powers{Atomic: true, Fences: true, Versions: true, Beside: true}}
	})
}
