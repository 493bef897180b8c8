package postgres

import (
	"context"
	"fmt"
	"strconv"
	"strings"
)

// The temporary table of a step, which only this session sees: the number of a
// row in order of arrival, where it came from, whether it is gone, and its values
// under names of our own.
// Targets that share a session have one each.
func (t *Target) stageTable() string { return "pg_temp." + t.stageName() }

func (t *Target) stageName() string { return "evert_stage" + t.suffix() }

// suffix tells apart what targets make in the session that they share.
func (t *Target) suffix() string {
	if t.ordinal == 0 {
		return ""
	}
	return fmt.Sprint("_", t.ordinal)
}

// growStage gives the temporary table, if there is one, the columns that the
// layout has got since.
func (t *Target) growStage(ctx context.Context) error {
	if t.step.columns == 0 {
		return nil
	}
	var add []string
	for i := t.step.columns; i < len(t.layout.columns); i++ {
		add = append(add, fmt.Sprintf("ADD COLUMN c%d %s", i, t.layout.columns[i].typ))
	}
	if add == nil {
		return nil
	}
	t.step.columns = len(t.layout.columns)
	_, err := t.conn.Exec(ctx, "ALTER TABLE "+t.stageTable()+" "+strings.Join(add, ", "))
	return passing("change the temporary table", err)
}

func (t *Target) ensureStage(ctx context.Context) error {
	if t.step.columns > 0 {
		return nil
	}
	columns := []string{"n bigint", "p int", "o bigint", "g bool"}
	for i, c := range t.layout.columns {
		columns = append(columns, fmt.Sprintf("c%d %s", i, c.typ))
	}
	_, err := t.conn.Exec(ctx, "DROP TABLE IF EXISTS "+t.stageTable()+"; CREATE TEMPORARY TABLE "+t.stageName()+" ("+strings.Join(columns, ", ")+")")
	if err == nil {
		t.step.columns = len(t.layout.columns)
	}
	return passing("make a temporary table", err)
}

// spill copies the buffer into the temporary table. Rows that do not even fit the
// types of their columns are found here.
func (t *Target) spill(ctx context.Context) error {
	if len(t.step.rows) == 0 {
		return nil
	}
	if err := t.ensureStage(ctx); err != nil {
		return err
	}
	t.step.consolidate()
	rows := t.step.rows
	err := bisect(len(rows), func(lo, hi int) error { return t.stage(ctx, rows[lo:hi]) }, func(i int, err error) error {
		return t.withdraw(ctx, &rows[i], err)
	})
	if err != nil {
		return passing("copy rows into a temporary table", err)
	}
	t.step.staged += len(rows)
	t.step.stagedGone += t.step.gone
	t.step.chunks++
	t.step.reset()
	return nil
}

// withdraw hands a row over that does not fit the types of its columns. Where the
// sink goes on without it, an earlier row of its key goes, too. A key that does not
// fit either has none.
func (t *Target) withdraw(ctx context.Context, e *entry, err error) error {
	if err := t.reject(ctx, e, err); err != nil || e.gone {
		return err
	}
	e.gone = true
	t.step.gone++
	if err := t.stage(ctx, []entry{*e}); !concernsRow(err) {
		return err
	}
	return nil
}

func (t *Target) stage(ctx context.Context, rows []entry) error {
	r := &lineReader{buffer: &t.step.buffer, rows: rows, columns: len(t.layout.columns), lead: appendStaged, key: t.keyPlaces()}
	names := []string{"n", "p", "o", "g"}
	for i := range t.layout.columns {
		names = append(names, fmt.Sprintf("c%d", i))
	}
	return copyIn(ctx, t.conn.PgConn(), r, t.stageTable(), strings.Join(names, ", "))
}

// appendStaged writes what stands before the values of a staged row.
func appendStaged(dst []byte, e *entry) []byte {
	dst = append(strconv.AppendInt(dst, int64(e.number), 10), '\t')
	dst = appendPlace(dst, e)
	if e.gone {
		return append(dst, "t\t"...)
	}
	return append(dst, "f\t"...)
}

// keyPlaces gives the place of each key column in the layout.
func (t *Target) keyPlaces() []int {
	var at []int
	for _, k := range t.layout.key {
		for i := range t.layout.columns {
			if t.layout.columns[i].name == k {
				at = append(at, i)
			}
		}
	}
	return at
}

// stagedKey gives the key of the temporary table's rows, as SQL.
func (t *Target) stagedKey() string {
	var names []string
	for _, i := range t.keyPlaces() {
		names = append(names, fmt.Sprintf("c%d", i))
	}
	return strings.Join(names, ", ")
}

// last is the last row of each staged key, as SQL. Where everything came in one
// copy, no key stands twice and the rows lie in the order of keys.
func (t *Target) last() string {
	if t.step.chunks <= 1 {
		return t.stageTable()
	}
	return "(SELECT DISTINCT ON (" + t.stagedKey() + ") * FROM " + t.stageTable() + " ORDER BY " + t.stagedKey() + ", n DESC)"
}

// applyStaged writes what the temporary table holds.
func (t *Target) applyStaged(ctx context.Context) error {
	if t.step.staged == 0 {
		return nil
	}
	return t.applyFrom(ctx, t.last(), t.active().TableName, "true", t.step.stagedGone > 0, t.merging())
}

// applyFrom deletes and upserts what a relation shaped as the temporary table
// holds, as far as a condition goes.
func (t *Target) applyFrom(ctx context.Context, from string, into TableName, condition string, gone, places bool) error {
	if gone {
		for _, sql := range t.deleteStaged(from, into, condition) {
			if _, err := t.conn.Exec(ctx, sql); err != nil {
				return err
			}
		}
	}
	var values []string
	for i := range t.layout.columns {
		values = append(values, fmt.Sprintf("s.c%d", i))
	}
	insert, conflict := t.layout.insert(into), t.layout.onConflict()
	if places {
		insert, conflict = t.layout.withPlace(insert, conflict)
		values = append(values, "s.p", "s.o")
	}
	_, err := t.conn.Exec(ctx, fmt.Sprintf("%s SELECT %s FROM %s s WHERE NOT s.g AND (%s)%s", insert, strings.Join(values, ", "), from, condition, conflict))
	return err
}

// deleteStaged: keys with a NULL in them are compared apart, so that the others
// are found by the index.
func (t *Target) deleteStaged(from string, into TableName, condition string) []string {
	var same, loose, whole []string
	for n, i := range t.keyPlaces() {
		name := quoteIdent(t.layout.key[n])
		same = append(same, fmt.Sprintf("t.%s = s.c%d", name, i))
		loose = append(loose, sameOrNull("t."+name, fmt.Sprintf("s.c%d", i), false))
		whole = append(whole, fmt.Sprintf("s.c%d", i))
	}
	sql := fmt.Sprintf("DELETE FROM %s t USING %s s WHERE s.g AND (%s) AND ", into.sql(), from, condition)
	out := []string{sql + strings.Join(same, " AND ")}
	if t.layout.nullable() {
		out = append(out, sql+"num_nulls("+strings.Join(whole, ", ")+") > 0 AND "+strings.Join(loose, " AND "))
	}
	return out
}

// emptyStage makes room for the next step.
func (t *Target) emptyStage(ctx context.Context) error {
	if t.step.staged == 0 {
		return nil
	}
	t.step.staged, t.step.stagedGone, t.step.chunks = 0, 0, 0
	_, err := t.conn.Exec(ctx, "TRUNCATE "+t.stageTable())
	return passing("empty the temporary table", err)
}
