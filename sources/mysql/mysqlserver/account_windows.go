package mysqlserver

import (
	"os"
	"syscall"
)

var terminate = os.Kill // Windows has no signals

func serverAccount() (*account, error) { return nil, nil }

func (a *account) attr() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{CreationFlags: syscall.CREATE_NEW_PROCESS_GROUP}
}

func give(string, *account) error { return nil }

func reachable(string, *account) error { return nil }
