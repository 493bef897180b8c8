package embedded

import (
	"bytes"
	"errors"
	"math/bits"

	"github.com/cockroachdb/pebble/v2"

	"github.com/evertdb/evert/pipeline/log"
)

var syncWrites = pebble.Sync

const (
	windowOffsets = 64 << 20 // offsets that one pass marks: 8 MiB of bits
	chunkEntries  = 20_000   // index entries, or blocks, between two iterators
	chunkBytes    = 2 << 20  // of blocks
	entryBytes    = 40       // what an index entry counts for the rate
	sparse        = 4        // a block is written anew when one in so many records is dead
)

// A pass compacts one partition in two sequential scans:
//
//  1. over the index, which has the records of a key side by side, newest
//     first: mark the offsets that have a newer record of their key below the
//     horizon, and expired tombstones that are the last of their key;
//  2. over the blocks: write those with marked records anew without them, and
//     delete the index entries of these in the same batch.
//
// The horizon is the lowest of the stable end, the readers' limits, and what is
// older than the topic's MinLag. What a crash interrupts, the next pass does
// again.
type pass struct {
	*sweeper
	p      *partition
	force  bool // nobody waits: no rate
	whole  bool // also blocks in which few records are dead
	report *Swept

	horizon int64 // only records below count
	expired int64 // tombstones below may go
	newest  int64 // the partition's newest record, which always stays

	marks  marks
	before int64 // how far compaction went before
	swept  int64 // behind the newest record that made another dead
	miss   int64 // behind the last tombstone to go
	later  bool  // a tombstone has to wait for what it deletes
	live   int64
}

func (s *pass) run() (again bool, err error) {
	from, err := s.begin()
	if err != nil {
		return false, err
	}
	for err == nil && from < s.horizon {
		s.marks = newMarks(from, min(s.horizon, from+windowOffsets))
		if err = s.mark(); err == nil && s.marks.count > 0 {
			err = s.remove()
		}
		from += windowOffsets
	}
	s.finish(err)
	return s.later, err
}

// begin fixes how far the pass may go. From here on, cuts below count as
// unsound; finish says exactly.
func (s *pass) begin() (start int64, err error) {
	l, p := s.log, s.p
	l.mu.Lock()
	stable, start := p.stable, p.start
	l.mu.Unlock()
	now := l.cfg.Now()
	old, err := l.offsetAt(p, start, stable, now.Add(-p.topic.MinLag))
	if err != nil {
		return 0, err
	}
	if p.topic.Retention >= 0 {
		if s.expired, err = l.offsetAt(p, start, stable, now.Add(-p.topic.Retention)); err != nil {
			return 0, err
		}
	}
	newest, err := l.newestBlock(p, stable)
	if err != nil {
		return 0, err
	}
	s.newest = newest.last
	l.mu.Lock()
	defer l.mu.Unlock()
	limit, lowest := l.pinsLocked(p)
	s.horizon = min(old, limit)
	s.expired = min(s.expired, s.horizon, lowest)
	s.before, s.swept, s.miss = p.swept, p.swept, p.missed
	p.swept = max(p.swept, s.horizon)
	p.fresh = 0
	return start, nil
}

func (s *pass) finish(err error) {
	s.log.mu.Lock()
	defer s.log.mu.Unlock()
	s.p.swept = s.swept
	if err == nil {
		s.p.live = s.live - s.report.Removed
	}
}

// mark scans the index in chunks.
func (s *pass) mark() error {
	m := marker{pass: s}
	from := idKey(kindIndex, s.p.id)
	s.live = 0
	for from != nil {
		var err error
		var n int
		if from, n, err = m.chunk(from); err != nil {
			return err
		}
		s.live += int64(n)
		s.report.Scanned += int64(n)
		if err := s.spend(n*entryBytes, s.force); err != nil {
			return err
		}
	}
	m.settle(false)
	return nil
}

// marker is what the scan of the index remembers from one entry to the next.
type marker struct {
	*pass
	group     []byte
	newer     int64 // the last entry of the group below the horizon; -1 if none yet
	tombstone int64 // an expired tombstone, newest of its group; -1 if none
}

// chunk goes over some entries and gives where to go on, nil at the end.
func (m *marker) chunk(from []byte) (next []byte, n int, err error) {
	it, err := m.log.db.NewIter(&pebble.IterOptions{LowerBound: from, UpperBound: idKey(kindIndex, m.p.id+1)})
	if err != nil {
		return nil, 0, err
	}
	ok := it.First()
	for ; ok && n < chunkEntries; ok = it.Next() {
		m.entry(it.Key(), len(it.Value()) > 0)
		n++
	}
	if ok {
		next = bytes.Clone(it.Key())
	}
	return next, n, errors.Join(it.Error(), it.Close())
}

func (m *marker) entry(key []byte, tombstone bool) {
	group, offset := splitIndexKey(key)
	if !bytes.Equal(group, m.group) {
		m.settle(false)
		m.group = append(m.group[:0], group...)
		m.newer, m.tombstone = -1, -1
	}
	if offset >= m.horizon {
		return
	}
	if m.newer >= 0 {
		m.settle(true)
		if m.marks.set(offset) {
			m.swept = max(m.swept, m.newer+1)
		}
	} else if tombstone && offset < m.expired && offset != m.newest {
		m.tombstone = offset
	}
	m.newer = offset
}

// settle decides on the tombstone that is pending: it goes if nothing older of
// its key is left, or a reader from the start would see that come back.
func (m *marker) settle(older bool) {
	if m.group == nil || m.tombstone < 0 {
		return
	}
	if older {
		m.later = true
	} else if m.marks.set(m.tombstone) {
		m.miss = max(m.miss, m.tombstone+1)
	}
	m.tombstone = -1
}

// remove writes the horizons, then the blocks without what is marked.
func (s *pass) remove() error {
	s.log.mu.Lock()
	s.p.missed = s.miss
	h := s.p.horizons
	h.swept, h.live = max(s.before, s.swept), s.live
	s.log.mu.Unlock()
	if err := s.log.db.Set(idKey(kindHorizon, s.p.id), h.value(), pebble.NoSync); err != nil {
		return err
	}
	c := cleaner{pass: s, done: s.marks.from - 1}
	for more := true; more; {
		var err error
		if more, err = c.chunk(); err != nil {
			return err
		}
		if err := s.spend(c.bytes, s.force); err != nil {
			return err
		}
	}
	return nil
}

// cleaner is what the scan of the blocks remembers from one to the next.
type cleaner struct {
	*pass
	done    int64 // the last offset of the block before
	bytes   int   // read and written in this chunk
	block   builder
	headers []log.Header
	entry   []byte
}

// chunk goes over some blocks, and says whether there are more.
func (c *cleaner) chunk() (more bool, err error) {
	it, err := c.log.blocks(c.p, c.done+1)
	if err != nil {
		return false, err
	}
	b := c.log.db.NewBatch()
	defer b.Close()
	c.bytes = 0
	ok := it.First()
	for n := 0; ok && err == nil && c.done+1 < c.marks.to && n < chunkEntries && c.bytes < chunkBytes; n++ {
		last := lastOf(it.Key())
		if c.marks.any(c.done+1, last+1) {
			err = c.clean(b, it.Key(), it)
		}
		c.done = last
		ok = it.Next()
	}
	if err = errors.Join(err, it.Error(), it.Close()); err != nil {
		return false, err
	}
	if !b.Empty() {
		err = c.log.db.Apply(b, pebble.NoSync)
	}
	return ok && c.done+1 < c.marks.to, err
}

// clean writes one block anew without its marked records.
func (c *cleaner) clean(b *pebble.Batch, key []byte, it *pebble.Iterator) error {
	v, err := it.ValueAndErr()
	if err != nil {
		return err
	}
	info, rest, err := parseBlock(v)
	if err != nil {
		return err
	}
	c.bytes += len(v)
	dead := c.marks.between(info.base, lastOf(key)+1)
	if dead == 0 || !c.whole && dead < info.records && dead*sparse < info.records {
		return nil
	}
	c.block.begin(info.base, info.at)
	s := newScanner(info, rest)
	var r log.Record
	for ok := true; ok; {
		if c.headers, ok = s.record(&r, c.headers[:0]); ok {
			err = errors.Join(err, c.keep(b, &r))
		}
	}
	if s.failed {
		return errBlock
	}
	if c.block.records == 0 {
		return errors.Join(err, b.Delete(key, nil))
	}
	block := c.block.finish()
	c.bytes += len(block)
	return errors.Join(err, b.Set(key, block, nil))
}

// keep puts a record into the new block, or deletes its index entry.
func (c *cleaner) keep(b *pebble.Batch, r *log.Record) error {
	if r.Key == nil || !c.marks.has(r.Offset) {
		c.block.add(r, r.Offset)
		return nil
	}
	c.report.Removed++
	c.entry = appendIndexKey(c.entry[:0], c.p.id, r.Key, r.Offset)
	return b.Delete(c.entry, nil)
}

// marks is a set of offsets in [from, to).
type marks struct {
	from, to int64
	bits     []uint64
	count    int64
}

func newMarks(from, to int64) marks {
	return marks{from: from, to: to, bits: make([]uint64, (to-from+63)/64)}
}

// set adds an offset; false if it lies outside.
func (m *marks) set(offset int64) bool {
	if offset < m.from || offset >= m.to {
		return false
	}
	i := offset - m.from
	m.bits[i/64] |= 1 << (i % 64)
	m.count++
	return true
}

func (m *marks) has(offset int64) bool {
	if offset < m.from || offset >= m.to {
		return false
	}
	i := offset - m.from
	return m.bits[i/64]>>(i%64)&1 == 1
}

func (m *marks) any(from, to int64) bool { return m.between(from, to) > 0 }

// between counts the marks in [from, to).
func (m *marks) between(from, to int64) int {
	from, to = max(from, m.from)-m.from, min(to, m.to)-m.from
	n := 0
	for from < to {
		word, low := from/64, from%64
		w := m.bits[word] >> low
		span := min(64-low, to-from)
		if span < 64 {
			w &= 1<<span - 1
		}
		n += bits.OnesCount64(w)
		from += span
	}
	return n
}
