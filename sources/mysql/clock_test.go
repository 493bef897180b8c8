package mysql

import (
	"testing"
	"time"
)

// O05 a server on this machine has this machine's clock, whatever zone its sessions
// are in; what is measured is off by no more than the answer took.
func TestClock(t *testing.T) {
	t.Parallel()
	d := newDB(t)
	asked := time.Now()
	_, ahead, err := EndAndClock(t.Context(), d.config())
	if err != nil {
		t.Fatal(err)
	}
	if took := time.Since(asked); ahead.Abs() > took+time.Millisecond {
		t.Errorf("the server's clock is %s ahead, measured in %s", ahead, took)
	}
}
