package reset

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"time"

	"github.com/evertdb/evert/cmd/evert/api"
	"github.com/evertdb/evert/cmd/evert/captures"
	"github.com/evertdb/evert/cmd/evert/databases"
	"github.com/evertdb/evert/cmd/evert/exit"
	"github.com/evertdb/evert/cmd/evert/storage"
	"github.com/evertdb/evert/configs"
	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/control"
	"github.com/evertdb/evert/pipeline/log"
	"github.com/evertdb/evert/schema/registry"
)

// CodeOwned: a daemon elsewhere captures the source.
const CodeOwned pipeline.Code = "SOURCE_OWNED"

// Owned resets a source of a resting deployment. On a cluster a daemon may
// run elsewhere, so the source is owned first (O04).
func Owned(ctx context.Context, c *configs.Config, l *storage.Log, schemas registry.Registry, r api.Reset) (plan api.Plan, err error) {
	quiet := slog.New(slog.DiscardHandler)
	if l.Kind == "embedded" || !r.Yes || c.Sources[r.Source] == nil {
		return Source(ctx, c, l, schemas, r, quiet)
	}
	waiting, cancel := context.WithTimeout(ctx, 15*time.Second)
	defer cancel()
	group, frontier := captures.Ownership(c, r.Source)
	began := false
	err = log.Own(waiting, l, group, frontier, nil, func(context.Context) error {
		began = true
		plan, err = Source(ctx, c, l, schemas, r, quiet)
		return err
	})
	if !began && waiting.Err() != nil && ctx.Err() == nil {
		return plan, &pipeline.Refusal{Code: CodeOwned, Where: "source " + r.Source, What: "another daemon captures it, so nothing was changed",
			Mend: "run the reset where that daemon runs, or stop it first"}
	}
	return plan, err
}

// Source plans a reset and, if r says so, does it: it is noted, then the slot goes, which
// can fail without anything lost, then the frontier and the topics with their
// schemas. The source does not run meanwhile.
func Source(ctx context.Context, c *configs.Config, l log.Log, schemas registry.Registry, r api.Reset, logger *slog.Logger) (api.Plan, error) {
	if c.Sources[r.Source] == nil {
		return api.Plan{}, api.NoSource(r.Source, c.SourceNames())
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
	who := log.Owner{Deployment: c.Name, Source: r.Source}
	kept, err := keptBy(ctx, l, who, last)
	if err != nil {
		return plan, err
	}
	topics, tables, steps, err := ownTopics(ctx, c, l, r, kept)
	if err != nil {
		return plan, err
	}
	if err := log.CheckOwner(ctx, l, who, topics...); err != nil {
		return plan, err
	}
	dropped, err := database.Drop(ctx, true)
	if err != nil {
		return api.Plan{}, unchanged(r.Source, err)
	}
	plan.Steps = append(append(plan.Steps, dropped...), steps...)
	if !r.Yes {
		return plan, nil
	}
	logger.Warn("reset", "source", r.Source, "resnapshot", r.Resnapshot, "topics_deleted", topics)
	all := removal{Reset: r, drop: database.Drop, config: c, log: l, schemas: schemas, last: last, topics: topics, tables: tables}
	return plan, all.do(ctx)
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
				step.Note = fmt.Sprintf("offsets up to %d", f.RowsBelow(topic))
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

// keptBy gives the table topics that the reset before may have left. If its note cannot be
// read, the claims say it: topics are ours while they may be there.
func keptBy(ctx context.Context, l log.Log, who log.Owner, last control.Reset) ([]string, error) {
	if !last.Unread {
		return last.Kept, nil
	}
	owned, err := log.Owned(ctx, l, who)
	var sides []string
	for _, topic := range owned {
		sides = append(sides, log.OffloadTopic(topic), log.DeadLetterTopic(topic))
	}
	return slices.DeleteFunc(owned, func(topic string) bool { return slices.Contains(sides, topic) }), err
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
