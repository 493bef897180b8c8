//go:build unix

package deploy

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/evertdb/evert/integration/harness"
	"github.com/evertdb/evert/integration/harness/scene"
	"github.com/evertdb/evert/sources/postgres/pgserver/pgtest"
)

var suite harness.Suite

func TestMain(m *testing.M) { os.Exit(suite.Main(m)) }

const unitFile = "../../configs/deploy/evert.service"

// systemd's own verifier has nothing to say, and finds little that the service
// could do beyond its work.
func TestUnitIsSound(t *testing.T) {
	if _, err := exec.LookPath("systemd-analyze"); err != nil {
		t.Skipf("SKIPPED: %v\n  mend: sudo apt-get install -y --no-install-recommends systemd, or LANES=prepare make test", err)
	}
	text, err := os.ReadFile(unitFile)
	if err != nil {
		t.Fatal(err)
	}
	unit := filepath.Join(t.TempDir(), "evert.service")
	here := strings.ReplaceAll(string(text), "/usr/local/bin/evert", suite.Evert(t))
	if err := os.WriteFile(unit, []byte(here), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("systemd-analyze", "verify", unit).CombinedOutput(); err != nil || strings.Contains(string(out), unit) {
		t.Errorf("systemd-analyze verify: %v\n%s", err, out)
	}
	out, err := exec.Command("systemd-analyze", "security", "--offline=true", "--threshold=15", unit).CombinedOutput()
	if err != nil {
		t.Errorf("the service may do too much: %v\n%s", err, out)
	}
	t.Log(regexp.MustCompile("Overall.*").FindString(string(out)))
}

// A manager is who listens where systemd would.
type manager struct {
	conn *net.UnixConn
	path string
}

func listen(t *testing.T) *manager {
	t.Helper()
	dir, err := os.MkdirTemp("", "evert-notify-") // short: it holds a unix socket
	if err != nil {
		t.Fatal(err)
	}
	m := &manager{path: filepath.Join(dir, "notify")}
	if m.conn, err = net.ListenUnixgram("unixgram", &net.UnixAddr{Name: m.path, Net: "unixgram"}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = m.conn.Close(); _ = os.RemoveAll(dir) })
	return m
}

// await reads what is told until something begins with want, and counts the pings.
func (m *manager) await(t *testing.T, want string) (told string, pings int) {
	t.Helper()
	b := make([]byte, 4096)
	var before []string
	for {
		if err := m.conn.SetReadDeadline(time.Now().Add(harness.Patience)); err != nil {
			t.Fatal(err)
		}
		n, err := m.conn.Read(b)
		if err != nil {
			t.Fatalf("no %s after %q: %v", want, before, err)
		}
		if told = string(b[:n]); strings.HasPrefix(told, want) {
			return told, pings
		}
		if told == "WATCHDOG=1" {
			pings++
		}
		before = append(before, told)
	}
}

// The daemon is ready when it answers, pings in time, says what it does, and that
// it stops. One that is frozen does not ping.
func TestNotify(t *testing.T) {
	t.Parallel()
	s := scene.New(t, &suite, pgtest.Start(t, pgtest.Options{}), harness.Seed(t), 200, harness.Options{})
	m := listen(t)
	s.Options.Env = []string{"NOTIFY_SOCKET=" + m.path, "WATCHDOG_USEC=400000"}
	d := s.Run()
	if _, pings := m.await(t, "READY=1"); pings > 0 {
		t.Error("it pings before it is ready")
	}
	if _, err := d.Status(); err != nil {
		t.Errorf("it is ready and does not answer: %v", err)
	}
	m.await(t, "STATUS=health ok, db streaming")
	for range 3 {
		m.await(t, "WATCHDOG=1")
	}
	s.SQL(s.Database, `DROP PUBLICATION "`+"evert_"+s.Deployment()+`_db"`)
	if told, _ := m.await(t, "STATUS=health red"); !strings.Contains(told, "refused [PG_") {
		t.Errorf("a source that is refused: %s", told)
	}
	m.await(t, "WATCHDOG=1") // a refusal is no death
	d.Terminate()
	m.await(t, "STOPPING=1")
}
