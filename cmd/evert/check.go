package main

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/evertdb/evert/cmd/evert/exit"
	"github.com/evertdb/evert/cmd/evert/views"
	"github.com/evertdb/evert/pipeline"
)

// checkFlags are what a check looks at.
type checkFlags struct {
	connect bool
	all     bool // print what is fine, too
	acls    bool // print what the cluster has to allow, and nothing else
}

func (a *app) checkVerb() *cobra.Command {
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
	a.outputFlag(c)
	return c
}

// checked is one finding as it is printed.
type checked struct {
	Source  string        `json:"source,omitempty"`
	Level   string        `json:"level"` // error, warning or fine
	Code    pipeline.Code `json:"code,omitempty"`
	Where   string        `json:"where,omitempty"`
	What    string        `json:"what"`
	Mend    string        `json:"mend,omitempty"`
	refusal error         // as people read it
}

func (a *app) check(flags checkFlags) error {
	config, err := a.loadWith(views.Faults)
	if err != nil {
		return a.reportInvalid(err)
	}
	if flags.acls {
		return a.printRights(config)
	}
	i := &inspection{config: config}
	if err := i.look(a.ctx, flags.connect); err != nil {
		return err
	}
	if !flags.connect {
		a.lookAtCaptured(i)
	}
	return a.reportFindings(i, flags)
}

// failures makes findings of an error; nil makes none.
func failures(where string, err error) (all []checked) {
	for _, r := range refusals(err) {
		all = append(all, checkedOf("", pipeline.Finding{Refusal: r}))
	}
	if err != nil && len(all) == 0 {
		all = append(all, checked{Level: pipeline.Fails.String(), Where: where, What: err.Error(), refusal: fmt.Errorf("%s: %w", where, err)})
	}
	return all
}

func checkedOf(source string, f pipeline.Finding) checked {
	c := checked{Source: source, Level: f.Severity.String(), Code: f.Code, Where: f.Where, What: f.What, Mend: f.Mend, refusal: f.Refusal}
	if f.Err != nil {
		c.What += ": " + f.Err.Error()
	}
	if f.Code == "" {
		c.refusal = fmt.Errorf("%s: %s", f.Where, c.What)
	}
	return c
}

// reportInvalid prints the mistakes of the file.
func (a *app) reportInvalid(err error) error {
	if !a.json() {
		return err
	}
	all := []checked{}
	for _, r := range refusals(err) {
		all = append(all, checkedOf("", pipeline.Finding{Refusal: r}))
	}
	return errsay(json.NewEncoder(a.out).Encode(all), exit.Misused)
}

// refusals gives the refusals of an error that joins several.
func refusals(err error) []*pipeline.Refusal {
	switch e := err.(type) {
	case nil:
		return nil
	case *pipeline.Refusal:
		return []*pipeline.Refusal{e}
	case interface{ Unwrap() []error }:
		var all []*pipeline.Refusal
		for _, inner := range e.Unwrap() {
			all = append(all, refusals(inner)...)
		}
		return all
	case interface{ Unwrap() error }:
		return refusals(e.Unwrap())
	}
	return nil
}

// reportFindings prints what is fine first, and what has to be mended last,
// where a person looks.
func (a *app) reportFindings(i *inspection, flags checkFlags) error {
	counts := map[string]int{}
	sorted := []checked{}
	for _, severity := range []pipeline.Severity{pipeline.Fine, pipeline.Warns, pipeline.Fails} {
		for _, c := range i.found {
			if c.Level == severity.String() {
				sorted = append(sorted, c)
				counts[c.Level]++
			}
		}
	}
	failed := counts[pipeline.Fails.String()]
	if a.json() {
		return errsay(json.NewEncoder(a.out).Encode(sorted), codeFor(failed))
	}
	for _, c := range sorted {
		if c.Level != pipeline.Fine.String() || flags.all {
			fmt.Fprintf(a.out, "%s: %s\n", a.label(c), c.refusal)
		}
	}
	fine := counts[pipeline.Fine.String()]
	if fine > 0 && !flags.all {
		fmt.Fprintf(a.out, "%d things are fine; --all prints them\n", fine)
	}
	_, err := fmt.Fprintln(a.out, verdict(a.file, i.config.SourceNames(), failed, flags.connect))
	return errsay(err, codeFor(failed))
}

func (a *app) label(c checked) string {
	s := a.style(a.out)
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
