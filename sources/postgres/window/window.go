package window

import (
	"encoding/binary"
	"slices"

	"github.com/evertdb/evert/schema"
)

// A Window is what is known of the chunk of one table, and of who changes the table
// meanwhile. One goroutine uses it.
type Window struct {
	MostBytes int // of keys, while a chunk is read
	MostXIDs  int // of transactions that no snapshot has shown yet

	Suspects []uint32 // wrote to the table before it was watched, and may have been streamed then
	streamed []uint32 // changed the table since, and no snapshot has shown them yet; in order
	LostXIDs bool     // some of those were forgotten: suspects are to be named anew

	IsOpen    bool
	earlier   int                 // streamed[:earlier] came before the window was opened
	keys      map[string][]uint32 // touched since, by whom; nil once the chunk has arrived
	truncates []uint32            // since
	bytes     int                 // of keys

	shows  *Visibility // of the chunk; nil: it has not arrived
	rows   map[string]int
	losers []bool // by row of the chunk
	none   bool   // all of its rows lose
}

// Watch begins to watch a table. Suspects are named with the first chunk.
func (w *Window) Watch() {
	*w = Window{MostBytes: w.MostBytes, MostXIDs: w.MostXIDs, LostXIDs: true}
}

// Open begins to keep the keys of changes. Between transactions only.
func (w *Window) Open() {
	w.IsOpen, w.earlier, w.bytes, w.shows, w.rows, w.losers, w.none = true, len(w.streamed), 0, nil, nil, nil, false
	w.keys, w.truncates = map[string][]uint32{}, nil
}

// Close gives the chunk up, or is done with it.
func (w *Window) Close() {
	w.IsOpen, w.keys, w.truncates, w.bytes, w.shows, w.rows, w.losers = false, nil, nil, 0, nil, nil, nil
}

// Touch notes that a transaction changed the table.
func (w *Window) Touch(xid uint32) {
	if n := len(w.streamed); n > 0 && w.streamed[n-1] == xid {
		return
	}
	if len(w.streamed) >= w.MostXIDs && !w.keeping() {
		w.streamed, w.LostXIDs = w.streamed[:0], true
	}
	w.streamed = append(w.streamed, xid)
}

// Change notes that a transaction changed the row of a key; a key that moved is
// two.
func (w *Window) Change(key []byte, xid uint32) {
	switch {
	case !w.IsOpen:
	case w.shows == nil:
		w.keep(key, xid)
	case !w.shows.Has(xid):
		w.lose(key)
	}
}

func (w *Window) keep(key []byte, xid uint32) {
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

func (w *Window) lose(key []byte) {
	if i, ok := w.rows[string(key)]; ok {
		w.losers[i] = true
	}
}

// Truncate notes that a transaction emptied the table.
func (w *Window) Truncate(xid uint32) {
	switch {
	case !w.IsOpen:
	case w.shows == nil:
		w.truncates = append(w.truncates, xid)
	case !w.shows.Has(xid):
		w.none = true
	}
}

// keeping reports whether the window is open and its chunk has not arrived.
func (w *Window) keeping() bool { return w.IsOpen && w.shows == nil }

// Full reports whether no more may be kept before the chunk has arrived.
func (w *Window) Full() bool {
	return w.keeping() && (w.bytes >= w.MostBytes || len(w.streamed)-w.earlier >= w.MostXIDs)
}

// Suspect names those that wrote to the table and were open when the chunk's read
// began, if they were asked for.
func (w *Window) Suspect(xids []uint32) { w.Suspects, w.LostXIDs = xids, false }

// Arrive takes what a chunk's snapshot shows, and which of its rows has which key.
// It reports whether the chunk can be merged; else it is read again, and hidden
// tells a transaction that its snapshot may lack.
func (w *Window) Arrive(v *Visibility, rows map[string]int, count int) (hidden uint32, ok bool) {
	earlier := w.streamed[:w.earlier]
	at := slices.IndexFunc(earlier, func(x uint32) bool { return !v.Has(x) })
	by := slices.IndexFunc(w.Suspects, func(x uint32) bool { return !v.Has(x) })
	switch {
	case at >= 0:
		hidden = earlier[at]
	case by >= 0:
		hidden = w.Suspects[by]
	}
	w.Suspects = slices.DeleteFunc(w.Suspects, v.Has)
	w.streamed = slices.DeleteFunc(w.streamed, v.Has)
	w.earlier = 0
	if at >= 0 || by >= 0 {
		w.Close()
		return hidden, false
	}
	w.merge(v, rows, count)
	return 0, true
}

// ArriveReplayed takes a chunk of a standby, whose snapshot shows everything that was
// streamed before the window was opened. What was streamed since beats its rows, whether
// the snapshot shows it or not.
func (w *Window) ArriveReplayed(rows map[string]int, count int) {
	w.Suspects, w.streamed, w.earlier = nil, w.streamed[:0], 0
	w.merge(&Visibility{}, rows, count)
}

func (w *Window) merge(v *Visibility, rows map[string]int, count int) {
	w.shows, w.rows, w.losers = v, rows, make([]bool, count)
	hidden := func(x uint32) bool { return !v.Has(x) }
	for key, by := range w.keys {
		if slices.ContainsFunc(by, hidden) {
			w.lose([]byte(key))
		}
	}
	w.none = slices.ContainsFunc(w.truncates, hidden)
	w.keys, w.truncates, w.bytes = nil, nil, 0
}

// Loses reports whether a row of the chunk lost to the stream.
func (w *Window) Loses(row int) bool { return w.none || w.losers[row] }

// AppendKey appends the key of a row, such that two are equal if and only if their
// topic keys are.
func AppendKey(dst []byte, t *schema.Table, row schema.Row) []byte {
	for _, k := range t.Key {
		v := row[k]
		dst = append(dst, byte(v.Kind()))
		dst = binary.AppendVarint(dst, v.Int())
		dst = append(binary.AppendUvarint(dst, uint64(len(v.Ref()))), v.Ref()...)
	}
	return dst
}
