package steer

import (
	"encoding/json"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/evertdb/evert/cmd/evert/api"
	"github.com/evertdb/evert/cmd/evert/cli"
	"github.com/evertdb/evert/cmd/evert/reset"
	"github.com/evertdb/evert/cmd/evert/terminal"
)

func (a verbs) resetVerb() *cobra.Command {
	var r api.Reset
	c := &cobra.Command{
		Use:   "reset SOURCE",
		Short: "Forget how far a source was read, and begin it anew",
		Long: `Forget how far a source was read: its frontier and its replication slot. It begins with a
new copy of its tables, at once if the daemon runs, else at the next start.
Its topics are deleted too, unless --resnapshot keeps them: then the copy is written into
them, and keys that are gone from the database get tombstones.
Without --yes, what would be touched is listed and nothing is changed.`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: cli.First(a.SourceNames),
		RunE: func(_ *cobra.Command, args []string) error {
			r.Source = args[0]
			return a.reset(r)
		},
	}
	c.Flags().BoolVar(&r.Resnapshot, "resnapshot", false, "keep the topics and copy into them again")
	c.Flags().BoolVar(&r.Yes, "yes", false, "do it")
	a.OutputFlag(c)
	return c
}

func (a verbs) reset(r api.Reset) error {
	config, err := a.Load()
	if err != nil {
		return err
	}
	client, rest, err := a.DaemonOr(a.Ctx, config, "reset", r.Yes)
	if err != nil {
		return err
	}
	var plan api.Plan
	if client != nil {
		plan, err = client.Reset(a.Ctx, r)
	} else {
		defer rest.Close()
		plan, err = reset.Owned(a.Ctx, config, rest.Topics, rest.Registry, r)
	}
	if err != nil {
		return err
	}
	return a.reportPlan(r, &plan)
}

func (a verbs) reportPlan(r api.Reset, plan *api.Plan) error {
	if a.JSON() {
		e := json.NewEncoder(a.Out)
		e.SetIndent("", "  ")
		return e.Encode(plan)
	}
	s := a.Style(a.Out)
	t := terminal.Table{Indent: "  "}
	for _, step := range plan.Steps {
		t.Add(step.Does, s.Bold(step.What), s.Dim(step.Note))
	}
	head, tail := "this would be touched; nothing was changed:", "do it: evert reset "+r.Source
	if r.Resnapshot {
		tail += " --resnapshot"
	}
	tail += " --yes"
	if plan.Done {
		head, tail = "done:", ""
	}
	fmt.Fprintln(a.Out, head)
	if err := t.Write(a.Out); err != nil || tail == "" {
		return err
	}
	_, err := fmt.Fprintln(a.Out, tail)
	return err
}
