package dataflow

import (
	"bytes"
	"errors"

	"github.com/evertdb/evert/schema"
)

// A join works key by key:
//
//	                    right: changed    unchanged
//	left: changed              pairs      pairs
//	      unchanged            pairs      nothing to do
//
// Each pair is given once, with the difference of its weight after and before
// the epoch. A pair that is in neither result is never looked at, so that no
// expression meets rows that were never together.
type join struct {
	*vertex
	node        *Join
	left, right side
	row         schema.Row
	nulls       schema.Row // as many as the right has columns
	group       []byte
}

func (j *join) reset() error { return errors.Join(j.left.drop(), j.right.drop()) }

func (j *join) run(t *Epoch) error {
	j.in = j.left.a.v.out + j.right.a.v.out // both have given all
	if err := errors.Join(j.left.begin(), j.right.begin()); err != nil {
		return err
	}
	for j.left.deltas.ok || j.right.deltas.ok {
		if err := j.next(t); err != nil {
			return err
		}
	}
	return errors.Join(j.left.end(), j.right.end())
}

// next takes the next key that has deltas.
func (j *join) next(t *Epoch) error {
	l, r := j.left.deltas, j.right.deltas
	first := l
	if !l.ok || r.ok && bytes.Compare(r.group, l.group) < 0 {
		first = r
	}
	j.group = append(j.group[:0], first.group...)
	if err := errors.Join(j.left.collect(t, j.group), j.right.collect(t, j.group)); err != nil {
		return err
	}
	if err := j.ofChanged(t); err != nil {
		return err
	}
	return j.ofUnchanged(t)
}

// ofChanged pairs the left rows that changed with all of the right.
func (j *join) ofChanged(t *Epoch) error {
	w := j.left.changed.walk()
	for w.next() {
		l := w.item()
		var before, after bool // l had, has a match
		pair := func(r *item) (bool, error) {
			ok, err := j.pair(t, l, r)
			before, after = before || ok && r.old > 0, after || ok && r.new > 0
			return true, err
		}
		err := j.right.each(t, j.group, pair)
		if err == nil && j.node.Outer {
			err = j.alone(l, l.new*one(!after)-l.old*one(!before))
		}
		if err != nil {
			return errors.Join(err, w.close())
		}
	}
	return w.close()
}

// ofUnchanged pairs the left rows that stay with the right rows that changed.
func (j *join) ofUnchanged(t *Epoch) error {
	if j.right.changed.empty() {
		return nil
	}
	return j.left.unchanged(t, j.group, false, func(l *item) (bool, error) {
		var before, after bool
		err := j.right.eachChanged(func(r *item) (bool, error) {
			ok, err := j.pair(t, l, r)
			before, after = before || ok && r.old > 0, after || ok && r.new > 0
			return true, err
		})
		if err != nil || !j.node.Outer || before == after {
			return true, err
		}
		stays, err := j.staysMatched(t, l)
		if err != nil || stays {
			return true, err
		}
		return true, j.alone(l, l.new*(one(!after)-one(!before)))
	})
}

// staysMatched reports whether a left row that stays has a match that does.
func (j *join) staysMatched(t *Epoch, l *item) (found bool, err error) {
	err = j.right.unchanged(t, j.group, true, func(r *item) (bool, error) {
		found, err = j.matches(l, r)
		return !found, err
	})
	return found, err
}

// pair gives a pair and reports whether it matches.
func (j *join) pair(t *Epoch, l, r *item) (bool, error) {
	before, after := l.old*r.old, l.new*r.new
	if before == 0 && after == 0 {
		return false, nil
	}
	if err := t.tick(); err != nil {
		return false, err
	}
	ok, err := j.matches(l, r)
	if err != nil || !ok || before == after {
		return ok, err
	}
	if j.node.Residual == nil {
		j.join(l.row, r.row)
	}
	return true, j.give(j.row, after-before)
}

// matches joins the rows if there is a condition, and says whether it holds.
func (j *join) matches(l, r *item) (bool, error) {
	if j.node.Residual == nil {
		return true, nil
	}
	j.join(l.row, r.row)
	return holds(j.node.Residual, j.row)
}

func (j *join) join(l, r schema.Row) {
	j.row = append(append(j.row[:0], l...), r...)
}

// alone gives a left row without a match.
func (j *join) alone(l *item, weight int64) error {
	if weight == 0 {
		return nil
	}
	j.join(l.row, j.nulls)
	return j.give(j.row, weight)
}

func one(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

// lonely takes the left rows of a left join whose key is NULL: they match
// nothing, ever.
type lonely struct {
	j *join
}

func (l lonely) take(row schema.Row, weight int64) error {
	if !l.j.left.a.key.hasNull(row) {
		return nil
	}
	l.j.join(row, l.j.nulls)
	return l.j.give(l.j.row, weight)
}
