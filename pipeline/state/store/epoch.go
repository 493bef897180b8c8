package store

import (
	"context"
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"

	"github.com/evertdb/evert/pipeline/dataflow"
)

// Epoch is one step of the state: it reads what the step before left, and takes
// what is to be changed. One goroutine uses it. It ends with Commit, or with
// Discard, which may also follow upon Commit.
type Epoch struct {
	s      *Store
	base   *Snapshot
	reads  cursors
	points points
	batch  *pebble.Batch
	files  *files // instead of the batch, once it was full
	broken error  // what a write failed with
}

var (
	_ dataflow.Reader = (*Epoch)(nil)
	_ dataflow.Writer = (*Epoch)(nil)
)

// errOpen is a mistake of the caller's.
var errOpen = errors.New("the epoch before was neither committed nor discarded")

// Begin opens an epoch over what is committed. The one before has ended.
func (s *Store) Begin() (*Epoch, error) {
	if err := s.alive(); err != nil {
		return nil, err
	}
	if s.open != nil || s.opt.ReadOnly {
		return nil, errOpen
	}
	base, err := s.Snapshot()
	if err != nil {
		return nil, err
	}
	if s.batch == nil {
		s.batch = s.db.NewBatch(pebble.WithMaxRetainedSizeBytes(retainedBytes))
	}
	s.open = &Epoch{s: s, base: base, batch: s.batch, reads: cursors{s: s, from: base.at}, points: points{s: s, from: base.at}}
	return s.open, nil
}

// retainedBytes of a batch are kept for the next epoch.
const retainedBytes = 4 << 20

// Get gives the value of key as the epoch found it; it is valid until the next
// call.
func (e *Epoch) Get(key []byte) (value []byte, ok bool, err error) {
	return e.points.get(key)
}

// Scan goes over the keys from low, inclusive, to high, exclusive, as the epoch
// found them. The bounds are copied.
func (e *Epoch) Scan(low, high []byte) (dataflow.Cursor, error) {
	return e.reads.take(low, high, false)
}

// Put sets key. What the epoch reads does not change.
func (e *Epoch) Put(key, value []byte) error {
	if e.files != nil {
		return e.broke(e.files.set(key, value))
	}
	if err := e.batch.Set(key, value, nil); err != nil {
		return e.broke(err)
	}
	return e.spill()
}

// Delete takes key away; that it is not there is no error.
func (e *Epoch) Delete(key []byte) error {
	if e.files != nil {
		return e.broke(e.files.delete(key))
	}
	if err := e.batch.Delete(key, nil); err != nil {
		return e.broke(err)
	}
	return e.spill()
}

// spill moves a full batch into files.
func (e *Epoch) spill() error {
	if e.batch.Len() < e.s.opt.EpochBytes {
		return nil
	}
	e.files = newFiles(e.s)
	for r := e.batch.Reader(); ; {
		kind, key, value, ok, err := r.Next()
		if err != nil || !ok {
			e.batch.Reset()
			return e.broke(err)
		}
		if kind == pebble.InternalKeyKindDelete {
			err = e.files.delete(key)
		} else {
			err = e.files.set(key, value)
		}
		if err != nil {
			return e.broke(err)
		}
	}
}

// broke remembers the error that leaves the epoch incomplete.
func (e *Epoch) broke(err error) error {
	if err == nil {
		return nil
	}
	if e.broken == nil {
		e.broken = e.s.check(err)
	}
	return e.broken
}

// Bytes is about what the epoch occupies so far, in memory or on disk. It goes over
// all collections, and is not for every row.
func (e *Epoch) Bytes() int64 {
	if e.files != nil {
		return e.files.bytes()
	}
	return int64(e.batch.Len())
}

// Commit makes all writes and the progress visible in one step (I1), ends the
// epoch, and gives the next snapshot to readers. A crash after that may still
// lose it; then progress is that of an earlier epoch (R03). After an error that
// wraps ErrFull, and after RefuseUnwritable, nothing has happened, and Commit may be
// called again.
func (e *Epoch) Commit(progress []byte) error {
	if err := errors.Join(e.s.alive(), e.broken); err != nil {
		return err
	}
	if err := e.s.writable(); err != nil {
		return err
	}
	next := e.s.Epoch() + 1
	value := appendProgress(nil, next, progress)
	if err := e.s.call(func() error { return e.apply(value) }); err != nil {
		return e.broke(fmt.Errorf("commit epoch %d: %w", next, err))
	}
	e.s.snapshots.advance(next, value[8:])
	return e.Discard()
}

func (e *Epoch) apply(progress []byte) error {
	if e.files == nil {
		if err := e.batch.Set(progressKey, progress, nil); err != nil {
			return err
		}
		return e.s.db.Apply(e.batch, pebble.NoSync)
	}
	if err := e.files.set(progressKey, progress); err != nil {
		return err
	}
	paths, err := e.files.finish()
	if err != nil {
		return err
	}
	return e.s.db.Ingest(context.Background(), paths)
}

// Discard ends the epoch. What was not committed is forgotten. It may be called
// again.
func (e *Epoch) Discard() error {
	if e.base == nil {
		return nil
	}
	err := e.s.check(errors.Join(e.points.close(), e.reads.close()))
	if e.files != nil {
		err = errors.Join(err, e.files.drop())
	}
	e.batch.Reset()
	e.base.Release()
	e.base, e.s.open = nil, nil
	return err
}
