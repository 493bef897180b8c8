package dataflow

import (
	"bytes"
	"errors"
)

// A side of a join: an arrangement, and its rows at the key at hand.
type side struct {
	a       *arrangement
	deltas  *deltas
	write   bool
	changed bag // rows that have a delta
	stayed  bag // rows that have none, if they are known
	known   bool
	tooBig  bool // they do not fit into memory, and are read each time
}

func (s *side) begin() (err error) {
	s.deltas, s.write, err = s.a.begin()
	return err
}

// end frees what this epoch needed.
func (s *side) end() error {
	err := errors.Join(s.deltas.close(), s.changed.reset(), s.stayed.reset())
	s.deltas = nil
	return errors.Join(err, s.a.end())
}

// drop is end when the epoch may be anywhere.
func (s *side) drop() error {
	err := errors.Join(s.deltas.close(), s.changed.reset(), s.stayed.reset())
	s.deltas = nil
	return errors.Join(err, s.a.reset())
}

// collect goes to a key.
func (s *side) collect(t *Epoch, group []byte) error {
	s.known, s.tooBig = false, false
	if err := errors.Join(s.changed.reset(), s.stayed.reset()); err != nil {
		return err
	}
	return s.a.collect(t, s.deltas, group, &s.changed, s.write)
}

// each gives all rows that the key had or has, until do says stop.
func (s *side) each(t *Epoch, group []byte, do func(*item) (bool, error)) error {
	if err := s.eachChanged(do); err != nil {
		return err
	}
	return s.unchanged(t, group, true, do)
}

func (s *side) eachChanged(do func(*item) (bool, error)) error { return eachOf(&s.changed, do) }

func eachOf(b *bag, do func(*item) (bool, error)) error {
	w := b.walk()
	for w.next() {
		if more, err := do(w.item()); err != nil || !more {
			return errors.Join(err, w.close())
		}
	}
	return w.close()
}

// unchanged gives the rows that the key had and keeps. again says that they may
// be asked for once more.
func (s *side) unchanged(t *Epoch, group []byte, again bool, do func(*item) (bool, error)) error {
	if t.fresh {
		return nil
	}
	if s.known {
		return eachOf(&s.stayed, do)
	}
	if err := s.stayed.reset(); err != nil {
		return err
	}
	w := s.changed.walk()
	r := reading{s: s, skip: &w, skipping: w.next(), again: again, do: do}
	err := errors.Join(s.a.each(t, group, r.row), w.close())
	s.known = err == nil && again && !s.tooBig && !r.stopped
	return err
}

// reading passes on a key's rows as the state has them, and keeps them for the
// next time if they fit.
type reading struct {
	s        *side
	skip     *walk // over the rows that changed
	skipping bool
	again    bool
	do       func(*item) (bool, error)
	it       item
	stopped  bool
}

func (r *reading) row(id, row []byte, weight int64) (bool, error) {
	for r.skipping && bytes.Compare(r.skip.item().id, id) < 0 {
		r.skipping = r.skip.next()
	}
	if r.skipping && bytes.Equal(r.skip.item().id, id) {
		return true, nil
	}
	it, err := r.item(id, row, weight)
	if err != nil {
		return false, err
	}
	more, err := r.do(it)
	r.stopped = !more
	return more, err
}

func (r *reading) item(id, row []byte, weight int64) (*item, error) {
	kept := &r.s.stayed
	if r.again && !r.s.tooBig && kept.held+cost(id, row) <= kept.limit {
		if err := kept.add(id, row, weight, weight); err != nil {
			return nil, err
		}
		it := &kept.items[len(kept.items)-1]
		return it, r.s.a.form.check(it.row)
	}
	if r.again && !r.s.tooBig {
		r.s.tooBig = true
		if err := kept.reset(); err != nil {
			return nil, err
		}
	}
	r.it.id, r.it.old, r.it.new = id, weight, weight
	return &r.it, r.s.a.form.read(row, &r.it.row)
}
