package cli

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/evertdb/evert/cmd/evert/exit"
)

// Strict makes a wrong number of arguments a mistake in usage.
func Strict(check cobra.PositionalArgs) cobra.PositionalArgs {
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
