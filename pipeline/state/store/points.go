package store

import (
	"github.com/cockroachdb/pebble/v2"
)

// points reads single keys of a snapshot, by an iterator for each collection
// that is used again. An epoch asks for the keys of a collection in ascending
// order, so that the next one is often in the block of the last: then a read
// costs a fraction of DB.Get. Seeking by prefix, which is the whole key, looks
// into the bloom filters, also those of the last level, which DB.Get leaves out:
// a key that is not there costs next to nothing.
//
//	CPU per read of 500,000 rows   one key in 1   in 5    in 50   random   absent
//	DB.Get                              1.4 µs    1.9 µs  4.4 µs  3.6 µs   4.3 µs
//	points                              0.3 µs    0.5 µs  3.8 µs  3.8 µs   0.3 µs
type points struct {
	s    *Store
	from *pebble.Snapshot
	in   uint16 // collection of the last read
	it   *pebble.Iterator
	all  map[uint16]*pebble.Iterator
}

// get gives the value of key, valid until the next call.
func (p *points) get(key []byte) (value []byte, ok bool, err error) {
	if in := collectionOf(key); p.it == nil || in != p.in {
		if err := p.enter(in); err != nil {
			return nil, false, p.s.check(err)
		}
	}
	if !p.it.SeekPrefixGE(key) {
		return nil, false, p.s.check(p.it.Error())
	}
	value, err = p.it.ValueAndErr()
	return value, err == nil, p.s.check(err)
}

// enter takes the iterator of a collection.
func (p *points) enter(in uint16) (err error) {
	it := p.all[in]
	if it == nil {
		if it, err = p.from.NewIter(&pebble.IterOptions{UseL6Filters: true}); err != nil {
			return err
		}
		if p.all == nil {
			p.all = map[uint16]*pebble.Iterator{}
		}
		p.all[in] = it
	}
	p.in, p.it = in, it
	return nil
}

func (p *points) close() error {
	var err error
	for _, it := range p.all {
		if e := it.Close(); e != nil && err == nil {
			err = e
		}
	}
	p.all, p.it = nil, nil
	return err
}
