package pgserver

import (
	"os/exec"
	"path/filepath"
)

const exeSuffix = ".exe"

// send asks pg_ctl: Windows has no signals, Postgres has a pipe in their place.
func (s *Server) send(mode Mode) error {
	ctl := filepath.Join(s.bin.Dir, "pg_ctl.exe")
	return exec.Command(ctl, "stop", "--no-wait", "-D", s.data(), "-m", string(mode)).Run()
}
