package query

import (
	"crypto/rand"
	"encoding/hex"
	"strconv"
	"strings"
	"sync"
	"time"
)

// keptPlaces is how many pages back a cursor still answers: a client may not
// have got the answer that named the next one, and ask again.
const keptPlaces = 4

// A lease is one paged reading: a snapshot, what is read from it, and where the
// last pages ended. Its cursors are its id and the number of the page to come.
type lease struct {
	id    string
	view  string
	asked string // the filters and the order, as the URL had them

	mu     sync.Mutex // one request at a time
	snap   Snapshot   // nil once it has ended
	plan   *plan
	places []place // of the pages last-len+1 … last
	last   int     // the page that places ends with
	timer  *time.Timer
	serial uint64 // of its last use, under leases.mu
}

// leases are all paged readings that are open.
type leases struct {
	max int
	ttl time.Duration

	mu     sync.Mutex
	byID   map[string]*lease
	serial uint64
	closed bool
}

// add opens a lease over a snapshot, which is its own from then on, and gives the
// cursor of the page behind p. The lease used longest ago ends if there are too
// many.
func (ls *leases) add(l *lease, p place) string {
	var random [16]byte
	_, _ = rand.Read(random[:]) // it never fails
	l.id, l.places, l.last = hex.EncodeToString(random[:]), []place{p}, 1
	var oldest *lease
	ls.mu.Lock()
	if len(ls.byID) >= ls.max {
		oldest = ls.oldest()
	}
	closed := ls.closed
	if !closed {
		ls.serial++
		l.serial = ls.serial
		ls.byID[l.id] = l
		l.timer = time.AfterFunc(ls.ttl, func() { ls.end(l) })
	}
	ls.mu.Unlock()
	if oldest != nil {
		ls.end(oldest)
	}
	if closed {
		l.close()
		return ""
	}
	return l.cursor(1)
}

func (ls *leases) oldest() (oldest *lease) {
	for _, l := range ls.byID {
		if oldest == nil || l.serial < oldest.serial {
			oldest = l
		}
	}
	return oldest
}

// find gives the lease that a cursor names, and the page.
func (ls *leases) find(view, cursor string) (*lease, int, error) {
	id, number, _ := strings.Cut(cursor, ".")
	page, err := strconv.Atoi(number)
	ls.mu.Lock()
	defer ls.mu.Unlock()
	l := ls.byID[id]
	if err != nil || l == nil || l.view != view {
		return nil, 0, cursorGone()
	}
	ls.serial++
	l.serial = ls.serial
	l.timer.Reset(ls.ttl)
	return l, page, nil
}

// end ends a lease.
func (ls *leases) end(l *lease) {
	ls.mu.Lock()
	delete(ls.byID, l.id)
	l.timer.Stop()
	ls.mu.Unlock()
	l.close()
}

// close ends all leases, and every one that is opened later; of one view, if view
// is not empty.
func (ls *leases) close(view string) {
	ls.mu.Lock()
	ls.closed = ls.closed || view == ""
	var ending []*lease
	for _, l := range ls.byID {
		if view == "" || l.view == view {
			ending = append(ending, l)
		}
	}
	ls.mu.Unlock()
	for _, l := range ending {
		ls.end(l)
	}
}

func (l *lease) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.snap != nil {
		_ = l.snap.Close()
		l.snap = nil
	}
}

func (l *lease) cursor(page int) string { return l.id + "." + strconv.Itoa(page) }

// placeOf gives where a page begins; l.mu is held.
func (l *lease) placeOf(page int) (place, bool) {
	at := len(l.places) - 1 - (l.last - page)
	if l.snap == nil || at < 0 || at >= len(l.places) {
		return place{}, false
	}
	return l.places[at], true
}

// note keeps where a page begins; l.mu is held. A page that is read again with
// another limit ends elsewhere, and what followed it is forgotten.
func (l *lease) note(page int, p place) {
	l.places = append(l.places[:len(l.places)-1-(l.last-page)+1], p)
	l.last = page + 1
	if len(l.places) > keptPlaces {
		l.places = append(l.places[:0:0], l.places[1:]...)
	}
}
