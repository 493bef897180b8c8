package intaketest

import (
	"errors"
	"flag"
	"sync"
	"testing"
)

// ErrCrash is what every effect fails with from a Crash on.
var ErrCrash = errors.New("crash")

// A Crash fails the effect that it is armed for, before or after it happened, and
// all behind it: who is dead does nothing more. The zero value fails none. Safe for
// concurrent use.
type Crash struct {
	mu   sync.Mutex
	left int // 0: never; below: dead
}

// Arm makes the left-th edge from now the first that fails; 0 makes none fail.
func (c *Crash) Arm(left int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.left = left
}

// Edge is passed before and after an effect; the name is for who reads the code.
func (c *Crash) Edge(string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.left == 0 {
		return nil
	}
	if c.left--; c.left == 0 {
		c.left = -1 // dead from here on
	}
	if c.left < 0 {
		return ErrCrash
	}
	return nil
}

// Around has an effect between two edges.
func (c *Crash) Around(what string, effect func() error) error {
	if err := c.Edge(what); err != nil {
		return err
	}
	if err := effect(); err != nil {
		return err
	}
	return c.Edge(what + " done")
}

// Runs are the seeds that a package's crash runs go by.
type Runs struct{ seed, count *uint64 }

// NewRuns registers the flags -seed and -runs of a test binary: it is for one
// package variable.
func NewRuns(count uint64) Runs {
	return Runs{
		seed:  flag.Uint64("seed", 0, "run the crash run of this seed only"),
		count: flag.Uint64("runs", count, "how many crash runs"),
	}
}

// Each calls run for each seed, from 1 on; under -short for no more than short.
func (r Runs) Each(short uint64, run func(seed uint64)) {
	first, count := uint64(1), *r.count
	if testing.Short() {
		count = min(count, short)
	}
	if *r.seed != 0 {
		first, count = *r.seed, 1
	}
	for seed := first; seed < first+count; seed++ {
		run(seed)
	}
}
