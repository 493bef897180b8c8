package main

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/evertdb/evert/sources/mysql/mysqlserver/mysqltest"
)

// The demo on a MariaDB: its topics equal its tables, its views what their operators make
// of the rows, its index its view; nothing is left behind.
func TestDemoOnMariaDB(t *testing.T) {
	mysqltest.Binaries(t)
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	out, said, code := ran(t.Context(), "demo", "--source", "mariadb", "--for", "2s", "--customers", "1000", "--seed", "7")
	if code != 0 {
		t.Fatalf("exit %d: %s", code, out+said)
	}
	for _, want := range []string{
		`evert demo  MariaDB 1\d`, `topics = tables +✓ all [0-9,]+ rows equal`, `views = SQL +✓ all [0-9,]+ rows equal`, `search = view +✓ all [0-9,]+ documents equal`,
		`own writes +✓ all [0-9,]+ read back`, `shop\.shop\.order_lines`, `records, none twice`, `evert init mysql://`,
	} {
		if !regexp.MustCompile(want).MatchString(out) {
			t.Errorf("no %s in\n%s", want, out)
		}
	}
	if left, _ := filepath.Glob(dir + "/evert-*"); len(left) > 0 {
		t.Errorf("%v is left", left)
	}
}

func TestDemoRefuses(t *testing.T) {
	for _, args := range [][]string{{"--source", "oracle"}, {"--source", "mariadb", "--keep", os.TempDir()}} {
		if out, said, code := ran(t.Context(), append([]string{"demo"}, args...)...); code != 2 {
			t.Errorf("%v: exit %d: %s", args, code, out+said)
		}
	}
}
