package postgres

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/evertdb/evert/schema"
)

// A window merges the rows of chunks, read beside the stream, into it (P12). It is
// that of one table. Whether a streamed transaction is in a chunk is a question of
// visibility and not of LSNs: a commit that waits for a synchronous standby is in
// the stream, and no snapshot shows it yet.
//
//	stream    T1      T2 open T3            T4 T5    place  T6
//	window             ├──────────────────────────────┤
//	chunk                     snapshot, rows, place            the place is taken behind the read
//
// The rows come out where the stream has passed the place, so that every
// transaction in the snapshot is before them. T3 to T5 beat the rows of their keys
// if the snapshot does not show them, and lose to them if it does. T1 and T2 were
// not kept by key: if the snapshot hides one of those, the chunk is read again.
//
// A window does no input or output, and knows no time. One goroutine uses it.
type window struct {
	mostBytes int // of keys, while a chunk is read
	mostXIDs  int // of transactions that no snapshot has shown yet

	suspects []uint32 // wrote to the table before it was watched, and may have been streamed then
	streamed []uint32 // changed the table since, and no snapshot has shown them yet; in order
	lostXIDs bool     // some of those were forgotten: suspects are to be named anew

	isOpen    bool
	earlier   int                 // streamed[:earlier] came before the window was opened
	keys      map[string][]uint32 // touched since, by whom; nil once the chunk has arrived
	truncates []uint32            // since
	bytes     int                 // of keys

	shows  *visibility // of the chunk; nil: it has not arrived
	rows   map[string]int
	losers []bool // by row of the chunk
	none   bool   // all of its rows lose
}

// watch begins to watch a table. Suspects are named with the first chunk.
func (w *window) watch() {
	*w = window{mostBytes: w.mostBytes, mostXIDs: w.mostXIDs, lostXIDs: true}
}

// open begins to keep the keys of changes. Between transactions only.
func (w *window) open() {
	w.isOpen, w.earlier, w.bytes, w.shows, w.rows, w.losers, w.none = true, len(w.streamed), 0, nil, nil, nil, false
	w.keys, w.truncates = map[string][]uint32{}, nil
}

// close gives the chunk up, or is done with it.
func (w *window) close() {
	w.isOpen, w.keys, w.truncates, w.bytes, w.shows, w.rows, w.losers = false, nil, nil, 0, nil, nil, nil
}

// touch notes that a transaction changed the table.
func (w *window) touch(xid uint32) {
	if n := len(w.streamed); n > 0 && w.streamed[n-1] == xid {
		return
	}
	if len(w.streamed) >= w.mostXIDs && !w.keeping() {
		w.streamed, w.lostXIDs = w.streamed[:0], true
	}
	w.streamed = append(w.streamed, xid)
}

// change notes that a transaction changed the row of a key; a key that moved is
// two.
func (w *window) change(key []byte, xid uint32) {
	switch {
	case !w.isOpen:
	case w.shows == nil:
		w.keep(key, xid)
	case !w.shows.has(xid):
		w.lose(key)
	}
}

func (w *window) keep(key []byte, xid uint32) {
	by, known := w.keys[string(key)]
	if n := len(by); n > 0 && by[n-1] == xid {
		return
	}
	if !known {
		w.bytes += len(key) + keptKeyBytes
	}
	w.bytes += keptXIDBytes
	w.keys[string(key)] = append(by, xid)
}

// What a key, and a transaction that touched it, occupy besides its bytes.
const (
	keptKeyBytes = 64
	keptXIDBytes = 8
)

func (w *window) lose(key []byte) {
	if i, ok := w.rows[string(key)]; ok {
		w.losers[i] = true
	}
}

// truncate notes that a transaction emptied the table.
func (w *window) truncate(xid uint32) {
	switch {
	case !w.isOpen:
	case w.shows == nil:
		w.truncates = append(w.truncates, xid)
	case !w.shows.has(xid):
		w.none = true
	}
}

// keeping reports whether the window is open and its chunk has not arrived.
func (w *window) keeping() bool { return w.isOpen && w.shows == nil }

// full reports whether no more may be kept before the chunk has arrived.
func (w *window) full() bool {
	return w.keeping() && (w.bytes >= w.mostBytes || len(w.streamed)-w.earlier >= w.mostXIDs)
}

// suspect names those that wrote to the table and were open when the chunk's read
// began, if they were asked for.
func (w *window) suspect(xids []uint32) { w.suspects, w.lostXIDs = xids, false }

// arrive takes what a chunk's snapshot shows, and which of its rows has which key.
// It reports whether the chunk can be merged; else it is read again, and hidden
// tells a transaction that its snapshot may lack.
func (w *window) arrive(v *visibility, rows map[string]int, count int) (hidden uint32, ok bool) {
	earlier := w.streamed[:w.earlier]
	at := slices.IndexFunc(earlier, func(x uint32) bool { return !v.has(x) })
	by := slices.IndexFunc(w.suspects, func(x uint32) bool { return !v.has(x) })
	switch {
	case at >= 0:
		hidden = earlier[at]
	case by >= 0:
		hidden = w.suspects[by]
	}
	w.suspects = slices.DeleteFunc(w.suspects, v.has)
	w.streamed = slices.DeleteFunc(w.streamed, v.has)
	w.earlier = 0
	if at >= 0 || by >= 0 {
		w.close()
		return hidden, false
	}
	w.merge(v, rows, count)
	return 0, true
}

// arriveReplayed takes a chunk of a standby, whose snapshot shows everything that was
// streamed before the window was opened. What was streamed since beats its rows, whether
// the snapshot shows it or not.
func (w *window) arriveReplayed(rows map[string]int, count int) {
	w.suspects, w.streamed, w.earlier = nil, w.streamed[:0], 0
	w.merge(&visibility{}, rows, count)
}

func (w *window) merge(v *visibility, rows map[string]int, count int) {
	w.shows, w.rows, w.losers = v, rows, make([]bool, count)
	hidden := func(x uint32) bool { return !v.has(x) }
	for key, by := range w.keys {
		if slices.ContainsFunc(by, hidden) {
			w.lose([]byte(key))
		}
	}
	w.none = slices.ContainsFunc(w.truncates, hidden)
	w.keys, w.truncates, w.bytes = nil, nil, 0
}

// loses reports whether a row of the chunk lost to the stream.
func (w *window) loses(row int) bool { return w.none || w.losers[row] }

// appendKey appends the key of a row, such that two are equal if and only if their
// topic keys are.
func appendKey(dst []byte, t *schema.Table, row schema.Row) []byte {
	for _, k := range t.Key {
		v := row[k]
		dst = append(dst, byte(v.Kind()))
		dst = binary.AppendVarint(dst, v.Int())
		dst = append(binary.AppendUvarint(dst, uint64(len(v.Ref()))), v.Ref()...)
	}
	return dst
}

// A visibility is what a snapshot shows: every transaction before xmin, those
// before xmax that were not in progress, and no other.
type visibility struct {
	xmin, xmax uint64
	open       []uint64 // in progress, ascending
}

// parseVisibility reads what pg_current_snapshot() prints: xmin:xmax:xid,xid.
func parseVisibility(text string) (*visibility, error) {
	low, rest, _ := strings.Cut(text, ":")
	high, list, ok := strings.Cut(rest, ":")
	xmin, err1 := strconv.ParseUint(low, 10, 64)
	xmax, err2 := strconv.ParseUint(high, 10, 64)
	if !ok || err1 != nil || err2 != nil {
		return nil, fmt.Errorf("%q is not a snapshot", text)
	}
	v := &visibility{xmin: xmin, xmax: xmax}
	for word := range strings.SplitSeq(list, ",") {
		if word == "" {
			continue
		}
		x, err := strconv.ParseUint(word, 10, 64)
		if err != nil {
			return nil, fmt.Errorf("%q is not a snapshot", text)
		}
		v.open = append(v.open, x)
	}
	slices.Sort(v.open)
	return v, nil
}

// has reports whether a transaction, if it was committed, is in the snapshot. xid
// is that of the whole transaction: snapshots do not list their parts.
func (v *visibility) has(xid uint32) bool {
	full := v.widen(xid)
	if full < v.xmin {
		return true
	}
	_, open := slices.BinarySearch(v.open, full)
	return full < v.xmax && !open
}

// widen gives a transaction number its upper half: the one that brings it nearest
// to the snapshot.
func (v *visibility) widen(xid uint32) uint64 {
	full := v.xmax&^(1<<32-1) | uint64(xid)
	switch {
	case full > v.xmax+1<<31 && full >= 1<<32:
		return full - 1<<32
	case full+1<<31 < v.xmax:
		return full + 1<<32
	}
	return full
}
