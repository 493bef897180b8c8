package main

import (
	"encoding/json"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/evertdb/evert/cmd/evert/cli"
)

func (a *app) versionVerb() *cobra.Command {
	c := &cobra.Command{Use: "version", Short: "Print the version", RunE: func(*cobra.Command, []string) error {
		b := cli.ThisBuild()
		if a.JSON() {
			return json.NewEncoder(a.Out).Encode(b)
		}
		_, err := fmt.Fprintf(a.Out, "evert %s (%s, %s)\n", b.Version, b.Go, b.Platform)
		return err
	}}
	a.OutputFlag(c)
	return c
}
