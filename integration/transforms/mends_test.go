//go:build unix

package transforms

import (
	"fmt"
	"strings"
	"testing"

	"github.com/evertdb/evert/integration/harness"
)

// What stops a table for want of an old row or of a value is mended as it says:
// its statement, and its command. Meanwhile the other table goes on (I8).
func TestMends(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ code, step, change string }{
		{"TRANSFORM_UNKNOWN", `{tables: [public.t], filter: bio <> ''}`, `UPDATE t SET a = a + 1`},
		{"TRANSFORM_OLD_ROW", `{tables: [public.t], rekey: [a, id]}`, `UPDATE t SET a = a + 1`},
	} {
		t.Run(c.code, func(t *testing.T) {
			t.Parallel()
			database := strings.ToLower(c.code)
			w := suite.NewWorld(t, pg.Server(t), database)
			w.Options.Source = "transforms: [" + c.step + "]"
			w.SQL(database, `CREATE TABLE t (id int PRIMARY KEY, a int NOT NULL, bio text)`, `CREATE TABLE other (id int PRIMARY KEY)`,
				`ALTER TABLE t OWNER TO capture`, `ALTER TABLE other OWNER TO capture`, `ALTER TABLE t ALTER bio SET STORAGE EXTERNAL`,
				`INSERT INTO t VALUES (1, 1, repeat('x', 9000))`)
			w.CatchUp()
			w.SQL(database, c.change, `INSERT INTO other VALUES (1)`)
			d := w.Run("--until-caught-up")
			if code := d.Wait(t, harness.Patience); code == 0 || d.Count(func(l string) bool { return strings.Contains(l, c.code) }) == 0 {
				t.Fatalf("exit code %d, and no %s:\n%s", code, c.code, d.Last(20))
			}
			if n := count(t, w, "other"); n != 1 {
				t.Errorf("I8 the other table has %d records", n)
			}
			mend := mendIn(d.Last(40))
			if len(mend) != 2 {
				t.Fatalf("the mend is %q:\n%s", mend, d.Last(40))
			}
			w.SQL(database, mend[0])
			out, errs, code := harness.Run(t, suite.Evert(t), append(strings.Fields(strings.TrimPrefix(mend[1], "evert ")), "-c", w.Write())...)
			if code != 0 {
				t.Fatalf("%s: exit code %d:\n%s%s", mend[1], code, out, errs)
			}
			w.CatchUp()
			before := count(t, w, "t")
			w.SQL(database, c.change)
			w.CatchUp()
			if after := count(t, w, "t"); after <= before {
				t.Errorf("the table does not go on: %d records, and then %d", before, after)
			}
		})
	}
}

// mendIn gives the lines of the last mend that was printed for people.
func mendIn(lines string) (mend []string) {
	_, rest, _ := strings.Cut(lines, "mend: ")
	for _, l := range strings.Split(rest, "\n") {
		if l = strings.TrimSpace(strings.TrimLeft(l, " |")); l != "" {
			mend = append(mend, l)
		}
	}
	return mend
}

func count(t *testing.T, w *harness.World, table string) (n int) {
	t.Helper()
	if err := w.Tail(harness.Topic(table), func(harness.Record) error { n++; return nil }); err != nil {
		t.Fatal(fmt.Errorf("%s: %w", table, err))
	}
	return n
}

// A table whose steps do not fit it is not written from its first sight on, also
// after a restart, and the others are; a reset with steps that fit begins it anew.
func TestMisfit(t *testing.T) {
	t.Parallel()
	w := suite.NewWorld(t, pg.Server(t), "misfit")
	w.Options.Source = "transforms: [{tables: [public.t], project: [id, nick]}]"
	w.SQL("misfit", `CREATE TABLE t (id int PRIMARY KEY, name text)`, `CREATE TABLE other (id int PRIMARY KEY)`,
		`ALTER TABLE t OWNER TO capture`, `ALTER TABLE other OWNER TO capture`, `INSERT INTO t VALUES (1, 'Ada')`, `INSERT INTO other VALUES (1)`)
	stopped := func() {
		t.Helper()
		d := w.Run("--until-caught-up")
		if code := d.Wait(t, harness.Patience); code == 0 || d.Count(func(l string) bool { return strings.Contains(l, "TRANSFORM_COLUMN") || strings.Contains(l, "SQL_NAME") }) == 0 {
			t.Fatalf("exit code %d, and no refusal:\n%s", code, d.Last(20))
		}
	}
	stopped()
	w.SQL("misfit", `INSERT INTO other VALUES (2)`, `INSERT INTO t VALUES (2, 'Bo')`)
	stopped()
	if n := count(t, w, "other"); n != 2 {
		t.Errorf("I8 the other table has %d records", n)
	}
	w.SQL("misfit", `ALTER TABLE t ADD nick text`)
	d := w.Run("--until-caught-up")
	if code := d.Wait(t, harness.Patience); code == 0 || d.Count(func(l string) bool { return strings.Contains(l, "its table stopped at") }) == 0 {
		t.Fatalf("I8 it goes on without the rows that it missed: exit code %d:\n%s", code, d.Last(20))
	}
	out, errs, code := harness.Run(t, suite.Evert(t), "reset", harness.Prefix, "--resnapshot", "--yes", "-c", w.Write())
	if code != 0 {
		t.Fatalf("reset: exit code %d:\n%s%s", code, out, errs)
	}
	w.CatchUp()
	if n := count(t, w, "t"); n != 2 {
		t.Errorf("the table has %d records", n)
	}
}
