package embedded

import (
	"sort"

	"github.com/evertdb/evert/pipeline/log"
)

// What a writer keeps of the blocks that Latest read last: at most 32 copies
// of 64 KiB, and in each a mark every 16 records.
const (
	recentBlocks = 32
	recentBytes  = 2 * blockBytes // a longer block, of large records, is read where it lies
	markEvery    = 16
)

// recent keeps the blocks that were read last, so that keys whose records lie
// side by side, as those of a DELETE of many rows do, cost one read of their
// block and one scan of it together.
//
// A copy needs no invalidation, for whoever asks it for an offset has just
// found that in the index: a record never changes, no partition's number is
// used twice nor an offset while the log is open, and all that the sweep does
// to a block is to leave records out, whose index entries go with them.
type recent struct {
	blocks []*located // the last used first
}

// block gives the kept block that an offset falls into, nil if there is none.
func (c *recent) block(id uint32, offset int64) *located {
	for i, b := range c.blocks {
		if b.id == id && b.info.base <= offset && offset <= b.last {
			c.first(i)
			return b
		}
	}
	return nil
}

// first moves the block at i to the front.
func (c *recent) first(i int) {
	b := c.blocks[i]
	copy(c.blocks[1:i+1], c.blocks[:i])
	c.blocks[0] = b
}

// keep copies a block in the place of the one not used for longest. One that is
// too long is not copied: what keep gives is then valid as long as block is.
func (c *recent) keep(id uint32, last int64, block []byte) (*located, error) {
	if len(block) > recentBytes {
		b := &located{}
		return b, b.set(id, last, block)
	}
	if len(c.blocks) < recentBlocks {
		c.blocks = append(c.blocks, &located{})
	}
	c.first(len(c.blocks) - 1)
	b := c.blocks[0]
	b.copied = append(b.copied[:0], block...)
	return b, b.set(id, last, b.copied)
}

// located is a block with the places of some of its records. There are more of
// them the further it has been read.
type located struct {
	id     uint32
	last   int64
	info   blockInfo
	copied []byte    // the block, in recent
	marks  []scanner // before the records 0, 16, 32, …
}

// set begins with a block. A malformed one has no offsets.
func (b *located) set(id uint32, last int64, block []byte) error {
	info, rest, err := parseBlock(block)
	if err != nil {
		b.id, b.info, b.last = id, blockInfo{}, -1
		return err
	}
	b.id, b.last, b.info = id, last, info
	b.marks = append(b.marks[:0], newScanner(info, rest))
	return nil
}

// record reads the record at an offset, as scanner.record does. It reports
// whether there is one.
func (b *located) record(offset int64, r *log.Record, hs []log.Header) ([]log.Header, bool, error) {
	s := b.before(offset)
	for n := 1; ; n++ {
		var ok bool
		hs, ok = s.record(r, hs[:0])
		switch {
		case s.failed:
			return hs, false, errBlock
		case !ok || r.Offset > offset:
			return hs, false, nil
		case r.Offset == offset:
			return hs, true, nil
		}
		if n%markEvery == 0 {
			b.mark(s)
		}
	}
}

// before gives the last mark with no record at offset or behind it before it.
func (b *located) before(offset int64) scanner {
	i := sort.Search(len(b.marks), func(i int) bool { return b.marks[i].next > offset })
	return b.marks[max(i-1, 0)]
}

// mark notes the place of a scanner that came from the last mark.
func (b *located) mark(s scanner) {
	if s.next > b.marks[len(b.marks)-1].next {
		b.marks = append(b.marks, s)
	}
}
