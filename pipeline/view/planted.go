//go:build planted

package view

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/evertdb/evert/pipeline/log"
)

// This file makes wrong binaries on purpose, as its namesake in pipeline does:
// EVERT_PLANT names the wrong order of the steps of an epoch.
//
//	state-before-log    the state is committed, then the log
//
// Between the two swapped steps it says so and dwells, so that a kill can fall
// there.

// plant swaps steps of c.
func plant(c *Config) {
	if os.Getenv("EVERT_PLANT") != "state-before-log" {
		return
	}
	l := &lateLog{Log: c.Log, id: WriterID(c.Name)}
	c.Log, c.States = l, earlyStates{c.States, l}
}

// lateLog holds each commit of the view back until the state's was made.
type lateLog struct {
	log.Log
	id   string
	held func() error // owned by the task
}

func (l *lateLog) Writer(ctx context.Context, id string) (log.Writer, error) {
	w, err := l.Log.Writer(ctx, id)
	if err != nil || id != l.id {
		return w, err
	}
	l.held = nil
	return &lateWriter{w, l}, nil
}

type lateWriter struct {
	log.Writer
	l *lateLog
}

func (w *lateWriter) Commit(ctx context.Context, in *log.Inputs) error {
	w.l.held = func() error { return w.Writer.Commit(ctx, in) }
	return nil
}

type earlyStates struct {
	States
	l *lateLog
}

func (s earlyStates) Open(hash string) (State, error) {
	state, err := s.States.Open(hash)
	return earlyState{state, s.l}, err
}

type earlyState struct {
	State
	l *lateLog
}

func (s earlyState) Begin() (Batch, error) {
	b, err := s.State.Begin()
	return earlyBatch{b, s.l}, err
}

type earlyBatch struct {
	Batch
	l *lateLog
}

func (b earlyBatch) Commit(progress []byte) error {
	if err := b.Batch.Commit(progress); err != nil || b.l.held == nil {
		return err
	}
	fmt.Fprintln(os.Stderr, "planted: between the swapped steps")
	time.Sleep(dwell)
	return b.l.held()
}

// dwell is how long a kill has to fall between the steps.
const dwell = 2 * time.Second
