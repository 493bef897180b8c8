package kafka

import (
	"math/rand/v2"
	"testing"
)

// K10: abort much, commit one, read it all in responses that are full: what was
// aborted is never seen. The fake leaves the list of aborted transactions out of
// a response that is full as a whole.
func TestAbortedInFullResponses(t *testing.T) {
	cfg := config(cluster(t))
	cfg.Limits.ReadBytes = 4 << 20
	l := open(t, cfg)
	tp := part0(topic(t, l, "t", 1).Name)
	w := writer(t, l, "w")
	noise := make([]byte, 100_000) // does not shrink
	rand.NewChaCha8([32]byte{}).Read(noise)
	large := string(noise)
	for range 60 {
		if err := w.Append(t.Context(), rec(tp, "k", large)); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Flush(t.Context()); err != nil { // a batch each
			t.Fatal(err)
		}
	}
	if err := w.Abort(t.Context()); err != nil {
		t.Fatal(err)
	}
	put(t, w, rec(tp, "k", "v"))
	same(t, len(all(t, l, tp)), len("k=v"))
}
