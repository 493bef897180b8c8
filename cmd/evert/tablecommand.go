package main

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/evertdb/evert/cmd/evert/api"
	"github.com/evertdb/evert/cmd/evert/commands"
	"github.com/evertdb/evert/cmd/evert/tables"
	"github.com/evertdb/evert/cmd/evert/terminal"
	"github.com/evertdb/evert/configs"
	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/log"
)

func (a *app) snapshotVerb() *cobra.Command {
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
		ValidArgsFunction: each(a.tableNames),
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
	a.outputFlag(c)
	return c
}

// tableNames are the tables of the file's sources, and those that a running daemon
// captures, for completion.
func (a *app) tableNames() (names []string) {
	c, err := configs.Load(a.file, a.env)
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
	for _, s := range a.sourcesOfDaemon(c) {
		for _, t := range s.Tables {
			names = append(names, s.Name+"."+t.Table)
		}
	}
	return names
}

func (a *app) sinkOrTableNames() []string { return append(a.sinkNames(), a.tableNames()...) }

// commandTable gives a command to the daemon, or without one writes it where the
// next one, or the one that runs elsewhere, finds it.
func (a *app) commandTable(table, verb string, wait bool) error {
	config, err := a.load()
	if err != nil {
		return err
	}
	client, rest, err := a.daemonOr(a.ctx, config, verb, true)
	if err != nil {
		return err
	}
	command := api.TableCommand{Command: verb, By: whoAmI()}
	var answer api.TableAnswer
	if client != nil {
		answer, err = client.TableCommand(a.ctx, table, command)
	} else {
		defer rest.close()
		answer, err = commands.ToTable(a.ctx, config, rest.topics, table, command)
	}
	if err != nil {
		return err
	}
	if wait && client == nil {
		return noDaemon(config, api.ErrNoDaemon, "a table is copied by the one that streams from its source", "evert run")
	}
	if wait {
		if answer, err = a.awaitCopy(client, answer); err != nil {
			return err
		}
	}
	return a.reportTable(verb, wait, &answer)
}

func (a *app) reportTable(verb string, waited bool, answer *api.TableAnswer) error {
	if a.json() {
		return a.printJSON(answer)
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
	_, err := fmt.Fprintf(a.out, "table %s %s\n", answer.Table, line)
	return err
}

// How often is asked how far a copy is, and how often that is said.
const (
	copyPoll = 250 * time.Millisecond
	copySay  = 5 * time.Second
)

// awaitCopy waits until the copy is whole.
func (a *app) awaitCopy(client *api.Client, asked api.TableAnswer) (api.TableAnswer, error) {
	tick := time.NewTicker(copyPoll)
	defer tick.Stop()
	for said := time.Now(); ; {
		now, err := client.TableCommand(a.ctx, asked.Table, api.TableCommand{})
		switch {
		case err != nil:
			return now, err
		case now.Copy == nil || asked.Copy == nil || now.Copy.ID != asked.Copy.ID:
			return now, &pipeline.Refusal{Code: api.CodeBadRequest, Where: "table " + asked.Table, What: "somebody has commanded something else meanwhile", Mend: "evert status"}
		case now.Ended && now.Problem == nil: // a table without a row that goes anywhere
			now.Changed = true
			return now, nil
		case now.Ended:
			return now, &pipeline.Refusal{Code: now.Problem.Code, Where: "table " + now.Table, What: "its copy was not begun: " + now.Problem.Text, Mend: "evert status   # why, and what mends it"}
		case now.Begun && now.State == log.OK.String():
			now.Changed = true
			return now, nil
		case now.Begun && now.State == log.Stopped.String():
			return now, stoppedAgain(&now)
		}
		if time.Since(said) > copySay && now.Rows != nil {
			said = time.Now()
			a.say("table %s: %s", asked.Table, copiedText(*now.Rows, now.Total))
		}
		select {
		case <-a.ctx.Done():
			return now, context.Cause(a.ctx)
		case <-tick.C:
		}
	}
}

// copiedText says how far a copy is.
func copiedText(rows, total int64) string {
	if total > 0 {
		return fmt.Sprintf("%s of about %s rows copied", terminal.Count(rows), terminal.Count(total))
	}
	return terminal.Count(rows) + " rows copied"
}

func stoppedAgain(now *api.TableAnswer) error {
	r := &pipeline.Refusal{Code: "TABLE_STOPPED", Where: "table " + now.Table, What: "it has stopped while it was copied", Mend: "evert status   # why, and what mends it"}
	if p := now.Problem; p != nil && p.Code != "" {
		r.Code, r.What = p.Code, "it has stopped while it was copied: "+p.Text
	}
	return r
}

// tableCommands are what people may do with the tables of the daemon.
func (d *daemon) tableCommands() *tables.Commands {
	return &tables.Commands{File: d.config, Topics: d.topics, Control: d.control, Running: func(source string) *tables.Tables { return d.captures.Named(source).Tables() }}
}
