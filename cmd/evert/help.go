package main

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/evertdb/evert/cmd/evert/cli"
	"github.com/evertdb/evert/cmd/evert/codes"
	"github.com/evertdb/evert/cmd/evert/exit"
	"github.com/evertdb/evert/cmd/evert/terminal"
	"github.com/evertdb/evert/pipeline"
)

// helpVerb explains a code, or a verb, or lists both.
func (a *app) helpVerb() *cobra.Command {
	c := &cobra.Command{
		Use:   "help [CODE|VERB]",
		Short: "Explain a code as it stands in brackets behind a refusal, or a verb",
		Long:  "Explain a code as it stands in brackets behind a refusal, or a verb.\n`evert help codes` lists all codes.",
		Args:  cobra.MaximumNArgs(2),

		ValidArgsFunction: cli.First(helpNames),
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) == 0 {
				return c.Root().Help()
			}
			return a.explain(c.Root(), args)
		},
	}
	a.OutputFlag(c)
	return c
}

func (a *app) explain(root *cobra.Command, args []string) error {
	if strings.EqualFold(args[0], "codes") {
		return a.listCodes()
	}
	if verb, _, err := root.Find(args); err == nil && verb != root {
		return verb.Help()
	}
	name := pipeline.Code(strings.ToUpper(strings.Trim(args[0], "[]")))
	e, ok := codes.Find(name)
	if !ok {
		return exit.Usage(fmt.Errorf("there is no verb and no code %s%s", args[0], codes.Near(name)))
	}
	if a.JSON() {
		return json.NewEncoder(a.Out).Encode(e)
	}
	s := a.Style(a.Out)
	_, err := fmt.Fprintf(a.Out, "%s\n\n%s\n\n%s\n%s\n", s.Bold(string(e.Code)), terminal.Wrap(e.Text, 78, "  "), s.Bold("Mend"), terminal.Wrap(e.Mend, 78, "  "))
	return err
}

func (a *app) listCodes() error {
	if a.JSON() {
		return json.NewEncoder(a.Out).Encode(codes.All())
	}
	t := terminal.Table{}
	for _, e := range codes.All() {
		t.Add(string(e.Code), terminal.FirstSentence(e.Text))
	}
	return t.Write(a.Out)
}

// helpNames are the codes.
func helpNames() (names []string) {
	for _, e := range codes.All() {
		names = append(names, string(e.Code))
	}
	return append(names, "codes")
}
