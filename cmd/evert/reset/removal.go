package reset

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/evertdb/evert/cmd/evert/api"
	"github.com/evertdb/evert/cmd/evert/datadir"
	"github.com/evertdb/evert/cmd/evert/exit"
	"github.com/evertdb/evert/configs"
	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/capture"
	"github.com/evertdb/evert/pipeline/control"
	"github.com/evertdb/evert/pipeline/log"
	"github.com/evertdb/evert/schema/registry"
)

// A removal is what a reset does once its plan stands.
type removal struct {
	api.Reset
	drop           func(ctx context.Context, dry bool) ([]api.Step, error) // what the server keeps for the source
	config         *configs.Config
	log            log.Log
	schemas        registry.Registry
	last           control.Reset // the one before
	topics, tables []string      // to be deleted; and those of tables, whether they stay or not
}

// do notes what the reset leaves, and only then removes anything, the slot first: wherever
// it is cut off, the next run and the next reset know.
func (r *removal) do(ctx context.Context) error {
	deployment, who := r.config.Name, log.Owner{Deployment: r.config.Name, Source: r.Source}
	gaps, found, err := capture.Gaps(ctx, r.log, deployment, r.Source, r.tables, r.last, time.Now())
	if err != nil {
		return err
	}
	note := control.Reset{At: time.Now().UTC(), Resnapshot: r.Resnapshot, Kept: r.tables, Gaps: gaps, Found: found}
	if err := control.BeginReset(ctx, r.log, deployment, r.Source, note); err != nil {
		return err
	}
	if _, err := r.drop(ctx, false); err != nil {
		return topicsStay(r.Source, err)
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
	return control.EndReset(ctx, r.log, deployment, r.Source, r.config.Sources[r.Source].Copies())
}

// topicsStay says that a reset stopped at what its server keeps. A server that says no has
// kept it; of one that went away nobody knows.
func topicsStay(source string, err error) error {
	if pipeline.CodeOf(err) != "" {
		return err
	}
	return exit.Environment(fmt.Errorf("source %s: no topic was touched, but its replication slot may be gone; do the same reset again: %w", source, err))
}

// deleteTopics removes topics of ours, and gives them up; while they may be
// there, they stay ours.
func deleteTopics(ctx context.Context, l log.Log, who log.Owner, topics []string) error {
	if err := l.Admin().Delete(ctx, topics...); err != nil {
		return err
	}
	return log.Release(ctx, l, who, topics...)
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
