//go:build unix

package faults

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/evertdb/evert/integration/harness"
	"github.com/evertdb/evert/sources/postgres/pgserver/pgtest"
)

// O04 a second daemon on the same data directory says who holds it and exits
// with 3; the first does not notice.
func TestSecondDaemon(t *testing.T) {
	t.Parallel()
	s := open(t, pgtest.Start(t, pgtest.Options{}), harness.Options{})
	stop := s.Traffic()
	first := s.Run()
	first.AwaitStatus("the stream", harness.Flowing(5))
	second := s.Run()
	if code := second.Wait(t, harness.Patience); code != 3 {
		t.Errorf("O04: exit code %d, want 3", code)
	}
	said := second.Last(10)
	for _, word := range []string{"mend:", "DATA_DIR"} {
		if !strings.Contains(said, word) {
			t.Errorf("O04: the second daemon does not say %q:\n%s", word, said)
		}
	}
	goesOn(s, first)
	stop()
	s.MustEnd(first)
}

// O01 SIGTERM at any time: a last commit, an end in time, and the next start goes
// on behind it.
func TestTerminate(t *testing.T) {
	t.Parallel()
	s := open(t, pgtest.Start(t, pgtest.Options{}), harness.Options{})
	stop := s.Traffic()
	for n := range uint64(6) {
		d := s.Run()
		switch n {
		case 0:
			d.Await(t, "the start", func(line string) bool { return strings.Contains(line, "started") })
		case 1:
			d.AwaitStatus("the snapshot", harness.Copying(100))
		default:
			d.AwaitStatus("the stream", harness.Flowing(n*n))
		}
		began := time.Now()
		d.Terminate()
		if took := time.Since(began); harness.Full() && took > 10*time.Second { // machines of other runs may be busy
			t.Errorf("O01: SIGTERM took %s", took)
		}
	}
	stop()
	s.MustEnd(nil)
}

// O07 SIGHUP never ends the daemon, also one whose database is away: the log says whether
// a restart would change something, and what, and the daemon goes on with what it has read
// at its start.
func TestHangup(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "evert.yaml")
	write := func(more string) {
		t.Helper()
		text := "name: hangup\ndata_dir: " + filepath.Join(dir, "data") + "\nlogging: {format: json}\nserve: {http: none}\n" +
			"sources: {shop: {postgres: {url: \"postgres://u:secretcanary@127.0.0.1:1/db?sslmode=disable\", tables: [public.*]}}}\n" + more
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("")
	d := harness.Start(t, harness.Launch{Path: suite.Evert(t), Args: []string{"run", "-c", path}})
	said := func(words ...string) {
		t.Helper()
		d.Await(t, "O07: a line with "+strings.Join(words, ", "), func(line string) bool {
			return !slices.ContainsFunc(words, func(word string) bool { return !strings.Contains(line, word) })
		})
	}
	said(`"msg":"started"`)
	d.Signal(syscall.SIGHUP)
	said("SIGHUP", "nothing to do")
	write("limits: {queue_rows: 777}\n")
	d.Signal(syscall.SIGHUP)
	said("SIGHUP", "a restart", "limits.queue_rows", "evert check")
	write("limits: [secretcanary\n")
	d.Signal(syscall.SIGHUP)
	said("SIGHUP", "mistakes", "evert check")
	d.Signal(syscall.SIGTERM)
	if code := d.Wait(t, harness.Patience); code != 0 {
		t.Errorf("O07: exit code %d; its last lines:\n%s", code, d.Last(20))
	}
	if strings.Contains(d.Last(1000), "secretcanary") {
		t.Error("X14: the log holds a secret of the file")
	}
}
