package store

import (
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"github.com/evertdb/evert/pipeline/dataflow"
)

// Snapshot is the state at the end of one epoch. Its methods may be called from
// any goroutine until it is released.
type Snapshot struct {
	s        *Store
	at       *pebble.Snapshot
	epoch    uint64
	progress []byte

	refs int       // owned by snapshots.mu
	kept time.Time // until when it is kept; zero: it is not
}

// snapshots are those of a store: the newest, and those that cursors hold.
//
//	advance ─► newest ─► (in use: refs, or kept) ─► closed by the last Release
type snapshots struct {
	store *Store

	mu     sync.Mutex
	idle   sync.Cond // told when a snapshot is closed; its lock is mu
	newest *Snapshot // holds a reference of its own
	kept   []*Snapshot
	live   int
	closed bool
}

// advance takes the snapshot of an epoch that was committed.
func (x *snapshots) advance(epoch uint64, progress []byte) {
	next := &Snapshot{s: x.store, at: x.store.db.NewSnapshot(), epoch: epoch, progress: progress, refs: 1}
	x.mu.Lock()
	defer x.mu.Unlock()
	before := x.newest
	x.newest = next
	x.live++
	if before != nil {
		x.dropLocked(before)
	}
	x.expireLocked()
}

// Snapshot gives the newest completed epoch. It never waits, not for a commit
// either. Release it soon: it holds back the deletion of old data.
func (s *Store) Snapshot() (*Snapshot, error) {
	if err := s.alive(); err != nil {
		return nil, err
	}
	x := &s.snapshots
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.closed {
		return nil, ErrClosed
	}
	x.newest.refs++
	return x.newest, nil
}

// At gives the snapshot of an epoch that is the newest or still kept; ok is
// false if it is neither.
func (s *Store) At(epoch uint64) (snap *Snapshot, ok bool) {
	x := &s.snapshots
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.closed || s.alive() != nil {
		return nil, false
	}
	x.expireLocked()
	if x.newest.epoch == epoch {
		x.newest.refs++
		return x.newest, true
	}
	for _, k := range x.kept {
		if k.epoch == epoch {
			k.refs++
			return k, true
		}
	}
	return nil, false
}

// Keep has At find the snapshot for Options.SnapshotAge from now on, after it is
// released. The one that would be forgotten first makes room if too many are
// kept.
func (n *Snapshot) Keep() {
	x := &n.s.snapshots
	x.mu.Lock()
	defer x.mu.Unlock()
	if n.kept.IsZero() {
		n.refs++
		x.kept = append(x.kept, n)
	}
	n.kept = n.s.opt.Now().Add(n.s.opt.SnapshotAge)
	x.expireLocked()
}

// expireLocked forgets kept snapshots that are too old or too many.
func (x *snapshots) expireLocked() {
	now := x.store.opt.Now()
	slices.SortFunc(x.kept, func(a, b *Snapshot) int { return a.kept.Compare(b.kept) })
	for len(x.kept) > 0 && (len(x.kept) > x.store.opt.Snapshots || !x.kept[0].kept.After(now)) {
		x.forgetLocked()
	}
}

func (x *snapshots) forgetLocked() {
	n := x.kept[0]
	x.kept = slices.Delete(x.kept, 0, 1)
	n.kept = time.Time{}
	x.dropLocked(n)
}

func (x *snapshots) dropLocked(n *Snapshot) {
	if n.refs--; n.refs > 0 {
		return
	}
	_ = n.at.Close() // only ever nil
	x.live--
	x.idle.Broadcast()
}

// close forgets all snapshots and waits for those that are in use.
func (x *snapshots) close() {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.closed = true
	for len(x.kept) > 0 {
		x.forgetLocked()
	}
	x.dropLocked(x.newest)
	for x.live > 0 {
		x.idle.Wait()
	}
}

func (x *snapshots) progress() []byte {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.newest.progress
}

func (x *snapshots) epoch() uint64 {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.newest.epoch
}

// Epoch counts the commits since the state was begun; a cursor names it.
func (n *Snapshot) Epoch() uint64 { return n.epoch }

// Progress is what the commit of the epoch was given. It is not to be changed.
func (n *Snapshot) Progress() []byte { return n.progress }

// Release ends the use of the snapshot, and of all that came from it.
func (n *Snapshot) Release() {
	x := &n.s.snapshots
	x.mu.Lock()
	defer x.mu.Unlock()
	x.dropLocked(n)
}

// Get appends the value of key to dst.
func (n *Snapshot) Get(dst, key []byte) (value []byte, ok bool, err error) {
	v, done, err := n.at.Get(key)
	if errors.Is(err, pebble.ErrNotFound) {
		return dst, false, nil
	}
	if err != nil {
		return dst, false, n.s.check(err)
	}
	dst = append(dst, v...)
	return dst, true, n.s.check(done.Close())
}

// Scan goes over the keys from low, inclusive, to high, exclusive, in byte
// order, or from the last to the first. One goroutine uses the cursor; it is
// closed before the snapshot is released.
func (n *Snapshot) Scan(low, high []byte, reverse bool) (dataflow.Cursor, error) {
	return (&cursors{s: n.s, from: n.at, once: true}).take(low, high, reverse)
}
