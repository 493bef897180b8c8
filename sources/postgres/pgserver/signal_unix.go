//go:build unix

package pgserver

import "syscall"

const exeSuffix = ""

// send asks the server to stop, by the signal that means mode.
func (s *Server) send(mode Mode) error {
	switch mode {
	case Smart:
		return s.process.Signal(syscall.SIGTERM)
	case Fast:
		return s.process.Signal(syscall.SIGINT)
	default:
		return s.process.Signal(syscall.SIGQUIT)
	}
}
