package postgres

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/deliver"
	"github.com/evertdb/evert/schema"
)

// A Target keeps one table equal to a topic. See the package's page.
type Target struct {
	config Config
	conn   *pgx.Conn // nil until Open, and after Close

	holding
	target *relation // what readers see; nil: there is no such table
	fill   *relation // beside it; nil: there is none
	types  types

	layout *layout // of the table that is written to; nil until a table was announced
	plans  map[*schema.Table]*plan
	newest *schema.Table

	shedding []string // columns that go with the step in progress
	road     road     // by which the step is written in this attempt
	ordinal  int      // among the targets of a session

	step step
}

// New makes a target; nothing is connected yet.
func New(c Config) *Target { return &Target{config: c.withDefaults()} }

// Open implements deliver.Target.
func (t *Target) Open(ctx context.Context) (pipeline.Resume, error) {
	if err := t.connect(ctx, false); err != nil {
		return pipeline.Resume{}, err
	}
	if err := t.survey(ctx); err != nil {
		return pipeline.Resume{}, err
	}
	return t.resume, nil
}

// Renew implements deliver.Target.
func (t *Target) Renew(ctx context.Context) error {
	if err := t.connect(ctx, true); err != nil {
		return err
	}
	return t.dropFill(ctx)
}

// connect dials and becomes the sink's owner.
func (t *Target) connect(ctx context.Context, renew bool) (err error) {
	if t.conn, err = t.config.dial(ctx); err != nil {
		return err
	}
	if err := t.own(ctx, renew); err != nil {
		return err
	}
	return t.release(ctx, t.config.Name)
}

// own becomes the sink's owner.
func (t *Target) own(ctx context.Context, renew bool) (err error) {
	t.types = types{conn: t.conn, foreign: t.config.Foreign}
	t.plans = map[*schema.Table]*plan{}
	if err := t.ensurePositions(ctx); err != nil {
		return err
	}
	t.holding, err = t.take(ctx, renew)
	return err
}

// survey compares what the server has with what the sink knows of it.
func (t *Target) survey(ctx context.Context) (err error) {
	if t.target, err = loadRelation(ctx, t.conn, t.config.Table); err != nil {
		return err
	}
	if t.fill, err = loadRelation(ctx, t.conn, fillName(t.config.Table)); err != nil {
		return err
	}
	if err := t.alone(ctx, t.target); err != nil {
		return err
	}
	if err := t.notCaptured(ctx); err != nil {
		return err
	}
	if !t.filling {
		return t.stillThere()
	}
	if err := t.mayTake(ctx); err != nil {
		return err
	}
	if t.resume.IsZero() || !t.fillFits() {
		t.resume = pipeline.Resume{}
		return t.dropFill(ctx)
	}
	return nil
}

// fillFits reports whether a fill in progress can go on: its table is there, and
// is one to be merged if there is something to merge it into, with columns of the
// same types.
func (t *Target) fillFits() bool {
	if t.fill == nil || t.merging() != (t.fill.column(offsetColumn) != nil) {
		return false
	}
	for _, c := range t.fill.columns {
		if has := t.has(c.name); has != nil && has.typ != c.typ && !t.created {
			return false
		}
	}
	return true
}

// stillThere asks for a new fill when the table is not the one that the position
// speaks of, or lacks what was written into it.
func (t *Target) stillThere() error {
	switch {
	case t.relation == 0 && t.target == nil:
		return nil // no row and no shape was ever seen
	case t.target == nil:
		return &deliver.Renewal{Why: t.config.where() + " is gone"}
	case t.target.oid != t.relation:
		return &deliver.Renewal{Why: t.config.where() + " was made anew by somebody else"}
	}
	for _, name := range t.columns {
		if t.target.column(name) == nil {
			return &deliver.Renewal{Why: t.config.where() + " has lost column " + name}
		}
	}
	return nil
}

// mayTake refuses a table with rows that are not ours.
func (t *Target) mayTake(ctx context.Context) error {
	if t.target == nil || t.target.oid == t.relation || t.config.Adopt {
		return nil
	}
	empty, err := t.target.empty(ctx, t.conn)
	if empty || err != nil {
		return err
	}
	return t.config.otherRows()
}

func (c *Config) otherRows() *pipeline.Refusal {
	return c.refuse(CodeRows, "it holds rows that this sink has not written, and they would be replaced",
		"adopt: true   # in the sink's section of the file, if all of it may be replaced; else name another table")
}

func (t *Target) dropFill(ctx context.Context) error {
	err := t.asOwner(ctx, "DROP TABLE IF EXISTS "+fillName(t.config.Table).sql())
	t.fill = nil
	return passing("drop what an earlier fill left", err)
}

// Write implements deliver.Target. Rows stay in memory or, beyond its bound, in a
// temporary table that only this session sees.
func (t *Target) Write(ctx context.Context, b pipeline.Batch) error {
	if err := t.gather(ctx, &b); err != nil || t.step.size() < t.config.BufferBytes {
		return err
	}
	return t.spill(ctx)
}

// gather takes the changes of a batch into the step.
func (t *Target) gather(ctx context.Context, b *pipeline.Batch) error {
	for _, table := range b.Tables {
		if _, err := t.planFor(ctx, table); err != nil {
			return err
		}
	}
	for i := range b.Changes {
		if err := t.change(ctx, &b.Changes[i]); err != nil {
			return err
		}
	}
	return nil
}

// change takes one change into the step.
func (t *Target) change(ctx context.Context, c *pipeline.Change) error {
	p := t.plans[c.Table]
	if p == nil {
		var err error
		if p, err = t.planFor(ctx, c.Table); err != nil {
			return err
		}
	}
	switch {
	case c.Op == pipeline.Truncate:
		return &deliver.Renewal{Why: "the rows of " + c.Table.String() + " became void"}
	case c.Op == pipeline.Delete:
		t.step.add(c, c.Before, p, true)
		return nil
	case !c.After.Known():
		return fmt.Errorf("%s: partition %d, offset %d: a row came without all of its values", t.config.where(), c.Partition, c.Offset) // I5
	case c.KeyChanged():
		t.step.add(c, c.Before, p, true)
	}
	t.step.add(c, c.After, p, false)
	return nil
}

// Close implements deliver.Target.
func (t *Target) Close() error {
	goodbye(t.conn)
	t.conn, t.step = nil, step{}
	return nil
}

// active is the table that rows go to: the fill, or the one that readers see.
func (t *Target) active() *relation {
	if t.filling {
		return t.fill
	}
	return t.target
}

// merging reports whether the fill will be merged into a table that is there,
// instead of becoming it.
func (t *Target) merging() bool { return t.filling && t.target != nil }
