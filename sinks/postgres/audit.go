package postgres

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/deliver"
	"github.com/evertdb/evert/schema"
)

// An Auditor compares the table with its topic (S14). A row is known by its key,
// and its form is its values, both as the server prints them. Only the columns
// that the sink writes are compared.
type Auditor struct {
	target *Target // whose layout is that of the last commit; it owns nothing
	place  []byte  // of the sink, as the table of positions has it
	exact  map[*schema.Table][]bool
	id     []byte
	form   []byte
}

var _ deliver.Auditor = (*Auditor)(nil)

// OpenAuditor connects, and learns from the table of positions what is compared.
func OpenAuditor(ctx context.Context, c Config) (*Auditor, error) {
	a := newAuditor(c)
	t := a.target
	var err error
	if t.conn, err = t.config.dial(ctx); err == nil {
		err = a.learn(ctx)
	}
	if err != nil {
		_ = t.Close()
		return nil, err
	}
	return a, nil
}

func newAuditor(c Config) *Auditor {
	return &Auditor{target: New(c), exact: map[*schema.Table][]bool{}}
}

func (a *Auditor) learn(ctx context.Context) (err error) {
	t := a.target
	t.types, t.plans = types{conn: t.conn, foreign: t.config.Foreign}, map[*schema.Table]*plan{}
	if t.target, err = loadRelation(ctx, t.conn, t.config.Table); err != nil {
		return err
	}
	key, err := a.remember(ctx)
	if err != nil {
		return err
	}
	if t.filling || t.stillThere() != nil {
		return t.config.refuse(CodeShape, "the sink has not filled it yet, or it is not the table that the sink has filled", "evert status   # when the sink is caught up, verify again")
	}
	t.layOut(key)
	return nil
}

// remember reads the sink's row of the table of positions.
func (a *Auditor) remember(ctx context.Context) (key []string, err error) {
	t := a.target
	err = t.conn.QueryRow(ctx, "SELECT relation, created, filling, columns, key, resume FROM "+t.config.Positions.sql()+" WHERE sink = $1", t.config.Name).
		Scan(&t.relation, &t.created, &t.filling, &t.columns, &key, &a.place)
	if err != nil {
		return nil, passing("read "+t.config.Positions.String(), err)
	}
	return key, nil
}

// layOut makes the layout of columns that are known by name.
func (t *Target) layOut(key []string) {
	t.layout = &layout{key: key}
	for _, name := range t.columns {
		t.layout.columns = append(t.layout.columns, t.layoutColumn(t.target.column(name)))
	}
}

// Expect implements deliver.Auditor.
func (a *Auditor) Expect(c *pipeline.Change) (id, form []byte, err error) {
	p := a.target.plans[c.Table]
	if p == nil {
		p = a.target.layout.plan(c.Table)
		a.target.plans[c.Table] = p
	}
	row := c.After
	if c.Op == pipeline.Delete {
		row = c.Before
	}
	a.id, a.form = a.id[:0], a.form[:0]
	for n, i := range p.key {
		if a.id, err = a.value(a.id, p, i, a.target.keyPlaces()[n], row); err != nil {
			return nil, nil, err
		}
	}
	if c.Op == pipeline.Delete {
		return a.id, nil, nil
	}
	for place, i := range p.from {
		if a.form, err = a.value(a.form, p, i, place, row); err != nil {
			return nil, nil, err
		}
	}
	return a.id, a.form, nil
}

// value appends what the server prints for a value of column i in the layout's
// column at place.
func (a *Auditor) value(dst []byte, p *plan, i, place int, row schema.Row) ([]byte, error) {
	if i < 0 || row[i].IsNull() {
		return binary.BigEndian.AppendUint32(dst, null), nil
	}
	exact, err := a.sameTypes(p)
	if err != nil {
		return nil, err
	}
	text := p.table.Columns[i].Type.AppendText(nil, row[i])
	if !exact[i] {
		if text, err = a.printed(text, place); err != nil {
			return nil, err
		}
	}
	return append(binary.BigEndian.AppendUint32(dst, uint32(len(text))), text...), nil
}

// sameTypes tells for each column of a shape whether the target prints its values
// as they came: it has the type that Evert would give it, or is text.
func (a *Auditor) sameTypes(p *plan) ([]bool, error) {
	if exact, ok := a.exact[p.table]; ok {
		return exact, nil
	}
	exact := make([]bool, len(p.table.Columns))
	types, err := a.target.typesOf(context.Background(), p.table)
	if err != nil {
		return nil, err
	}
	for i, c := range p.table.Columns {
		has := a.target.layout.column(c.Name)
		exact[i] = has == nil || fits(has.typ, types[i])
	}
	a.exact[p.table] = exact
	return exact, nil
}

// printed asks the server how it prints a text that is read by another type.
func (a *Auditor) printed(text []byte, place int) ([]byte, error) {
	c := a.target.layout.columns[place]
	r := a.target.conn.PgConn().ExecParams(context.Background(), fmt.Sprintf("SELECT $1::%s::%s", c.cast, c.typ), [][]byte{text}, []uint32{oidText}, nil, nil).Read()
	if concernsRow(r.Err) {
		return nil, a.target.config.refuse(CodeRow, "column "+c.name+" does not take a value (SQLSTATE "+sqlState(r.Err)+")", "let the column take it, or correct the row at the source")
	}
	if r.Err != nil {
		return nil, passing("ask how a value is printed", r.Err)
	}
	return bytes.Clone(r.Rows[0][0]), nil
}

// Contents implements deliver.Auditor.
func (a *Auditor) Contents(ctx context.Context, emit func(id, form []byte) error) error {
	t := a.target
	if t.target == nil || len(t.layout.columns) == 0 {
		return nil
	}
	r := t.conn.PgConn().ExecParams(ctx, "SELECT "+quoteAll(t.layout.key)+", "+quoteAll(t.layout.names())+" FROM "+t.target.sql(), nil, nil, nil, nil)
	var told error
	var id, form []byte
	for told == nil && r.NextRow() {
		values := r.Values()
		id, form = pack(id[:0], values[:len(t.layout.key)]), pack(form[:0], values[len(t.layout.key):])
		told = emit(id, form)
	}
	if told != nil {
		_ = t.conn.PgConn().Close(ctx) // the rest is not wanted
		return told
	}
	_, err := r.Close()
	return passing("read "+t.config.where(), err)
}

func pack(dst []byte, values [][]byte) []byte {
	for _, v := range values {
		if v == nil {
			dst = binary.BigEndian.AppendUint32(dst, null)
			continue
		}
		dst = append(binary.BigEndian.AppendUint32(dst, uint32(len(v))), v...)
	}
	return dst
}

// Name implements deliver.Namer: the key's texts, as the server prints them.
func (a *Auditor) Name(id []byte) string {
	var texts []string
	for len(id) >= 4 {
		n := binary.BigEndian.Uint32(id)
		if id = id[4:]; n == null || uint64(n) > uint64(len(id)) {
			texts = append(texts, "NULL")
			continue
		}
		texts = append(texts, string(id[:n]))
		id = id[n:]
	}
	return strings.Join(texts, ", ")
}

// Repair implements deliver.Auditor. All fixes are one transaction, which holds
// the sink's row: a sink that goes on meanwhile waits for its end. It is
// deliver.ErrMoved if one went on before, in another process: what is known of the
// rows is older than they are.
func (a *Auditor) Repair(ctx context.Context, fixes []deliver.Fix) error {
	return repairAll(ctx, []*Auditor{a}, [][]deliver.Fix{fixes})
}

// repairAll makes one transaction of the fixes of tables that share a session, by the
// numbers of the tables.
func repairAll(ctx context.Context, all []*Auditor, fixes [][]deliver.Fix) error {
	lead := all[0]
	_, err := lead.target.conn.Exec(ctx, "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE")
	for _, a := range all {
		if err == nil {
			err = a.lockPlace(ctx)
		}
	}
	at := lead // whose fixes are made
	for i, a := range all {
		if err == nil {
			at, err = a, a.fixAll(ctx, fixes[i])
		}
		a.target.step.reset()
	}
	if err == nil {
		err = lead.target.commit(ctx)
	}
	if err != nil {
		lead.target.rollback(ctx)
		return at.told(err)
	}
	return nil
}

// fixAll makes the fixes of one table.
func (a *Auditor) fixAll(ctx context.Context, fixes []deliver.Fix) (err error) {
	for err == nil && len(fixes) > 0 {
		n := min(len(fixes), a.target.config.SmallRows)
		err = a.fix(ctx, fixes[:n])
		fixes = fixes[n:]
	}
	return err
}

// lockPlace locks the sink's row until the transaction ends, if the sink is where
// it was.
func (a *Auditor) lockPlace(ctx context.Context) error {
	c := &a.target.config
	tag, err := a.target.conn.Exec(ctx, "SELECT FROM "+c.Positions.sql()+" WHERE sink = $1 AND resume IS NOT DISTINCT FROM $2::bytea FOR UPDATE", c.Name, a.place)
	if err == nil && tag.RowsAffected() != 1 {
		return deliver.ErrMoved
	}
	return err
}

// told words a fix that the server refuses, without a value.
func (a *Auditor) told(err error) error {
	if pg, ok := err.(*pgconn.PgError); ok && concernsRow(err) {
		return a.target.why(pg, nil, "")
	}
	return passing("repair "+a.target.config.where(), err)
}

func (a *Auditor) fix(ctx context.Context, fixes []deliver.Fix) error {
	t := a.target
	t.step.reset()
	for _, f := range fixes {
		switch {
		case f.Change == nil:
			t.step.addGone(f.ID)
		case f.Change.Op == pipeline.Delete:
			t.step.add(f.Change, f.Change.Before, t.layout.plan(f.Change.Table), true)
		default:
			t.step.add(f.Change, f.Change.After, t.layout.plan(f.Change.Table), false)
		}
	}
	t.step.consolidate()
	return t.applySmall(ctx)
}

// Close implements deliver.Auditor.
func (a *Auditor) Close() error { return a.target.Close() }
