package embedded

import (
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/sstable"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/evertdb/evert/pipeline/log"
	"github.com/evertdb/evert/pipeline/state/diskspace"
)

// A Log is a log in one directory of this process. Its methods may be called
// from any goroutine.
type Log struct {
	cfg  Config
	dir  *directory
	db   *pebble.DB
	disk *diskspace.Guard
	fs   vfs.FS // of Pebble and of loads: the disk's wrapper

	closing chan struct{} // closed by Close
	dead    chan struct{} // closed by fail
	cause   error         // set before dead is closed
	died    sync.Once
	tasks   sync.WaitGroup // the goroutines of the log
	uses    sync.WaitGroup // calls that are inside Pebble

	mu      sync.Mutex // a leaf: nothing waits while holding it
	closed  bool
	topics  map[string]*topic
	nextID  uint32
	writers map[string]*Writer
	readers map[*Reader]struct{}
	moved   chan struct{} // closed and replaced whenever an end or an owner changes

	making chan struct{} // of one: held while topics are made or deleted
	groups groups
	sweep  *sweeper // nil if read-only

	tables sstable.WriterOptions // of loads
	loaded atomic.Uint64         // loads so far, for the names of their tables
}

var _ log.Log = (*Log)(nil)

// use begins a call that touches Pebble; done ends it.
func (l *Log) use() (done func(), err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.aliveLocked(); err != nil {
		return nil, err
	}
	l.uses.Add(1)
	return l.uses.Done, nil
}

func (l *Log) aliveLocked() error {
	if l.closed {
		return log.ErrClosed
	}
	select {
	case <-l.dead:
		return l.cause
	default:
		return nil
	}
}

// movedLocked tells everybody who waits for an end or an owner.
func (l *Log) movedLocked() {
	close(l.moved)
	l.moved = make(chan struct{})
}

// fail ends the log: Pebble said that it cannot go on. What is on the disk is
// sound; a new Open finds it.
func (l *Log) fail(err error) {
	l.died.Do(func() {
		l.cause = fmt.Errorf("the log in %s cannot go on, start again: %w", l.cfg.Dir, err)
		close(l.dead)
		l.cfg.Events.failed(l.cause)
	})
}

// background hears what Pebble's own goroutines could not do, and try again.
func (l *Log) background(err error) {
	if l.disk.Failed(err) {
		l.cfg.Events.trouble("background: " + err.Error())
	}
}

// worked hears of a flush or a compaction that has ended.
func (l *Log) worked(err error) {
	if err == nil {
		l.disk.Worked()
	}
}

// call runs fn, which writes to Pebble, on a goroutine of the log's own: one
// that Fatalf may end.
func (l *Log) call(fn func() error) error {
	result := make(chan error, 1)
	go func() { result <- fn() }()
	select {
	case err := <-result:
		return err
	case <-l.dead:
		return l.cause
	}
}

// logger is Pebble's way to say things.
type logger struct{ log *Log }

func (logger) Infof(string, ...any) {}

func (g logger) Errorf(format string, args ...any) {
	g.log.cfg.Events.trouble(fmt.Sprintf(format, args...))
}

// Fatalf must not return: Pebble's state is undefined behind it. It ends the
// goroutine instead of the process. All goroutines that can come here are
// Pebble's or the log's own, never a caller's.
func (g logger) Fatalf(format string, args ...any) {
	g.log.fail(fmt.Errorf(format, args...))
	runtime.Goexit()
}

// Close ends the log in good order: writers' open commits are dropped, waiting
// calls end with ErrClosed. It may be called again.
func (l *Log) Close() error {
	l.mu.Lock()
	if l.closed {
		l.mu.Unlock()
		return nil
	}
	l.closed = true
	close(l.closing)
	l.movedLocked()
	l.mu.Unlock()
	l.groups.close()
	if l.disk.Blocked() || l.isDead() {
		return l.abandon()
	}
	l.tasks.Wait()
	l.uses.Wait()
	return errors.Join(l.db.Close(), l.dir.release())
}

func (l *Log) isDead() bool {
	select {
	case <-l.dead:
		return true
	default:
		return false
	}
}

// abandon leaves Pebble as it is, as a crash would: it cannot be closed without
// writing. The directory stays locked until the process ends.
func (l *Log) abandon() error {
	if l.isDead() {
		return l.cause
	}
	return fmt.Errorf("close %s: %w", l.cfg.Dir, log.ErrFull)
}
