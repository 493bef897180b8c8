//go:build linux

package harness

import (
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"
)

// The time of this process and of a child that has ended is what the kernel tells of them.
func TestProcessor(t *testing.T) {
	burn := exec.Command("sh", "-c", "i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done")
	if err := burn.Run(); err != nil {
		t.Fatal(err)
	}
	before := told()
	got, err := Processor(os.Getpid())
	after := told()
	if child := burn.ProcessState.UserTime(); err != nil || got+4*tick < before || got > after+tick {
		t.Errorf("%v (%v); the kernel tells %v before and %v after it, %v of them of the child", got, err, before, after, child)
	}
	if _, err := Processor(burn.Process.Pid); err == nil {
		t.Error("a process that has ended has a time")
	}
}

func told() time.Duration {
	var all time.Duration
	for _, who := range []int{syscall.RUSAGE_SELF, syscall.RUSAGE_CHILDREN} {
		var u syscall.Rusage
		if err := syscall.Getrusage(who, &u); err != nil {
			panic(err)
		}
		all += time.Duration(u.Utime.Nano() + u.Stime.Nano())
	}
	return all
}

func TestParseStat(t *testing.T) {
	got := parseStat("7 (a ) b (c) S 3 7 7 0 -1 4194560 1 2 3 4 100 20 5 6 20 0 1 0 99 1 1 1\n")
	if want := (stat{parent: 3, own: 120 * tick, ended: 11 * tick}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
}
