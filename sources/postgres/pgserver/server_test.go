//go:build unix

package pgserver_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"go.uber.org/goleak"

	"github.com/evertdb/evert/sources/postgres/pgserver"
	"github.com/evertdb/evert/sources/postgres/pgserver/pgtest"
)

// TestMain is also the parent that is killed in TestServerDiesWithUs.
func TestMain(m *testing.M) {
	if os.Getenv("EVERT_TEST_PARENT") != "" {
		parent()
		return
	}
	goleak.VerifyTestMain(m)
}

func number(t *testing.T, s *pgserver.Server, sql string) int {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), s.URL("postgres"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	var n int
	if err := conn.QueryRow(t.Context(), sql).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestLifeOfAServer(t *testing.T) {
	s := pgtest.Start(t, pgtest.Options{})
	port := s.Port()
	must(t, s.Exec(t.Context(), "postgres", "CREATE TABLE kept (n int)", "INSERT INTO kept VALUES (1), (2)"))

	for _, mode := range []pgserver.Mode{pgserver.Fast, pgserver.Immediate, pgserver.Smart} {
		t.Run("stop "+string(mode)+" and start again", func(t *testing.T) {
			must(t, s.Stop(mode))
			if pid := s.PID(); pid != 0 {
				t.Errorf("pid %d after stop", pid)
			}
			must(t, s.Stop(mode)) // a stopped server is no error
			must(t, s.Restart(t.Context(), mode))
			if n := number(t, s, "SELECT count(*) FROM kept"); n != 2 || s.Port() != port {
				t.Errorf("%d rows on port %d; want 2 on %d", n, s.Port(), port)
			}
		})
	}
	t.Run("an error names the statement, not the row", func(t *testing.T) {
		err := s.Exec(t.Context(), "postgres", "SELECT 1", "SELEC 2")
		if err == nil || !strings.Contains(err.Error(), "statement 2 of 2") {
			t.Errorf("got %v", err)
		}
	})
	t.Run("it is logical, UTF8, and asks for a password", func(t *testing.T) {
		if n := number(t, s, `SELECT count(*) FROM pg_database WHERE datname = 'postgres'
			AND current_setting('wal_level') = 'logical' AND pg_encoding_to_char(encoding) = 'UTF8'`); n != 1 {
			t.Error("not logical or not UTF8")
		}
		if conn, err := pgx.Connect(t.Context(), fmt.Sprintf("postgres://postgres@127.0.0.1:%d/postgres", port)); err == nil {
			conn.Close(t.Context())
			t.Error("a stranger came in without a password")
		}
	})
	must(t, s.Close())
	if _, err := os.Stat(s.Dir()); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the temporary directory is still there: %v", err)
	}
}

func TestKeptDirectoryStartsAgain(t *testing.T) {
	b := pgtest.Binaries(t)
	dir := filepath.Join(pgtest.Dir(t), "kept")
	first, err := pgserver.Start(t.Context(), b, pgserver.Options{Dir: dir, Settings: map[string]string{"fsync": "off"}})
	must(t, err)
	must(t, first.Exec(t.Context(), "postgres", "CREATE TABLE kept AS SELECT 7 AS n"))
	must(t, first.Close())

	second, err := pgserver.Start(t.Context(), b, pgserver.Options{Dir: dir})
	must(t, err)
	defer func() { must(t, second.Close()) }()
	if n := number(t, second, "SELECT n FROM kept"); n != 7 {
		t.Errorf("read %d; want 7", n)
	}
}

func TestTakenPortIsSaid(t *testing.T) {
	b := pgtest.Binaries(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer l.Close()
	port := l.Addr().(*net.TCPAddr).Port
	s, err := pgserver.Start(t.Context(), b, pgserver.Options{Port: port})
	if err == nil {
		_ = s.Close()
		t.Fatal("started on a port that is taken")
	}
	if !strings.Contains(err.Error(), "the port is taken") {
		t.Errorf("got %v", err)
	}
}

func TestBadSettingShowsTheServersWords(t *testing.T) {
	s, err := pgserver.Start(t.Context(), pgtest.Binaries(t), pgserver.Options{Settings: map[string]string{"no_such_setting": "1"}})
	if err == nil {
		_ = s.Close()
		t.Fatal("started with an unknown setting")
	}
	if !strings.Contains(err.Error(), `unrecognized configuration parameter "no_such_setting"`) {
		t.Errorf("got %v", err)
	}
}

func TestStartEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	s, err := pgserver.Start(ctx, pgtest.Binaries(t), pgserver.Options{})
	if err == nil {
		_ = s.Close()
	}
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v; want the context's end", err)
	}
}

// parent starts a server, prints its pid and waits to be killed.
func parent() {
	b, err := pgserver.At(os.Getenv("EVERT_TEST_PARENT"))
	if err == nil {
		var s *pgserver.Server
		s, err = pgserver.Start(context.Background(), b, pgserver.Options{Dir: os.Getenv("EVERT_TEST_PARENT_DIR")})
		if err == nil {
			fmt.Println(s.PID())
			select {}
		}
	}
	fmt.Println(err)
}

func TestServerDiesWithUs(t *testing.T) {
	b := pgtest.Binaries(t)
	cmd := exec.Command(os.Args[0])
	dir := filepath.Join(pgtest.Dir(t), "pg")
	cmd.Env = append(os.Environ(), "EVERT_TEST_PARENT="+b.Dir, "EVERT_TEST_PARENT_DIR="+dir)
	out, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	line, _ := bufio.NewReader(out).ReadString('\n')
	pid, err := strconv.Atoi(strings.TrimSpace(line))
	if err != nil {
		_ = cmd.Process.Kill()
		t.Fatalf("the parent said: %s", line)
	}
	must(t, cmd.Process.Kill())
	_ = cmd.Wait()
	awaitDeath(t, pid)
}

// awaitDeath asks for the process until it is gone.
func awaitDeath(t *testing.T, pid int) {
	t.Helper()
	deadline := time.NewTimer(3 * time.Minute)
	defer deadline.Stop()
	look := time.NewTicker(10 * time.Millisecond)
	defer look.Stop()
	for alive(pid) {
		select {
		case <-deadline.C:
			t.Fatalf("postmaster %d outlived its parent", pid)
		case <-look.C:
		}
	}
}
