package pgserver

import (
	"os/exec"
	"path/filepath"
	"syscall"
)

const exeSuffix = ".exe"

// serverAccount: a Windows user is never root in the sense of Postgres. A shell
// with administrative rights is refused by the server itself, in clear words.
func serverAccount() (*account, error) { return nil, nil }

func (a *account) attr() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{CreationFlags: syscall.CREATE_NEW_PROCESS_GROUP}
}

func give(string, *account) error { return nil }

func reachable(string, *account) error { return nil }

// send asks pg_ctl: Windows has no signals, Postgres has a pipe in their place.
func (p *process) send(mode Mode) error {
	ctl := filepath.Join(filepath.Dir(p.cmd.Path), "pg_ctl.exe")
	return exec.Command(ctl, "stop", "--no-wait", "-D", p.data, "-m", string(mode)).Run()
}

func (p *process) guard() (release func(), err error) { return func() {}, nil }
