package embedded

import (
	"bytes"
	"encoding/binary"
	"slices"

	"github.com/cockroachdb/pebble/v2"
)

// entries gathers the index entries of a batch and puts them in sorted: for
// random keys that halves what Pebble's skiplist takes, since each entry goes
// in near the one before.
type entries struct {
	arena []byte // keys, one after another
	refs  []entryRef
}

// entryRef is one entry: where its key lies, and the eight bytes behind the
// common ones, which decide most comparisons.
type entryRef struct {
	sort      uint64
	from, to  uint32
	tombstone bool
}

// flags is the value of the entry.
func (r *entryRef) flags() []byte {
	if r.tombstone {
		return []byte{flagTombstone}
	}
	return nil
}

// add notes the entry of a record.
func (e *entries) add(id uint32, key []byte, offset int64, tombstone bool) {
	from := len(e.arena)
	e.arena = appendIndexKey(e.arena, id, key, offset)
	e.refs = append(e.refs, entryRef{from: uint32(from), to: uint32(len(e.arena)), tombstone: tombstone})
}

// take moves the entries of other behind those of e.
func (e *entries) take(other *entries) {
	base := uint32(len(e.arena))
	e.arena = append(e.arena, other.arena...)
	for _, r := range other.refs {
		r.from, r.to = r.from+base, r.to+base
		e.refs = append(e.refs, r)
	}
	other.reset()
}

func (e *entries) reset() { e.arena, e.refs = e.arena[:0], e.refs[:0] }

func (e *entries) bytes() int { return len(e.arena) + 4*len(e.refs) }

// put writes all entries into a batch in the order of their keys, and forgets
// them.
func (e *entries) put(b *pebble.Batch) error {
	e.order()
	for _, r := range e.refs {
		key := e.arena[r.from:r.to]
		value := 0
		if r.tombstone {
			value = 1
		}
		op := b.SetDeferred(len(key), value)
		copy(op.Key, key)
		if r.tombstone {
			op.Value[0] = flagTombstone
		}
		if err := op.Finish(); err != nil {
			return err
		}
	}
	e.reset()
	return nil
}

func (e *entries) order() {
	common := e.shared()
	for i := range e.refs {
		r := &e.refs[i]
		var head [8]byte
		copy(head[:], e.arena[int(r.from)+common:r.to])
		r.sort = binary.BigEndian.Uint64(head[:])
	}
	slices.SortFunc(e.refs, func(a, b entryRef) int {
		switch {
		case a.sort < b.sort:
			return -1
		case a.sort > b.sort:
			return 1
		}
		return bytes.Compare(e.arena[a.from:a.to], e.arena[b.from:b.to])
	})
}

// shared counts the bytes that all keys begin with.
func (e *entries) shared() int {
	if len(e.refs) == 0 {
		return 0
	}
	first := e.arena[e.refs[0].from:e.refs[0].to]
	n := len(first)
	for _, r := range e.refs[1:] {
		key := e.arena[r.from:r.to]
		n = min(n, len(key))
		for i := range n {
			if key[i] != first[i] {
				n = i
				break
			}
		}
	}
	return n
}
