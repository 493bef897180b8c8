package kafka

import (
	"context"
	"errors"
	"math/rand/v2"
	"testing"
)

// What is taken never passes the bounds, one record alone excepted, and who waits is
// woken in time however the acknowledgements fall.
func TestRoom(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	const records, bytes, rounds = 7, 100, 50_000
	r := newRoom(records, bytes)
	given := make(chan int, 2*records)
	go func() {
		for n := range given {
			r.give(n)
		}
	}()
	for range rounds {
		n := 1 + rng.IntN(40)
		if rng.IntN(10) == 0 {
			n = bytes + rng.IntN(bytes)
		}
		if err := r.take(context.Background(), n); err != nil {
			t.Fatal(err)
		}
		held, size := r.records.Load(), r.bytes.Load() // others only give
		if held > records || size > bytes && held > 1 && n <= bytes {
			t.Fatalf("%d records of %d bytes were taken", held, size)
		}
		given <- n
	}
	close(given)
}

// A room that is full stays so until enough was given, and its waiter leaves with
// its context.
func TestRoomIsLeft(t *testing.T) {
	r := newRoom(4, 1000)
	for range 4 {
		if err := r.take(context.Background(), 1); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithCancelCause(context.Background())
	gone := errors.New("gone")
	cancel(gone)
	if err := r.take(ctx, 1); !errors.Is(err, gone) {
		t.Fatalf("a fifth of four was taken: %v", err)
	}
	r.give(1)
	if err := r.take(ctx, 1); err != nil {
		t.Errorf("nothing was taken where there is room: %v", err)
	}
}
