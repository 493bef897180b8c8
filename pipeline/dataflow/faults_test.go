package dataflow

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/evertdb/evert/pipeline"
)

var errFault = errors.New("planted")

// A saboteur counts every call that leaves the engine, and lets the one fail
// whose turn it is. It knows what is open.
type saboteur struct {
	turn, calls int
	open        int // sorters and cursors
}

func (s *saboteur) call() error {
	s.calls++
	if s.calls == s.turn {
		return errFault
	}
	return nil
}

func (s *saboteur) sorter() (Sorter, error) {
	if err := s.call(); err != nil {
		return nil, err
	}
	s.open++
	return &sabotagedSorter{s: s}, nil
}

type sabotagedSorter struct {
	MemorySorter
	s      *saboteur
	closed bool
}

func (x *sabotagedSorter) Add(key, value []byte) error {
	return errors.Join(x.s.call(), x.MemorySorter.Add(key, value))
}

func (x *sabotagedSorter) Sort() (Cursor, error) {
	if err := x.s.call(); err != nil {
		return nil, err
	}
	c, err := x.MemorySorter.Sort()
	return x.s.cursor(c), err
}

func (x *sabotagedSorter) Close() error {
	if !x.closed {
		x.closed = true
		x.s.open--
	}
	return x.MemorySorter.Close()
}

func (s *saboteur) cursor(c Cursor) Cursor {
	s.open++
	return &sabotagedCursor{Cursor: c, s: s}
}

type sabotagedCursor struct {
	Cursor
	s      *saboteur
	err    error
	closed bool
}

func (c *sabotagedCursor) Next() bool {
	if c.err == nil {
		c.err = c.s.call()
	}
	return c.err == nil && c.Cursor.Next()
}

func (c *sabotagedCursor) Err() error { return c.err }

func (c *sabotagedCursor) Close() error {
	if !c.closed {
		c.closed = true
		c.s.open--
	}
	return c.Cursor.Close()
}

// sabotagedState is the memory with a saboteur before it.
type sabotagedState struct {
	*Memory
	s *saboteur
}

func (x sabotagedState) Get(key []byte) ([]byte, bool, error) {
	if err := x.s.call(); err != nil {
		return nil, false, err
	}
	return x.Memory.Get(key)
}

func (x sabotagedState) Scan(low, high []byte) (Cursor, error) {
	if err := x.s.call(); err != nil {
		return nil, err
	}
	c, err := x.Memory.Scan(low, high)
	return x.s.cursor(c), err
}

func (x sabotagedState) Put(key, value []byte) error {
	return errors.Join(x.s.call(), x.Memory.Put(key, value))
}

func (x sabotagedState) Delete(key []byte) error {
	return errors.Join(x.s.call(), x.Memory.Delete(key))
}

// Whatever fails, at whichever call: the epoch says so, everything that was
// opened is closed, and the same said once more ends as if nothing had been.
func TestEveryCallMayFail(t *testing.T) {
	t.Parallel()
	for seed := range uint64(12) {
		r := recorded(seed, 12)
		want, _ := r.play(t, 4, straight)
		s := &saboteur{}
		for turn := 1; ; turn += 1 + int(rand.N(uint(7))) {
			got, failed := r.sabotaged(t, s, turn)
			if s.open != 0 {
				t.Fatalf("seed %d, call %d: %d sorters and cursors are open", seed, turn, s.open)
			}
			if err := same(want, got); err != nil {
				t.Fatalf("seed %d, call %d: R02: %v", seed, turn, err)
			}
			if !failed {
				break
			}
		}
	}
}

// sabotaged plays with the given call failing; an epoch that fails is said once
// more.
func (r *replayed) sabotaged(t *testing.T, s *saboteur, turn int) (m *Memory, failed bool) {
	t.Helper()
	*s = saboteur{turn: turn}
	m = &Memory{}
	e, err := New(r.plan, Env{NewSorter: s.sorter, MaxGroup: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	w := &world{engine: e}
	w.squeeze()
	for i := 0; i < len(r.txs); i += 4 {
		for {
			var said []Saying
			for _, tx := range r.txs[i:min(i+4, len(r.txs))] {
				said = append(said, tx...)
			}
			err := epochOf(e, sabotagedState{m, s}, i > 0, said)
			if err == nil {
				m.Apply()
				break
			}
			if !errors.Is(err, errFault) || failed {
				t.Fatalf("call %d: %v", turn, err)
			}
			failed = true
			m.Drop()
		}
	}
	return m, failed
}

func epochOf(e *Engine, m sabotagedState, begun bool, said []Saying) (err error) {
	var r Reader
	if begun {
		r = m
	}
	t, err := e.Begin(r, m)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, t.Close()) }()
	for _, s := range said {
		if err := t.say(s); err != nil {
			return err
		}
	}
	_, err = t.Finish(context.Background(), func(Change) error { return m.s.call() })
	return err
}

// What comes from the state may be anything: it is refused, and nothing else
// happens.
func FuzzState(f *testing.F) {
	r := recorded(3, 12)
	for seed := range uint64(6) {
		f.Add(seed, uint16(seed*7), []byte{0xff, 0x00, byte(seed)})
	}
	f.Add(uint64(1), uint16(0), []byte{})
	f.Add(uint64(41), uint16(80), []byte{0}) // a row without columns
	f.Fuzz(func(t *testing.T, seed uint64, place uint16, value []byte) {
		r := r
		if seed%8 != 3 {
			r = recorded(seed%64, 12)
		}
		w := newWorld(t, r.plan)
		w.begin()
		for _, s := range flat(r.txs[:6]) {
			if err := w.epoch.say(s); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := w.tryFinish(); err != nil {
			t.Fatal(err)
		}
		if w.state.Len() == 0 {
			return
		}
		w.state.entries[int(place)%w.state.Len()].value = value
		e, err := w.engine.Begin(w.state, w.state)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range flat(r.txs[6:]) {
			if err := e.say(s); err != nil {
				t.Fatal(err)
			}
		}
		_, err = e.Finish(context.Background(), func(Change) error { return nil })
		if code := pipeline.CodeOf(err); code != "" && !slices.Contains([]pipeline.Code{codeState, CodeNotUnique, codeTooLarge}, code) {
			t.Errorf("a damaged entry is refused as %v", err)
		}
		if err := e.Close(); err != nil {
			t.Fatal(err)
		}
	})
}

func flat(txs [][]Saying) (all []Saying) {
	for _, tx := range txs {
		all = append(all, tx...)
	}
	return all
}

func TestEndedEpochsAndOtherMisuse(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nested())
	e := w.open()
	if _, err := w.engine.Begin(nil, w.state); err == nil {
		t.Error("two epochs are open")
	}
	if err := e.Upsert(9, nil); err == nil {
		t.Error("there is an input 9")
	}
	if err := e.Upsert(0, nil); err == nil {
		t.Error("a row has no columns")
	}
	if err := e.Delete(0, nil); err == nil {
		t.Error("a key has no columns")
	}
	ctx, cancel := context.WithCancelCause(context.Background())
	cancel(errFault)
	for i := range 3000 {
		if err := e.Upsert(1, parse(shop()[1].Columns, []string{fmt.Sprint(i), "1", "5"})); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := e.Finish(ctx, func(Change) error { return nil }); !errors.Is(err, errFault) {
		t.Errorf("an epoch goes on after its context has ended: %v", err)
	}
	if err := errors.Join(e.Close(), e.Close()); err != nil {
		t.Error(err)
	}
	if _, err := e.Finish(context.Background(), nil); err == nil {
		t.Error("a closed epoch ends once more")
	}
}
