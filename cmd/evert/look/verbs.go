package look

import (
	"github.com/spf13/cobra"

	"github.com/evertdb/evert/cmd/evert/cli"
)

// verbs are those of one call of the program.
type verbs struct{ *cli.App }

// Verbs are status, tail, get, search and explain.
func Verbs(a *cli.App) []*cobra.Command {
	v := verbs{a}
	return []*cobra.Command{v.statusVerb(), v.tailVerb(), v.getVerb(), v.searchVerb(), v.explainVerb()}
}
