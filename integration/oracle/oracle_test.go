package oracle

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/evertdb/evert/integration/oracle/program"
	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/scalar"
	"github.com/evertdb/evert/pipeline/sql"
	"github.com/evertdb/evert/schema"
	"github.com/evertdb/evert/sources/postgres/pgserver/pgtest"
)

var pg pgtest.Shared

func TestMain(m *testing.M) { os.Exit(pg.Run(m)) }

// TestViewsEqualTheDatabase runs random programs: each view equals the database's
// answer after every transaction, in a database whose text sorts by bytes and in
// one with a locale: R10 R11 R14 R18 R19.
func TestViewsEqualTheDatabase(t *testing.T) {
	for name, options := range map[string]string{
		"in_c":   "LOCALE_PROVIDER libc LOCALE 'C'",
		"in_icu": "LOCALE_PROVIDER icu ICU_LOCALE 'en-US' LOCALE 'C'",
	} {
		t.Run(name, func(t *testing.T) {
			d := openDatabase(t, name, options)
			first, runs := programs(t)
			var sum tally
			for seed := first; seed < first+runs; seed++ {
				if err := compare(t.Context(), d, program.New(seed), &sum); err != nil {
					t.Errorf("seed %d (EVERT_ORACLE_SEED=%d): %v", seed, seed, err)
				}
			}
			t.Logf("%d programs from seed %d: %d epochs, %d rows equal; %d epochs failed with the same error of SQL on both sides, and %d times a transaction mended that", runs, first, sum.epochs, sum.rows, sum.errors, sum.mended)
			if runs >= 100 && (sum.errors < int(runs)/10 || sum.mended < max(1, int(runs)/20-5)) { // of 120 about 11 are mended: 5 is no rare number
				t.Error("hardly a query failed and went on: that proves nothing")
			}
			if sum.rows < int(runs) {
				t.Error("the views were nearly empty: that proves nothing")
			}
		})
	}
}

// programs says which seeds to run.
func programs(t *testing.T) (first, runs uint64) {
	t.Helper()
	number := func(name string, standard uint64) uint64 {
		if text := os.Getenv(name); text != "" {
			n, err := strconv.ParseUint(text, 10, 64)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			return n
		}
		return standard
	}
	if os.Getenv("EVERT_ORACLE_SEED") != "" {
		return number("EVERT_ORACLE_SEED", 0), 1
	}
	runs = 120
	if os.Getenv("EVERT_FULL") == "1" {
		runs = 2500 // in each of two databases
	}
	return number("EVERT_SEED", 1), number("EVERT_ORACLE_RUNS", runs)
}

// A tally is what was compared.
type tally struct {
	epochs, rows   int
	errors, mended int // epochs that failed, and those that came behind one
}

// compare runs one program.
func compare(ctx context.Context, d *database, p *program.Program, sum *tally) error {
	if err := d.reset(ctx, p); err != nil {
		return err
	}
	tables, err := d.tables(ctx, p)
	if err != nil {
		return err
	}
	view, err := compile(p, tables)
	if err != nil {
		return fmt.Errorf("refused: %w\n%s", err, p.SQL)
	}
	m, err := newMaintained(view, p.Seed)
	if err != nil {
		return err
	}
	failed := false
	for n, tx := range p.Transactions {
		if err := d.transact(ctx, tx); err != nil {
			return err
		}
		fails, err := compareAnswers(ctx, d, p, tables, m, sum)
		if err != nil {
			return fmt.Errorf("after transaction %d, %s:\n%w\n%s\nkey %v", n, strings.Join(tx, "; "), err, p.SQL, p.Key)
		}
		switch {
		case fails:
			sum.errors++
		case failed:
			sum.mended++
		}
		failed = fails
	}
	return nil
}

// compareAnswers lets the view follow and asks both. Where the query fails in the
// database, the view has to as well, with the same error, and keeps what it had: R09.
func compareAnswers(ctx context.Context, d *database, p *program.Program, tables []*schema.Table, m *maintained, sum *tally) (failed bool, err error) {
	now := map[string]map[string]schema.Row{}
	for _, t := range tables {
		if now[t.Name], err = d.contents(ctx, t); err != nil {
			return false, err
		}
	}
	want, refused := d.answer(ctx, strings.ReplaceAll(p.SQL, "src.public.", "public."))
	followed := m.follow(ctx, now)
	switch {
	case refused != nil && followed != nil:
		return true, sameError(p, refused, followed)
	case refused != nil:
		return true, fmt.Errorf("the database refuses, the view does not: %w", refused)
	case followed != nil:
		return false, errors.Join(errors.New("the view refuses, the database does not"), followed)
	}
	columns := m.view.Plan.Root.Columns()
	var lines []string
	for _, row := range want {
		if p.Loose {
			row = plain(row, columns)
		}
		lines = append(lines, show(row))
	}
	sum.epochs++
	sum.rows += len(lines)
	if diff := differences(lines, m.rows(p.Loose)); diff != "" {
		return false, errors.New(diff)
	}
	return false, nil
}

// sameError compares the database's error with the view's. A query in which several
// expressions can fail may fail in another one first.
func sameError(p *program.Program, refused, followed error) error {
	var pg *pgconn.PgError
	var ours *scalar.Error
	switch {
	case !errors.As(refused, &pg) || !strings.HasPrefix(pg.Code, "22"):
		return fmt.Errorf("the database fails otherwise: %w", refused)
	case pipeline.CodeOf(followed) != "VIEW_EXPRESSION" || !errors.As(followed, &ours):
		return fmt.Errorf("the view fails otherwise: %w", followed)
	case p.Risky && ours.State != pg.Code || !strings.HasPrefix(ours.State, "22"):
		return fmt.Errorf("the database says %w, and the view %w, state %s", refused, followed, ours.State)
	}
	return nil
}

// catalog resolves the names of a program's tables.
type catalog []*schema.Table

func compile(p *program.Program, tables []*schema.Table) (*sql.View, error) {
	return sql.Compile(p.SQL, catalog(tables), sql.Options{Key: p.Key})
}

// Table finds a table of source src.
func (c catalog) Table(source, schemaName, table string) (*schema.Table, error) {
	for _, t := range c {
		if source == "src" && t.Schema == schemaName && t.Name == table {
			return t, nil
		}
	}
	return nil, fmt.Errorf("there is no table %s.%s.%s", source, schemaName, table)
}

// View knows none.
func (c catalog) View(string) (string, bool) { return "", false }
