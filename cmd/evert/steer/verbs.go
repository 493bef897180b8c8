package steer

import (
	"github.com/spf13/cobra"

	"github.com/evertdb/evert/cmd/evert/cli"
)

// verbs are those of one call of the program.
type verbs struct{ *cli.App }

// Verbs are pause, resume, skip, snapshot, drain, reset and dlq.
func Verbs(a *cli.App) []*cobra.Command {
	v := verbs{a}
	return []*cobra.Command{v.drainVerb(), v.resetVerb(), v.snapshotVerb(), v.pauseVerb(), v.resumeVerb(), v.skipVerb(), v.dlqVerb()}
}
