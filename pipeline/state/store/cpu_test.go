//go:build unix

package store

import (
	"syscall"
	"testing"
	"time"
)

// cpu reports the time on processors from now on, which says more than the
// clock's on a machine that others use, too.
func cpu(b *testing.B, per int) (report func()) {
	from := processorTime()
	return func() {
		b.ReportMetric(float64(processorTime()-from)/float64(b.N*per), "cpu-ns/row")
	}
}

func processorTime() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
