package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/evertdb/evert/cmd/evert/api"
	"github.com/evertdb/evert/cmd/evert/captures"
	"github.com/evertdb/evert/cmd/evert/cli"
	"github.com/evertdb/evert/cmd/evert/databases"
	"github.com/evertdb/evert/cmd/evert/datadir"
	"github.com/evertdb/evert/cmd/evert/exit"
	"github.com/evertdb/evert/cmd/evert/terminal"
	"github.com/evertdb/evert/configs"
	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/capture"
	"github.com/evertdb/evert/pipeline/control"
	"github.com/evertdb/evert/pipeline/log"
	"github.com/evertdb/evert/schema/registry"
)

func (a *app) resetVerb() *cobra.Command {
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

func (a *app) reset(r api.Reset) error {
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
		plan, err = resetOwned(a.Ctx, config, rest, r)
	}
	if err != nil {
		return err
	}
	return a.reportPlan(r, &plan)
}

// resetOwned resets a source of a resting deployment. On a cluster a daemon may
// run elsewhere, so the source is owned first (O04).
func resetOwned(ctx context.Context, c *configs.Config, rest *cli.Resting, r api.Reset) (plan api.Plan, err error) {
	quiet, l := slog.New(slog.DiscardHandler), rest.Topics
	if l.Kind == "embedded" || !r.Yes || c.Sources[r.Source] == nil {
		return resetSource(ctx, c, l, rest.Registry, r, quiet)
	}
	waiting, cancel := context.WithTimeout(ctx, 15*time.Second)
	defer cancel()
	group, frontier := captures.Ownership(c, r.Source)
	began := false
	err = log.Own(waiting, l, group, frontier, nil, func(context.Context) error {
		began = true
		plan, err = resetSource(ctx, c, l, rest.Registry, r, quiet)
		return err
	})
	if !began && waiting.Err() != nil && ctx.Err() == nil {
		return plan, &pipeline.Refusal{Code: codeOwned, Where: "source " + r.Source, What: "another daemon captures it, so nothing was changed",
			Mend: "run the reset where that daemon runs, or stop it first"}
	}
	return plan, err
}

func (a *app) reportPlan(r api.Reset, plan *api.Plan) error {
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

// Reset implements api.Daemon: the source stands still meanwhile.
func (d *daemon) Reset(ctx context.Context, r api.Reset) (plan api.Plan, err error) {
	c := d.captures.Named(r.Source)
	if c == nil || !r.Yes {
		return resetSource(ctx, d.config, d.topics, d.registry, r, d.log)
	}
	rested := c.WhileResting(ctx, func() {
		plan, err = resetSource(context.WithoutCancel(ctx), d.config, d.topics, d.registry, r, d.log)
	})
	return plan, errors.Join(rested, err)
}

// resetSource plans a reset and, if r says so, does it: first the slot, which
// can fail without anything lost, then the frontier and the topics with their
// schemas. The source does not run meanwhile.
func resetSource(ctx context.Context, c *configs.Config, l log.Log, schemas registry.Registry, r api.Reset, logger *slog.Logger) (api.Plan, error) {
	if c.Sources[r.Source] == nil {
		return api.Plan{}, noSource(c, r.Source)
	}
	_, database, err := databases.Open(databases.Place{Config: c, Name: r.Source, Log: logger})
	if err != nil {
		return api.Plan{}, err
	}
	plan := api.Plan{Done: r.Yes}
	last, err := control.LastReset(ctx, l, c.Name, r.Source)
	if err != nil {
		return plan, err
	}
	topics, tables, steps, err := ownTopics(ctx, c, l, r, last.Kept)
	if err != nil {
		return plan, err
	}
	who := log.Owner{Deployment: c.Name, Source: r.Source}
	if err := log.CheckOwner(ctx, l, who, topics...); err != nil {
		return plan, err
	}
	dropped, err := database.Drop(ctx, !r.Yes)
	if err != nil {
		return api.Plan{}, unchanged(r.Source, err)
	}
	plan.Steps = append(append(plan.Steps, dropped...), steps...)
	if !r.Yes {
		return plan, nil
	}
	logger.Warn("reset", "source", r.Source, "resnapshot", r.Resnapshot, "topics_deleted", topics)
	all := removal{Reset: r, config: c, log: l, schemas: schemas, last: last, topics: topics, tables: tables}
	return plan, all.do(ctx)
}

// A removal is what a reset does but for the database.
type removal struct {
	api.Reset
	config         *configs.Config
	log            log.Log
	schemas        registry.Registry
	last           control.Reset // the one before
	topics, tables []string      // to be deleted; and those of tables, whether they stay or not
}

// do notes what the reset leaves, and only then removes anything: wherever it is cut off,
// the next run and the next reset know.
func (r *removal) do(ctx context.Context) error {
	deployment, who := r.config.Name, log.Owner{Deployment: r.config.Name, Source: r.Source}
	gaps, err := capture.Gaps(ctx, r.log, deployment, r.Source, r.tables, r.last, time.Now())
	if err != nil {
		return err
	}
	note := control.Reset{At: time.Now().UTC(), Resnapshot: r.Resnapshot, Kept: r.tables, Gaps: gaps}
	if err := control.BeginReset(ctx, r.log, deployment, r.Source, note); err != nil {
		return err
	}
	if r.Resnapshot {
		err = log.Claim(ctx, r.log, who, r.tables...)
	}
	if err == nil {
		err = deleteTopics(ctx, r.log, who, r.topics)
	}
	if err == nil {
		err = errors.Join(forgetSchemas(ctx, r.schemas, r.topics), forget(r.config, r.Source))
	}
	if err != nil {
		return err
	}
	return control.EndReset(ctx, r.log, deployment, r.Source)
}

// deleteTopics removes topics of ours, and gives them up; while they may be
// there, they stay ours.
func deleteTopics(ctx context.Context, l log.Log, who log.Owner, topics []string) error {
	if err := l.Admin().Delete(ctx, topics...); err != nil {
		return err
	}
	return log.Release(ctx, l, who, topics...)
}

func noSource(c *configs.Config, name string) error {
	return &pipeline.Refusal{Code: api.CodeNoSuchSource, What: fmt.Sprintf("there is no source %q", name),
		Mend: fmt.Sprintf("name one of %v", slices.Sorted(maps.Keys(c.Sources)))}
}

// unchanged says that a reset stopped before it changed anything.
func unchanged(source string, err error) error {
	if pipeline.CodeOf(err) != "" {
		return err
	}
	return exit.Environment(fmt.Errorf("source %s: nothing was changed, because its server was not asked: %w", source, err))
}

// ownTopics gives the topics that a reset deletes, the topics of tables, whether they
// stay or not, and the steps that say so. kept are those that the reset before left where
// they are: no frontier speaks of them until the copy is complete.
func ownTopics(ctx context.Context, c *configs.Config, l log.Log, r api.Reset, kept []string) (gone, tables []string, steps []api.Step, err error) {
	frontier := log.FrontierTopic(c.Name, r.Source)
	fold, err := log.ReadFrontier(ctx, l, frontier)
	if err != nil {
		return nil, nil, nil, err
	}
	tables = slices.Clone(kept)
	f, ok := fold.Frontier()
	if ok {
		tables = slices.AppendSeq(tables, maps.Keys(f.Tables))
	}
	slices.Sort(tables)
	tables = slices.Compact(tables)
	sides, err := sideTopics(ctx, l, tables)
	if err != nil {
		return nil, nil, nil, err
	}
	steps = append(steps, api.Step{Does: "delete topic", What: frontier, Note: "how far the source was read"})
	for _, topic := range tables {
		step := api.Step{Does: "copy again into", What: topic, Note: "its records stay until newer ones replace them"}
		if !r.Resnapshot {
			step.Does, step.Note = "delete topic", ""
			if ok {
				step.Note = fmt.Sprintf("offsets up to %d", cli.RowsBelow(f, topic))
			}
		}
		steps = append(steps, step)
	}
	if r.Resnapshot {
		return []string{frontier}, tables, steps, nil
	}
	for _, topic := range sides {
		steps = append(steps, api.Step{Does: "delete topic", What: topic, Note: "what did not fit into its table's topic"})
	}
	return slices.Concat([]string{frontier}, tables, sides), tables, steps, nil
}

// sideTopics gives the topics beside table topics that are there.
func sideTopics(ctx context.Context, l log.Log, tables []string) (sides []string, err error) {
	var names []string
	for _, topic := range tables {
		names = append(names, log.OffloadTopic(topic), log.DeadLetterTopic(topic))
	}
	if len(names) == 0 {
		return nil, nil
	}
	infos, err := l.Admin().Topics(ctx, names...)
	for i := range infos {
		sides = append(sides, infos[i].Name)
	}
	return sides, err
}

// forgetSchemas lets the topics that were deleted begin with other schemas.
func forgetSchemas(ctx context.Context, schemas registry.Registry, topics []string) (err error) {
	for _, topic := range topics {
		err = errors.Join(err, schemas.Delete(ctx, topic+"-key"), schemas.Delete(ctx, topic+"-value"))
	}
	return err
}

// forget removes what a source keeps beside the log.
func forget(c *configs.Config, source string) error {
	return os.RemoveAll(datadir.SpillPath(c.DataDir, source))
}
