package mysqlserver_test

import (
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/evertdb/evert/sources/mysql/mysqlserver"
	"github.com/evertdb/evert/sources/mysql/mysqlserver/mysqltest"
)

// started, written to, killed, started again: the row is there, and then nothing is
func TestServer(t *testing.T) {
	b := mysqltest.Binaries(t)
	s, err := mysqlserver.Start(t.Context(), b, mysqlserver.Options{Settings: map[string]string{"server-id": "77"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	exec := func(sql ...string) string {
		t.Helper()
		r, err := s.Exec(t.Context(), "", sql...)
		if err != nil {
			t.Fatal(err)
		}
		if r.Resultset == nil || r.RowNumber() == 0 {
			return ""
		}
		v, _ := r.GetString(0, 0)
		return v
	}
	if id := exec("SELECT @@server_id"); id != "77" {
		t.Errorf("server_id is %s: settings do not arrive", id)
	}
	exec("CREATE DATABASE d", "CREATE TABLE d.t (i int primary key)", "INSERT INTO d.t VALUES (5)")
	address, pid, dir := s.Address(), s.PID(), s.Dir()
	s.Kill()
	if s.PID() != 0 {
		t.Error("a killed server has a pid")
	}
	if err := s.Restart(t.Context(), map[string]string{"server-id": "78"}); err != nil {
		t.Fatal(err)
	}
	if s.Address() != address || s.PID() == pid {
		t.Errorf("started again on %s as %d; was %s as %d", s.Address(), s.PID(), address, pid)
	}
	if v := exec("SELECT i FROM d.t"); v != "5" {
		t.Errorf("after a crash the row is %q", v)
	}
	if id := exec("SELECT @@server_id"); id != "78" {
		t.Errorf("server_id is %s after a restart with 78", id)
	}
	pid = s.PID()
	if err := s.Stop(); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Errorf("closed again: %v", err)
	}
	if _, err := os.Stat(dir); !os.IsNotExist(err) {
		t.Errorf("%s is still there: %v", dir, err)
	}
	if p, err := os.FindProcess(pid); err == nil && p.Signal(syscall.Signal(0)) == nil {
		t.Errorf("process %d is still there", pid)
	}
	if c, err := net.DialTimeout("tcp", address, time.Second); err == nil {
		_ = c.Close()
		t.Errorf("somebody still listens on %s", address)
	}
}

// A server that cannot start says why, and leaves nothing.
func TestServerThatCannotStart(t *testing.T) {
	b := mysqltest.Binaries(t)
	_, err := mysqlserver.Start(t.Context(), b, mysqlserver.Options{Settings: map[string]string{"no-such-setting": "1"}})
	if err == nil || !strings.Contains(err.Error(), "no-such-setting") {
		t.Errorf("got %v", err)
	}
}
