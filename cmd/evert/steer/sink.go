package steer

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/evertdb/evert/cmd/evert/api"
	"github.com/evertdb/evert/cmd/evert/cli"
	"github.com/evertdb/evert/cmd/evert/commands"
)

func (a verbs) pauseVerb() *cobra.Command {
	c := &cobra.Command{
		Use:   "pause SINK|TABLE",
		Short: "Let a sink, or a table, rest until it is resumed",
		Long: `Let a sink rest: it ends after a last commit, and delivers nothing until evert resume.
Capture, views and other sinks go on. evert status says since when it rests, and who told
it to.
A table, named as SOURCE.SCHEMA.TABLE, rests too: its changes are not written, and its views
and sinks hold what they have. They are not kept for later, so evert resume copies the table
again.
The command lies in the log, so it outlives restarts and reaches the daemon that owns the
sink, or the source, wherever that runs.`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: cli.First(a.sinkOrTableNames),
		RunE: func(_ *cobra.Command, args []string) error {
			if commands.IsTable(args[0]) {
				return a.commandTable(args[0], "pause", false)
			}
			return a.commandSink(args[0], api.SinkCommand{Command: "pause"})
		},
	}
	a.OutputFlag(c)
	return c
}

func (a verbs) resumeVerb() *cobra.Command {
	c := &cobra.Command{
		Use:               "resume SINK|TABLE",
		Short:             "Let a sink go on that was paused, or copy a table again that was",
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: cli.First(a.sinkOrTableNames),
		RunE: func(_ *cobra.Command, args []string) error {
			if commands.IsTable(args[0]) {
				return a.commandTable(args[0], "resume", false)
			}
			return a.commandSink(args[0], api.SinkCommand{Command: "resume"})
		},
	}
	a.OutputFlag(c)
	return c
}

func (a verbs) skipVerb() *cobra.Command {
	command := api.SinkCommand{Command: "skip"}
	c := &cobra.Command{
		Use:   "skip SINK",
		Short: "Let a sink go on without the record at which it is stopped",
		Long: `Let a sink go on without the record at which it is stopped. The record goes into the
sink's topic of dead letters with the reason SKIPPED: evert dlq list SINK shows it, and evert
dlq replay SINK delivers it after all. --place names another record, as topic/partition/offset;
without a running daemon it has to be named.`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: cli.First(a.SinkNames),
		RunE: func(_ *cobra.Command, args []string) error {
			if commands.IsTable(args[0]) {
				return commands.NotSkipped(args[0])
			}
			return a.commandSink(args[0], command)
		},
	}
	c.Flags().StringVar(&command.Place, "place", "", "the record, as topic/partition/offset")
	a.OutputFlag(c)
	return c
}

// commandSink gives a command to the daemon, or without one writes it where the
// next one, or the one that runs elsewhere, finds it.
func (a verbs) commandSink(sink string, command api.SinkCommand) error {
	config, err := a.Load()
	if err != nil {
		return err
	}
	command.By = cli.WhoAmI()
	client, rest, err := a.DaemonOr(a.Ctx, config, command.Command, true)
	if err != nil {
		return err
	}
	var answer api.SinkAnswer
	if client != nil {
		answer, err = client.SinkCommand(a.Ctx, sink, command)
	} else {
		defer rest.Close()
		answer, err = commands.ToSink(a.Ctx, config, rest.Topics, sink, command)
	}
	if err != nil {
		return err
	}
	return a.reportCommand(command, &answer)
}

func (a verbs) reportCommand(command api.SinkCommand, answer *api.SinkAnswer) error {
	if a.JSON() {
		return a.PrintJSON(answer)
	}
	text := map[string][2]string{
		"pause":  {"sink %s was paused already", "sink %s rests; go on with: evert resume " + answer.Sink},
		"resume": {"sink %s was not paused", "sink %s goes on"},
		"skip":   {"sink %s skips " + answer.Skipped + " already", "sink %s goes on without " + answer.Skipped + "; it lies in the dead letters then: evert dlq list " + answer.Sink},
	}[command.Command]
	line := text[0]
	if answer.Changed {
		line = text[1]
	}
	_, err := fmt.Fprintf(a.Out, line+"\n", answer.Sink)
	return err
}
