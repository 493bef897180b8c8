package checks

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/evertdb/evert/cmd/evert/api"
	"github.com/evertdb/evert/cmd/evert/datadir"
	"github.com/evertdb/evert/cmd/evert/exit"
	"github.com/evertdb/evert/cmd/evert/inspect"
	"github.com/evertdb/evert/cmd/evert/views"
	"github.com/evertdb/evert/configs"
	"github.com/evertdb/evert/pipeline"
)

// checkFlags are what a check looks at.
type checkFlags struct {
	connect bool
	all     bool // print what is fine, too
	acls    bool // print what the cluster has to allow, and nothing else
}

func (a verbs) checkVerb() *cobra.Command {
	var flags checkFlags
	c := &cobra.Command{
		Use:   "check",
		Short: "Check the file, and with --connect every server",
		Long: `Check the file, and what can be known of its views without their tables. With --connect also ask every server, this machine, the log and the
registry for all that would keep a source from starting, or will hurt later: settings,
rights, keys, retention, positions. Each finding comes with the exact SQL, command or
setting that mends it. Nothing is changed.

The exit code is 0 if nothing has to be mended, warnings or not; 2 if the file is
invalid; 3 if a server cannot be reached or refuses.`,
		RunE: func(*cobra.Command, []string) error { return a.check(flags) },
	}
	c.Flags().BoolVar(&flags.connect, "connect", false, "ask the servers too")
	c.Flags().BoolVar(&flags.acls, "acls", false, "print the entries that the cluster's access control list needs, as commands; asks nobody")
	c.Flags().BoolVar(&flags.all, "all", false, "print what was looked at and is fine, too (-o json always has it)")
	a.OutputFlag(c)
	return c
}

func (a verbs) check(flags checkFlags) error {
	config, err := a.LoadWith(views.Faults)
	if err != nil {
		return a.reportInvalid(err)
	}
	if flags.acls {
		return a.printRights(config)
	}
	found, err := inspect.Look(a.Ctx, config, flags.connect)
	if err != nil {
		return err
	}
	if !flags.connect {
		found = append(found, a.lookAtCaptured(config)...)
	}
	return a.reportFindings(config, found, flags)
}

// lookAtCaptured checks the views for the tables as they were captured last, if the data
// directory says so and nobody runs there.
func (a verbs) lookAtCaptured(c *configs.Config) []inspect.Finding {
	if len(c.Views) == 0 || c.Kafka != nil || c.Registry != nil || !datadir.Exists(c.DataDir) {
		return nil
	}
	if _, err := api.Dial(a.Ctx, datadir.SocketPath(c.DataDir)); err == nil {
		return nil // a daemon holds it
	}
	rest, err := a.Rest(a.Ctx, c, "check", false)
	if err != nil {
		return nil // it can be of no help
	}
	defer rest.Close()
	return inspect.Captured(a.Ctx, c, rest.Registry)
}

// reportInvalid prints the mistakes of the file.
func (a verbs) reportInvalid(err error) error {
	if !a.JSON() {
		return err
	}
	all := []inspect.Finding{}
	for _, r := range inspect.Refusals(err) {
		all = append(all, inspect.FindingOf("", pipeline.Finding{Refusal: r}))
	}
	return errsay(json.NewEncoder(a.Out).Encode(all), exit.Misused)
}

// reportFindings prints what is fine first, and what has to be mended last,
// where a person looks.
func (a verbs) reportFindings(config *configs.Config, found []inspect.Finding, flags checkFlags) error {
	counts := map[string]int{}
	sorted := []inspect.Finding{}
	for _, severity := range []pipeline.Severity{pipeline.Fine, pipeline.Warns, pipeline.Fails} {
		for _, c := range found {
			if c.Level == severity.String() {
				sorted = append(sorted, c)
				counts[c.Level]++
			}
		}
	}
	failed := counts[pipeline.Fails.String()]
	if a.JSON() {
		return errsay(json.NewEncoder(a.Out).Encode(sorted), codeFor(failed))
	}
	for _, c := range sorted {
		if c.Level != pipeline.Fine.String() || flags.all {
			fmt.Fprintf(a.Out, "%s: %s\n", a.label(c), c.Refusal)
		}
	}
	fine := counts[pipeline.Fine.String()]
	if fine > 0 && !flags.all {
		fmt.Fprintf(a.Out, "%d things are fine; --all prints them\n", fine)
	}
	_, err := fmt.Fprintln(a.Out, verdict(a.File, config.SourceNames(), failed, flags.connect))
	return errsay(err, codeFor(failed))
}

func (a verbs) label(c inspect.Finding) string {
	s := a.Style(a.Out)
	word := s.Green(c.Level)
	switch c.Level {
	case pipeline.Fails.String():
		word = s.Red(c.Level)
	case pipeline.Warns.String():
		word = s.Yellow(c.Level)
	}
	if c.Source != "" {
		word += " source " + c.Source
	}
	return word
}

func verdict(file string, names []string, errors int, online bool) string {
	switch {
	case errors == 1:
		return "1 thing has to be mended"
	case errors > 1:
		return fmt.Sprintf("%d things have to be mended", errors)
	case online:
		return file + " is valid, and the server of " + strings.Join(names, ", ") + " is ready"
	}
	return file + " is valid; add --connect to ask the servers too"
}

func codeFor(errors int) int {
	if errors > 0 {
		return exit.Unavailable
	}
	return exit.OK
}

// errsay ends a verb whose printing went well with a code.
func errsay(printing error, code int) error {
	if printing != nil || code == exit.OK {
		return printing
	}
	return &exit.Error{Code: code, Err: exit.ErrSaid}
}
