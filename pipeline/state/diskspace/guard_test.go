package diskspace_test

import (
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"github.com/evertdb/evert/pipeline/state/diskspace"
)

// While a write waits, nobody is told that there is room again, also when the
// reserve is found to be free: O08, R07.
func TestRoomIsToldWhenNothingWaits(t *testing.T) {
	var none atomic.Bool
	fs := errorfs.Wrap(vfs.NewMem(), errorfs.InjectorFunc(func(op errorfs.Op) error {
		if none.Load() && (op.Kind == errorfs.OpFileWrite || op.Kind == errorfs.OpCreate) {
			return syscall.ENOSPC
		}
		return nil
	}))
	told := make(chan bool, 10)
	g := &diskspace.Guard{FS: fs, Reserve: -1, Poll: time.Millisecond, Tell: func(full bool) { told <- full }}
	f, err := g.Wrap().Create("file", vfs.WriteCategoryUnspecified)
	if err != nil {
		t.Fatal(err)
	}
	none.Store(true)
	written := make(chan error, 1)
	go func() { _, err := f.Write([]byte("x")); written <- err }()
	if !<-told {
		t.Fatal("it began with room")
	}
	if !g.Free() || !g.Blocked() {
		t.Fatal("any reserve is free, and a write waits")
	}
	if len(told) > 0 {
		t.Fatal("there is room, it says, and a write waits for it")
	}
	none.Store(false)
	if err := <-written; err != nil {
		t.Fatal(err)
	}
	if <-told || g.Blocked() {
		t.Fatal("it is full, it says, and nothing waits")
	}
}
