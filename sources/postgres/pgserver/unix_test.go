//go:build unix

package pgserver_test

import (
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/evertdb/evert/sources/postgres/pgserver"
	"github.com/evertdb/evert/sources/postgres/pgserver/pgtest"
)

// alive: a zombie that nobody has waited for yet counts as dead.
func alive(pid int) bool {
	if syscall.Kill(pid, 0) != nil {
		return false
	}
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	return err != nil || !strings.Contains(string(stat), ") Z ")
}

func TestRootIsDropped(t *testing.T) {
	s := pgtest.Start(t, pgtest.Options{})
	info, err := os.Stat(s.Dir() + "/data")
	must(t, err)
	owner := info.Sys().(*syscall.Stat_t).Uid
	if owner == 0 {
		t.Error("the cluster belongs to root")
	}
	if me := os.Geteuid(); me != 0 && int(owner) != me {
		t.Errorf("the cluster belongs to %d; want ourselves, %d", owner, me)
	}
}

func TestClosedDirectoryIsNamed(t *testing.T) {
	if os.Geteuid() != 0 {
		return // only root's server runs as somebody else
	}
	closed := t.TempDir()
	must(t, os.Chmod(closed, 0o700))
	s, err := pgserver.Start(t.Context(), pgtest.Binaries(t), pgserver.Options{Dir: closed + "/pg"})
	if err == nil {
		_ = s.Close()
		t.Fatal("started below a closed directory")
	}
	if !strings.Contains(err.Error(), "chmod o+x "+closed) {
		t.Errorf("got %v", err)
	}
}

func TestPrivateTempDirIsAvoided(t *testing.T) {
	private := t.TempDir()
	must(t, os.Chmod(private, 0o700))
	t.Setenv("TMPDIR", private)
	s := pgtest.Start(t, pgtest.Options{})
	inside := strings.HasPrefix(s.Dir(), private)
	if asRoot := os.Geteuid() == 0; inside == asRoot {
		t.Errorf("server in %s with TMPDIR=%s, root: %v", s.Dir(), private, asRoot)
	}
}
