package postgres

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/deliver"
)

// bisect tries all of n rows, and halves what the server refuses because of what a
// row holds until it is one row, which goes to bad. Any other error ends it.
func bisect(n int, try func(lo, hi int) error, bad func(i int, err error) error) error {
	var half func(lo, hi int) error
	half = func(lo, hi int) error {
		err := try(lo, hi)
		switch {
		case !concernsRow(err):
			return err
		case hi-lo == 1:
			return bad(lo, err)
		}
		mid := lo + (hi-lo)/2
		if err := half(lo, mid); err != nil {
			return err
		}
		return half(mid, hi)
	}
	if n == 0 {
		return nil
	}
	return half(0, n)
}

// reject hands one row to whoever keeps rejected ones (I8).
func (t *Target) reject(ctx context.Context, e *entry, err error) error {
	return t.rejectAt(ctx, e.partition, int64(e.offset), t.step.keyOf(e), err, "")
}

// rejectAt is reject for a row that lies in a table; what is said of it ends with
// more.
func (t *Target) rejectAt(ctx context.Context, partition int32, offset int64, key []byte, err error, more string) error {
	var pg *pgconn.PgError
	if !errors.As(err, &pg) {
		return err
	}
	return t.config.Rejects.Reject(ctx, deliver.Rejection{
		Place: deliver.Place{Topic: t.config.Topic, Partition: partition, Offset: offset},
		Why:   t.why(pg, key, more),
	})
}

// strayStays says that a merge cannot take a row away that the topic does not have:
// no record of the topic is about it, so it is no dead letter.
func (t *Target) strayStays(key []byte, err error) error {
	var pg *pgconn.PgError
	if !errors.As(err, &pg) {
		return err
	}
	what := "it has a row that the topic does not have, with key hash " + hash(key) + ", and does not let it go: " + reason(pg)
	if pg.ConstraintName != "" {
		what += ", constraint " + pg.ConstraintName
	}
	return t.config.refuse(CodeStray, what+" (SQLSTATE "+pg.Code+")", "take away what refers to the row, in the sink's database; the sink tries again by itself")
}

// why says which row the server does not take, and by which rule. The key is shown
// as a hash, and no value at all.
func (t *Target) why(pg *pgconn.PgError, key []byte, more string) *pipeline.Refusal {
	what := "the server does not take the row with key hash " + hash(key) + ": " + reason(pg)
	if c := t.columnOf(pg); c != "" {
		what += ", column " + c
	}
	if pg.ConstraintName != "" {
		what += ", constraint " + pg.ConstraintName
	}
	return t.config.refuse(CodeRow, what+" (SQLSTATE "+pg.Code+")"+more,
		"let the table take it (see the constraint or the column's type), or correct the row at the source; or set on_reject: dead_letter")
}

// stagedColumn is how COPY names a column of the temporary table; what follows in
// the context is the value.
var stagedColumn = regexp.MustCompile(`column c(\d+)`)

// columnOf names the column that an error is about, if it says so.
func (t *Target) columnOf(pg *pgconn.PgError) string {
	if pg.ColumnName != "" {
		return pg.ColumnName
	}
	if m := stagedColumn.FindStringSubmatch(pg.Where); m != nil {
		if i, _ := strconv.Atoi(m[1]); i < len(t.layout.columns) {
			return t.layout.columns[i].name
		}
	}
	return ""
}

// reason words a SQLSTATE; the server's own message may quote the value.
func reason(pg *pgconn.PgError) string {
	switch pg.Code {
	case "23502":
		return "NULL in a column that is NOT NULL"
	case foreignKeyViolation:
		return "a foreign key has no such row"
	case uniqueViolation:
		return "another row has the same value where it has to be unique"
	case "23514":
		return "a check constraint does not hold"
	case exclusionViolation:
		return "an exclusion constraint does not hold"
	case "22003":
		return "a number is out of range"
	case "22001":
		return "a text is too long"
	case "22P02":
		return "a value is none of its column's type, such as a label that an enum does not have"
	case "22P05", "22021":
		return `a character that the database cannot hold, such as \u0000`
	case "P0001":
		return "a trigger refuses it"
	case "54000":
		return "an index cannot hold a value as large"
	}
	return "it breaks a rule of the table"
}

// lastTable holds the last row of each key, numbered, while rows are told apart.
func (t *Target) lastTable() string { return "pg_temp." + t.lastName() }

func (t *Target) lastName() string { return "evert_last" + t.suffix() }

// applyCarefully writes what is staged, and finds the rows that the server does not
// take.
func applyCarefully(ctx context.Context, all []*Target) (failed *Target, err error) {
	var parts []*careful
	for _, t := range all {
		if t.step.staged > 0 {
			parts = append(parts, &careful{Target: t, query: "SELECT * FROM " + t.last() + " l", into: t.active().TableName, places: t.merging()})
		}
	}
	return carefully(ctx, parts)
}

// carefully writes the rows of all parts, and hands over those that the server does
// not take. One that refers to a row of another table is tried again when that is
// there, and one that is referred to when the other is gone.
func carefully(ctx context.Context, all carefuls) (failed *Target, err error) {
	for _, work := range []func(*careful) error{
		func(c *careful) error { return c.begin(ctx) },
		func(c *careful) error { return c.write(ctx) },
	} {
		if failed, err := all.each(work); err != nil {
			return failed, err
		}
	}
	if failed, err := all.settle(ctx); err != nil {
		return failed, err
	}
	if failed, err := all.release(ctx, func(err error) bool { return !dependsOnOthers(err) }); err != nil {
		return failed, err
	}
	if failed, err := all.each(func(c *careful) error { return c.exchange(ctx) }); err != nil {
		return failed, err
	}
	if failed, err := all.release(ctx, dependsOnOthers); err != nil {
		return failed, err
	}
	return all.each(func(c *careful) error { return c.report(ctx) })
}

// begin makes lastTable of the query's rows, and counts them. From here on every
// constraint speaks at once.
func (c *careful) begin(ctx context.Context) error {
	_, err := c.conn.Exec(ctx, "SET CONSTRAINTS ALL IMMEDIATE; DROP TABLE IF EXISTS "+c.lastTable()+"; CREATE TEMPORARY TABLE "+c.lastName()+" ON COMMIT DROP AS SELECT row_number() OVER (ORDER BY "+
		c.stagedKey()+") AS r, q.* FROM ("+c.query+") q; CREATE UNIQUE INDEX ON "+c.lastTable()+" (r)")
	if err != nil {
		return err
	}
	return c.conn.QueryRow(ctx, "SELECT count(*) FROM "+c.lastTable()).Scan(&c.rows)
}

// write writes all rows, and notes those that are refused.
func (c *careful) write(ctx context.Context) error {
	if err := bisect(c.rows, func(lo, hi int) error { return c.remove(ctx, lo, hi) }, c.note); err != nil {
		return err
	}
	return bisect(c.rows, func(lo, hi int) error { return c.put(ctx, lo, hi) }, c.note)
}

// carefuls are the tables of one transaction.
type carefuls []*careful

// each does one thing for every table, in their order.
func (all carefuls) each(do func(*careful) error) (failed *Target, err error) {
	for _, c := range all {
		if err := do(c); err != nil {
			return c.Target, err
		}
	}
	return nil, nil
}

// refused counts the rows that were not taken.
func (all carefuls) refused() (n int) {
	for _, c := range all {
		n += len(c.bad)
	}
	return n
}

// settle tries what was refused again for as long as some of it is taken.
func (all carefuls) settle(ctx context.Context) (failed *Target, err error) {
	for before := 0; before != all.refused(); {
		before = all.refused()
		if failed, err := all.each(func(c *careful) error { return c.again(ctx) }); err != nil {
			return failed, err
		}
	}
	return nil, nil
}

// release takes the earlier rows of some refused ones away. What was refused because
// of a value of theirs is taken then.
func (all carefuls) release(ctx context.Context, which func(error) bool) (failed *Target, err error) {
	released := false
	failed, err = all.each(func(c *careful) error {
		some, err := c.release(ctx, which)
		released = released || some
		return err
	})
	if err == nil && released && slices.ContainsFunc(all, (*careful).depends) {
		return all.settle(ctx)
	}
	return failed, err
}

// A careful writes the rows of a query, which are shaped as the temporary table's,
// range by range.
type careful struct {
	*Target
	query  string
	into   TableName
	places bool
	rows   int
	bad    []badRow
}

type badRow struct {
	number    int
	err       error
	withdrawn bool   // its earlier row was taken away, if the table let it go
	more      string // to be said of that
}

func (c *careful) note(i int, err error) error {
	c.bad = append(c.bad, badRow{number: i, err: err})
	return nil
}

// dependsOnOthers reports whether a row may be taken once other rows are.
func dependsOnOthers(err error) bool {
	switch sqlState(err) {
	case uniqueViolation, exclusionViolation, foreignKeyViolation:
		return true
	}
	return false
}

const exclusionViolation, foreignKeyViolation = "23P01", "23503"

func between(lo, hi int) string { return fmt.Sprintf("s.r > %d AND s.r <= %d", lo, hi) }

func (c *careful) remove(ctx context.Context, lo, hi int) error {
	return c.guarded(ctx, func() error {
		for _, sql := range c.deleteStaged(c.lastTable(), c.into, between(lo, hi)) {
			if _, err := c.conn.Exec(ctx, sql); err != nil {
				return err
			}
		}
		return nil
	})
}

func (c *careful) put(ctx context.Context, lo, hi int) error {
	return c.guarded(ctx, func() error {
		return c.applyFrom(ctx, c.lastTable(), c.into, between(lo, hi), false, c.places)
	})
}

// guarded undoes what f did if it fails, and nothing else.
func (t *Target) guarded(ctx context.Context, f func() error) error {
	if _, err := t.conn.Exec(ctx, "SAVEPOINT evert"); err != nil {
		return err
	}
	err := f()
	if err == nil {
		_, err = t.conn.Exec(ctx, "RELEASE SAVEPOINT evert")
		return err
	}
	if _, undone := t.conn.Exec(ctx, "ROLLBACK TO SAVEPOINT evert"); undone != nil {
		return errors.Join(undone, err)
	}
	return err
}

// release takes the earlier rows of some refused ones away.
func (c *careful) release(ctx context.Context, which func(error) bool) (released bool, err error) {
	for i := range c.bad {
		b := &c.bad[i]
		if b.withdrawn || !which(b.err) {
			continue
		}
		if b.more, err = c.withdraw(ctx, b.number); err != nil {
			return released, err
		}
		b.withdrawn, released = true, true
	}
	return released, nil
}

// depends reports whether a row was refused that may be taken once others are.
func (c *careful) depends() bool {
	return slices.ContainsFunc(c.bad, func(b badRow) bool { return dependsOnOthers(b.err) })
}

// again tries what was refused once more: a value that has to be unique may have
// been that of a row that came later.
func (c *careful) again(ctx context.Context) error {
	was := c.bad
	c.bad = nil
	for _, b := range was {
		err := c.put(ctx, b.number, b.number+1)
		if err == nil {
			err = c.remove(ctx, b.number, b.number+1)
		}
		if err != nil && !concernsRow(err) {
			return err
		}
		if err != nil {
			b.err = err
			c.bad = append(c.bad, b)
		}
	}
	return ctx.Err()
}

// exchange writes rows that have exchanged unique values: all of them go, and come
// again. Where a foreign key would carry that on to other tables it is not done.
func (c *careful) exchange(ctx context.Context) error {
	var numbers []string
	for _, b := range c.bad {
		if sqlState(b.err) != uniqueViolation {
			return nil
		}
		numbers = append(numbers, strconv.Itoa(b.number+1))
	}
	if len(numbers) < 2 {
		return nil
	}
	var carried bool
	err := c.conn.QueryRow(ctx, "SELECT EXISTS (SELECT FROM pg_constraint WHERE confrelid = $1::regclass AND confdeltype IN ('c', 'n', 'd'))", c.into.sql()).Scan(&carried)
	if carried || err != nil {
		return err
	}
	err = c.guarded(ctx, func() error { return c.replace(ctx, strings.Join(numbers, ", ")) })
	if err == nil {
		c.bad = nil
	}
	if concernsRow(err) {
		return nil
	}
	return err
}

func (c *careful) replace(ctx context.Context, numbers string) error {
	condition := "s.r IN (" + numbers + ")"
	for _, sql := range c.deleteStaged(c.lastTable(), c.into, condition) {
		if _, err := c.conn.Exec(ctx, strings.Replace(sql, "WHERE s.g AND", "WHERE", 1)); err != nil {
			return err
		}
	}
	return c.applyFrom(ctx, c.lastTable(), c.into, condition, false, c.places)
}

// report hands over what is left.
func (c *careful) report(ctx context.Context) error {
	for _, b := range c.bad {
		var partition int32
		var offset int64
		var key []*string
		sql := "SELECT p, o, ARRAY[" + strings.ReplaceAll(c.stagedKey(), ",", "::text,") + "::text] FROM " + c.lastTable() + " WHERE r = $1"
		if err := c.conn.QueryRow(ctx, sql, b.number+1).Scan(&partition, &offset, &key); err != nil && !errors.Is(err, pgx.ErrNoRows) {
			return err
		}
		if partition == noPartition {
			return c.strayStays(packKey(key), b.err)
		}
		if err := c.rejectAt(ctx, partition, offset, packKey(key), b.err, b.more); err != nil {
			return err
		}
	}
	return nil
}

// withdraw takes the earlier row of a refused one away, and says so where the table
// does not let it go.
func (c *careful) withdraw(ctx context.Context, number int) (more string, err error) {
	err = c.guarded(ctx, func() error {
		for _, sql := range c.deleteStaged(c.lastTable(), c.into, between(number, number+1)) {
			if _, err := c.conn.Exec(ctx, strings.Replace(sql, "WHERE s.g AND", "WHERE", 1)); err != nil {
				return err
			}
		}
		return nil
	})
	if concernsRow(err) {
		return "; an earlier row of that key stays, because the table does not let it go", nil
	}
	return "", err
}

// noPartition stands where a row comes from no record of the topic.
const noPartition = -1

// packKey writes a key as a buffer holds it.
func packKey(values []*string) (key []byte) {
	for _, v := range values {
		if v == nil {
			key = binary.BigEndian.AppendUint32(key, null)
			continue
		}
		key = append(binary.BigEndian.AppendUint32(key, uint32(len(*v))), *v...)
	}
	return key
}
