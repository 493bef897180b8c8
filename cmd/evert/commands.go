package main

import (
	"context"
	"errors"

	"github.com/evertdb/evert/cmd/evert/api"
	"github.com/evertdb/evert/cmd/evert/reset"
	"github.com/evertdb/evert/cmd/evert/tables"
	"github.com/evertdb/evert/cmd/evert/verify"
	"github.com/evertdb/evert/pipeline"
)

// What people do with a daemon, beside asking it.

// tableCommands are what people may do with the tables of the daemon.
func (d *daemon) tableCommands() *tables.Commands {
	return &tables.Commands{File: d.config, Topics: d.topics, Control: d.control, Running: func(source string) *tables.Tables { return d.captures.Named(source).Tables() }}
}

// sourceCommands are what people may do with the sources of a daemon.
type sourceCommands struct{ daemon *daemon }

// Drain implements api.SourceCommands.
func (s sourceCommands) Drain(ctx context.Context, source string, d api.Drain) (api.Drained, error) {
	c := s.daemon.captures.Named(source)
	if c == nil {
		return api.Drained{}, api.NoSource(source, s.daemon.config.SourceNames())
	}
	if !c.Drains() {
		return api.Drained{}, &pipeline.Refusal{Code: api.CodeBadRequest, Where: "source " + source, What: "only sources of the kind postgres are drained: others keep their place over an upgrade",
			Mend: "upgrade its server; the source waits for it"}
	}
	if d.Cancel {
		return api.Drained{Source: source}, c.Undrain(ctx)
	}
	drained, err := c.Drain(ctx, d)
	drained.Source = source
	return drained, err
}

// newVerifier makes what compares: everything else is open.
func (d *daemon) newVerifier() *verify.Verifier {
	c := verify.Config{File: d.config, Topics: d.topics, Registry: d.registry, Views: d.views, Sinks: d.sinks, Reads: d.reads}
	for _, one := range d.captures.All() {
		c.Captures = append(c.Captures, one)
	}
	return verify.New(c)
}

// Verify implements api.Daemon.
func (d *daemon) Verify(ctx context.Context, req api.VerifyRequest, tell func(api.VerifyProgress)) (*api.Verified, error) {
	return d.verifier.Verify(ctx, req, tell)
}

// Reset implements api.Daemon: the source stands still meanwhile.
func (d *daemon) Reset(ctx context.Context, r api.Reset) (plan api.Plan, err error) {
	c := d.captures.Named(r.Source)
	if c == nil || !r.Yes {
		return reset.Source(ctx, d.config, d.topics, d.registry, r, d.log)
	}
	rested := c.WhileResting(ctx, func() {
		plan, err = reset.Source(context.WithoutCancel(ctx), d.config, d.topics, d.registry, r, d.log)
	})
	return plan, errors.Join(rested, err)
}
