package steer

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/evertdb/evert/cmd/evert/api"
	"github.com/evertdb/evert/cmd/evert/cli"
	"github.com/evertdb/evert/cmd/evert/commands"
	"github.com/evertdb/evert/configs"
)

func (a verbs) snapshotVerb() *cobra.Command {
	wait := false
	c := &cobra.Command{
		Use:   "snapshot TABLE...",
		Short: "Copy tables again while their source streams",
		Long: `Copy tables again, named as SOURCE.SCHEMA.TABLE, while their source streams: all rows
are read anew in chunks, between the changes that come meanwhile, and rows that are gone get
tombstones. Views and sinks hold what they have until a copy is whole, and then see it as one
step. A table that has stopped goes on with its copy.
The command lies in the log, so it outlives restarts and reaches the daemon that owns the
source wherever that runs. It ends when the source has taken the copies on; with --wait, when
they are whole.`,
		Args:              cobra.MinimumNArgs(1),
		ValidArgsFunction: cli.Each(a.tableNames),
		RunE: func(_ *cobra.Command, args []string) error {
			for _, table := range args {
				if err := a.commandTable(table, "snapshot", wait); err != nil {
					return err
				}
			}
			return nil
		},
	}
	c.Flags().BoolVar(&wait, "wait", false, "wait until the copies are whole, and say how far they are")
	a.OutputFlag(c)
	return c
}

// tableNames are the tables of the file's sources, and those that a running daemon
// captures, for completion.
func (a verbs) tableNames() (names []string) {
	c, err := configs.Load(a.File, a.Env)
	if err != nil {
		return nil
	}
	for name, s := range c.Sources {
		_, tables, _ := s.Patterns()
		for _, p := range tables {
			if _, _, ok := p.Exact(); ok {
				names = append(names, name+"."+p.String())
			}
		}
	}
	for _, s := range a.SourcesOfDaemon(c) {
		for _, t := range s.Tables {
			names = append(names, s.Name+"."+t.Table)
		}
	}
	return names
}

func (a verbs) sinkOrTableNames() []string { return append(a.SinkNames(), a.tableNames()...) }

// commandTable gives a command to the daemon, or without one writes it where the
// next one, or the one that runs elsewhere, finds it.
func (a verbs) commandTable(table, verb string, wait bool) error {
	config, err := a.Load()
	if err != nil {
		return err
	}
	client, rest, err := a.DaemonOr(a.Ctx, config, verb, true)
	if err != nil {
		return err
	}
	command := api.TableCommand{Command: verb, By: cli.WhoAmI()}
	var answer api.TableAnswer
	if client != nil {
		answer, err = client.TableCommand(a.Ctx, table, command)
	} else {
		defer rest.Close()
		answer, err = commands.ToTable(a.Ctx, config, rest.Topics, table, command)
	}
	if err != nil {
		return err
	}
	if wait && client == nil {
		return cli.NoDaemon(config, api.ErrNoDaemon, "a table is copied by the one that streams from its source", "evert run")
	}
	if wait {
		if answer, err = commands.AwaitCopy(a.Ctx, client, answer, a.Say); err != nil {
			return err
		}
	}
	return a.reportTable(verb, wait, &answer)
}

func (a verbs) reportTable(verb string, waited bool, answer *api.TableAnswer) error {
	if a.JSON() {
		return a.PrintJSON(answer)
	}
	text := map[string][2]string{
		"pause":    {"was paused already", "rests; its views and sinks hold what they have; go on with: evert resume " + answer.Table},
		"resume":   {"was not paused", "goes on, and is copied again; evert status shows how far it is"},
		"snapshot": {"", "is to be copied again, by the daemon that owns its source, once it runs"},
	}[verb]
	line := text[1]
	switch {
	case !answer.Changed:
		line = text[0]
	case waited:
		line = "is copied, and goes on"
	case verb == "snapshot" && answer.Taken:
		line = "is copied again; evert status shows how far it is"
	}
	_, err := fmt.Fprintf(a.Out, "table %s %s\n", answer.Table, line)
	return err
}
