package view

import (
	"sync"
	"time"
)

// Readers that wait make the next epoch come sooner.
//
//	await ── a later cut ─► the pace: Interval since the last epoch began
//	                            │ a reader waits for what this cut has, and none before
//	                            └─► no longer than hastenShare × what the last epoch took
//
// So nobody waits for a pause that is there for the sake of throughput, and readers
// that wait all the time take no more than a fifth of the time for small epochs.

// hastenShare bounds the time that hastened epochs take.
const hastenShare = 5

// waiters are the readers that wait. Its methods may be called from any goroutine.
type waiters struct {
	mu   sync.Mutex
	all  map[int]func(at Vector) bool
	next int
	news chan struct{} // one came; capacity 1
}

func newWaiters() *waiters {
	return &waiters{all: map[int]func(Vector) bool{}, news: make(chan struct{}, 1)}
}

// Hasten says that a reader waits until what the view shows is covered: covers says
// of a vector whether it has all that he waits for. It must not block; any goroutine
// may call it. leave ends the wait.
func (t *Task) Hasten(covers func(at Vector) bool) (leave func()) {
	w := t.waiters
	w.mu.Lock()
	defer w.mu.Unlock()
	id := w.next
	w.next++
	w.all[id] = covers
	select {
	case w.news <- struct{}{}:
	default:
	}
	return func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		delete(w.all, id)
	}
}

func (w *waiters) any() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.all) > 0
}

// wants reports whether somebody waits for what next has and have has not.
func (w *waiters) wants(next, have Vector) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, covers := range w.all {
		if covers(next) && (have == nil || !covers(have)) {
			return true
		}
	}
	return false
}

// rest is how long the next epoch has to wait for its turn.
func (t *Task) rest(next Vector) time.Duration {
	if t.began.IsZero() {
		return 0
	}
	pace := t.Limits.Interval
	if hastened := hastenShare * t.took; hastened < pace && t.waiters.wants(next, t.at) {
		pace = hastened
	}
	return pace - t.Now().Sub(t.began)
}
