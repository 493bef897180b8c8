package pipeline_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/schema"
)

// world is what outlives a crash: an upstream that forgets what was
// acknowledged, and a store whose effects and position were committed together.
// Every call on its edges may fail before its effect, or after it.
type world struct {
	rng    *rand.Rand
	odds   float64 // of a fault per call
	txs    []tx    // the upstream's history
	acked  uint64  // transactions up to this one are forgotten upstream
	stored []row   // committed effects, in order
	resume pipeline.Resume
	cuts   []int // how many rows were stored at each frontier
	plant  plant
}

// tx is one source transaction: its rows are numbered from 0.
type tx struct{ seq, rows uint64 }

// row is one row of one transaction.
type row struct{ seq, n uint64 }

// plant is a deliberate mistake in the order of a commit.
type plant string

const (
	none             plant = ""
	ackOnRead        plant = "acknowledge what was read"
	ackBeforeCommit  plant = "acknowledge before the commit"
	positionFirst    plant = "commit the position before the effect"
	effectFirst      plant = "commit the effect before the position"
	frontierInside   plant = "write a frontier inside a transaction"
	forgetRows       plant = "forget the rows of a part"
	keepUncommitted  plant = "keep what was not committed"
	resumeOneBehind  plant = "resume one transaction late"
	swallowFailure   plant = "take a failed commit for done"
	dropOnPartCommit plant = "commit a part without its rows"
)

var plants = []plant{ackOnRead, ackBeforeCommit, positionFirst, effectFirst, frontierInside, forgetRows,
	keepUncommitted, resumeOneBehind, swallowFailure, dropOnPartCommit}

var errFault = errors.New("fault")

func newWorld(seed uint64, p plant) *world {
	w := &world{rng: rand.New(rand.NewPCG(seed, 1)), plant: p}
	w.odds = []float64{0.02, 0.1, 0.3}[w.rng.IntN(3)]
	for seq := range uint64(3 + w.rng.IntN(12)) {
		w.txs = append(w.txs, tx{seq: seq + 1, rows: uint64(w.rng.IntN(9))})
	}
	return w
}

// edge runs the effect of a call, with a fault before it, after it, or not.
func (w *world) edge(effect func() error) error {
	roll := w.rng.Float64()
	if roll < w.odds/2 {
		return errFault
	}
	if err := effect(); err != nil {
		return err
	}
	if roll < w.odds {
		return errFault
	}
	return nil
}

// source reads a world's history in batches of a few rows.
type source struct {
	w    *world
	seq  uint64 // transactions up to this one are read
	rows uint64 // rows of the next one that are read
	end  pipeline.Resume
}

func (s *source) Open(_ context.Context, from pipeline.Resume) error {
	return s.w.edge(func() error {
		s.seq, s.rows = from.At.Seq, from.Rows
		switch s.w.plant {
		case forgetRows:
			s.rows = 0
		case resumeOneBehind:
			if s.seq > 0 && s.rows == 0 {
				s.seq--
			}
		}
		if s.seq < s.w.acked {
			return lossError(fmt.Sprintf("resume at %d, but the upstream forgot up to %d", s.seq, s.w.acked))
		}
		return nil
	})
}

func (s *source) Next(ctx context.Context) (b pipeline.Batch, err error) {
	if ctx.Err() != nil {
		return b, ctx.Err()
	}
	err = s.w.edge(func() error { b, err = s.batch(); return err })
	return b, err
}

func (s *source) batch() (pipeline.Batch, error) {
	if int(s.seq) == len(s.w.txs) {
		return pipeline.Batch{}, io.EOF
	}
	t := s.w.txs[s.seq]
	if s.w.plant == ackOnRead {
		s.w.ack(t.seq)
	}
	n := min(t.rows-s.rows, uint64(1+s.w.rng.IntN(4)))
	b := pipeline.Batch{}
	for range n {
		b.Changes = append(b.Changes, pipeline.Change{
			Table: shop, Op: pipeline.Create, Row: uint32(s.rows), Tx: &pipeline.Tx{Position: pipeline.Position{Seq: t.seq}},
			After: schema.Row{schema.Int(int64(t.seq))},
		})
		s.rows++
	}
	s.end = pipeline.Resume{At: pipeline.Position{Seq: s.seq, Native: native(s.seq)}, Rows: s.rows}
	if s.rows == t.rows {
		s.seq, s.rows = s.seq+1, 0
		s.end = pipeline.Resume{At: pipeline.Position{Seq: s.seq, Native: native(s.seq)}}
	}
	b.End = &s.end
	return b, nil
}

func native(seq uint64) string {
	if seq == 0 {
		return ""
	}
	return fmt.Sprintf("0/%X", seq*16)
}

func (w *world) ack(seq uint64) { w.acked = max(w.acked, seq) }

func (s *source) Ack(_ context.Context, p pipeline.Position) error {
	return s.w.edge(func() error { s.w.ack(p.Seq); return nil })
}

func (s *source) Reached(have, want string) (bool, error) { return have >= want, nil }
func (s *source) Close() error                            { return nil }

// sink stores rows in a world.
type sink struct {
	w       *world
	src     *source
	pending []row
}

func (k *sink) Open(context.Context) (r pipeline.Resume, err error) {
	err = k.w.edge(func() error { r = k.w.resume; return nil })
	return r, err
}

func (k *sink) Write(_ context.Context, b pipeline.Batch) error {
	return k.w.edge(func() error {
		for i := range b.Changes {
			c := &b.Changes[i]
			k.pending = append(k.pending, row{seq: c.Tx.Position.Seq, n: uint64(c.Row)})
		}
		return nil
	})
}

func (k *sink) Commit(ctx context.Context, at pipeline.Resume) error {
	if k.w.plant == ackBeforeCommit {
		k.w.ack(at.At.Seq)
	}
	if k.w.plant == positionFirst {
		if err := k.w.edge(func() error { k.position(at); return nil }); err != nil {
			return err
		}
	}
	if k.w.plant == effectFirst {
		if err := k.w.edge(func() error { k.effect(at); return nil }); err != nil {
			return err
		}
	}
	err := k.w.edge(func() error { k.effect(at); k.position(at); return nil })
	if k.w.plant == swallowFailure {
		k.pending = nil
		return nil
	}
	return err
}

func (k *sink) effect(at pipeline.Resume) {
	if k.w.plant == dropOnPartCommit && at.Rows > 0 {
		k.pending = nil
	}
	k.w.stored = append(k.w.stored, k.pending...)
	k.pending = nil
}

func (k *sink) position(at pipeline.Resume) {
	k.w.resume = at
	if at.Whole() || k.w.plant == frontierInside && at.Rows > 0 {
		k.w.cuts = append(k.w.cuts, len(k.w.stored))
	}
}

func (k *sink) Close() error {
	if k.w.plant == keepUncommitted {
		k.w.stored = append(k.w.stored, k.pending...)
	}
	k.pending = nil
	return nil
}

// lossError is a gap that the upstream or the checker saw.
type lossError string

func (e lossError) Error() string { return string(e) }

var shop = &schema.Table{Schema: "public", Name: "shop", Columns: []schema.Column{{Name: "id", Type: schema.Type{Kind: schema.KindInt, Bits: 64}}}, Key: []int{0}}
