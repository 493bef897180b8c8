// Command evert takes the log out of a database and keeps it in compacted
// topics. Everything is described in one YAML file; see `evert help`.
//
// run.go shows what the daemon consists of; every verb has a file of its own.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/evertdb/evert/cmd/evert/exit"
	"github.com/evertdb/evert/cmd/evert/steps"
	"github.com/evertdb/evert/cmd/evert/terminal"
	"github.com/evertdb/evert/cmd/evert/views"
	"github.com/evertdb/evert/configs"
)

func main() {
	ctx, stop := untilSignal()
	defer stop()
	a := &app{ctx: ctx, in: os.Stdin, out: os.Stdout, err: os.Stderr, env: os.LookupEnv}
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

// app is one call of the program: what a verb reads and writes.
type app struct {
	ctx context.Context
	in  io.Reader
	out io.Writer // results
	err io.Writer // logs, progress, errors
	env func(string) (string, bool)

	file   string // -c
	output string // -o
	screen *screen
}

func (a *app) main(args []string) int {
	root := a.root()
	root.SetArgs(args)
	err := root.ExecuteContext(a.ctx)
	if err != nil && !errors.Is(err, exit.ErrSaid) {
		fmt.Fprintln(a.err, "evert: "+err.Error())
	}
	return exit.CodeOf(err)
}

func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use:           "evert",
		Short:         "Turns a database inside out: its changes, kept in compacted topics",
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          strict(cobra.NoArgs),
		RunE:          func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	root.SetIn(a.in)
	root.SetOut(a.out)
	root.SetErr(a.err)
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return exit.Usage(err) })
	root.PersistentFlags().StringVarP(&a.file, "config", "c", "./evert.yaml", "configuration file")
	_ = root.MarkPersistentFlagFilename("config", "yaml", "yml")
	root.AddCommand(a.runVerb(), a.demoVerb(), a.initVerb(), a.checkVerb(), a.statusVerb(), a.tailVerb(), a.getVerb(), a.searchVerb(), a.verifyVerb(), a.explainVerb(), a.resetVerb(), a.drainVerb(), a.snapshotVerb(), a.pauseVerb(), a.resumeVerb(), a.skipVerb(), a.dlqVerb(), a.schemasVerb(), a.versionVerb())
	root.SetHelpCommand(a.helpVerb())
	for _, c := range root.Commands() {
		c.Args = strict(c.Args)
	}
	return root
}

// strict makes a wrong number of arguments a mistake in usage.
func strict(check cobra.PositionalArgs) cobra.PositionalArgs {
	if check == nil {
		check = cobra.NoArgs
	}
	return func(c *cobra.Command, args []string) error {
		if check(c, args) == nil {
			return nil
		}
		if c.HasSubCommands() && len(args) > 0 {
			return exit.Usage(fmt.Errorf("there is no verb %s%s; `%s --help` lists them", args[0], nearVerb(c, args[0]), c.CommandPath()))
		}
		return exit.Usage(fmt.Errorf("the arguments are not those of `%s`; see `%s --help`", c.UseLine(), c.CommandPath()))
	}
}

// nearVerb asks after the verb that a word resembles, if one does.
func nearVerb(c *cobra.Command, word string) string {
	c.SuggestionsMinimumDistance = 2
	if near := c.SuggestionsFor(word); len(near) > 0 {
		return " (do you mean " + near[0] + "?)"
	}
	return ""
}

// outputFlag adds -o to a verb that prints a table.
func (a *app) outputFlag(c *cobra.Command) {
	c.Flags().StringVarP(&a.output, "output", "o", "text", "text, or json")
	inner := c.RunE
	c.RunE = func(c *cobra.Command, args []string) error {
		if a.output != "text" && a.output != "json" {
			return exit.Usage(fmt.Errorf("-o %s: it is text or json", a.output))
		}
		return inner(c, args)
	}
}

func (a *app) json() bool { return a.output == "json" }

// load reads the configuration.
func (a *app) load() (*configs.Config, error) { return a.loadWith(views.QueryFaults) }

// loadWith reads the configuration; faults are those of its views.
func (a *app) loadWith(faults func(*configs.Config) error) (*configs.Config, error) {
	c, err := configs.Load(a.file, a.env)
	if err == nil {
		err = steps.Faults(c)
	}
	if err == nil {
		err = faults(c)
	}
	if err != nil {
		return nil, exit.Invalid(err)
	}
	return c, nil
}

func (a *app) getenv(key string) string {
	v, _ := a.env(key)
	return v
}

func (a *app) style(w io.Writer) terminal.Style { return terminal.StyleFor(w, a.getenv) }

// say prints a line for a person.
func (a *app) say(format string, args ...any) {
	fmt.Fprintln(a.err, strings.TrimRight(fmt.Sprintf(format, args...), "\n"))
}
