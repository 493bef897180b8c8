//go:build unix

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/schema"
	sink "github.com/evertdb/evert/sinks/postgres"
)

// postgresSink measures the target alone: rows in memory, as deliver hands them
// over, into a table with a primary key; beside one COPY of the same rows into the
// same table.
func (l *lab) postgresSink(ctx context.Context, res *results) error {
	if err := l.sql(ctx, "postgres", "CREATE DATABASE sunk"); err != nil {
		return err
	}
	rows := orderRows(l.rows)
	text := copyText(rows)
	var limits, fills, inserts, updates []time.Duration
	for i := range l.repeats {
		limit, err := l.copyIn(ctx, "limit"+strconv.Itoa(i), text)
		if err != nil {
			return err
		}
		t, err := l.deliver(ctx, "filled"+strconv.Itoa(i), rows)
		if err != nil {
			return err
		}
		limits, fills, inserts, updates = append(limits, limit), append(fills, t.fill), append(inserts, t.insert), append(updates, t.update)
	}
	whole, err := l.path(ctx, "sunken", l.rows, func(i int) string {
		return fmt.Sprintf("postgres: {url: %q, table: public.path%d}", l.postgres.URL("sunk"), i)
	})
	if err != nil {
		return err
	}
	res.rates("topic into Postgres, by the binary", l.rows, whole, "COPY", median(limits), 0.25)
	limit := median(limits).Seconds() / float64(l.rows)
	res.rates("postgres sink, fill", l.rows, median(fills), "COPY", median(limits), 0.4)
	for _, s := range []struct {
		name string
		took []time.Duration
		gate float64
	}{{"inserts", inserts, 0.2}, {"updates", updates, 0.1}} {
		n := l.rows / 4
		rate := float64(n) / median(s.took).Seconds()
		res.add("postgres sink, "+s.name, rate, "rows/s", fmt.Sprintf("%d transactions of %d rows, a commit each ten", n/transactionRows, transactionRows))
		res.atLeast(s.gate, "postgres sink, "+s.name+" ÷ COPY", rate*limit, "", "")
	}
	return nil
}

// sinkTimes are what one target took.
type sinkTimes struct{ fill, insert, update time.Duration }

// deliver fills a table with three quarters of the rows and then, behind the
// switch, inserts the last quarter and updates it; the fill is measured over all.
func (l *lab) deliver(ctx context.Context, name string, rows []pipeline.Change) (t sinkTimes, err error) {
	if t.fill, err = l.sinkRun(ctx, name, rows, true); err != nil {
		return t, err
	}
	if err := l.sinkEmpty(ctx, name, len(rows)/4); err != nil {
		return t, err
	}
	last := rows[len(rows)-len(rows)/4:]
	if t.insert, err = l.sinkRun(ctx, name, last, false); err != nil {
		return t, err
	}
	t.update, err = l.sinkRun(ctx, name, last, false)
	return t, err
}

// sinkEmpty takes the last rows out again.
func (l *lab) sinkEmpty(ctx context.Context, name string, n int) error {
	return l.sql(ctx, "sunk", fmt.Sprintf("DELETE FROM %[1]s WHERE id > (SELECT max(id) FROM %[1]s) - %[2]d", name, n), "VACUUM ANALYZE "+name)
}

// sinkRun writes rows as a stage would: a commit at each ten thousand rows, while
// a fill runs at no place yet.
func (l *lab) sinkRun(ctx context.Context, name string, rows []pipeline.Change, filling bool) (took time.Duration, err error) {
	t := sink.New(sink.Config{Name: name, Table: sink.TableName{Schema: "public", Name: name},
		URL: func(context.Context) (string, error) { return l.postgres.URL("sunk"), nil }})
	defer func() { err = errors.Join(err, t.Close()) }()
	began := time.Now()
	at, err := t.Open(ctx)
	for n := 0; err == nil && n < len(rows); n += transactionRows {
		err = t.Write(ctx, pipeline.Batch{Changes: rows[n:min(n+transactionRows, len(rows))]})
		switch whole := (n/transactionRows)%10 == 9; {
		case err != nil || !whole:
		case filling:
			err = t.Commit(ctx, pipeline.Resume{State: []byte("filling")})
		default:
			at.At = pipeline.Position{Seq: at.At.Seq + 1, Native: "0/1"}
			err = t.Commit(ctx, at)
		}
	}
	if err == nil {
		err = t.Commit(ctx, pipeline.Resume{At: pipeline.Position{Seq: at.At.Seq + 1, Native: "0/1"}})
	}
	return time.Since(began), err
}

// copyIn is the limit: one COPY of the rows into a table like the sink's.
func (l *lab) copyIn(ctx context.Context, name string, text []byte) (time.Duration, error) {
	conn, err := pgx.Connect(ctx, l.postgres.URL("sunk"))
	if err != nil {
		return 0, err
	}
	defer conn.Close(ctx)
	if _, err := conn.Exec(ctx, "CREATE TABLE "+name+` (id bigint PRIMARY KEY, customer int, state text,
		title text, amount numeric(12,2), paid boolean, placed timestamptz, weight double precision, note text)`); err != nil {
		return 0, err
	}
	began := time.Now()
	_, err = conn.PgConn().CopyFrom(ctx, bytes.NewReader(text), "COPY "+name+" FROM STDIN")
	return time.Since(began), err
}

// orderTable is the lab's table.
func orderTable() *schema.Table {
	column := func(name string, t schema.Type) schema.Column {
		return schema.Column{Name: name, Type: t, Nullable: name != "id"}
	}
	text := schema.Type{Kind: schema.KindText, Name: "text"}
	return &schema.Table{Schema: "public", Name: "orders", Version: 1, Key: []int{0}, Columns: []schema.Column{
		column("id", schema.Type{Kind: schema.KindInt, Bits: 64}), column("customer", schema.Type{Kind: schema.KindInt, Bits: 32}), column("state", text),
		column("title", text), column("amount", schema.Type{Kind: schema.KindDecimal, Precision: 12, Scale: 2}), column("paid", schema.Type{Kind: schema.KindBool}),
		column("placed", schema.Type{Kind: schema.KindTimestamp, Precision: 6, Zoned: true}), column("weight", schema.Type{Kind: schema.KindFloat, Bits: 64}), column("note", text),
	}}
}

// orderRows makes what lab.insert makes.
func orderRows(n int) []pipeline.Change {
	table := orderTable()
	states := []string{"open", "paid", "sent"}
	out := make([]pipeline.Change, n)
	for i := range out {
		g := int64(i + 1)
		out[i] = pipeline.Change{Table: table, Op: pipeline.Update, Offset: uint64(i), After: schema.Row{
			schema.Int(g), schema.Int(g % 1000), schema.Text([]byte(states[g%3])), schema.Text(fmt.Append(nil, "order number ", g)),
			schema.Decimal(fmt.Appendf(nil, "%d.%02d", g%100_000/100, g%100)), schema.Bool(g%2 == 0),
			schema.Timestamp(24*365*86_400_000_000 + g*1_000_000), schema.Float(float64(g) / 7), schema.Text([]byte("xxxxxxxxxxxxxxxxxxxx")),
		}}
	}
	return out
}

// copyText is the same rows in COPY's format; none of their values needs an escape.
func copyText(rows []pipeline.Change) (out []byte) {
	for i := range rows {
		for n, v := range rows[i].After {
			out = append(rows[i].Table.Columns[n].Type.AppendText(out, v), '\t')
		}
		out[len(out)-1] = '\n'
	}
	return out
}
