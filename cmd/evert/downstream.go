package main

import (
	"context"
	"time"

	"github.com/evertdb/evert/cmd/evert/sinks"
	"github.com/evertdb/evert/cmd/evert/views"
	"github.com/evertdb/evert/pipeline/control"
)

// What stands behind the log: views, sinks, and what people command of them.

func (d *daemon) openViews(context.Context) (err error) {
	d.views, err = views.Open(views.Config{File: d.config, Topics: d.topics, Registry: d.registry, Reads: d.reads, Log: d.log, FailFast: d.flags.failFast, Fail: d.fail})
	if d.views != nil {
		d.shown = d.views
	}
	return err
}

// controlPeriod is how soon a command is seen that was given elsewhere.
const controlPeriod = time.Second

// watchControl follows the control topic.
func (d *daemon) watchControl(ctx context.Context) {
	d.control.Run(ctx, controlPeriod, func(err error) { d.log.Warn("the control topic cannot be read; it is tried again", "error", err) })
}

// openControl reads what was commanded before.
func (d *daemon) openControl(ctx context.Context) error {
	d.control = &control.Follower{Log: d.topics, Deployment: d.config.Name, Unread: func(key, instead string) {
		d.log.Warn("a record of the control topic cannot be read: a newer release may have written it", "record", key, "instead", instead)
	}}
	return d.control.Look(ctx)
}

func (d *daemon) openSinks(context.Context) (err error) {
	d.sinks, err = sinks.Open(sinks.Config{File: d.config, Topics: d.topics, Registry: d.registry, Control: d.control, Log: d.log, FailFast: d.flags.failFast, Fail: d.fail})
	return err
}

// loadIndexes makes readable what was there, whatever the sinks come to.
func (d *daemon) loadIndexes(ctx context.Context) {
	if err := sinks.SweepIndexes(d.config, d.log); err != nil {
		d.log.Warn("indexes of sinks that are gone were not removed", "error", err)
	}
	d.sinks.LoadIndexes(ctx, d.tasks.Go)
}
