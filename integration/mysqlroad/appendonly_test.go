//go:build unix

package mysqlroad

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/evertdb/evert/integration/harness"
)

// TestAppendOnly takes a table of MariaDB into an append-only topic and on into files: each
// change is there once and in its order, from the copy and from the stream. What was
// missed, after a reset that keeps the topic and after a row that is too large, is told of
// by the first record behind it (I2 I4 I8).
func TestAppendOnly(t *testing.T) {
	t.Parallel()
	c := newCapture(t, maria.Server(t), fmt.Sprintf("appendonly_%x", rand.Uint32())) // also where it runs twice
	audited, out := "db."+c.database+".audited", filepath.Join(c.dir, "out")
	c.options = fmt.Sprintf("    overrides: {%s.audited: {topic: {cleanup: delete, config: {retention.ms: \"-1\"}}}}\n", c.database)
	c.more = fmt.Sprintf("limits: {record_bytes: 64KiB}\nsinks:\n  told: {from: %s, files: {path: %q}}\n", audited, out)
	c.sql(c.database, "CREATE TABLE audited (id int PRIMARY KEY, v longtext)", "INSERT INTO audited VALUES (1, 'one')")
	c.catchUp()
	c.sql(c.database, "UPDATE audited SET v = 'two'", "UPDATE audited SET id = 2", "DELETE FROM audited", "TRUNCATE audited", "INSERT INTO audited VALUES (3, 'three')")
	c.catchUp()
	c.audited(1, "r 1 one", "u 1 two", "d 1", "c 2 two", "d 2", "t", "c 3 three")

	c.verb("reset", "db", "--resnapshot", "--yes")
	c.sql(c.database, "UPDATE audited SET v = 'missed too'", "UPDATE audited SET v = 'five'")
	c.catchUp()
	c.sql(c.database, "INSERT INTO audited VALUES (6, 'six')")
	c.catchUp()
	c.audited(8, "r 3 five SOURCE_RESET", "c 6 six")

	c.sql(c.database, "INSERT INTO audited VALUES (4, repeat('x', 100000))", "UPDATE audited SET v = 'missed' WHERE id = 3")
	stopped := c.run("--until-caught-up")
	if code := stopped.Wait(t, harness.Patience); code != 1 || !strings.Contains(stopped.Last(12), "RECORD_TOO_LARGE") {
		t.Fatalf("exit code %d:\n%s", code, stopped.Last(12))
	}
	c.sql(c.database, "DELETE FROM audited WHERE id = 4", "UPDATE audited SET v = 'four' WHERE id = 3")
	c.verb("snapshot", audited)
	c.catchUp()
	c.audited(10, "r 3 four RECORD_TOO_LARGE", "r 6 six")
	told, err := filepath.Glob(filepath.Join(out, "*", "*.jsonl*"))
	if err != nil {
		t.Fatal(err)
	}
	var files strings.Builder
	for _, name := range told {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		files.Write(text)
	}
	for _, v := range []string{`"v":"one"`, `"v":"four"`, `"v":"five"`, `"v":"six"`, `"op":"truncate"`} {
		if !strings.Contains(files.String(), v) {
			t.Errorf("no file has %s:\n%s", v, files.String())
		}
	}
}

// verb runs a verb that has to succeed.
func (c *capture) verb(args ...string) {
	c.Helper()
	out, said, code := harness.Run(c, suite.Evert(c), append(args, "-c", c.file())...)
	if code != 0 {
		c.Fatalf("evert %s: exit code %d: %s%s", strings.Join(args, " "), code, out, said)
	}
}

// audited wants these records, from the n-th on, and no more: operation, id, value and
// the code of a gap.
func (c *capture) audited(n int, want ...string) {
	c.Helper()
	var got []string
	for _, r := range c.records("audited")[n-1:] {
		line := "tombstone"
		if r.Op != nil {
			line = strings.Join(strings.Fields(*r.Op+" "+value(r.Key["id"])+" "+value(r.After["v"])+" "+r.Gap.Code), " ")
		}
		got = append(got, line)
	}
	if !slices.Equal(got, want) {
		c.Errorf("from record %d on the topic has\n%s\nwant\n%s (seed %d)", n, strings.Join(got, "\n"), strings.Join(want, "\n"), c.seed)
	}
}
