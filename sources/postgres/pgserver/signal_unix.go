//go:build unix

package pgserver

import "syscall"

// send asks the server to stop, by the signal that means mode.
func (p *process) send(mode Mode) error {
	switch mode {
	case Smart:
		return p.cmd.Process.Signal(syscall.SIGTERM)
	case Fast:
		return p.cmd.Process.Signal(syscall.SIGINT)
	default:
		return p.cmd.Process.Signal(syscall.SIGQUIT)
	}
}
