package embedded_test

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"github.com/evertdb/evert/pipeline/log"
	"github.com/evertdb/evert/pipeline/log/embedded"
)

// faulty is a disk in memory on which writing can fail with an error.
type faulty struct {
	mem  *vfs.MemFS
	with atomic.Pointer[error]
}

func (f *faulty) fs() vfs.FS { return errorfs.Wrap(f.mem, errorfs.InjectorFunc(f.operation)) }

func (f *faulty) operation(op errorfs.Op) error {
	switch op.Kind {
	case errorfs.OpFileWrite, errorfs.OpFileSync, errorfs.OpFileSyncData, errorfs.OpCreate:
		if err := f.with.Load(); err != nil {
			return *err
		}
	}
	return nil
}

func (f *faulty) fail(err error) { f.with.Store(&err) }
func (f *faulty) mend()          { f.with.Store(nil) }

// TestFullBelowTheGuard: somebody else takes the reserve, so that Pebble's own
// writes find no room, in the middle of a commit.
func TestFullBelowTheGuard(t *testing.T) {
	t.Run("O08 a write without room waits for it and nothing is lost", func(t *testing.T) {
		f := &faulty{mem: vfs.NewCrashableMem()}
		full := make(chan bool, 10)
		l := open(t, embedded.Config{
			Dir: "log", FS: f.fs(), MemTable: 64 << 10, DiskPoll: time.Millisecond,
			Events: embedded.Events{Full: func(is bool) { full <- is }, Failed: func(err error) { t.Error(err) }},
		})
		put(t, l, "1")
		w, err := l.Writer(context.Background(), "w")
		if err != nil {
			t.Fatal(err)
		}
		f.fail(syscall.ENOSPC)
		done := make(chan error)
		go func() {
			var err error
			for i := range 300 { // more than the memtables take
				err = errors.Join(err, w.Append(context.Background(), log.Record{
					TopicPartition: log.TopicPartition{Topic: "t"}, Key: fmt.Append(nil, i), Value: make([]byte, 1000),
				}))
			}
			done <- errors.Join(err, w.Commit(context.Background(), nil))
		}()
		if !<-full {
			t.Fatal("it began with room")
		}
		if got := values(t, l); got != "1" {
			t.Fatalf("on the full disk: %q", got)
		}
		f.mend()
		if <-full {
			t.Fatal("full twice")
		}
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		if got := len(values(t, l)); got != 1+300*1001 {
			t.Fatalf("%d bytes are there", got)
		}
	})
	t.Run("O08 closing on a full disk does not hang and loses nothing committed", func(t *testing.T) {
		f := &faulty{mem: vfs.NewCrashableMem()}
		full := make(chan bool, 10)
		cfg := embedded.Config{Dir: "log", FS: f.fs(), DiskPoll: time.Millisecond, Events: embedded.Events{Full: func(is bool) { full <- is }}}
		l := open(t, cfg)
		put(t, l, "1")
		w, err := l.Writer(context.Background(), "w")
		if err != nil {
			t.Fatal(err)
		}
		f.fail(syscall.ENOSPC)
		done := make(chan error)
		go func() {
			err := w.Append(context.Background(), log.Record{TopicPartition: log.TopicPartition{Topic: "t"}, Key: []byte("x"), Value: []byte("2")})
			done <- errors.Join(err, w.Commit(context.Background(), nil))
		}()
		<-full
		if err := l.Close(); err == nil {
			t.Error("Close did not say that the disk is full")
		}
		if err := <-done; err == nil {
			t.Error("the commit went well")
		}
		cfg.FS = f.mem.CrashClone(vfs.CrashCloneCfg{})
		if got := values(t, open(t, cfg)); got != "1" {
			t.Fatalf("afterwards: %q", got)
		}
	})
}

// TestWriterLeavesFullDisk: a writer that is told to close while its commit
// waits for room goes at once; who opens the id next finds it settled.
func TestWriterLeavesFullDisk(t *testing.T) {
	f := &faulty{mem: vfs.NewCrashableMem()}
	full := make(chan bool, 10)
	cfg := embedded.Config{Dir: "log", FS: f.fs(), DiskPoll: time.Millisecond, Events: embedded.Events{Full: func(is bool) { full <- is }}}
	l := open(t, cfg)
	put(t, l, "1")
	x := log.Record{TopicPartition: log.TopicPartition{Topic: "t"}, Key: []byte("x"), Value: []byte("2")}
	stuck := func() log.Writer {
		w, err := l.Writer(context.Background(), "w")
		if err != nil {
			t.Fatal(err)
		}
		f.fail(syscall.ENOSPC)
		ctx, cancel := context.WithCancel(context.Background())
		go func() { <-full; cancel() }()
		if err := errors.Join(w.Append(context.Background(), x), w.Commit(ctx, nil)); !errors.Is(err, context.Canceled) {
			t.Fatalf("the commit on a full disk: %v", err)
		}
		return w
	}
	closed := func(w log.Writer) {
		t.Helper()
		done := make(chan error, 1)
		go func() { done <- errors.Join(w.Close(), w.Close()) }()
		select {
		case err := <-done:
			if err != nil {
				t.Fatal(err)
			}
		case <-time.After(3 * time.Minute):
			t.Fatal("Close waits for room")
		}
		if err := w.Append(context.Background(), x); !errors.Is(err, log.ErrClosed) && !errors.Is(err, log.ErrFenced) {
			t.Fatalf("Append to a closed writer: %v", err)
		}
	}
	t.Run("O08 K05 the next writer of the id in this process settles it first", func(t *testing.T) {
		w := stuck()
		closed(w)
		ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
		defer cancel()
		if _, err := l.Writer(ctx, "w"); !errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("a writer opened over one that is not settled: %v", err)
		}
		f.mend()
		if <-full {
			t.Fatal("full twice")
		}
		put(t, l, "3") // opens the id, and so waits until it is settled
		next, err := l.Writer(context.Background(), "w")
		if err != nil {
			t.Fatal(err)
		}
		if err := next.Close(); err != nil {
			t.Fatal(err)
		}
		if got := values(t, l); got != "1 2 3" { // the commit was under way: its room came before its drop
			t.Fatalf("afterwards: %q", got)
		}
	})
	t.Run("O08 the log closes behind it and the next Open drops it", func(t *testing.T) {
		closed(stuck())
		if err := l.Close(); !errors.Is(err, log.ErrFull) {
			t.Fatalf("Close: %v", err)
		}
		cfg.FS = f.mem.CrashClone(vfs.CrashCloneCfg{})
		if got := values(t, open(t, cfg)); got != "1 2 3" {
			t.Fatalf("afterwards: %q", got)
		}
	})
}

// TestDeadDisk: the disk fails in a way that Pebble cannot get over. The log
// says so once, every call says so, the process lives, and what was committed is
// there for the next one.
func TestDeadDisk(t *testing.T) {
	f := &faulty{mem: vfs.NewCrashableMem()}
	failed := make(chan error, 10)
	cfg := embedded.Config{Dir: "log", FS: f.fs(), Events: embedded.Events{Failed: func(err error) { failed <- err }}}
	l := open(t, cfg)
	put(t, l, "1")
	ctx := context.Background()
	w, err := l.Writer(ctx, "w")
	if err != nil {
		t.Fatal(err)
	}
	r, err := l.Reader(ctx)
	if err != nil {
		t.Fatal(err)
	}
	tp := log.TopicPartition{Topic: "t"}
	if err := r.Assign(log.Offsets{tp: 1}); err != nil {
		t.Fatal(err)
	}
	f.fail(syscall.EIO)
	err = w.Append(ctx, log.Record{TopicPartition: tp, Key: []byte("x"), Value: []byte("2")})
	if err = errors.Join(err, w.Commit(ctx, nil)); err == nil {
		t.Fatal("a commit on a dead disk went well")
	}
	cause := <-failed
	if _, err := r.Next(ctx, 1); !errors.Is(err, cause) {
		t.Errorf("Next: %v", err)
	}
	if _, err := l.Writer(ctx, "w"); !errors.Is(err, cause) {
		t.Errorf("Writer: %v", err)
	}
	if err := l.Close(); !errors.Is(err, cause) {
		t.Errorf("Close: %v", err)
	}
	cfg.FS = f.mem.CrashClone(vfs.CrashCloneCfg{})
	if got := values(t, open(t, cfg)); got != "1" {
		t.Fatalf("afterwards: %q", got)
	}
}
