// Package mysqltest gives tests a real MariaDB.
//
// A test that needs a server of its own calls Start. Tests that only need a
// database share one server per test binary:
//
//	var maria mysqltest.Shared
//
//	func TestMain(m *testing.M) { os.Exit(maria.Run(m)) }
//
// Where no MariaDB is found, a test is skipped and names the command that installs
// one; with CI=true it fails instead. EVERT_TEST_MYSQL=/path/to/mysqld (or mariadbd)
// runs the same tests against another server.
package mysqltest

import (
	"context"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/evertdb/evert/sources/mysql/mysqlserver"
)

// Options of a test's server.
type Options = mysqlserver.Options

// Binaries gives the server that tests use, or skips (with CI=true: fails).
func Binaries(t testing.TB) mysqlserver.Binaries {
	t.Helper()
	b, err := find()
	if err == nil {
		return b
	}
	if os.Getenv("CI") == "true" {
		t.Fatalf("this test needs MariaDB: %v\n  mend: %s", err, mysqlserver.InstallHint)
	}
	t.Skipf("SKIPPED, this test needs MariaDB: %v\n  mend: %s", err, mysqlserver.InstallHint)
	return b
}

func find() (mysqlserver.Binaries, error) {
	if daemon := os.Getenv("EVERT_TEST_MYSQL"); daemon != "" {
		return mysqlserver.At(daemon)
	}
	return mysqlserver.Find()
}

// Start gives the test a server of its own, ended when the test ends. Its log is
// printed when the test has failed.
func Start(t testing.TB, o Options) *mysqlserver.Server {
	t.Helper()
	s, err := mysqlserver.Start(t.Context(), Binaries(t), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			printLog(t, s.LogPath())
		}
		if err := s.Close(); err != nil {
			t.Errorf("close the server: %v", err)
		}
	})
	return s
}

func printLog(t testing.TB, path string) {
	const most = 8 << 10
	if text, err := os.ReadFile(path); err == nil {
		t.Logf("end of the server's log:\n%s", text[max(0, len(text)-most):])
	}
}

// Shared is one server for all tests of a binary, started by the first that needs
// it. The zero value is ready; its methods may be called at the same time.
type Shared struct {
	once   sync.Once
	server *mysqlserver.Server
	err    error
	count  atomic.Int64
}

// Run runs the tests and then ends the server, if one was started. Its result is
// for os.Exit.
func (s *Shared) Run(m *testing.M) int {
	code := m.Run()
	if s.server == nil {
		return code
	}
	if err := s.server.Close(); err != nil {
		fmt.Fprintln(os.Stderr, "close the shared server:", err)
		return max(code, 1)
	}
	return code
}

// Server gives the shared server.
func (s *Shared) Server(t testing.TB) *mysqlserver.Server {
	t.Helper()
	b := Binaries(t)
	s.once.Do(func() { s.server, s.err = mysqlserver.Start(context.Background(), b, Options{}) })
	if s.err != nil {
		t.Fatal(s.err)
	}
	return s.server
}

// Database makes an empty database on the shared server, dropped when the test
// ends, and gives its name.
func (s *Shared) Database(t testing.TB) (*mysqlserver.Server, string) {
	t.Helper()
	server := s.Server(t)
	name := fmt.Sprintf("test_%d", s.count.Add(1))
	if _, err := server.Exec(t.Context(), "", "CREATE DATABASE "+name); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if _, err := server.Exec(context.Background(), "", "DROP DATABASE "+name); err != nil {
			t.Errorf("drop database %s: %v", name, err)
		}
	})
	return server, name
}
