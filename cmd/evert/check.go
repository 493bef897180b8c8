package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/evertdb/evert/configs"
	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/log/kafka"
	"github.com/evertdb/evert/schema/registry"
)

func (a *app) checkVerb() *cobra.Command {
	online := false
	c := &cobra.Command{
		Use:   "check",
		Short: "Check the file, and with --connect every server",
		Long: `Check the file. With --connect also ask every server for all that would keep its source
from starting: settings, rights, keys, retention. Each finding comes with the exact
SQL or setting that mends it. Nothing is changed.`,
		RunE: func(*cobra.Command, []string) error { return a.check(online) },
	}
	c.Flags().BoolVar(&online, "connect", false, "ask the servers too")
	a.outputFlag(c)
	return c
}

// checked is one finding as it is printed.
type checked struct {
	Source  string        `json:"source,omitempty"`
	Level   string        `json:"level"` // error or warning
	Code    pipeline.Code `json:"code,omitempty"`
	Where   string        `json:"where,omitempty"`
	What    string        `json:"what"`
	Mend    string        `json:"mend,omitempty"`
	refusal error
}

func (a *app) check(online bool) error {
	config, err := a.load()
	if err != nil {
		return a.reportInvalid(err)
	}
	var all []checked
	for _, w := range config.Warnings() {
		all = append(all, checked{Level: "warning", What: w, refusal: fmt.Errorf("%s", w)})
	}
	names := slices.Sorted(maps.Keys(config.Sources))
	for _, name := range names {
		_, database, err := connect(place{config, name, slog.New(slog.DiscardHandler)})
		if err != nil {
			return err
		}
		if !online {
			continue
		}
		found, err := database.Check(a.ctx)
		if err != nil {
			all = append(all, unanswered(name, err))
		}
		for _, f := range found {
			all = append(all, checkedOf(name, f))
		}
	}
	if online {
		all = append(all, a.checkLog(config)...)
	}
	return a.reportFindings(all, names, online)
}

// checkLog asks the cluster and the registry, if the file names any.
func (a *app) checkLog(c *configs.Config) (all []checked) {
	ctx, cancel := context.WithTimeout(a.ctx, 30*time.Second)
	defer cancel()
	if c.Kafka != nil {
		l, err := openKafka(ctx, c, true, slog.New(slog.DiscardHandler), kafka.Events{})
		if err == nil {
			err = l.Close()
		}
		all = append(all, failures("kafka", err)...)
	}
	if c.Registry != nil {
		r, err := dialRegistry(c.Registry)
		if err == nil {
			_, _, err = r.Latest(ctx, "evert-check")
		}
		if !errors.Is(err, registry.ErrNotFound) {
			all = append(all, failures("registry", err)...)
		}
	}
	return all
}

// failures makes findings of an error; nil makes none.
func failures(where string, err error) (all []checked) {
	for _, r := range refusals(err) {
		all = append(all, checkedOf("", finding{Refusal: r}))
	}
	if err != nil && len(all) == 0 {
		all = append(all, checked{Level: "error", Where: where, What: err.Error(), refusal: fmt.Errorf("%s: %w", where, err)})
	}
	return all
}

func unanswered(source string, err error) checked {
	return checked{Source: source, Level: "error", What: err.Error(), refusal: err}
}

func checkedOf(source string, f finding) checked {
	c := checked{Source: source, Level: "error", Code: f.Code, Where: f.Where, What: f.What, Mend: f.Mend, refusal: f.Refusal}
	if f.Warning {
		c.Level = "warning"
	}
	if f.Err != nil {
		c.What += ": " + f.Err.Error()
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
		all = append(all, checkedOf("", finding{Refusal: r}))
	}
	return errsay(json.NewEncoder(a.out).Encode(all), exitInvalid)
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

func (a *app) reportFindings(all []checked, names []string, online bool) error {
	count := 0
	for _, c := range all {
		if c.Level == "error" {
			count++
		}
	}
	if a.json() {
		if all == nil {
			all = []checked{}
		}
		return errsay(json.NewEncoder(a.out).Encode(all), codeFor(count))
	}
	s := a.style(a.out)
	for _, c := range all {
		word := s.Yellow("warning")
		if c.Level == "error" {
			word = s.Red("error")
		}
		if c.Source != "" {
			word += " source " + c.Source
		}
		fmt.Fprintf(a.out, "%s: %s\n", word, c.refusal)
	}
	_, err := fmt.Fprintln(a.out, verdict(a.file, names, count, online))
	return errsay(err, codeFor(count))
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
		return exitEnvironment
	}
	return exitOK
}

// errsay ends a verb whose printing went well with a code.
func errsay(printing error, code int) error {
	if printing != nil || code == exitOK {
		return printing
	}
	return &exitError{code, errSaid}
}
