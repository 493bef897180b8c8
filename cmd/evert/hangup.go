package main

import (
	"os"
	"os/signal"
	"syscall"

	"github.com/evertdb/evert/configs"
)

// answerHangups keeps SIGHUP from ending the daemon until the call that it gives (O07).
// Nothing of the file is taken over while the daemon runs, so that it is never half
// obeyed: each time the log says what a restart would change. What lies in files that
// it names, secrets and certificates, is read anew without a signal.
func (d *daemon) answerHangups(load func() (*configs.Config, error)) (stop func()) {
	hangups, ended := make(chan os.Signal, 1), make(chan struct{})
	signal.Notify(hangups, syscall.SIGHUP)
	go func() {
		defer close(ended)
		for range hangups {
			d.answerHangup(load())
		}
	}()
	return func() {
		signal.Stop(hangups)
		close(hangups)
		<-ended
	}
}

func (d *daemon) answerHangup(next *configs.Config, err error) {
	if err != nil {
		d.log.Error("SIGHUP: the file has mistakes, and the daemon goes on with what it has read at its start", "file", d.config.File(), "error", err.Error(), "mend", "evert check -c "+d.config.File())
		return
	}
	changes := d.config.Changes(next)
	if len(changes) == 0 {
		d.log.Info("SIGHUP: the file says what the daemon has read at its start; there is nothing to do", "file", d.config.File())
		return
	}
	d.log.Warn("SIGHUP: the file has changed, and the daemon goes on with what it has read at its start; a restart takes over what has changed", "file", d.config.File(),
		"changed", changes, "mend", "evert check --connect -c "+d.config.File()+"   # then restart the daemon: nothing is lost by that")
}
