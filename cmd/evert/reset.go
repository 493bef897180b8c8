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
	"github.com/evertdb/evert/cmd/evert/databases"
	"github.com/evertdb/evert/cmd/evert/datadir"
	"github.com/evertdb/evert/cmd/evert/exit"
	"github.com/evertdb/evert/cmd/evert/terminal"
	"github.com/evertdb/evert/configs"
	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/capture"
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
		ValidArgsFunction: first(a.sourceNames),
		RunE: func(_ *cobra.Command, args []string) error {
			r.Source = args[0]
			return a.reset(r)
		},
	}
	c.Flags().BoolVar(&r.Resnapshot, "resnapshot", false, "keep the topics and copy into them again")
	c.Flags().BoolVar(&r.Yes, "yes", false, "do it")
	a.outputFlag(c)
	return c
}

func (a *app) reset(r api.Reset) error {
	config, err := a.load()
	if err != nil {
		return err
	}
	client, rest, err := a.daemonOr(a.ctx, config, "reset", r.Yes)
	if err != nil {
		return err
	}
	var plan api.Plan
	if client != nil {
		plan, err = client.Reset(a.ctx, r)
	} else {
		defer rest.close()
		plan, err = resetOwned(a.ctx, config, rest, r)
	}
	if err != nil {
		return err
	}
	return a.reportPlan(r, &plan)
}

// resetOwned resets a source of a resting deployment. On a cluster a daemon may
// run elsewhere, so the source is owned first (O04).
func resetOwned(ctx context.Context, c *configs.Config, rest *resting, r api.Reset) (plan api.Plan, err error) {
	quiet, l := slog.New(slog.DiscardHandler), rest.topics
	if l.Kind == "embedded" || !r.Yes || c.Sources[r.Source] == nil {
		return resetSource(ctx, c, l, rest.registry, r, quiet)
	}
	waiting, cancel := context.WithTimeout(ctx, 15*time.Second)
	defer cancel()
	group, frontier := captures.Ownership(c, r.Source)
	began := false
	err = log.Own(waiting, l, group, frontier, nil, func(context.Context) error {
		began = true
		plan, err = resetSource(ctx, c, l, rest.registry, r, quiet)
		return err
	})
	if !began && waiting.Err() != nil && ctx.Err() == nil {
		return plan, &pipeline.Refusal{Code: codeOwned, Where: "source " + r.Source, What: "another daemon captures it, so nothing was changed",
			Mend: "run the reset where that daemon runs, or stop it first"}
	}
	return plan, err
}

func (a *app) reportPlan(r api.Reset, plan *api.Plan) error {
	if a.json() {
		e := json.NewEncoder(a.out)
		e.SetIndent("", "  ")
		return e.Encode(plan)
	}
	s := a.style(a.out)
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
	fmt.Fprintln(a.out, head)
	if err := t.Write(a.out); err != nil || tail == "" {
		return err
	}
	_, err := fmt.Fprintln(a.out, tail)
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
	topics, kept, steps, err := ownTopics(ctx, c, l, r)
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
	gaps, err := capture.Gaps(ctx, l, c.Name, r.Source, kept, time.Now())
	if err != nil {
		return plan, err
	}
	logger.Warn("reset", "source", r.Source, "resnapshot", r.Resnapshot, "topics_deleted", topics)
	if err := journal(ctx, c, l, r, kept); err != nil { // first: it alone will know what is kept
		return plan, err
	}
	if err := log.Claim(ctx, l, who, kept...); err != nil {
		return plan, err
	}
	if err := deleteTopics(ctx, l, who, topics); err != nil {
		return plan, err
	}
	return plan, errors.Join(capture.LeaveGaps(ctx, l, c.Name, r.Source, gaps), forgetSchemas(ctx, schemas, topics), forget(c, r.Source))
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

// ownTopics gives the topics that a reset deletes, those that it keeps, and the
// steps that say so.
func ownTopics(ctx context.Context, c *configs.Config, l log.Log, r api.Reset) (gone, kept []string, steps []api.Step, err error) {
	frontier := log.FrontierTopic(c.Name, r.Source)
	fold, err := log.ReadFrontier(ctx, l, frontier)
	if err != nil {
		return nil, nil, nil, err
	}
	if kept, err = keptTopics(ctx, c, l, r.Source); err != nil {
		return nil, nil, nil, err
	}
	f, ok := fold.Frontier()
	if ok {
		kept = slices.AppendSeq(kept, maps.Keys(f.Tables))
	}
	slices.Sort(kept)
	kept = slices.Compact(kept)
	sides, err := sideTopics(ctx, l, kept)
	if err != nil {
		return nil, nil, nil, err
	}
	steps = append(steps, api.Step{Does: "delete topic", What: frontier, Note: "how far the source was read"})
	for _, topic := range kept {
		step := api.Step{Does: "copy again into", What: topic, Note: "its records stay until newer ones replace them"}
		if !r.Resnapshot {
			step.Does, step.Note = "delete topic", ""
			if ok {
				step.Note = fmt.Sprintf("offsets up to %d", rowsBelow(f, topic))
			}
		}
		steps = append(steps, step)
	}
	if r.Resnapshot {
		return []string{frontier}, kept, steps, nil
	}
	for _, topic := range sides {
		steps = append(steps, api.Step{Does: "delete topic", What: topic, Note: "what did not fit into its table's topic"})
	}
	return slices.Concat([]string{frontier}, kept, sides), nil, steps, nil
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

// keptTopics gives the table topics that the last reset of a source left where
// they are. No frontier speaks of them until the copy is complete.
func keptTopics(ctx context.Context, c *configs.Config, l log.Log, source string) (kept []string, err error) {
	store := &log.Store{Log: l, Topic: log.ControlTopic(c.Name)}
	_, _, err = store.Read(ctx, "", func(_, value []byte) error {
		var e entry
		if json.Unmarshal(value, &e) == nil && e.Command == "reset" && e.Source == source {
			kept = e.Kept
		}
		return nil
	})
	return kept, err
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

// An entry of the control topic says what was done, and when.
type entry struct {
	Command    string   `json:"command"`
	Source     string   `json:"source"`
	Resnapshot bool     `json:"resnapshot"`
	At         string   `json:"at"`
	Kept       []string `json:"kept,omitempty"` // table topics that stayed
}

// journal notes a reset in the control topic.
func journal(ctx context.Context, c *configs.Config, l log.Log, r api.Reset, kept []string) error {
	at := time.Now().UTC().Format(time.RFC3339Nano)
	note, err := json.Marshal(entry{Command: "reset", Source: r.Source, Resnapshot: r.Resnapshot, At: at, Kept: kept})
	if err != nil {
		return err
	}
	store := &log.Store{Log: l, Topic: log.ControlTopic(c.Name)}
	defer store.Close()
	if err := store.Take(ctx); err != nil {
		return err
	}
	_, err = store.Append(ctx, struct{ Key, Value []byte }{[]byte(at), note})
	return err
}
