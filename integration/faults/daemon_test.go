//go:build unix

package faults

import (
	"strings"
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
