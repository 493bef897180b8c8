package dataflow

import (
	"context"
	"slices"
	"sync"
)

// A schedule says which steps have to wait for which: those that feed them, and,
// of two that pass deltas through the same node, the one before. Steps without
// each other's rows may run beside each other.
type schedule [][]int // by step: earlier ones

// reach is where a step's deltas go before another step takes them over.
func reach(from *vertex, seen map[any]bool) {
	for _, o := range from.outs {
		switch o := o.(type) {
		case *mapping:
			through(o.vertex, seen)
		case *filter:
			through(o.vertex, seen)
		case *union:
			through(o.vertex, seen)
		case lonely:
			through(o.j.vertex, seen)
		default:
			seen[o] = true // an arrangement, an aggregation, the output
		}
	}
}

func through(v *vertex, seen map[any]bool) {
	seen[v] = true
	reach(v, seen)
}

// scheduled works out who waits for whom.
func (e *Engine) scheduled() schedule {
	s := make(schedule, len(e.steps))
	feeds := make([]map[any]bool, len(e.steps))
	for i, st := range e.steps {
		feeds[i] = map[any]bool{}
		var from *vertex
		var needs []any
		switch st := st.(type) {
		case *input:
			from = st.vertex
		case *join:
			from, needs = st.vertex, []any{st.left.a, st.right.a, st.vertex}
		case *aggregation:
			from, needs = st.vertex, []any{st}
		case *output:
			needs = []any{st}
		}
		if from != nil {
			reach(from, feeds[i])
		}
		for j := range i {
			if meets(feeds[j], needs) || overlap(feeds[j], feeds[i]) || e.share(j, i) {
				s[i] = append(s[i], j)
			}
		}
	}
	return s
}

func meets(fed map[any]bool, needs []any) bool {
	return slices.ContainsFunc(needs, func(n any) bool { return fed[n] })
}

func overlap(a, b map[any]bool) bool {
	for k := range a {
		if b[k] {
			return true
		}
	}
	return false
}

// share reports whether two steps are joins over one arrangement.
func (e *Engine) share(j, i int) bool {
	a, ok := e.steps[j].(*join)
	b, also := e.steps[i].(*join)
	return ok && also && (a.left.a == b.left.a || a.left.a == b.right.a || a.right.a == b.left.a || a.right.a == b.right.a)
}

// runBeside runs the steps, up to so many at a time. The error is that of the
// first step that failed.
func (t *Epoch) runBeside(workers int) error {
	ctx, cancel := context.WithCancelCause(t.ctx)
	defer cancel(nil)
	w := &sharedWriter{w: t.w}
	slots := make(chan struct{}, workers)
	done := make([]chan struct{}, len(t.e.steps))
	errs := make([]error, len(done))
	epochs := make([]Epoch, len(done))
	for i := range done {
		done[i] = make(chan struct{})
	}
	for i, st := range t.e.steps {
		part := &epochs[i]
		*part = Epoch{e: t.e, ctx: ctx, w: w, fresh: true, emit: t.emit}
		go func() {
			defer close(done[i])
			for _, j := range t.e.waits[i] {
				<-done[j]
			}
			slots <- struct{}{}
			defer func() { <-slots }()
			if errs[i] = context.Cause(ctx); errs[i] == nil {
				if errs[i] = st.run(part); errs[i] != nil {
					cancel(errs[i])
				}
			}
		}()
	}
	for i := range done {
		<-done[i]
		t.changes += epochs[i].changes
	}
	return firstOf(errs, context.Cause(ctx))
}

// firstOf gives the cause, which is what the step that failed first said.
func firstOf(errs []error, cause error) error {
	if slices.ContainsFunc(errs, func(err error) bool { return err != nil }) {
		return cause
	}
	return nil
}

// A sharedWriter serves several steps. Each collection has one that writes it.
type sharedWriter struct {
	mu sync.Mutex
	w  Writer
}

func (s *sharedWriter) Put(key, value []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.w.Put(key, value)
}

func (s *sharedWriter) Delete(key []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.w.Delete(key)
}
