package embedded_test

import (
	"context"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"github.com/evertdb/evert/pipeline/log"
	"github.com/evertdb/evert/pipeline/log/embedded"
	"github.com/evertdb/evert/pipeline/log/logtest"
)

func TestLog(t *testing.T) {
	logtest.Run(t, func(t *testing.T) logtest.Harness { return newMachine(t, 0).harness() },
		"K03", "K05", "K07", "K10", "K13", "K14", "K15", "K16", "K17", "K18", "K22", "O08")
}

// TestLogByLoads is TestLog with every commit large enough for loads.
func TestLogByLoads(t *testing.T) {
	logtest.Run(t, func(t *testing.T) logtest.Harness { return newMachine(t, 1).harness() },
		"K03", "K05", "K07", "K10", "K13", "K14", "K15", "K16", "K17", "K18", "K22", "O08")
}

// machine is a computer with a log on it: its disk can be full or slow, its
// power can fail, its clock is ours.
type machine struct {
	cfg  embedded.Config
	mem  *vfs.MemFS
	rng  *rand.Rand
	now  atomic.Int64
	full atomic.Bool
	sync atomic.Pointer[gate]
	log  *embedded.Log
	lose atomic.Pointer[bool]
}

// gate holds up whoever syncs: hit is closed when somebody does, open lets go.
type gate struct {
	hit, open chan struct{}
	once      sync.Once
}

// newMachine has loads of that many bytes; 0 is the default.
func newMachine(t *testing.T, load int64) *machine {
	m := &machine{mem: vfs.NewCrashableMem(), rng: rand.New(rand.NewPCG(1, 2))}
	m.now.Store(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC).UnixNano())
	m.cfg = embedded.Config{
		Dir: "log", MemTable: 256 << 10, Load: load, Cache: 1 << 20, DiskPoll: time.Millisecond, SweepRate: -1,
		Now: func() time.Time { return time.Unix(0, m.now.Add(1000)) },
	}
	m.open(t)
	return m
}

func (m *machine) open(t *testing.T) {
	t.Helper()
	m.cfg.FS = disk{FS: errorfs.Wrap(m.mem, errorfs.InjectorFunc(m.fault)), m: m}
	l, err := embedded.Open(m.cfg)
	if err != nil {
		t.Fatal(err)
	}
	m.log = l
	t.Cleanup(func() { l.Close() })
}

// fault decides over each operation on the disk.
func (m *machine) fault(op errorfs.Op) error {
	switch op.Kind {
	case errorfs.OpFileWrite, errorfs.OpCreate:
		if m.full.Load() {
			return syscall.ENOSPC
		}
	case errorfs.OpFileSync, errorfs.OpFileSyncData:
		if g := m.sync.Load(); g != nil {
			g.once.Do(func() { close(g.hit) })
			<-g.open
		}
	}
	return nil
}

// disk tells how much room there is.
type disk struct {
	vfs.FS
	m *machine
}

func (d disk) GetDiskUsage(string) (vfs.DiskUsage, error) {
	if d.m.full.Load() {
		return vfs.DiskUsage{}, nil
	}
	return vfs.DiskUsage{AvailBytes: 1 << 40}, nil
}

// reboot takes the power away: of what was not synced, some is left.
func (m *machine) reboot(t *testing.T, percent int) {
	t.Helper()
	m.mem = m.mem.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: percent, RNG: m.rng})
	m.open(t)
}

func (m *machine) harness() logtest.Harness {
	return logtest.Harness{
		Log: m.view(),
		Reopen: func(t *testing.T) log.Log {
			if err := m.log.Close(); err != nil {
				t.Fatal(err)
			}
			m.open(t)
			return m.view()
		},
		Crash: func(t *testing.T) log.Log {
			m.reboot(t, []int{0, 50, 100}[m.rng.IntN(3)])
			return m.view()
		},
		Compact: func(t *testing.T, topic string) {
			m.now.Add(int64(2 * time.Millisecond))
			if err := m.log.Admin().Compact(context.Background(), topic); err != nil {
				t.Fatal(err)
			}
		},
		Advance:    func(_ *testing.T, d time.Duration) { m.now.Add(int64(d)) },
		LoseCommit: func(_ *testing.T, done bool) { m.lose.Store(&done) },
		Fill:       func(*testing.T) { m.full.Store(true) },
		Free:       func(*testing.T) { m.full.Store(false) },
		Committed: func(t *testing.T, group string) log.Offsets {
			to, err := m.log.Committed(context.Background(), group)
			if err != nil {
				t.Fatal(err)
			}
			return to
		},
		Exact: true,
		Pins:  true,
	}
}

// view is the log, with commits that can be lost.
func (m *machine) view() log.Log { return lossy{m.log, m} }

type lossy struct {
	*embedded.Log
	m *machine
}

func (l lossy) Writer(ctx context.Context, id string) (log.Writer, error) {
	w, err := l.Log.Writer(ctx, id)
	if err != nil {
		return nil, err
	}
	return lossyWriter{w.(*embedded.Writer), l.m}, nil
}

type lossyWriter struct {
	*embedded.Writer
	m *machine
}

// Commit loses a commit if that was asked for: the caller gives up before it
// begins, or while the disk is at it.
func (w lossyWriter) Commit(ctx context.Context, in *log.Inputs) error {
	lose := w.m.lose.Swap(nil)
	if lose == nil {
		return w.Writer.Commit(ctx, in)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	if !*lose {
		cancel()
		return w.Writer.Commit(ctx, in)
	}
	if _, err := w.Flush(ctx); err != nil { // the one sync that is left is the commit's own
		return err
	}
	g := &gate{hit: make(chan struct{}), open: make(chan struct{})}
	w.m.sync.Store(g)
	go func() {
		<-g.hit
		cancel()
	}()
	err := w.Writer.Commit(ctx, in)
	w.m.sync.Store(nil)
	close(g.open)
	return err
}
