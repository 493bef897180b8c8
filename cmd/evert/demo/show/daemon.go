package show

import (
	"context"
	"log/slog"
	"time"

	"github.com/evertdb/evert/cmd/evert/api"
	"github.com/evertdb/evert/cmd/evert/captures"
	"github.com/evertdb/evert/cmd/evert/sinks"
	"github.com/evertdb/evert/cmd/evert/storage"
	"github.com/evertdb/evert/cmd/evert/verify"
	"github.com/evertdb/evert/cmd/evert/views"
	"github.com/evertdb/evert/configs"
	"github.com/evertdb/evert/pipeline/view/query"
	"github.com/evertdb/evert/schema/registry"
)

// Start starts a daemon over a file. One that could not start has ended.
type Start func(ctx context.Context, c *configs.Config, log *slog.Logger) (*Daemon, error)

// Daemon is the daemon over the demo's file, in this process.
type Daemon struct {
	Began    time.Time
	Listen   []api.Address
	Status   func(context.Context) api.Status
	Source   *captures.Capture // the shop
	Topics   *storage.Log
	Registry registry.Registry
	Views    *views.Views
	Sinks    *sinks.Sinks
	Reads    *query.Reader
	Verifier *verify.Verifier
	End      func() // after a last commit
}
