package query

import (
	"sync"
	"time"

	"github.com/evertdb/evert/pipeline/dataflow"
)

// A Feed holds the changes of a view's last epochs, as JSON, for all who follow
// it: there is one copy, and a follower is no more than a place in it. It is
// bounded (I9); whoever falls behind what it holds has lost his place.
//
//	Start ─► (Begin ─► Change* ─► Done)*         by the one who maintains the view
//	          watch ─► after ─► after ─► …       by followers, from any goroutine
//
// Nothing is rendered while nobody follows, and nobody did a moment ago.
type Feed struct {
	max  int           // bytes
	keep time.Duration // how long epochs are held when the last follower has gone

	mu       sync.Mutex
	epochs   []held
	bytes    int
	newest   Epoch
	base     uint64 // all epochs above it, up to newest, are held
	missing  uint64 // the newest epoch that was never held
	watchers int
	left     time.Time     // when the last watcher did
	moved    chan struct{} // closed at the next Start, Done and Drift

	// Of the epoch that is open, and its maker's own:
	lines []byte
	count int
	lost  bool // some changes were not rendered
}

// held is the changes of one epoch: a JSON object and a line end for each.
type held struct {
	Epoch
	lines []byte
}

// NewFeed makes a feed that holds up to max bytes, and holds on for a while after
// its last follower has gone.
func NewFeed(max int, keep time.Duration) *Feed {
	return &Feed{max: max, keep: keep, moved: make(chan struct{})}
}

// Start says at which epoch the view is when it is taken up, or that its rows
// were replaced as a whole.
func (f *Feed) Start(e Epoch) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.skip(e)
	f.wake()
}

// Begin opens an epoch; what is open is dropped.
func (f *Feed) Begin() {
	f.lines, f.count, f.lost = nil, 0, !f.followed()
}

// Change adds a change to the open epoch. It keeps nothing of c.
func (f *Feed) Change(s *Shape, c dataflow.Change) {
	if f.lost {
		return
	}
	f.lines = append(appendEntry(f.lines, s, c), '\n')
	f.count++
	if len(f.lines) > f.max {
		f.lines, f.lost = nil, true
	}
}

// Done closes the epoch, which can be read from now on.
func (f *Feed) Done(e Epoch) {
	f.mu.Lock()
	defer f.mu.Unlock()
	defer f.wake()
	if f.lost || f.newest.Version != e.Version {
		f.skip(e)
	} else {
		f.add(held{e, f.lines})
	}
	f.lines = nil
}

// Drift says that the newest epoch holds up to a later position.
func (f *Feed) Drift(e Epoch) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.newest = e
	f.wake()
}

// skip goes on behind an epoch that is not held.
func (f *Feed) skip(e Epoch) {
	f.epochs, f.bytes = nil, 0
	f.newest, f.base, f.missing = e, e.Number, e.Number
}

// add holds an epoch, and lets go of the oldest ones for it.
func (f *Feed) add(h held) {
	f.epochs, f.bytes, f.newest = append(f.epochs, h), f.bytes+len(h.lines)+epochOverhead, h.Epoch
	n := 0
	for ; f.bytes > f.max && n < len(f.epochs); n++ {
		f.bytes -= len(f.epochs[n].lines) + epochOverhead
		f.base = f.epochs[n].Number
	}
	if n > 0 {
		f.epochs = append([]held(nil), f.epochs[n:]...)
	}
}

// epochOverhead is about what an epoch takes beside its changes.
const epochOverhead = 256

func (f *Feed) wake() {
	close(f.moved)
	f.moved = make(chan struct{})
}

// followed reports whether changes have to be rendered.
func (f *Feed) followed() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.watchers > 0 || !f.left.IsZero() && time.Since(f.left) < f.keep
}

// watch counts a follower in until leave is called, once.
func (f *Feed) watch() (leave func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.watchers++
	return func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.watchers--
		f.left = time.Now()
	}
}

// A standing is how a place relates to what is held.
type standing uint8

const (
	holds standing = iota // everything behind the place is held
	torn                  // an epoch behind it never was: nobody can go on from there
	slow                  // it was held, and is no more
)

// after gives what is held behind a place, the newest epoch, and what is closed
// when there is more.
func (f *Feed) after(at Epoch) (epochs []held, newest Epoch, how standing, moved <-chan struct{}) {
	f.mu.Lock()
	defer f.mu.Unlock()
	newest, moved = f.newest, f.moved
	switch {
	case newest.Number == 0 && newest.Version == 0: // nothing came by yet
	case at.Version != newest.Version:
		how = torn
	case at.Number >= newest.Number:
	case at.Number < f.missing:
		how = torn
	case at.Number < f.base:
		how = slow
	default:
		for i := range f.epochs {
			if f.epochs[i].Number > at.Number {
				epochs = f.epochs[i:len(f.epochs):len(f.epochs)]
				break
			}
		}
	}
	return epochs, newest, how, moved
}

// appendEntry writes a change: the key, and the row or null.
func appendEntry(dst []byte, s *Shape, c dataflow.Change) []byte {
	dst = s.AppendKey(append(dst, `{"key":`...), c.Key)
	dst = append(dst, `,"row":`...)
	if c.New == nil {
		return append(dst, "null}"...)
	}
	return append(s.AppendRow(dst, c.New), '}')
}
