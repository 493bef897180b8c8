package store

import (
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/evertdb/evert/pipeline"
)

// The refusals of Open.
const (
	// RefuseTaken: another process holds the directory (R06).
	RefuseTaken pipeline.Code = "STATE_DIR_TAKEN"
	// RefuseForeign: the directory holds something that is not state.
	RefuseForeign pipeline.Code = "STATE_DIR_FOREIGN"
	// RefuseOther: the state is of something else: another view, plan, log or
	// topic (R06, R15). Remove throws it away.
	RefuseOther pipeline.Code = "STATE_OTHER"
	// RefuseDamaged: it was damaged for the second time (R07).
	RefuseDamaged pipeline.Code = "STATE_DAMAGED"
	// RefuseFull: there is no room for what was to be committed (R07). It wraps ErrFull.
	RefuseFull pipeline.Code = "STATE_FULL"
	// RefuseUnwritable: what was committed cannot be written to the disk.
	RefuseUnwritable pipeline.Code = "STATE_UNWRITABLE"
)

var (
	// ErrDamaged says that bytes on disk are not those that were written (R07).
	ErrDamaged = errors.New("the state is damaged")
	// ErrFull says that there is no room on the disk. It may be tried again.
	ErrFull = errors.New("no room on the disk")
	// ErrDead says that Pebble cannot go on. What is on the disk is sound: Close, and Open
	// again.
	ErrDead = errors.New("the state cannot go on")
	// ErrClosed says that the store is closed.
	ErrClosed = errors.New("the state is closed")
)

// full marks the errors that mean that there is no room.
func full(err error) error {
	if err != nil && vfs.IsNoSpaceError(err) {
		return fmt.Errorf("%w: %w", ErrFull, err)
	}
	return err
}
