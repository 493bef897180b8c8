package dataflow

import (
	"context"
	"errors"
	"testing"
)

// What the tests beside this package use of those within it.
var (
	OrderDocuments = orderDocuments
	NewCrowd       = newCrowd
	Size           = size
	Recorded       = recorded
)

// Told finishes an epoch and gives its changes as text.
func Told(t *Epoch) (changes []string, err error) {
	_, err = t.Finish(context.Background(), func(c Change) error {
		changes = append(changes, show(c.Key)+": "+show(c.Old)+" → "+show(c.New))
		return nil
	})
	return changes, errors.Join(err, t.Close())
}

// Play says the transactions over any state, of which begin opens an epoch; joins
// have no memory.
func (r *replayed) Play(t *testing.T, env Env, perEpoch int, begin func() (Reader, Writer, func() error)) (changes []string) {
	t.Helper()
	e, err := New(r.plan, env)
	if err != nil {
		t.Fatal(err)
	}
	(&world{engine: e}).squeeze()
	for i := 0; i < len(r.txs); i += perEpoch {
		from, to, commit := begin()
		if i == 0 {
			from = nil
		}
		ep, err := e.Begin(from, to)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range flat(r.txs[i:min(i+perEpoch, len(r.txs))]) {
			if err := ep.say(s); err != nil {
				t.Fatal(err)
			}
		}
		told, err := Told(ep)
		if err = errors.Join(err, commit()); err != nil {
			t.Fatal(err)
		}
		changes = append(changes, told...)
	}
	return changes
}
