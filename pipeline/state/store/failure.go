package store

import (
	"fmt"

	"github.com/cockroachdb/pebble/v2"

	"github.com/evertdb/evert/pipeline"
)

// fail ends the store: Pebble said that it cannot go on. What is on the disk is
// a consistent prefix; a new Open finds it.
func (s *Store) fail(err error) {
	s.died.Do(func() {
		s.cause = fmt.Errorf("%w: %w", ErrDead, full(err))
		close(s.dead)
	})
}

// damage remembers that bytes on disk are wrong. Reads of other blocks may go on
// being right, so the store is not dead; but Close puts it aside.
func (s *Store) damage(err error) {
	if !s.damaged.Swap(true) {
		s.opt.Events.Trouble("damaged: " + err.Error())
	}
}

func (s *Store) isDead() bool {
	select {
	case <-s.dead:
		return true
	default:
		return false
	}
}

// alive refuses what comes after Close, fail or damage.
func (s *Store) alive() error {
	select {
	case <-s.dead:
		return fmt.Errorf("%s: %w", s.dir.path, s.cause)
	case <-s.closing:
		return ErrClosed
	default:
	}
	if s.damaged.Load() {
		return fmt.Errorf("%s: %w", s.dir.path, ErrDamaged)
	}
	return nil
}

// writable refuses a commit that would wait, silently, for a disk that is full or broken.
func (s *Store) writable() error {
	if d := s.disk; !d.Free() || d.Blocked() {
		return &pipeline.Refusal{Code: RefuseFull, Where: d.Dir, What: "the state waits", Err: ErrFull,
			Mend: "free some room on that disk: it goes on by itself"}
	}
	if err := s.disk.Broken(); err != nil {
		return &pipeline.Refusal{Code: RefuseUnwritable, Where: s.dir.path, What: "the state cannot be written, and is tried again", Err: err,
			Mend: "mend the disk, or start Evert again if the folder is gone: the state is made anew from the log"}
	}
	return nil
}

// check marks an error of Pebble's that means damage, or no room.
func (s *Store) check(err error) error {
	if err == nil {
		return nil
	}
	if pebble.IsCorruptionError(err) {
		s.damage(err)
		return fmt.Errorf("%s: %w: %w", s.dir.path, ErrDamaged, err)
	}
	return fmt.Errorf("state in %s: %w", s.dir.path, full(err))
}

// call runs fn, which writes to Pebble, on a goroutine of the store's own: one
// that Fatalf may end.
func (s *Store) call(fn func() error) error {
	result := make(chan error, 1)
	go func() { result <- fn() }()
	select {
	case err := <-result:
		return err
	case <-s.dead:
		return s.cause
	}
}
