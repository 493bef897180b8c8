package postgres

import (
	"bytes"
	"context"
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/deliver"
)

// A Group keeps several tables equal to several topics, each to its own, in one
// session: every commit is one transaction over all of them, so that a reader sees
// a transaction of the source in all its tables or in none (I3). Each table has a row
// of its own in the table of positions, and all rows have the same place.
//
// Tables are written in the order in which they are given. A foreign key from one
// to another should be DEFERRABLE INITIALLY DEFERRED: see the package's page.
type Group struct {
	conn   *pgx.Conn // nil until Open, and after Close
	tables []*Target // by the number of their topic
}

// NewGroup makes the target of several tables, whose Configs differ in Name, Topic and
// Table alone. Nothing is connected yet.
func NewGroup(configs []Config) *Group {
	g := &Group{}
	for i, c := range configs {
		t := New(c)
		t.ordinal = i
		g.tables = append(g.tables, t)
	}
	return g
}

// Open implements deliver.Target.
func (g *Group) Open(ctx context.Context) (pipeline.Resume, error) {
	if err := g.connect(ctx, false); err != nil {
		return pipeline.Resume{}, err
	}
	for _, t := range g.tables {
		if err := t.survey(ctx); err != nil {
			return pipeline.Resume{}, err
		}
	}
	return g.place()
}

// place gives where all tables stand. Where one was given up alone, all are.
func (g *Group) place() (pipeline.Resume, error) {
	first := g.tables[0]
	for _, t := range g.tables[1:] {
		if t.filling != first.filling || !bytes.Equal(appendResume(nil, t.resume), appendResume(nil, first.resume)) {
			return pipeline.Resume{}, &deliver.Renewal{Why: t.config.where() + " does not stand where " + first.config.where() + " does"}
		}
	}
	return first.resume, nil
}

// Renew implements deliver.Target.
func (g *Group) Renew(ctx context.Context) error {
	if err := g.connect(ctx, true); err != nil {
		return err
	}
	for _, t := range g.tables {
		if err := t.dropFill(ctx); err != nil {
			return err
		}
	}
	return nil
}

// connect dials, and becomes the owner of every table.
func (g *Group) connect(ctx context.Context, renew bool) (err error) {
	if g.conn, err = g.tables[0].config.dial(ctx); err != nil {
		return err
	}
	for _, t := range g.tables {
		if t.conn = g.conn; len(t.config.Table.Name) > maxName {
			return t.config.tooLong()
		}
		if err := t.own(ctx, renew); err != nil {
			return err
		}
	}
	return g.tables[0].release(ctx, g.names()...)
}

// names are those of the tables' positions.
func (g *Group) names() (all []string) {
	for _, t := range g.tables {
		all = append(all, t.config.Name)
	}
	return all
}

// Write implements deliver.Target.
func (g *Group) Write(ctx context.Context, b pipeline.Batch) error {
	if err := g.tables[b.Topic].gather(ctx, &b); err != nil {
		return err
	}
	size := 0
	for _, t := range g.tables {
		size += t.step.size()
	}
	if size < g.tables[0].config.BufferBytes {
		return nil
	}
	return g.spill(ctx)
}

// spill makes room in memory.
func (g *Group) spill(ctx context.Context) error {
	for _, t := range g.tables {
		if err := t.spill(ctx); err != nil {
			return err
		}
	}
	return nil
}

// Commit implements deliver.Target.
func (g *Group) Commit(ctx context.Context, at pipeline.Resume) error {
	return commitAll(ctx, at, g.tables)
}

// Close implements deliver.Target.
func (g *Group) Close() error {
	goodbye(g.conn)
	g.conn = nil
	for _, t := range g.tables {
		t.conn, t.step = nil, step{}
	}
	return nil
}

// CheckGroup is Check for the tables of a group.
func CheckGroup(ctx context.Context, configs []Config) (found []pipeline.Finding, err error) {
	for _, c := range configs {
		more, err := Check(ctx, c, nil)
		if found = append(found, more...); err != nil {
			return found, err
		}
	}
	return slices.Clip(found), nil
}
