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
