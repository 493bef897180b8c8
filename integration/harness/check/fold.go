//go:build unix

package check

import (
	"context"
	"encoding/json"
	"hash/maphash"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/evertdb/evert/integration/harness"
	"github.com/evertdb/evert/pipeline/log"
)

// Tables compares the fold by key of each table's topic with the table itself:
// as any reader folds it, and as ours do, who leave out what the frontier says is
// void. The oracle is SQL. It gives the number of rows compared.
func Tables(w *harness.World, problems *Problems, tables ...string) (rows int, err error) {
	last, err := frontier(w)
	if err != nil {
		return 0, err
	}
	conn, err := pgx.Connect(context.Background(), w.URL()+"&TimeZone=UTC&DateStyle=ISO")
	if err != nil {
		return 0, err
	}
	defer conn.Close(context.Background())
	for _, table := range tables {
		n, err := compare(w, problems, conn, table, last.Tables[harness.Topic(table)])
		if err != nil {
			return rows, err
		}
		rows += n
	}
	return rows, nil
}

func frontier(w *harness.World) (*log.Frontier, error) {
	l, closeLog, err := w.OpenLog()
	if err != nil {
		return nil, err
	}
	defer closeLog()
	fold, err := log.ReadFrontier(context.Background(), l, log.FrontierTopic(w.Deployment(), harness.Prefix))
	if err != nil {
		return nil, err
	}
	f, _ := fold.Frontier()
	return f, nil
}

// rowHash identifies a row's text; a fold of a million rows fits in memory so.
type rowHash uint64

// folds are the two ways to fold a topic.
type folds struct{ plain, ours map[string]rowHash }

func compare(w *harness.World, problems *Problems, conn *pgx.Conn, table string, state log.TableState) (int, error) {
	want, columns, key, err := selectAll(conn, table)
	if err != nil {
		return 0, err
	}
	got := folds{map[string]rowHash{}, map[string]rowHash{}}
	err = w.Tail(harness.Topic(table), func(r harness.Record) error {
		got.apply(r, columns, key, state)
		return nil
	})
	if err != nil {
		return 0, err
	}
	if state.State != log.OK {
		problems.Add("table %s is %s", table, state.State)
	}
	diff(problems, table+", folded below the frontier", want, got.ours)
	if !state.Owed {
		diff(problems, table+", folded by anyone", want, got.plain)
	}
	return len(want), nil
}

func (f folds) apply(r harness.Record, columns, key []string, state log.TableState) {
	k := joined(r.Key, key)
	void := int(r.Partition) < len(state.From) && r.Offset < state.From[r.Partition]
	if r.After == nil {
		delete(f.plain, k)
		delete(f.ours, k)
		return
	}
	h := hashOf(joined(r.After, columns))
	f.plain[k] = h
	if !void {
		f.ours[k] = h
	}
}

func diff(problems *Problems, what string, want, got map[string]rowHash) {
	for k, h := range want {
		switch other, ok := got[k]; {
		case !ok:
			problems.Add("%s: key %q is missing", what, k)
		case other != h:
			problems.Add("%s: key %q has another row than the table", what, k)
		}
	}
	for k := range got {
		if _, ok := want[k]; !ok {
			problems.Add("%s: key %q is not in the table", what, k)
		}
	}
}

const (
	separator = "\x1f"
	null      = "\x1e"
)

func joined(row map[string]json.RawMessage, columns []string) string {
	var b strings.Builder
	for _, c := range columns {
		text, ok := Text(row[c])
		if !ok {
			text = null
		}
		b.WriteString(text + separator)
	}
	return b.String()
}

var hashSeed = maphash.MakeSeed()

func hashOf(text string) rowHash { return rowHash(maphash.String(hashSeed, text)) }

// selectAll reads a table by the simple protocol: every value as the server
// prints it.
func selectAll(conn *pgx.Conn, table string) (rows map[string]rowHash, columns, key []string, err error) {
	ctx := context.Background()
	if key, err = keyColumns(conn, table); err != nil {
		return nil, nil, nil, err
	}
	results := conn.PgConn().Exec(ctx, "SELECT * FROM public."+pgx.Identifier{table}.Sanitize())
	rows = map[string]rowHash{}
	for results.NextResult() {
		rr := results.ResultReader()
		for _, f := range rr.FieldDescriptions() {
			columns = append(columns, f.Name)
		}
		for rr.NextRow() {
			k, text := rowText(rr.Values(), columns, key)
			rows[k] = hashOf(text)
		}
	}
	return rows, columns, key, results.Close()
}

func rowText(values [][]byte, columns, key []string) (k, text string) {
	var b strings.Builder
	parts := make([]string, len(key))
	for i, v := range values {
		s := null
		if v != nil {
			s = string(v)
		}
		b.WriteString(s + separator)
		if j := slices.Index(key, columns[i]); j >= 0 {
			parts[j] = s + separator
		}
	}
	return strings.Join(parts, ""), b.String()
}

func keyColumns(conn *pgx.Conn, table string) ([]string, error) {
	rows, err := conn.Query(context.Background(), `SELECT a.attname FROM pg_index i
		JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey)
		WHERE i.indisprimary AND i.indrelid = to_regclass($1) ORDER BY array_position(i.indkey::int2[], a.attnum)`,
		"public."+pgx.Identifier{table}.Sanitize())
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[string])
}
