package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/evertdb/evert/cmd/evert/exit"
	"github.com/evertdb/evert/cmd/evert/steps"
	"github.com/evertdb/evert/cmd/evert/terminal"
	"github.com/evertdb/evert/cmd/evert/views"
	"github.com/evertdb/evert/configs"
)

// App is one call of the program: what a verb reads and writes.
type App struct {
	Ctx context.Context
	In  io.Reader
	Out io.Writer // results
	Err io.Writer // logs, progress, errors
	Env func(string) (string, bool)

	File   string // -c
	output string // -o
}

// OutputFlag adds -o to a verb that prints a table.
func (a *App) OutputFlag(c *cobra.Command) {
	c.Flags().StringVarP(&a.output, "output", "o", "text", "text, or json")
	inner := c.RunE
	c.RunE = func(c *cobra.Command, args []string) error {
		if a.output != "text" && a.output != "json" {
			return exit.Usage(fmt.Errorf("-o %s: it is text or json", a.output))
		}
		return inner(c, args)
	}
}

// JSON reports whether -o asks for JSON.
func (a *App) JSON() bool { return a.output == "json" }

// Load reads the configuration.
func (a *App) Load() (*configs.Config, error) { return a.LoadWith(views.QueryFaults) }

// LoadWith reads the configuration; faults are those of its views.
func (a *App) LoadWith(faults func(*configs.Config) error) (*configs.Config, error) {
	c, err := configs.Load(a.File, a.Env)
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

// Getenv gives a variable of the environment, "" if it is not set.
func (a *App) Getenv(key string) string {
	v, _ := a.Env(key)
	return v
}

// Style is how w is written to: with colours on a terminal.
func (a *App) Style(w io.Writer) terminal.Style { return terminal.StyleFor(w, a.Getenv) }

// Say prints a line for a person.
func (a *App) Say(format string, args ...any) {
	fmt.Fprintln(a.Err, strings.TrimRight(fmt.Sprintf(format, args...), "\n"))
}

// PrintJSON prints v, indented, with its texts as they are.
func (a *App) PrintJSON(v any) error {
	e := json.NewEncoder(a.Out)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(v)
}
