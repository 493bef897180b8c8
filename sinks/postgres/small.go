package postgres

import (
	"context"
	"encoding/binary"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
)

// A small step goes as arrays of text, one for each column, in one round trip:
// what is gone first, then what is there.
const (
	upsertName = "evert_upsert"
	deleteName = "evert_delete"
)

// applySmall writes the buffer with two prepared statements.
func (t *Target) applySmall(ctx context.Context) error {
	if err := t.prepare(ctx); err != nil {
		return err
	}
	b := &pgconn.Batch{}
	if t.step.gone > 0 {
		b.ExecPrepared(deleteName+t.suffix(), t.keyArrays(), binaryFormat(len(t.layout.key)), nil)
	}
	if len(t.step.rows) > t.step.gone {
		arrays := t.valueArrays()
		b.ExecPrepared(upsertName+t.suffix(), arrays, binaryFormat(len(arrays)), nil)
	}
	_, err := t.conn.PgConn().ExecBatch(ctx, b).ReadAll()
	return err
}

func binaryFormat(n int) []int16 {
	formats := make([]int16, n)
	for i := range formats {
		formats[i] = 1
	}
	return formats
}

// prepare makes the statements for the present layout. It happens inside the
// step's transaction, and statements outlive that, also if it fails.
func (t *Target) prepare(ctx context.Context) error {
	if t.step.prepared {
		return nil
	}
	conn := t.conn.PgConn()
	for _, s := range []struct {
		name, sql string
		params    int
	}{{upsertName + t.suffix(), t.upsertSQL(), len(t.layout.columns) + t.places()}, {deleteName + t.suffix(), t.deleteSQL(), len(t.layout.key)}} {
		if err := conn.Deallocate(ctx, s.name); err != nil {
			return err
		}
		oids := make([]uint32, s.params)
		for i := range oids {
			oids[i] = oidTextArray
		}
		if _, err := conn.Prepare(ctx, s.name, s.sql, oids); err != nil {
			return err
		}
	}
	t.step.prepared = true
	return nil
}

// places is how many columns of the active table say where a row came from.
func (t *Target) places() int {
	if t.merging() {
		return 2
	}
	return 0
}

// upsertSQL casts the text of each value to its column's type without a modifier,
// so that the assignment, and no cast, decides what is too long.
func (t *Target) upsertSQL() string {
	var values, params, names []string
	for i, c := range t.layout.columns {
		values = append(values, fmt.Sprintf("u.c%d::%s", i, c.cast))
		params = append(params, fmt.Sprintf("$%d", i+1))
		names = append(names, fmt.Sprintf("c%d", i))
	}
	into, conflict := t.layout.insert(t.active().TableName), t.layout.onConflict()
	if t.merging() {
		n := len(params)
		params = append(params, fmt.Sprintf("$%d", n+1), fmt.Sprintf("$%d", n+2))
		names = append(names, "p", "o")
		values = append(values, "u.p::int", "u.o::bigint")
		into, conflict = t.layout.withPlace(into, conflict)
	}
	return fmt.Sprintf("%s SELECT %s FROM unnest(%s) u(%s)%s", into, strings.Join(values, ", "), strings.Join(params, ", "), strings.Join(names, ", "), conflict)
}

// withPlace adds the columns of places to an INSERT.
func (l *layout) withPlace(insert, conflict string) (string, string) {
	names := quoteIdent(partitionColumn) + ", " + quoteIdent(offsetColumn)
	insert = strings.Replace(insert, " ("+quoteAll(l.names())+")", " ("+quoteAll(l.names())+", "+names+")", 1)
	sets := fmt.Sprintf("%[1]s = excluded.%[1]s, %[2]s = excluded.%[2]s", quoteIdent(partitionColumn), quoteIdent(offsetColumn))
	if before, ok := strings.CutSuffix(conflict, "DO NOTHING"); ok {
		return insert, before + "DO UPDATE SET " + sets
	}
	return insert, conflict + ", " + sets
}

// deleteSQL finds rows by their key, by an index where no NULL is in it.
func (t *Target) deleteSQL() string {
	var params, names, same []string
	for i, k := range t.layout.key {
		c := t.layout.column(k)
		params = append(params, fmt.Sprintf("$%d", i+1))
		names = append(names, fmt.Sprintf("k%d", i))
		same = append(same, sameOrNull("t."+quoteIdent(k), fmt.Sprintf("u.k%d::%s", i, c.cast), c.notNull))
	}
	return fmt.Sprintf("DELETE FROM %s t USING unnest(%s) u(%s) WHERE %s",
		t.active().sql(), strings.Join(params, ", "), strings.Join(names, ", "), strings.Join(same, " AND "))
}

func sameOrNull(a, b string, notNull bool) string {
	if notNull {
		return a + " = " + b
	}
	return "(" + a + " = " + b + " OR " + a + " IS NULL AND " + b + " IS NULL)"
}

// keyArrays gives the keys of what is gone, as one array for each key column.
func (t *Target) keyArrays() [][]byte {
	arrays := newArrays(len(t.layout.key), t.step.gone)
	for i := range t.step.rows {
		if e := &t.step.rows[i]; e.gone {
			appendValues(arrays, t.step.keyOf(e))
		}
	}
	return arrays
}

// valueArrays gives the rows that are there, as one array for each column.
func (t *Target) valueArrays() [][]byte {
	columns := len(t.layout.columns)
	arrays := newArrays(columns+t.places(), len(t.step.rows)-t.step.gone)
	for i := range t.step.rows {
		e := &t.step.rows[i]
		if e.gone {
			continue
		}
		appendValues(arrays[:columns], t.step.data[e.row:e.end])
		if t.merging() {
			arrays[columns] = appendElement(arrays[columns], fmt.Append(nil, e.partition))
			arrays[columns+1] = appendElement(arrays[columns+1], fmt.Append(nil, e.offset))
		}
	}
	return arrays
}

// newArrays begins arrays of text in the form of array_send: dimensions, whether
// there are NULLs, the type of the elements, their number, the lower bound.
func newArrays(n, length int) [][]byte {
	arrays := make([][]byte, n)
	for i := range arrays {
		a := binary.BigEndian.AppendUint32(nil, 1)
		a = binary.BigEndian.AppendUint32(a, 1)
		a = binary.BigEndian.AppendUint32(a, oidText)
		a = binary.BigEndian.AppendUint32(a, uint32(length))
		arrays[i] = binary.BigEndian.AppendUint32(a, 1)
	}
	return arrays
}

func appendElement(a, text []byte) []byte {
	return append(binary.BigEndian.AppendUint32(a, uint32(len(text))), text...)
}

// appendValues adds one value to each array; a row that is shorter has NULL there.
// The form of a value in the buffer is that of an element.
func appendValues(arrays [][]byte, row []byte) {
	for i := range arrays {
		text, isNull, rest, _ := nextValue(row)
		row = rest
		if isNull {
			arrays[i] = binary.BigEndian.AppendUint32(arrays[i], null)
			continue
		}
		arrays[i] = appendElement(arrays[i], text)
	}
}
