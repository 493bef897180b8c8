package deliver

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"time"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/dataflow"
	"github.com/evertdb/evert/pipeline/intake"
	"github.com/evertdb/evert/pipeline/log"
	"github.com/evertdb/evert/schema"
)

// An Audit compares what a system holds with what its topic says at the cut at
// which the sink rests. One goroutine uses it.
//
//	topic up to the cut ─► Expect ─► id: a sum of the form, or none ─┐
//	                                                                 ├─ sorted by id ─► differences ─► fixes
//	the system ─► Contents ────────► id: a sum of the form ──────────┘
type Audit struct {
	Auditor
	Sorter func() (dataflow.Sorter, error)
	Repair bool
	Named  int                           // ids of differences that are named
	Told   func(step string, rows int64) // is told what it does
}

// An Audited is what a comparison found.
type Audited struct {
	Rows      int64 // that the topic has at the cut
	Equal     int64 // that the system holds so
	Missing   int64 // only the topic has
	Surplus   int64 // only the system has
	Differing int64
	Refused   int64 // changes that the system does not take, and that were not compared
	Repaired  int64 // differences that were put right
	Named     []Difference
}

// A Difference is one id that is not what it should be.
type Difference struct {
	Kind string // missing, surplus or differing
	ID   string // as people read it
}

// ErrMoved says that the topic can no longer be read as it was at the cut: it
// took too long, or the cut was too old. Another cut may do.
var ErrMoved = errors.New("the topic cannot be read as it was at the cut")

// fixesAtOnce is how many differences one reading of the topic puts right.
const fixesAtOnce = 10_000

// What an entry of the sorter is: its first byte.
const (
	saidRow  = 's'
	saidNone = 't'
	heldRow  = 'v'
)

// Audit compares, and repairs if it is to. The sink rests at r.
func (d *Delivery) Audit(ctx context.Context, a Audit, r Resting) (found Audited, err error) {
	s, err := a.Sorter()
	if err != nil {
		return found, err
	}
	defer s.Close()
	run := audit{Audit: a, delivery: d, at: r, sorter: s, found: &found}
	if err := run.expect(ctx); err != nil {
		return found, err
	}
	if err := run.contents(ctx); err != nil {
		return found, err
	}
	return found, run.compare(ctx)
}

// audit is one comparison.
type audit struct {
	Audit
	delivery *Delivery
	at       Resting
	sorter   dataflow.Sorter
	found    *Audited
	entry    []byte
	wrong    map[string]*pipeline.Change // to be put right, by id
}

// expect adds what the topic says.
func (a *audit) expect(ctx context.Context) error {
	a.Told("reading the topic", 0)
	n := int64(0)
	return a.changes(ctx, counting{a.found}, func(c *pipeline.Change) error {
		if n++; n%100_000 == 0 {
			a.Told("reading the topic", n)
		}
		id, form, err := a.Expect(c)
		if pipeline.CodeOf(err) != "" {
			if a.found.Refused++; id == nil {
				return nil
			}
			return a.sorter.Add(id, []byte{saidNone})
		}
		if err != nil {
			return err
		}
		if c.Op == pipeline.Delete {
			return a.sorter.Add(id, []byte{saidNone})
		}
		return a.add(id, saidRow, form)
	})
}

func (a *audit) add(id []byte, kind byte, form []byte) error {
	sum := sha256.Sum256(form)
	a.entry = append(append(a.entry[:0], kind), sum[:]...)
	return a.sorter.Add(id, a.entry)
}

// contents adds what the system holds.
func (a *audit) contents(ctx context.Context) error {
	a.Told("reading the system", 0)
	n := int64(0)
	return a.Contents(ctx, func(id, form []byte) error {
		if n++; n%100_000 == 0 {
			a.Told("reading the system", n)
		}
		return a.add(id, heldRow, form)
	})
}

// compare goes over the entries of one id after the other; the last of each side
// counts.
func (a *audit) compare(ctx context.Context) error {
	a.Told("comparing", 0)
	c, err := a.sorter.Sort()
	if err != nil {
		return err
	}
	defer c.Close()
	var id, said, held []byte
	any := false
	for c.Next() {
		if !any || !bytes.Equal(id, c.Key()) {
			if err := a.judge(ctx, any, id, said, held); err != nil {
				return err
			}
			id, said, held, any = append(id[:0], c.Key()...), said[:0], held[:0], true
		}
		if entry := c.Value(); entry[0] == heldRow {
			held = append(held[:0], entry...)
		} else {
			said = append(said[:0], entry...)
		}
	}
	if err := errors.Join(c.Err(), a.judge(ctx, any, id, said, held)); err != nil {
		return err
	}
	return a.fix(ctx)
}

// judge says what one id is.
func (a *audit) judge(ctx context.Context, any bool, id, said, held []byte) error {
	row := len(said) > 0 && said[0] == saidRow
	if row {
		a.found.Rows++
	}
	switch {
	case !any || !row && len(held) == 0:
	case row && len(held) == 0:
		a.found.Missing++
		return a.differs(ctx, "missing", id)
	case !row:
		a.found.Surplus++
		return a.differs(ctx, "surplus", id)
	case !bytes.Equal(said[1:], held[1:]):
		a.found.Differing++
		return a.differs(ctx, "differing", id)
	default:
		a.found.Equal++
	}
	return nil
}

func (a *audit) differs(ctx context.Context, kind string, id []byte) error {
	if len(a.found.Named) < a.Named {
		a.found.Named = append(a.found.Named, Difference{kind, a.name(id)})
	}
	if !a.Audit.Repair {
		return nil
	}
	if a.wrong == nil {
		a.wrong = map[string]*pipeline.Change{}
	}
	if a.wrong[string(id)] = nil; len(a.wrong) < fixesAtOnce {
		return nil
	}
	return a.fix(ctx)
}

// name writes an id for people.
func (a *audit) name(id []byte) string {
	if n, ok := a.Auditor.(Namer); ok {
		return n.Name(id)
	}
	return string(id)
}

// fix puts right what is known to be wrong, by what the topic says of it.
func (a *audit) fix(ctx context.Context) error {
	if len(a.wrong) == 0 {
		return nil
	}
	a.Told("repairing", int64(len(a.wrong)))
	err := a.changes(ctx, counting{&Audited{}}, func(c *pipeline.Change) error {
		id, _, err := a.Expect(c)
		_, wrong := a.wrong[string(id)]
		switch refused := pipeline.CodeOf(err) != ""; {
		case wrong && refused:
			a.wrong[string(id)] = nil // it has to go
		case wrong && err == nil:
			a.wrong[string(id)] = clone(c)
		case !refused:
			return err
		}
		return nil
	})
	if err != nil {
		return err
	}
	fixes := make([]Fix, 0, len(a.wrong))
	for id, c := range a.wrong {
		fixes = append(fixes, Fix{[]byte(id), c})
	}
	if err := a.Auditor.Repair(ctx, fixes); err != nil {
		return err
	}
	a.found.Repaired += int64(len(fixes))
	clear(a.wrong)
	return nil
}

// clone copies a change that outlives its batch.
func clone(c *pipeline.Change) *pipeline.Change {
	own := *c
	own.Before, own.After = copied(c.Before), copied(c.After)
	return &own
}

func copied(row schema.Row) schema.Row {
	if row == nil {
		return nil
	}
	return row.Clone()
}

// changes gives what the topic says up to the cut, as the target would get it.
func (a *audit) changes(ctx context.Context, rejects Rejects, fn func(*pipeline.Change) error) error {
	d := a.delivery
	config := d.Config
	config.Rejects = rejects // what cannot be read or transformed was rejected when it was delivered
	source := &Source{Config: &config, until: &a.at}
	defer source.Close()
	if err := source.Open(ctx, pipeline.Resume{}); err != nil {
		return err
	}
	var transforms []pipeline.Transform
	if d.Transforms != nil {
		var err error
		if transforms, err = d.Transforms(rejects); err != nil {
			return err
		}
	}
	for {
		b, err := source.Next(ctx)
		if errors.Is(err, io.EOF) {
			return nil
		}
		for _, t := range transforms {
			if err == nil {
				b, err = t.Apply(ctx, b)
			}
		}
		if err != nil {
			return err
		}
		for i := range b.Changes {
			if err := fn(&b.Changes[i]); err != nil {
				return err
			}
		}
	}
}

// counting takes what cannot be compared.
type counting struct{ found *Audited }

// Reject implements Rejects.
func (c counting) Reject(_ context.Context, rejected ...Rejection) error {
	c.found.Refused += int64(len(rejected))
	return nil
}

// A Resting is where a sink rests.
type Resting struct {
	Cut     log.Frontier // of the sink's topics alone
	Written time.Time    // no earlier than when the log took it
}

// bounded gives what lies below a cut, from the topic's beginning, and ends.
func (p *pump) bounded(ctx context.Context) error {
	p.newest = intake.Report{Known: true, Cut: p.until.Cut, Written: p.until.Written}
	if err := p.assign(ctx); err != nil {
		return err
	}
	ok, err := p.isSound(ctx)
	if err == nil && !ok {
		err = ErrMoved
	}
	if err != nil {
		return err
	}
	p.at.cut = p.until.Cut.Clone()
	if err := p.readUp(ctx); err != nil {
		return err
	}
	if ok, err = p.isSound(ctx); err != nil {
		return err
	}
	if !ok || p.lacks() {
		return ErrMoved
	}
	if err := p.reach(ctx); err != nil {
		return err
	}
	return io.EOF
}
