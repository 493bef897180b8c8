//go:build unix

package faults

import (
	"fmt"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/evertdb/evert/integration/harness"
	"github.com/evertdb/evert/integration/harness/proxy"
	"github.com/evertdb/evert/integration/harness/scene"
	"github.com/evertdb/evert/sources/postgres/pgserver"
	"github.com/evertdb/evert/sources/postgres/pgserver/pgtest"
)

var suite harness.Suite

func TestMain(m *testing.M) {
	code := suite.Main(m)
	os.Exit(max(code, apache.Close()))
}

// lasting is how long a fault lasts: long against every timeout that it must
// outlive.
func lasting(short time.Duration) time.Duration {
	if harness.Full() {
		return time.Minute
	}
	return short
}

// senderTimeout is the server's patience with a silent client.
const senderTimeout = 2 * time.Second

// impatient starts a server that soon takes a silent client for dead.
func impatient(t *testing.T) *pgserver.Server {
	t.Helper()
	return pgtest.Start(t, pgtest.Options{Settings: map[string]string{
		"wal_sender_timeout":        strconv.Itoa(int(senderTimeout.Milliseconds())),
		"logical_decoding_work_mem": "64kB",
	}})
}

// behindProxy is a scene whose daemon streams through a proxy while rows come. end looks
// at its memory, lets it read to the end, and compares.
func behindProxy(t *testing.T) (p *proxy.Proxy, s *scene.Scene, d *harness.Daemon, end func()) {
	t.Helper()
	pg := impatient(t)
	p = proxy.New(t, fmt.Sprintf("127.0.0.1:%d", pg.Port()))
	s = open(t, pg, harness.Options{Address: p.Address(), Postgres: "connect_timeout: 1s"})
	stop := s.Traffic()
	d = s.Run()
	d.AwaitStatus("the stream", harness.Flowing(5))
	return p, s, d, func() {
		t.Helper()
		checkMemory(t, d)
		stop()
		s.Options.Address = ""
		s.MustEnd(d)
	}
}

// open makes a scene with a few thousand rows.
func open(t *testing.T, pg *pgserver.Server, o harness.Options) *scene.Scene {
	t.Helper()
	s := scene.New(t, &suite, pg, harness.Seed(t), 2000, o)
	s.Workload.Pace = 15 * time.Millisecond
	return s
}

// mostMemory is what the daemon may hold at any time, whatever is broken: data up to
// limits.memory, and the program.
const mostMemory = 200_000_000

func checkMemory(t *testing.T, d *harness.Daemon) {
	t.Helper()
	checkMemoryBelow(t, d, mostMemory)
}

func checkMemoryBelow(t *testing.T, d *harness.Daemon, most int64) {
	t.Helper()
	_, peak, err := harness.Memory(d.PID())
	if err != nil {
		t.Logf("memory is not measured here: %v", err)
		return
	}
	t.Logf("peak memory %d MB", peak/1_000_000)
	if peak > most {
		t.Errorf("peak memory is %d MB, more than %d MB (I9)", peak/1_000_000, most/1_000_000)
	}
}

// sender gives the backend that streams to us, 0 if there is none.
func sender(s *scene.Scene) int {
	s.Helper()
	return scene.Ask[int](s, "SELECT coalesce((SELECT active_pid FROM pg_replication_slots WHERE database = current_database()), 0)")
}

// mostLines is how much a fault may log: a storm is far above.
const mostLines = 200

// during runs a fault and looks at how much was logged meanwhile.
func during(t *testing.T, d *harness.Daemon, fault func()) {
	t.Helper()
	before := d.Count(anyLine)
	fault()
	if n := d.Count(anyLine) - before; n > mostLines {
		t.Errorf("%d lines of log during the fault; the last:\n%s", n, d.Last(20))
	}
}

func anyLine(string) bool { return true }

// caughtUp accepts a source that has committed up to lsn.
func caughtUp(lsn string) func(harness.Status) bool {
	return func(s harness.Status) bool {
		return s.State == "streaming" && harness.LSN(s.Position) >= harness.LSN(lsn)
	}
}

// goesOn waits until the daemon has everything that is committed now.
func goesOn(s *scene.Scene, d *harness.Daemon) {
	s.Helper()
	now := scene.Ask[string](s, "SELECT pg_current_wal_insert_lsn()::text")
	d.AwaitStatus("catching up by itself to "+now, caughtUp(now))
}
