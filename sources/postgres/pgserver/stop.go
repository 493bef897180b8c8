package pgserver

import (
	"fmt"
	"time"
)

// A Mode is how Postgres is asked to stop, in the words of pg_ctl.
type Mode string

const (
	Smart     Mode = "smart"     // waits for clients to leave
	Fast      Mode = "fast"      // ends clients, writes a checkpoint; waits for replication clients to have all
	Immediate Mode = "immediate" // as a crash: the next start recovers from the log
)

// stopGrace is how long a stop may take before it is forced.
const stopGrace = 30 * time.Second

// Stop ends the server and returns when its process is gone; the cluster stays.
// A stopped server is no error. A mode that does not get there within 30 seconds is
// followed by a harder one, and that is an error.
func (s *Server) Stop(mode Mode) error {
	if s.ask(mode) {
		return nil
	}
	if s.ask(Immediate) {
		return fmt.Errorf("Postgres did not stop in mode %s within %s and was stopped at once; a client may still be connected", mode, stopGrace)
	}
	s.process.Kill()
	return fmt.Errorf("Postgres did not stop in mode %s within %s and was killed", mode, stopGrace)
}

func (s *Server) ask(mode Mode) bool {
	return s.process.Ask(func() error { return s.send(mode) }, stopGrace)
}
