package dataflow

import (
	"context"
	"errors"
	"fmt"

	"github.com/evertdb/evert/schema"
)

// An Epoch takes the rows of one step of a view and works out what changes. One
// goroutine uses it.
type Epoch struct {
	e        *Engine
	ctx      context.Context
	r        *meteredReader // nil: the state is empty
	w        Writer
	meter    *meteredWriter // what w comes to
	fresh    bool
	rows     int64 // said by Upsert and Delete
	ticks    int   // rows since ctx was asked
	emit     func(Change) error
	changes  int64
	finished bool
	closed   bool
}

// Upsert says that an input has a row: the columns it carries, in their order.
// A row with that primary key that was there before is replaced. It copies.
func (t *Epoch) Upsert(input int, row schema.Row) error {
	in, err := t.input(input)
	if err != nil {
		return err
	}
	t.rows++
	return in.upsert(row)
}

// Delete says that an input has no row with this primary key, given in key
// order. It copies.
func (t *Epoch) Delete(input int, key schema.Row) error {
	in, err := t.input(input)
	if err != nil {
		return err
	}
	t.rows++
	return in.delete(key)
}

// Clear voids all rows that an input has so far, those of this epoch too: a
// TRUNCATE, or a table's new generation.
func (t *Epoch) Clear(input int) error {
	in, err := t.input(input)
	if err != nil {
		return err
	}
	return in.clear()
}

func (t *Epoch) input(i int) (*input, error) {
	if t.finished || t.closed {
		return nil, errors.New("dataflow: the epoch has ended")
	}
	if i < 0 || i >= len(t.e.inputs) {
		return nil, fmt.Errorf("dataflow: there is no input %d", i)
	}
	return t.e.inputs[i], nil
}

// Finish runs all operators, gives the state's changes to the writer and the
// result's changes to emit: in the order of the view's key, each key once, and
// only rows that differ. An error voids the epoch: what the writer took must
// not be kept.
func (t *Epoch) Finish(ctx context.Context, emit func(Change) error) (Stats, error) {
	if t.finished || t.closed {
		return Stats{}, errors.New("dataflow: the epoch has ended")
	}
	t.finished, t.ctx, t.emit = true, ctx, emit
	if err := t.run(); err != nil {
		return Stats{}, err
	}
	return t.stats(), nil
}

func (t *Epoch) run() error {
	if t.fresh && t.e.env.Workers > 1 && t.e.env.Trace == nil {
		return t.runBeside(t.e.env.Workers)
	}
	for _, s := range t.e.steps {
		if err := s.run(t); err != nil {
			return err
		}
	}
	return nil
}

// tick asks now and then whether the epoch should go on.
func (t *Epoch) tick() error {
	if t.ticks++; t.ticks&1023 == 0 {
		return context.Cause(t.ctx)
	}
	return nil
}

// Close frees the epoch and drops what was not finished. It may be called again.
func (t *Epoch) Close() error {
	if t.closed {
		return nil
	}
	t.closed, t.e.open = true, false
	var errs []error
	for _, s := range t.e.steps {
		errs = append(errs, s.reset())
	}
	return errors.Join(errs...)
}
