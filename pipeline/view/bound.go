package view

import "github.com/evertdb/evert/pipeline/dataflow"

// How large a state may become, R17:
//
//	between epochs    what it occupies                ≤ Limits.State, else the view takes no epoch more
//	inside one        what the epoch wrote so far     ≤ Limits.State, and with the state ≤ twice that,
//	                                                  else the epoch is given up and leaves nothing
//
// Twice, because an epoch that writes every row anew has the old ones beside it until
// compaction frees them. So a hydration, or an epoch that grows without bound, cannot
// fill the disk.

// boundedBatch is a batch that gives up its epoch when it becomes too large.
type boundedBatch struct {
	dataflow.Writer
	epoch   *epoch
	written int64 // keys and values since it was looked at
}

// bounded gives what the operators of the epoch write to.
func (e *epoch) bounded() dataflow.Writer {
	if e.Limits.State <= 0 {
		return e.batch
	}
	return &boundedBatch{Writer: e.batch, epoch: e}
}

// Put puts, and looks now and then at what that came to.
func (b *boundedBatch) Put(key, value []byte) error {
	b.written += int64(len(key) + len(value))
	if b.written >= b.epoch.lookEvery() {
		b.written = 0
		if err := b.epoch.fits(); err != nil {
			return err
		}
	}
	return b.Writer.Put(key, value)
}

// lookEvery is how many bytes are written between two looks: little beside the limit.
func (e *epoch) lookEvery() int64 { return min(4<<20, e.Limits.State/16) }

// fits refuses an epoch that has become too large.
func (e *epoch) fits() error {
	wrote := e.batch.Bytes()
	if all := e.place.state.Bytes() + wrote; wrote > e.Limits.State || all > 2*e.Limits.State {
		return e.stateTooLarge(all)
	}
	return nil
}
