package kafka

import (
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// K29: the first commit of a writer is a commit, and the one after it is taken.
// Both were a matter of chance: with the race detector on a busy machine about
// one first commit in 400 was an abort that reported success, and the commit
// after it failed with OUT_OF_ORDER_SEQUENCE_NUMBER.
func TestFirstCommits(t *testing.T) {
	rounds := 300
	if testing.Short() {
		rounds = 100
	}
	c := cluster(t, kfake.NumBrokers(2))
	var aborts atomic.Int64
	c.ControlKey(int16(kmsg.EndTxn), func(r kmsg.Request) (kmsg.Response, error, bool) {
		c.KeepControl()
		if !r.(*kmsg.EndTxnRequest).Commit {
			aborts.Add(1)
		}
		return nil, nil, false
	})
	l := open(t, config(c))
	tp := part0(topic(t, l, "t", 1).Name)
	for n := range rounds {
		w, err := l.Writer(t.Context(), "w")
		if err != nil {
			t.Fatal(err)
		}
		wrote := w.(*Writer)
		put(t, wrote, rec(tp, "k", fmt.Sprint(n)))
		put(t, wrote, rec(tp, "k", fmt.Sprint(n))) // by the next epoch
		_ = w.Close()
	}
	if n := aborts.Load(); n > 0 {
		t.Errorf("%d of %d commits were aborted, and reported as done", n, 2*rounds)
	}
}
