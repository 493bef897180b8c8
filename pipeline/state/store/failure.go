package store

import (
	"fmt"

	"github.com/cockroachdb/pebble/v2"
)

// fail ends the store: Pebble said that it cannot go on. What is on the disk is
// a consistent prefix; a new Open finds it.
func (s *Store) fail(err error) {
	s.died.Do(func() {
		s.cause = fmt.Errorf("the state in %s cannot go on, start again: %w", s.dir.path, full(err))
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
		return s.cause
	case <-s.closing:
		return ErrClosed
	default:
	}
	if s.damaged.Load() {
		return fmt.Errorf("%s: %w", s.dir.path, ErrDamaged)
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
