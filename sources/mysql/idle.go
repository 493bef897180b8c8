package mysql

import "sync"

// idleSessions are connections that wait for the next chunk. Those of an epoch are to the
// server of one stream; the next one may be to another server, so that a connection that
// was at work when its epoch ended is closed when it comes back. Any goroutine may call
// the methods.
type idleSessions struct {
	mu    sync.Mutex
	epoch int
	free  []*session // as many as were at work at a time, at most
}

// take gives a connection that is free, or nil, and the epoch of now.
func (i *idleSessions) take() (*session, int) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if len(i.free) == 0 {
		return nil, i.epoch
	}
	last := len(i.free) - 1
	side := i.free[last]
	i.free = i.free[:last]
	return side, i.epoch
}

// put takes back a connection that take gave, or that was made after it gave none.
func (i *idleSessions) put(side *session, epoch int) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if epoch != i.epoch {
		side.close()
		return
	}
	i.free = append(i.free, side)
}

// hangUp ends the epoch and closes what is free.
func (i *idleSessions) hangUp() {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.epoch++
	for _, side := range i.free {
		side.close()
	}
	i.free = nil
}
