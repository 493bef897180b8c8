package transform

import (
	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/scalar"
	"github.com/evertdb/evert/pipeline/sql"
	"github.com/evertdb/evert/schema"
)

// fieldsName is what stands in front of what an expression says of the change
// itself: change.op.
const fieldsName = "change"

// The fields of a change, in the order in which they lie behind a row.
const (
	fieldOp = iota
	fieldPosition
	fieldSequence
	fieldTransaction
	fieldTime
	fieldSchema
	fieldTable
	fieldCount
)

// fieldColumns are the fields of a change as columns.
func fieldColumns() []schema.Column {
	text := func(name string, nullable bool) schema.Column { return textColumn(name, nullable) }
	number := func(name string) schema.Column {
		return schema.Column{Name: name, Type: scalar.Int8.Type(), Nullable: true}
	}
	return []schema.Column{
		fieldOp: text("op", false), fieldPosition: text("position", true), fieldSequence: number("sequence"), fieldTransaction: number("transaction"),
		fieldTime:   {Name: "time", Type: scalar.Timestamptz.Type(), Nullable: true},
		fieldSchema: text("schema", false), fieldTable: text("table", false),
	}
}

// textColumn is a column of text whose equality and order are those of its bytes.
func textColumn(name string, nullable bool) schema.Column {
	return schema.Column{Name: name, Type: scalar.Text.Type(), Nullable: nullable, Collation: schema.Collation{Name: "C", Provider: "c", Deterministic: true}}
}

// scopeOf is what the expressions of a step may name.
func scopeOf(t *schema.Table) sql.Scope {
	return sql.Scope{Table: t, Name: fieldsName, Extra: fieldColumns()}
}

// field gives the value of a field of a change. In a snapshot there is no
// position, no number and no transaction; a position that the source does not
// name is NULL.
func (o *Out) field(n int, c *pipeline.Change) schema.Value {
	switch n {
	case fieldOp:
		if o.chain.config.Split && c.Op == pipeline.Create { // whether a row is new depends on when a sink reads
			return o.text(pipeline.Update.String())
		}
		return o.text(c.Op.String())
	case fieldSchema:
		return o.text(c.Table.Schema)
	case fieldTable:
		return o.text(c.Table.Name)
	}
	switch tx := c.Tx; {
	case tx == nil:
	case n == fieldPosition && tx.Position.Native != "":
		return o.text(tx.Position.Native)
	case n == fieldSequence && tx.Position.Seq > 0:
		return schema.Int(int64(tx.Position.Seq))
	case n == fieldTransaction && tx.ID > 0:
		return schema.Int(int64(tx.ID))
	case n == fieldTime && !tx.At.IsZero():
		return schema.Timestamp(tx.At.UnixMicro() - schema.UnixEpoch2000)
	}
	return schema.Null()
}

func (o *Out) text(s string) schema.Value {
	b := o.bytes(len(s))
	copy(b, s)
	return schema.Text(b)
}

// An expr is an expression of a step, compiled for a table.
type expr struct {
	*sql.RowExpr
	where    string
	columns  []int // of the row that it reads
	volatile bool  // it reads fields of the change
}

func compiledExpr(x *sql.RowExpr, t *schema.Table, where string) *expr {
	e := &expr{RowExpr: x, where: where}
	for _, c := range x.Reads {
		if c < len(t.Columns) {
			e.columns = append(e.columns, c)
		} else {
			e.volatile = true
		}
	}
	return e
}

// eval evaluates it over a row of c of which all that it reads is known.
func (e *expr) eval(o *Out, c *pipeline.Change, row schema.Row) (schema.Value, error) {
	if e.volatile {
		full := o.row(len(row) + fieldCount)
		copy(full, row)
		for _, r := range e.Reads {
			if r >= len(row) {
				full[r] = o.field(r-len(row), c)
			}
		}
		row = full
	}
	v, err := e.Eval(row)
	if err != nil {
		return v, noValue(e.where, e, err)
	}
	return v, nil
}

// gaps counts the unknown values among columns of a row, and gives the first.
func gaps(row schema.Row, columns []int) (n, first int) {
	for _, c := range columns {
		if !row[c].IsKnown() {
			if n++; n == 1 {
				first = c
			}
		}
	}
	return n, first
}
