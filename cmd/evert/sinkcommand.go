package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/user"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/evertdb/evert/cmd/evert/api"
	"github.com/evertdb/evert/configs"
	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/control"
	"github.com/evertdb/evert/pipeline/deliver/deadletter"
	"github.com/evertdb/evert/pipeline/log"
)

func (a *app) pauseVerb() *cobra.Command {
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
		ValidArgsFunction: first(a.sinkOrTableNames),
		RunE: func(_ *cobra.Command, args []string) error {
			if isTable(args[0]) {
				return a.commandTable(args[0], "pause", false)
			}
			return a.commandSink(args[0], api.SinkCommand{Command: "pause"})
		},
	}
	a.outputFlag(c)
	return c
}

func (a *app) resumeVerb() *cobra.Command {
	c := &cobra.Command{
		Use:               "resume SINK|TABLE",
		Short:             "Let a sink go on that was paused, or copy a table again that was",
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: first(a.sinkOrTableNames),
		RunE: func(_ *cobra.Command, args []string) error {
			if isTable(args[0]) {
				return a.commandTable(args[0], "resume", false)
			}
			return a.commandSink(args[0], api.SinkCommand{Command: "resume"})
		},
	}
	a.outputFlag(c)
	return c
}

func (a *app) skipVerb() *cobra.Command {
	command := api.SinkCommand{Command: "skip"}
	c := &cobra.Command{
		Use:   "skip SINK",
		Short: "Let a sink go on without the record at which it is stopped",
		Long: `Let a sink go on without the record at which it is stopped. The record goes into the
sink's topic of dead letters with the reason SKIPPED: evert dlq list SINK shows it, and evert
dlq replay SINK delivers it after all. --place names another record, as topic/partition/offset;
without a running daemon it has to be named.`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: first(a.sinkNames),
		RunE: func(_ *cobra.Command, args []string) error {
			if isTable(args[0]) {
				return notSkipped(args[0])
			}
			return a.commandSink(args[0], command)
		},
	}
	c.Flags().StringVar(&command.Place, "place", "", "the record, as topic/partition/offset")
	a.outputFlag(c)
	return c
}

// sinkNames are those of the file, for completion.
func (a *app) sinkNames() []string {
	c, err := configs.Load(a.file, a.env)
	if err != nil {
		return nil
	}
	return slices.Collect(maps.Keys(c.Sinks))
}

// commandSink gives a command to the daemon, or without one writes it where the
// next one, or the one that runs elsewhere, finds it.
func (a *app) commandSink(sink string, command api.SinkCommand) error {
	config, err := a.load()
	if err != nil {
		return err
	}
	command.By = whoAmI()
	client, rest, err := a.daemonOr(a.ctx, config, command.Command, true)
	if err != nil {
		return err
	}
	var answer api.SinkAnswer
	if client != nil {
		answer, err = client.SinkCommand(a.ctx, sink, command)
	} else {
		defer rest.close()
		answer, err = commandSink(a.ctx, config, rest.topics, sink, command)
	}
	if err != nil {
		return err
	}
	return a.reportCommand(command, &answer)
}

func (a *app) reportCommand(command api.SinkCommand, answer *api.SinkAnswer) error {
	if a.json() {
		return a.printJSON(answer)
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
	_, err := fmt.Fprintf(a.out, line+"\n", answer.Sink)
	return err
}

func (a *app) printJSON(v any) error {
	e := json.NewEncoder(a.out)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(v)
}

// whoAmI names who gives a command, for those who look later.
func whoAmI() string {
	name, host := "somebody", "somewhere"
	if u, err := user.Current(); err == nil && u.Username != "" {
		name = u.Username
	}
	if h, err := os.Hostname(); err == nil {
		host = h
	}
	return name + "@" + host
}

// errSame says that what is commanded holds already.
var errSame = errors.New("it is so already")

// commandSink writes a command into the control topic.
func commandSink(ctx context.Context, c *configs.Config, l log.Log, sink string, command api.SinkCommand) (api.SinkAnswer, error) {
	if c.Sinks[sink] == nil {
		return api.SinkAnswer{}, noSuchSink(c, sink)
	}
	if command.Command == "skip" {
		place, err := deadletter.ParsePlace(command.Place)
		if err != nil {
			return api.SinkAnswer{}, &pipeline.Refusal{Code: api.CodeBadRequest, Where: "sink " + sink, What: "which record to skip is not said", Err: err,
				Mend: "evert skip " + sink + " --place TOPIC/PARTITION/OFFSET   # the message of the sink names it"}
		}
		command.Place = placeText(place) // however it was written: records are compared by that
	}
	given := control.Given{At: time.Now().UTC().Truncate(time.Millisecond), By: command.By}
	holds, err := control.Change(ctx, l, c.Name, control.Entry{Command: command.Command, Sink: sink, Place: command.Place, By: command.By}, func(s *control.Sink) error {
		return applyCommand(s, command, given)
	})
	answer := api.SinkAnswer{Sink: sink, Paused: holds.Paused, Skipped: command.Place, Changed: err == nil}
	if errors.Is(err, errSame) {
		err = nil
	}
	return answer, err
}

func applyCommand(s *control.Sink, command api.SinkCommand, given control.Given) error {
	switch command.Command {
	case "pause":
		if s.Paused != nil {
			return errSame
		}
		s.Paused = &given
	case "resume":
		if s.Paused == nil {
			return errSame
		}
		s.Paused = nil
	case "skip":
		if s.IsSkipped(command.Place) {
			return errSame
		}
		s.Skip(command.Place, given)
	default:
		return &pipeline.Refusal{Code: api.CodeBadRequest, What: "there is no such command to a sink", Mend: "use the `evert` of the same version as the daemon"}
	}
	return nil
}

func noSuchSink(c *configs.Config, name string) error {
	return &pipeline.Refusal{Code: api.CodeNoSuchSink, What: fmt.Sprintf("there is no sink %q", name),
		Mend: fmt.Sprintf("name one of %v", slices.Sorted(maps.Keys(c.Sinks)))}
}
