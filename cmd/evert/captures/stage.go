package captures

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/evertdb/evert/cmd/evert/databases"
	"github.com/evertdb/evert/cmd/evert/exit"
	"github.com/evertdb/evert/cmd/evert/steps"
	"github.com/evertdb/evert/configs"
	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/capture"
	"github.com/evertdb/evert/pipeline/log"
	"github.com/evertdb/evert/schema"
)

// rereadsFor gives how a source reads the row of a change again and leaves values that
// are too large for memory where they are; nil if it does not.
func rereadsFor(s databases.Source) func(context.Context, *pipeline.Change) (schema.Row, error) {
	if r, ok := s.(interface {
		RereadFor(ctx context.Context, c *pipeline.Change) (schema.Row, error)
	}); ok {
		return r.RereadFor
	}
	return nil
}

// errCaughtUp ends a stage that has come to where it was told to stop.
var errCaughtUp = errors.New("caught up")

// run runs a stage while this daemon owns the source's frontier, and stands by
// while another does (O04).
func (c *Capture) run(ctx context.Context) error {
	group, frontier := Ownership(c.File, c.name)
	return log.Own(ctx, c.Topics, group, frontier, c.Monitor.StandingBy, c.stage)
}

// Ownership gives the group and the topic by which a source is owned.
func Ownership(c *configs.Config, source string) (group, frontier string) {
	return "evert." + c.Name + ".capture." + source, log.FrontierTopic(c.Name, source)
}

// stage makes a stage and runs it until it fails, ctx ends, or it has caught up.
func (c *Capture) stage(ctx context.Context) error {
	c.Monitor.Owning()
	c.stopped, c.open, c.ends = map[string]*pipeline.Refusal{}, false, nil
	if err := c.Control.Look(ctx); err != nil { // the log does not answer; no request is obeyed that a reset has answered
		return err
	}
	if err := c.aim(ctx); err != nil {
		return err
	}
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	bare := c.database.Source()
	defer c.drainable(bare)()
	src := c.behindGate(bare)
	c.put(src)
	defer c.put(nil)
	chain, err := steps.OfSource(c.File, c.name)
	if err != nil {
		return err
	}
	var settled func()
	if c.target != "" {
		settled = func() { c.rearrive(src, stop) }
	}
	commanded, err := c.newTables(bare, settled)
	if err != nil {
		return err
	}
	defer c.tabled(ctx, commanded)()
	stage := &pipeline.Stage{
		Source: refusing{src}, Sink: capture.New(c.sink(steps.Rereader(rereadsFor(bare), src.Reread, chain), commanded.Copies())), Limits: c.limits(), Events: c.events(src, stop),
	}
	stage.Transforms = []pipeline.Transform{commanded}
	if chain != nil {
		stage.Transforms = append(stage.Transforms, chain)
	}
	err = stage.Run(ctx)
	if errors.Is(err, errCaughtUp) && len(c.stopped) > 0 {
		return c.stopped[slices.Sorted(maps.Keys(c.stopped))[0]]
	}
	if errors.Is(err, errCaughtUp) {
		c.Monitor.Done()
		c.log.Info("caught up", "position", c.Monitor.Position().At.String())
		return nil
	}
	return err
}

// aim asks once where to stop, if we are to stop at all.
func (c *Capture) aim(ctx context.Context) (err error) {
	if !c.UntilCaughtUp || c.target != "" {
		return nil
	}
	if c.target, err = c.database.End(ctx); err != nil {
		return exit.Environment(fmt.Errorf("source %s: %w", c.name, err))
	}
	return nil
}

// refusing marks the errors of a server, for the exit code.
type refusing struct{ databases.Source }

func (r refusing) Open(ctx context.Context, from pipeline.Resume) error {
	return mark(r.Source.Open(ctx, from))
}

func (r refusing) Next(ctx context.Context) (pipeline.Batch, error) {
	b, err := r.Source.Next(ctx)
	if pipeline.CodeOf(err) != "" {
		err = mark(err)
	}
	return b, err
}

func mark(err error) error {
	if err == nil {
		return nil
	}
	return exit.Environment(err)
}

func (c *Capture) sink(reread func(context.Context, *pipeline.Change) (schema.Row, error), copies bool) capture.Config {
	s := c.File.Sources[c.name]
	return capture.Config{
		Deployment: c.File.Name, Source: c.name, Connector: c.kind.Names, Prefix: s.TopicPrefix, Version: c.Version,
		Log: c.Topics, Registry: c.Registry, Envelope: Envelope(s.Envelope), Handling: Handling(s.Handling), Canonical: s.Partitioner == configs.PartitionerCanonical,
		Topic: c.topic, Holding: c.Topics.Holding, Reread: reread, Copies: copies,
		RecordBytes: int(c.File.Limits.RecordBytes), ValueBytes: int(c.File.Limits.ValueBytes),
		Events: capture.Events{
			Filled: func(t *schema.Table, from string, n int) {
				c.log.Debug("filled unknown values", "table", t.String(), "from", from, "values", n)
			},
			Voided: func(topic string, n int) {
				c.log.Info("wrote tombstones for rows that are gone", "topic", topic, "tombstones", n)
			},
			Oversize: c.oversize,
			Stopped:  c.stopsFor(),
			Table:    c.tableIs,
			Part: func(at pipeline.Resume, part int) {
				c.log.Info("committed a part of a large transaction", "position", at.At.String(), "rows", at.Rows, "part", part)
			},
		},
	}
}

// oversize logs a row that was too large, without anything of the row.
func (c *Capture) oversize(o capture.Oversize) {
	c.Monitor.Oversize(o.Table.String())
	c.log.Warn("a row was too large for its topic", "table", o.Table.String(), "topic", o.Topic, "key_hash", fmt.Sprintf("%08x", o.KeyHash),
		"bytes", o.Bytes, "limit", o.Limit, "on_oversize", o.Policy.String())
}

// events are the monitor's, with the words of the log and the end of a stage
// that has caught up.
func (c *Capture) events(src databases.Source, stop context.CancelCauseFunc) pipeline.Events {
	e := c.Monitor.Events()
	opened, committed := e.Opened, e.Committed
	copied := false
	e.Opened = func(from pipeline.Resume) {
		opened(from)
		c.gate.Begin(from)
		copied = !from.At.IsZero()
		c.opened(from)
		if c.target != "" && from.Whole() && len(c.stopped) == 0 {
			c.arrive(src, from, stop) // nothing may have happened since
		}
	}
	written, commanded := e.Written, c.Tables()
	e.Written = func(b pipeline.Batch) {
		written(b)
		commanded.Wrote()
	}
	e.Committed = func(done pipeline.Committed) {
		committed(done)
		commanded.Committed()
		if c.ends != nil {
			stop(c.ends)
		}
		c.gate.Committed(done.At)
		if !copied && done.At.Whole() {
			copied = true
			c.log.Info("every table is in its topic", "position", done.At.At.String(), "rows", c.Monitor.Status().Totals.Rows)
		}
		if c.target != "" && done.At.Whole() {
			c.arrive(src, done.At, stop)
		}
	}
	return e
}

func (c *Capture) opened(from pipeline.Resume) {
	c.open, c.undrain = true, false
	if !from.At.IsZero() {
		c.log.Info("streaming", "position", from.At.String())
		return
	}
	c.log.Info("copying the tables")
}

// arrive ends the stage once its target is reached.
func (c *Capture) arrive(src databases.Source, at pipeline.Resume, stop context.CancelCauseFunc) {
	reached, err := src.Reached(at.At.Native, c.target)
	if reached && c.Tables().IsBusy() {
		return // a table is copied again
	}
	if err != nil {
		stop(err)
	} else if reached {
		stop(errCaughtUp)
	}
}

// rearrive ends the stage where it stands, when that is its target.
func (c *Capture) rearrive(src databases.Source, stop context.CancelCauseFunc) {
	if at := c.Monitor.Position(); at.Whole() {
		c.arrive(src, at, stop)
	}
}
