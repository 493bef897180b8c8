package main

import (
	"os"
	"os/signal"
	"syscall"

	"github.com/evertdb/evert/configs"
	"github.com/evertdb/evert/pipeline/deliver"
	"github.com/evertdb/evert/sinks/stdout"
)

func stdoutConnector() sinkConnector {
	return sinkConnector{
		has:   func(s *configs.Sink) bool { return s.Stdout != nil },
		shape: func(*configs.Sink) string { return "stdout" },
		open: func(p sinkPlace) (outlet, error) {
			// Without this the end of the pipe would end the daemon.
			signal.Ignore(syscall.SIGPIPE)
			return stdoutOutlet{p}, nil
		},
	}
}

// stdoutOutlet is the standard output.
type stdoutOutlet struct{ sinkPlace }

// Target implements outlet.
func (o stdoutOutlet) Target() (deliver.Target, error) {
	return stdout.New(stdout.Config{Name: o.name, Origin: o.origin(), Out: os.Stdout, Keeper: o.keeper()}), nil
}
