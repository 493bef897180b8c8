package mysql

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/evertdb/evert/pipeline"
)

// openBelow counts the files of a directory that this process has open, where the system
// tells.
func openBelow(t *testing.T, dir string) (n int) {
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Log("this system does not tell which files are open")
	}
	for _, e := range entries {
		if target, err := os.Readlink("/proc/self/fd/" + e.Name()); err == nil && filepath.Dir(target) == dir {
			n++
		}
	}
	return n
}

// A prepared XA transaction that is larger than the memory for it lies in a file, which
// nobody can read, until it ends.
func TestLargeXA(t *testing.T) { // not beside others: a prepared XA transaction holds up every copy from the server
	d := newDB(t)
	d.do("CREATE TABLE a (id int primary key, v varchar(40))")
	c := d.config("a")
	c.XABytes, c.SpillDir = 1000, filepath.Join(t.TempDir(), "spill")
	files := func() []string {
		found, err := filepath.Glob(filepath.Join(c.SpillDir, "*"))
		if err != nil {
			t.Fatal(err)
		}
		return found
	}
	t.Run("M13 more than memory holds", func(t *testing.T) {
		d := d.under(t)
		r := d.open(c, pipeline.Resume{}).copied()
		rows := func(from int) []string {
			var sql []string
			for i := range 200 {
				sql = append(sql, fmt.Sprintf("INSERT INTO a VALUES (%d, 'secret %d')", from+i, i))
			}
			return sql
		}
		one, two := "'"+d.name+"-1'", "'"+d.name+"-2'"
		d.prepare(one, rows(0)...)
		d.prepare(two, rows(1000)...)
		d.do("INSERT INTO a VALUES (-1, 'between')")
		r.caught()
		held := files()
		if len(held) != 2 {
			t.Fatalf("%d files hold two transactions", len(held))
		}
		for _, name := range held {
			b, err := os.ReadFile(name)
			if err != nil || bytes.Contains(b, []byte("secret")) {
				t.Errorf("a row lies on disk as it is (%v)", err)
			}
		}
		if n := openBelow(t, c.SpillDir); n > 0 {
			t.Errorf("%d files of transactions that wait are open", n)
		}
		r = r.reopen(c) // reads both again
		d.do("XA COMMIT "+two, "XA ROLLBACK "+one)
		r.caught().equal("a")
		if left := files(); len(left) > 0 {
			t.Errorf("%v stay", left)
		}
		if len(r.rows["a"]) != 201 {
			t.Errorf("%d rows", len(r.rows["a"]))
		}
	})
	t.Run("MY_XA_LARGE more than the disk is for", func(t *testing.T) {
		d := d.under(t)
		tight := c
		tight.SpillMost = 1000
		r := d.open(tight, pipeline.Resume{}).copied()
		d.do("XA START 'x'", "INSERT INTO a SELECT id + 5000, v FROM a", "XA END 'x'", "XA COMMIT 'x' ONE PHASE")
		d.do("XA START 'y'", "INSERT INTO a SELECT id + 10000, v FROM a", "UPDATE a SET v = 'y'", "XA END 'y'", "XA PREPARE 'y'", "XA ROLLBACK 'y'")
		if why := r.stopped(); why.Code != CodeXALarge || why.Mend == "" {
			t.Errorf("got %v", why)
		}
		if left := files(); len(left) > 0 {
			t.Errorf("%v stay", left)
		}
	})
}
