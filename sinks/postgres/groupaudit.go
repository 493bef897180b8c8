package postgres

import (
	"context"
	"encoding/binary"

	"github.com/jackc/pgx/v5"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/deliver"
)

// A GroupAuditor compares the tables of a Group with their topics, over one
// connection. An id is the number of a table and the id of a row there.
type GroupAuditor struct {
	conn   *pgx.Conn
	tables []*Auditor
	id     []byte
}

var _ deliver.Auditor = (*GroupAuditor)(nil)

// OpenGroupAuditor connects, and learns what is compared.
func OpenGroupAuditor(ctx context.Context, configs []Config) (*GroupAuditor, error) {
	g := &GroupAuditor{}
	for i, c := range configs {
		a := newAuditor(c)
		a.target.ordinal = i
		g.tables = append(g.tables, a)
	}
	err := g.learn(ctx)
	if err != nil {
		_ = g.Close()
		return nil, err
	}
	return g, nil
}

func (g *GroupAuditor) learn(ctx context.Context) (err error) {
	if g.conn, err = g.tables[0].target.config.dial(ctx); err != nil {
		return err
	}
	for _, a := range g.tables {
		a.target.conn = g.conn
		if err := a.learn(ctx); err != nil {
			return err
		}
	}
	return nil
}

// tableBytes stand before the id of a row.
const tableBytes = 2

func (g *GroupAuditor) in(table int, id []byte) []byte {
	g.id = append(binary.BigEndian.AppendUint16(g.id[:0], uint16(table)), id...)
	return g.id
}

// Expect implements deliver.Auditor.
func (g *GroupAuditor) Expect(c *pipeline.Change) (id, form []byte, err error) {
	id, form, err = g.tables[c.Topic].Expect(c)
	if id != nil {
		id = g.in(int(c.Topic), id)
	}
	return id, form, err
}

// Contents implements deliver.Auditor.
func (g *GroupAuditor) Contents(ctx context.Context, emit func(id, form []byte) error) error {
	for i, a := range g.tables {
		err := a.Contents(ctx, func(id, form []byte) error { return emit(g.in(i, id), form) })
		if err != nil {
			return err
		}
	}
	return nil
}

// Name implements deliver.Namer: the table, and the key's texts.
func (g *GroupAuditor) Name(id []byte) string {
	a := g.tables[binary.BigEndian.Uint16(id)]
	return a.target.config.Table.String() + " " + a.Name(id[tableBytes:])
}

// Repair implements deliver.Auditor, for all tables in one transaction: they may refer
// to one another.
func (g *GroupAuditor) Repair(ctx context.Context, fixes []deliver.Fix) error {
	by := make([][]deliver.Fix, len(g.tables))
	for _, f := range fixes {
		i := binary.BigEndian.Uint16(f.ID)
		by[i] = append(by[i], deliver.Fix{ID: f.ID[tableBytes:], Change: f.Change})
	}
	return repairAll(ctx, g.tables, by)
}

// Close implements deliver.Auditor.
func (g *GroupAuditor) Close() error {
	goodbye(g.conn)
	g.conn = nil
	return nil
}
