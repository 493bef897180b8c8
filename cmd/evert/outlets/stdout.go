package outlets

import (
	"os"
	"os/signal"
	"syscall"

	"github.com/evertdb/evert/configs"
	"github.com/evertdb/evert/pipeline/deliver"
	"github.com/evertdb/evert/sinks/stdout"
)

func stdoutConnector() Connector {
	return Connector{
		has:   func(s *configs.Sink) bool { return s.Stdout != nil },
		Shape: func(*configs.Sink) string { return "stdout" },
		Open: func(p Place) (Outlet, error) {
			// Without this the end of the pipe would end the daemon.
			signal.Ignore(syscall.SIGPIPE)
			return stdoutOutlet{p}, nil
		},
	}
}

// stdoutOutlet is the standard output.
type stdoutOutlet struct{ Place }

// Target implements outlet.
func (o stdoutOutlet) Target() (deliver.Target, error) {
	return stdout.New(stdout.Config{Name: o.Name, Origins: o.origins(), Out: os.Stdout, Keeper: o.Keeper()}), nil
}
