package main

import (
	"context"
	"log/slog"
	"time"

	"github.com/evertdb/evert/cmd/evert/demo/show"
	"github.com/evertdb/evert/configs"
)

// demoDaemon starts the daemon of a demo.
func demoDaemon(ctx context.Context, c *configs.Config, log *slog.Logger) (*show.Daemon, error) {
	d := &daemon{config: c, log: log, flags: runFlags{verb: "demo", patience: 10 * time.Second}}
	if err := d.boot(ctx); err != nil {
		d.close()
		return nil, err
	}
	return &show.Daemon{
		Began: d.began, Listen: d.listen, Status: d.Status, Source: d.captures.All()[0], Topics: d.topics, Registry: d.registry,
		Views: d.views, Sinks: d.sinks, Reads: d.reads, Verifier: d.verifier,
		End: func() { d.drain(); d.close() },
	}, nil
}
