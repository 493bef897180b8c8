package checks

import (
	"github.com/spf13/cobra"

	"github.com/evertdb/evert/cmd/evert/cli"
)

// verbs are those of one call of the program.
type verbs struct{ *cli.App }

// Verbs are check, verify and schemas.
func Verbs(a *cli.App) []*cobra.Command {
	v := verbs{a}
	return []*cobra.Command{v.checkVerb(), v.verifyVerb(), v.schemasVerb()}
}
