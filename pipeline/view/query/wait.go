package query

import (
	"context"
	"time"
)

// A Clock knows the positions of one source. Its methods may be called from any
// goroutine.
type Clock interface {
	// Reached reports whether native position have lies at or behind want.
	// Malformed ones are an error.
	Reached(have, want string) (bool, error)
	// Hasten says that somebody waits for the source to move on, or that one who
	// did does no more.
	Hasten(waiting bool)
}

// A Wait is what a reader wants to see, and how long it waits for it.
type Wait struct {
	For     []Place
	Timeout time.Duration // 0: the longest that is allowed
}

// ParseWait reads the parameters wait_for, as often as it is there, and timeout.
func ParseWait(waitFor []string, timeout string) (w Wait, err error) {
	for _, text := range waitFor {
		if text == "" { // of a view that reads nothing, or of a client that has none yet
			continue
		}
		places, err := ParseVector(text)
		if err != nil {
			return w, err
		}
		w.For = append(w.For, places...)
	}
	if timeout == "" {
		return w, nil
	}
	w.Timeout, err = time.ParseDuration(timeout)
	if err != nil || w.Timeout <= 0 {
		return w, badRequest("timeout is not a duration", "write timeout=500ms or timeout=10s")
	}
	return w, nil
}

// await gives a snapshot of the newest epoch that has reached what w wants.
func (r *Reader) await(ctx context.Context, name string, v View, w Wait) (Snapshot, error) {
	if len(w.For) == 0 {
		return r.newest(name, v)
	}
	wants, err := r.wants(w.For)
	if err != nil {
		return nil, err
	}
	limit := r.Longest(w)
	timer := time.NewTimer(limit)
	defer timer.Stop()
	hurried := false
	for {
		moved := v.Moved()
		snap, err := r.reaching(name, v, wants)
		if snap != nil || err != nil {
			return snap, err
		}
		if !hurried {
			hurried = true
			defer hasten(wants)()
			defer v.Hasten(func(at Vector) bool { ok, err := reached(at, wants); return ok && err == nil })()
		}
		select {
		case <-moved:
		case <-timer.C:
			return nil, r.late(name, v, limit)
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// Longest is how long a read with w may wait.
func (r *Reader) Longest(w Wait) time.Duration {
	switch {
	case len(w.For) == 0:
		return 0
	case w.Timeout > 0:
		return min(w.Timeout, r.config.WaitTimeout)
	}
	return r.config.WaitTimeout
}

// newest gives a snapshot of the newest epoch, or says why there is none.
func (r *Reader) newest(name string, v View) (Snapshot, error) {
	snap, err := v.Snapshot()
	if err == nil && snap == nil {
		err = notReady(name, v.State())
	}
	return snap, err
}

// A want is a place that must be reached, with its source's clock.
type want struct {
	Place
	clock Clock
}

// wants finds the clocks, and checks the places.
func (r *Reader) wants(places []Place) (out []want, err error) {
	for _, p := range places {
		clock := r.config.Clocks[p.Source]
		if clock == nil {
			return nil, badRequest("wait_for names a source that there is not", "write wait_for=<source>:<position> with a name below sources")
		}
		if _, err := clock.Reached(p.Native, p.Native); err != nil {
			return nil, badRequest("wait_for holds what is no position of source "+p.Source,
				"write what the server gives: on Postgres pg_current_wal_flush_lsn(), behind the commit")
		}
		out = append(out, want{p, clock})
	}
	return out, nil
}

// reaching gives the newest epoch if it has reached all wants; nil if it may
// still come to them.
func (r *Reader) reaching(name string, v View, wants []want) (Snapshot, error) {
	state := v.State()
	snap, err := v.Snapshot()
	if err != nil || snap == nil {
		return nil, err
	}
	at := snap.Epoch().At
	ok, err := reached(at, wants)
	if err == nil && !ok && state.Phase == Stopped {
		err = noProgress(name, state, at)
	}
	if err != nil || !ok {
		_ = snap.Close()
		return nil, err
	}
	return snap, nil
}

// reached reports whether a vector has come to all wants. A source that the view
// does not read has nothing to show there.
func reached(at Vector, wants []want) (bool, error) {
	for _, w := range wants {
		have, reads := at[w.Source]
		if !reads {
			continue
		}
		if ok, err := w.clock.Reached(have, w.Native); !ok || err != nil {
			return false, err
		}
	}
	return true, nil
}

// hasten tells the sources that somebody waits, and gives what takes it back.
func hasten(wants []want) (rest func()) {
	for _, w := range wants {
		w.clock.Hasten(true)
	}
	return func() {
		for _, w := range wants {
			w.clock.Hasten(false)
		}
	}
}

// late says that the time of a wait is over.
func (r *Reader) late(name string, v View, waited time.Duration) error {
	snap, err := v.Snapshot()
	if err != nil {
		return err
	}
	if snap == nil {
		return notReady(name, v.State())
	}
	defer snap.Close()
	return notReached("view "+name, waited, snap.Epoch().At)
}

// Await waits until a reading of something else than a view has come to what w
// wants: at gives how far it is, nil for nowhere yet, and moved is closed when that
// changes. name says what it is, in a refusal.
func (r *Reader) Await(ctx context.Context, name string, w Wait, at func() (Vector, error), moved func() <-chan struct{}) error {
	wants, err := r.wants(w.For)
	if err != nil || len(wants) == 0 {
		return err
	}
	defer hasten(wants)()
	limit := r.Longest(w)
	timer := time.NewTimer(limit)
	defer timer.Stop()
	for {
		next := moved()
		has, err := at()
		if err != nil {
			return err
		}
		if ok, err := reached(has, wants); len(has) > 0 && ok || err != nil {
			return err
		}
		select {
		case <-next:
		case <-timer.C:
			return notReached(name, limit, has)
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}
