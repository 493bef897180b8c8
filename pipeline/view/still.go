package view

import (
	"context"
	"errors"
)

// A Still shows what a view showed last, while its query cannot be compiled and no
// Task can run. Its methods may be called from any goroutine.
type Still struct{ display display }

// NewStill opens the newest state of a view that was ever shown; nil if there is
// none. What cannot be opened is left where it is.
func NewStill(states States) (*Still, error) {
	versions, err := states.Versions()
	if err != nil {
		return nil, err
	}
	var newest State
	s := &Still{display: newDisplay()}
	for _, hash := range versions {
		state, err := states.Open(hash)
		if err != nil {
			continue // damaged, say: the Task deals with it
		}
		shown, err := ShownOf(hash, state.Progress())
		if err != nil || newest != nil && shown.Epoch <= s.display.shown.Epoch {
			_ = state.Close() // nothing was written
			continue
		}
		if newest != nil {
			_ = newest.Close()
		}
		newest, s.display.shown = state, shown
	}
	if newest == nil {
		return nil, nil
	}
	s.display.place = &place{state: newest}
	return s, nil
}

// Look pins what is shown; nil after Close.
func (s *Still) Look() (*Look, error) { return s.display.look() }

// Shown is what it shows, with an empty version after Close.
func (s *Still) Shown() Shown {
	s.display.mu.Lock()
	defer s.display.mu.Unlock()
	return s.display.shown
}

// Close ends it: the state is free when it returns, which waits for the looks that
// are open, or for ctx.
func (s *Still) Close(ctx context.Context) error {
	p := s.display.hide()
	if p == nil {
		return nil
	}
	closed := make(chan struct{})
	p.gone = func() error { close(closed); return nil }
	err := s.display.drop(p, true)
	select {
	case <-closed:
		return err
	case <-ctx.Done():
		return errors.Join(err, context.Cause(ctx))
	}
}
