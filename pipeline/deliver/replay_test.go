package deliver_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"sync"
	"testing"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/deliver"
	"github.com/evertdb/evert/pipeline/deliver/deadletter"
	"github.com/evertdb/evert/pipeline/log"
)

// picky is a system that does not take some rows. Safe for concurrent use.
type picky struct {
	queue deliver.Rejects

	mu   sync.Mutex
	puts map[int64]bool
	gone map[int64]bool
}

type pickyTarget struct {
	deliver.Target
	p *picky
}

func (p *picky) over(t deliver.Target) deliver.Target { return &pickyTarget{t, p} }

func (p *picky) mend() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.puts, p.gone = nil, nil
}

func (p *picky) takes(c *pipeline.Change) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if c.After == nil {
		return !p.gone[c.Before[0].Int()]
	}
	return !p.puts[c.After[0].Int()]
}

func (t *pickyTarget) Write(ctx context.Context, b pipeline.Batch) error {
	all := b.Changes
	b.Changes = nil
	for i := range all {
		if t.p.takes(&all[i]) {
			b.Changes = append(b.Changes, all[i])
			continue
		}
		why := &pipeline.Refusal{Code: "PICKY", What: "no", Mend: "mend it"}
		if err := t.p.queue.Reject(ctx, deliver.Rejection{Place: deliver.PlaceOf(itemsTopic, &all[i]), Why: why}); err != nil {
			return err
		}
	}
	return t.Target.Write(ctx, b)
}

// pick makes w's system one that does not take some rows.
func (w *world) pick(c deadletter.Config) *picky {
	c.Log, c.Deployment, c.Sink = w.log, "test", "index"
	queue := deadletter.New(c)
	w.t.Cleanup(func() { queue.Close() })
	p, inner := &picky{queue: queue}, w.config.Target
	w.config.Rejects = queue
	w.config.Target = func() (deliver.Target, error) {
		t, err := inner()
		return p.over(t), err
	}
	return p
}

func (w *world) letters() []deadletter.Letter {
	w.t.Helper()
	list, err := deadletter.List(context.Background(), w.log, deadletter.Topic("test", "index"))
	if err != nil {
		w.t.Fatal(err)
	}
	return list
}

// TestDeadLetters goes on without what is not taken or cannot be read, and
// delivers it when that is mended: never an older row over a newer one.
func TestDeadLetters(t *testing.T) {
	t.Run("R09 poison and rejected rows go aside, and come back in order", func(t *testing.T) {
		w := newWorld(t)
		p := w.pick(deadletter.Config{Keep: true})
		p.puts, p.gone = map[int64]bool{2: true, 3: true}, map[int64]bool{4: true, 5: true}
		w.source.Begin()
		w.source.Commit(put(1, "a"), put(2, "b"), put(3, "c"), put(4, "d"), put(5, "e"))
		w.start()
		w.caughtUp()
		w.source.Commit(remove(4), remove(5))
		w.sneak(log.Record{Key: []byte("k"), Value: []byte("v")})
		w.caughtUp()
		p.mu.Lock()
		p.puts, p.gone = map[int64]bool{2: true}, nil
		p.mu.Unlock()
		w.source.Commit(put(3, "C"), put(5, "E"))
		w.caughtUp()
		w.want(rows{1: "a", 3: "C", 4: "d", 5: "E", 9: "behind it"})
		w.cancel()
		<-w.done
		before := w.letters()
		var places []deliver.Place
		for _, l := range before {
			places = append(places, l.Place)
		}
		if len(places) != 5 {
			t.Fatalf("letters %+v", before)
		}
		outcomes := map[string]int{}
		replay := func(dry bool) map[deliver.Place]deliver.Outcome {
			got, err := w.delivery.Replay(t.Context(), places, dry)
			if err != nil {
				t.Fatal(err)
			}
			return got
		}
		for _, o := range replay(true) {
			outcomes[string(o)]++
		}
		if want := map[string]int{"delivered": 3, "newer": 2}; !maps.Equal(outcomes, want) {
			t.Errorf("a dry run gives %v", outcomes)
		}
		w.want(rows{1: "a", 3: "C", 4: "d", 5: "E", 9: "behind it"})
		p.mend()
		clear(outcomes)
		for _, o := range replay(false) {
			outcomes[string(o)]++
		}
		if want := map[string]int{"delivered": 2, "newer": 2, "unreadable": 1}; !maps.Equal(outcomes, want) {
			t.Errorf("a replay gives %v", outcomes)
		}
		w.want(w.now())
		w.again()
		w.source.Commit(put(2, "newest"))
		w.check()
	})
}

// TestSkip stops at a record, each time at the same one, until it is skipped.
func TestSkip(t *testing.T) {
	t.Run("R09 a poison record stops the sink until it is skipped", func(t *testing.T) {
		w := newWorld(t)
		var mu sync.Mutex
		skipped := map[deliver.Place]bool{}
		w.pick(deadletter.Config{Skips: func(p deliver.Place) bool {
			mu.Lock()
			defer mu.Unlock()
			return skipped[p]
		}})
		w.source.Begin()
		w.source.Commit(put(1, "a"))
		w.start()
		w.check()
		w.sneak(log.Record{Key: []byte("k"), Value: []byte("v")})
		var halt *deliver.Halt
		for range 2 {
			if err := w.ended(); !errors.As(err, &halt) || pipeline.CodeOf(err) != deliver.CodePoison {
				t.Fatalf("ended with %v", err)
			}
			w.again()
		}
		_ = w.ended()
		mu.Lock()
		skipped[halt.Place] = true
		mu.Unlock()
		w.again()
		w.check()
		if l := w.letters(); len(l) != 1 || l[0].Place != halt.Place || l[0].Code != deadletter.CodeSkipped {
			t.Errorf("letters %+v", l)
		}
		at, release, err := w.delivery.Rest(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer release()
		before := w.letters()
		wantAudit(t, w, at, w.now(), false, fmt.Sprintf("%[1]d rows, %[1]d equal, 0 missing, 0 surplus, 0 differing, 1 refused, 0 repaired []", len(w.now())))
		if l := w.letters(); !reflect.DeepEqual(l, before) {
			t.Errorf("a comparison wrote letters: %+v", l)
		}
	})
}

// TestReplayWrittenTwice tells that a row which a writer that was cut off has written
// again is no newer one: the letter behind which it lies is delivered (I2).
func TestReplayWrittenTwice(t *testing.T) {
	w := newWorld(t)
	p := w.pick(deadletter.Config{Keep: true})
	w.source.Begin()
	w.source.Commit(put(1, "old"))
	first := w.record(0)
	w.start()
	w.check()
	p.mu.Lock()
	p.puts = map[int64]bool{1: true}
	p.mu.Unlock()
	w.source.Commit(put(1, "new"))
	w.sneak(first)
	w.caughtUp()
	w.want(rows{1: "old", 9: "behind it"})
	w.cancel()
	<-w.done
	letters := w.letters()
	if len(letters) != 1 {
		t.Fatalf("letters %+v", letters)
	}
	p.mend()
	got, err := w.delivery.Replay(t.Context(), []deliver.Place{letters[0].Place}, false)
	if err != nil || got[letters[0].Place] != deliver.Delivered {
		t.Errorf("the letter is %v: %v", got, err)
	}
	w.want(w.now())
	w.again()
	w.check()
}

// TestReplayWhileFilling is refused: every row is on its way.
func TestReplayWhileFilling(t *testing.T) {
	w := newWorld(t)
	w.source.Begin()
	d := deliver.New(w.config)
	defer d.Close()
	if _, err := d.Replay(t.Context(), []deliver.Place{{Topic: itemsTopic}}, false); pipeline.CodeOf(err) != deliver.CodeReplay {
		t.Error(fmt.Errorf("replays with %w", err))
	}
}

// TestReplayOfAGoneTopic tells that letters stay when their topic is not there: no
// newer record says what their rows are.
func TestReplayOfAGoneTopic(t *testing.T) {
	w := newWorld(t)
	w.source.Begin()
	w.source.Commit(put(1, "a"))
	d := w.start()
	w.check()
	w.cancel()
	<-w.done
	defer w.close()
	if err := w.log.Admin().Delete(t.Context(), itemsTopic); err != nil {
		t.Fatal(err)
	}
	if got, err := d.Replay(t.Context(), []deliver.Place{{Topic: itemsTopic}}, false); pipeline.CodeOf(err) != deliver.CodeInputGone {
		t.Errorf("%v, %v", got, err)
	}
}
