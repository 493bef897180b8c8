package diskspace

import "time"

// longest is the longest rest between two tries, in polls: half a minute of the
// stores' own.
const longest = 60

// A retry spaces what Pebble's background work tries again at once, for ever, when
// it fails for another reason than room: the guard's mutex is over it.
type retry struct {
	rest  time.Duration // before the next try; 0 while nothing fails
	since time.Time     // when the last try failed
	cause error
}

// Failed notes that Pebble's background work failed, and reports whether that is to
// be told: once for each try. It does not block; the next file that is to be made
// waits for its time.
func (g *Guard) Failed(cause error) (tell bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	r := &g.retry
	if r.rest > 0 && time.Since(r.since) < r.rest {
		return false // of the same try
	}
	r.rest, r.since, r.cause = min(max(2*r.rest, g.Poll), longest*g.Poll), time.Now(), cause
	return true
}

// Worked notes that Pebble's background work succeeded.
func (g *Guard) Worked() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.retry = retry{}
}

// Broken is what Pebble's background work failed with, as long as its next try is
// not overdue: what failed once, and is not tried again, keeps nobody.
func (g *Guard) Broken() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if r := g.retry; time.Since(r.since) < 2*r.rest {
		return r.cause
	}
	return nil
}

// rested waits until a file may be made again, the store closes, or is to.
func (g *Guard) rested() {
	g.mu.Lock()
	left := g.retry.rest - time.Since(g.retry.since)
	g.mu.Unlock()
	if left <= 0 {
		return
	}
	select {
	case <-g.Closing:
	case <-g.Ending:
	case <-time.After(left):
	}
}
