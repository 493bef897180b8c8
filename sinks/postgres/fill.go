package postgres

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/evertdb/evert/pipeline/deliver"
)

// switchOver puts whole fills in the place of what readers see, inside the
// transaction of their last step. Where there is no table the fill becomes it. Where
// there is one, the rows that differ are changed in it: its grants, views, indexes
// and foreign keys stay, readers see the old rows or the new ones, and rows that
// are the same are not written (R16).
func switchOver(ctx context.Context, all []*Target) (failed *Target, err error) {
	var filling, merging []*Target
	for _, t := range all {
		if !t.filling {
			continue
		}
		filling = append(filling, t)
		switch {
		case t.fill == nil: // no shape was ever seen
		case t.target == nil:
			err = t.rename(ctx)
		default:
			merging = append(merging, t)
			err = t.prepareMerge(ctx)
		}
		if err != nil {
			return t, err
		}
	}
	if failed, err := merge(ctx, merging); err != nil {
		return failed, err
	}
	for _, t := range filling {
		if err := t.show(ctx); err != nil {
			return t, err
		}
	}
	return nil, nil
}

// show notes that readers see what was filled.
func (t *Target) show(ctx context.Context) error {
	relation, created := t.relation, t.created
	switch {
	case t.target != nil:
		relation = t.target.oid
	case t.fill != nil:
		relation, created = t.fill.oid, true
	}
	_, err := t.conn.Exec(ctx, "UPDATE "+t.config.Positions.sql()+" SET filling = false, relation = $1, created = $2 WHERE sink = $3", relation, created, t.config.Name)
	return err
}

// switched takes note of a switch that is durable.
func (t *Target) switched(ctx context.Context) (err error) {
	t.created = t.created || t.target == nil && t.fill != nil
	t.filling, t.fill = false, nil
	t.step.prepared = false
	if t.target, err = loadRelation(ctx, t.conn, t.config.Table); err != nil || t.target == nil {
		return err
	}
	t.relation = t.target.oid
	return nil
}

// rename makes the fill the table. Its index is named after the table if nothing
// else is.
func (t *Target) rename(ctx context.Context) error {
	name := t.config.Table
	if _, err := t.conn.Exec(ctx, "ALTER TABLE "+t.fill.sql()+" RENAME TO "+quoteIdent(name.Name)); err != nil {
		return err
	}
	var index string
	var primary bool
	err := t.conn.QueryRow(ctx, "SELECT c.relname, i.indisprimary FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid WHERE i.indrelid = $1::oid LIMIT 1", t.fill.oid).Scan(&index, &primary)
	if err != nil {
		return err
	}
	suffix := "key"
	if primary {
		suffix = "pkey"
	}
	err = t.guarded(ctx, func() error {
		_, err := t.conn.Exec(ctx, "ALTER INDEX "+TableName{name.Schema, index}.sql()+" RENAME TO "+quoteIdent(indexName(name, suffix)))
		return err
	})
	if sqlState(err) == "42P07" {
		return nil
	}
	return err
}

// merge changes the rows of the tables that differ from their fills.
func merge(ctx context.Context, all []*Target) (failed *Target, err error) {
	if areApart(all) {
		var parts []*careful
		for _, t := range all {
			parts = append(parts, &careful{Target: t, query: t.differences(), into: t.target.TableName})
		}
		if failed, err := carefully(ctx, parts); err != nil {
			return failed, err
		}
	}
	for _, t := range all {
		if t.road != apart {
			err = t.mergeAtOnce(ctx)
		}
		if err == nil {
			_, err = t.conn.Exec(ctx, "DROP TABLE "+t.fill.sql())
		}
		if err != nil {
			return t, err
		}
	}
	return nil, nil
}

// prepareMerge keeps other writers away until the switch is done, and brings a
// table of ours to the fill's shape.
func (t *Target) prepareMerge(ctx context.Context) error {
	if _, err := t.conn.Exec(ctx, "LOCK TABLE "+t.target.sql()+" IN SHARE ROW EXCLUSIVE MODE"); err != nil {
		return err
	}
	if err := t.mayTake(ctx); err != nil {
		return err
	}
	if t.created {
		return t.fitTarget(ctx)
	}
	return nil
}

// joined is the table beside the fill's row of the same key, or without one.
func (t *Target) joined() string {
	return t.fill.sql() + " f LEFT JOIN " + t.target.sql() + " t ON " + t.layout.sameKey("t", "f")
}

// lacking says in SQL that the table lacks the fill's row as it is. tableoid is
// NULL for a row that is not there.
func (t *Target) lacking() string {
	differs := []string{"t.tableoid IS NULL"}
	for i := range t.layout.columns {
		differs = append(differs, t.layout.columns[i].differs("t", "f"))
	}
	return strings.Join(differs, " OR ")
}

// surplus says in SQL that the fill has no row for the table's.
func (t *Target) surplus() string {
	return "NOT EXISTS (SELECT FROM " + t.fill.sql() + " f WHERE " + t.layout.sameKey("t", "f") + ")"
}

func (t *Target) mergeAtOnce(ctx context.Context) error {
	if _, err := t.conn.Exec(ctx, "DELETE FROM "+t.target.sql()+" t WHERE "+t.surplus()); err != nil {
		return err
	}
	var values []string
	for _, c := range t.layout.columns {
		values = append(values, "f."+quoteIdent(c.name))
	}
	_, err := t.conn.Exec(ctx, fmt.Sprintf("%s SELECT %s FROM %s WHERE %s%s",
		t.layout.insert(t.target.TableName), strings.Join(values, ", "), t.joined(), t.lacking(), t.layout.onConflict()))
	return err
}

// differences is what a merge has to do, shaped as the temporary table's rows.
func (t *Target) differences() string {
	var there, gone []string
	for i, c := range t.layout.columns {
		there = append(there, fmt.Sprintf("f.%s AS c%d", quoteIdent(c.name), i))
		if c.key {
			gone = append(gone, "t."+quoteIdent(c.name))
		} else {
			gone = append(gone, "NULL::"+c.typ)
		}
	}
	return fmt.Sprintf("SELECT 0 AS n, f.%s AS p, f.%s AS o, false AS g, %s FROM %s WHERE %s UNION ALL SELECT 0, %d, 0, true, %s FROM %s t WHERE %s",
		quoteIdent(partitionColumn), quoteIdent(offsetColumn), strings.Join(there, ", "), t.joined(), t.lacking(), noPartition, strings.Join(gone, ", "), t.target.sql(), t.surplus())
}

// fitTarget gives a table of ours the fill's columns and types. Old values that
// the new type does not take go with their rows: all of them come again.
func (t *Target) fitTarget(ctx context.Context) error {
	alter := t.leftOver()
	emptied := false
	for _, c := range t.layout.columns {
		has := t.target.column(c.name)
		switch {
		case has == nil:
			alter = append(alter, "ADD COLUMN "+quoteIdent(c.name)+" "+c.typ)
		case has.typ != c.typ:
			name := quoteIdent(c.name)
			change := fmt.Sprintf("ALTER COLUMN %s TYPE %s USING %s::text::%s", name, c.typ, name, c.typ)
			if emptied = emptied || t.cannot(ctx, t.target, change); emptied {
				change = fmt.Sprintf("ALTER COLUMN %s TYPE %s USING NULL", name, c.typ)
			}
			alter = append(alter, change)
		}
	}
	if alter == nil {
		return nil
	}
	if emptied {
		if _, err := t.conn.Exec(ctx, "DELETE FROM "+t.target.sql()); err != nil {
			return err
		}
	}
	_, err := t.conn.Exec(ctx, "ALTER TABLE "+t.target.sql()+" "+strings.Join(alter, ", "))
	if code := sqlState(err); code == "0A000" || code == "2BP01" {
		return t.config.refuse(CodeShape, "a column has to change its type, and something in the database depends on it", "drop the views over the table, and make them again when the sink has switched")
	}
	return err
}

// cannot reports whether a change of a table fails for what its rows hold. It is
// tried and undone.
func (t *Target) cannot(ctx context.Context, r *relation, change string) bool {
	if t.conn.PgConn().TxStatus() == 'I' {
		if _, err := t.conn.Exec(ctx, "BEGIN"); err != nil {
			return false
		}
		defer t.rollback(ctx)
	}
	err := t.guarded(ctx, func() error {
		if _, err := t.conn.Exec(ctx, "ALTER TABLE "+r.sql()+" "+change); err != nil {
			return err
		}
		return errTried
	})
	return err != nil && !errors.Is(err, errTried)
}

// errTried undoes what went well.
var errTried = errors.New("tried")

// leftOver are the columns that we wrote and the topic does not have any more.
func (t *Target) leftOver() (alter []string) {
	for _, name := range t.columns {
		if t.layout.column(name) != nil || t.target.column(name) == nil {
			continue
		}
		if t.config.DropColumns {
			alter = append(alter, "DROP COLUMN "+quoteIdent(name))
			continue
		}
		alter = append(alter, "DROP COLUMN "+quoteIdent(name), "ADD COLUMN "+quoteIdent(name)+" "+t.target.column(name).typ)
	}
	return alter
}

// dropShed drops columns, inside the transaction of the step that they went with.
func (t *Target) dropShed(ctx context.Context) error {
	if len(t.shedding) == 0 {
		return nil
	}
	var drops []string
	for _, name := range t.shedding {
		drops = append(drops, "DROP COLUMN IF EXISTS "+quoteIdent(name))
	}
	if _, err := t.conn.Exec(ctx, "ALTER TABLE "+t.active().sql()+" "+strings.Join(drops, ", ")); err != nil {
		return err
	}
	kept := slices.DeleteFunc(t.layout.names(), func(name string) bool { return slices.Contains(t.shedding, name) })
	_, err := t.conn.Exec(ctx, "UPDATE "+t.config.Positions.sql()+" SET columns = $1 WHERE sink = $2", kept, t.config.Name)
	return err
}

// forgetShed makes the layout anew without the columns that are dropped.
func (t *Target) forgetShed(ctx context.Context) error {
	if len(t.shedding) == 0 {
		return nil
	}
	t.shedding, t.layout, t.step.prepared, t.step.columns = nil, nil, false, 0
	clear(t.plans)
	r, err := loadRelation(ctx, t.conn, t.active().TableName)
	switch {
	case err != nil:
		return err
	case r == nil:
		return &deliver.Renewal{Why: t.config.where() + " is gone"}
	}
	*t.active() = *r
	_, err = t.planFor(ctx, t.newest)
	return err
}
