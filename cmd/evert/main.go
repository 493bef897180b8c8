// Command evert takes the log out of a database and keeps it in compacted
// topics. Everything is described in one YAML file; see `evert help`.
//
// run.go shows what the daemon consists of. Verbs that ask or command one live in rooms
// of their own.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/evertdb/evert/cmd/evert/checks"
	"github.com/evertdb/evert/cmd/evert/cli"
	"github.com/evertdb/evert/cmd/evert/demo/show"
	"github.com/evertdb/evert/cmd/evert/exit"
	"github.com/evertdb/evert/cmd/evert/look"
	"github.com/evertdb/evert/cmd/evert/starter"
	"github.com/evertdb/evert/cmd/evert/steer"
)

func main() {
	ctx, stop := untilSignal()
	defer stop()
	a := &app{App: &cli.App{Ctx: ctx, In: os.Stdin, Out: os.Stdout, Err: os.Stderr, Env: os.LookupEnv}}
	os.Exit(a.main(os.Args[1:]))
}

// errSignal is why the process ends after SIGTERM or an interrupt.
var errSignal = errors.New("told to stop")

// untilSignal gives a context that ends with the first SIGTERM or interrupt. A
// second one ends the process at once (O01).
func untilSignal() (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(context.Background())
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		<-signals
		cancel(errSignal)
		if s, ok := (<-signals).(syscall.Signal); ok {
			os.Exit(128 + int(s))
		}
		os.Exit(exit.Failed)
	}()
	return ctx, func() { cancel(nil) }
}

// app is the program: its verbs, and the one that runs a daemon here.
type app struct {
	*cli.App
	screen *screen
}

func (a *app) main(args []string) int {
	root := a.root()
	root.SetArgs(args)
	err := root.ExecuteContext(a.Ctx)
	if err != nil && !errors.Is(err, exit.ErrSaid) {
		fmt.Fprintln(a.Err, "evert: "+err.Error())
	}
	return exit.CodeOf(err)
}

func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use:           "evert",
		Short:         "Turns a database inside out: its changes, kept in compacted topics",
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          cli.Strict(cobra.NoArgs),
		RunE:          func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	root.SetIn(a.In)
	root.SetOut(a.Out)
	root.SetErr(a.Err)
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return exit.Usage(err) })
	root.PersistentFlags().StringVarP(&a.File, "config", "c", "./evert.yaml", "configuration file")
	_ = root.MarkPersistentFlagFilename("config", "yaml", "yml")
	root.AddCommand(a.runVerb(), show.Verb(a.App, demoDaemon), starter.Verb(a.App), a.versionVerb())
	root.AddCommand(look.Verbs(a.App)...)
	root.AddCommand(steer.Verbs(a.App)...)
	root.AddCommand(checks.Verbs(a.App)...)
	root.SetHelpCommand(a.helpVerb())
	for _, c := range root.Commands() {
		c.Args = cli.Strict(c.Args)
	}
	return root
}
