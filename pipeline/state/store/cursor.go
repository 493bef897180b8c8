package store

import (
	"encoding/binary"
	"errors"

	"github.com/cockroachdb/pebble/v2"
)

// cursor goes over a range of a snapshot, by an iterator of Pebble's that is
// used again: to place one anew costs a fraction of making one, and less still
// where it goes forward in the collection it was in.
type cursor struct {
	s        *Store
	it       *pebble.Iterator
	pool     *cursors
	in       uint16 // the collection it was last in
	reverse  bool
	begun    bool
	done     bool // Next said false
	isClosed bool
}

// Next goes to the next entry.
func (c *cursor) Next() bool {
	if c.done || c.isClosed {
		return false
	}
	ok := c.step()
	c.begun, c.done = true, !ok
	return ok
}

func (c *cursor) step() bool {
	switch {
	case c.begun && c.reverse:
		return c.it.Prev()
	case c.begun:
		return c.it.Next()
	case c.reverse:
		return c.it.Last()
	}
	return c.it.First()
}

// Key is valid until the next call of Next.
func (c *cursor) Key() []byte { return c.it.Key() }

// Value is valid until the next call of Next.
func (c *cursor) Value() []byte { return c.it.Value() }

// Err is what ended the cursor early.
func (c *cursor) Err() error { return c.s.check(c.it.Error()) }

// Close gives the iterator back.
func (c *cursor) Close() error {
	if c.isClosed {
		return nil
	}
	c.isClosed = true
	return errors.Join(c.Err(), c.pool.give(c))
}

// cursors are the iterators of one goroutine over one snapshot.
type cursors struct {
	s    *Store
	from *pebble.Snapshot
	free []*cursor
	once bool // cursors are not used again
}

// maxIdle bounds the iterators that wait to be used again; one keeps blocks in
// memory.
const maxIdle = 64

// take gives a cursor over a range, best one that was in its collection.
func (p *cursors) take(low, high []byte, reverse bool) (*cursor, error) {
	in := collectionOf(low)
	c := p.pick(in)
	if c == nil {
		it, err := p.from.NewIter(&pebble.IterOptions{LowerBound: low, UpperBound: high})
		if err != nil {
			return nil, p.s.check(err)
		}
		c = &cursor{s: p.s, it: it, pool: p}
	} else {
		c.it.SetBounds(low, high)
	}
	c.in, c.reverse = in, reverse
	c.begun, c.done, c.isClosed = false, false, false
	return c, nil
}

// pick takes an idle cursor of the collection; any other once there are many.
func (p *cursors) pick(in uint16) *cursor {
	at := -1
	for i, c := range p.free {
		if c.in == in {
			at = i
			break
		}
	}
	if at < 0 && len(p.free) < maxIdle {
		return nil
	}
	at = max(at, 0)
	c, last := p.free[at], len(p.free)-1
	p.free[at] = p.free[last]
	p.free = p.free[:last]
	return c
}

func (p *cursors) give(c *cursor) error {
	if p.once {
		return p.s.check(c.it.Close())
	}
	p.free = append(p.free, c)
	return nil
}

// close frees the idle iterators; cursors that are still open are a mistake of
// whoever opened them.
func (p *cursors) close() error {
	var err error
	for _, c := range p.free {
		if e := c.it.Close(); e != nil && err == nil {
			err = p.s.check(e)
		}
	}
	p.free = nil
	return err
}

// collectionOf reads the first bytes of a key; a shorter one is padded.
func collectionOf(key []byte) uint16 {
	if len(key) < collectionBytes {
		return 0
	}
	return binary.BigEndian.Uint16(key)
}
