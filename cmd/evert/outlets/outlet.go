package outlets

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"

	"github.com/evertdb/evert/configs"
	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/deliver"
	"github.com/evertdb/evert/schema"
)

// An Outlet is what the daemon and the verbs need of a configured sink. It is
// made once and lives as long as they do; its methods may be called from any
// goroutine. What it may offer beyond that stands below.
type Outlet interface {
	// Target makes a target, anew for each run. Nothing is connected yet.
	Target() (deliver.Target, error)
}

// A Checkable outlet can be asked for everything that would keep its sink from
// starting, for `evert check --connect`. It changes nothing. An error means that
// it could not be asked.
type Checkable interface {
	Check(ctx context.Context) ([]pipeline.Finding, error)
}

// An Auditable outlet can be compared with its topic, for `evert verify`.
type Auditable interface {
	Auditor() (deliver.Auditor, error)
}

// A Place is where a sink stands: what every outlet is made from.
type Place struct {
	Config *configs.Config
	Name   string   // of the sink
	Topics []string // that are delivered; several only to a kind that takes them
	Dir    string   // a folder of the sink's own below data_dir; it is not made yet
	Log    *slog.Logger

	// table gives the newest shape of the first topic's rows, before any transform; it
	// is registry.ErrNotFound until the first was written. A target does not need
	// it: Batch.Tables names every shape before its rows.
	Table func(ctx context.Context) (*schema.Table, error)
	// rejects takes the rows that the system does not take; it is safe for
	// concurrent use.
	Rejects deliver.Rejects
	// keeper makes what keeps the place of a target whose system has no room for
	// it, anew for each target.
	Keeper func() deliver.Keeper
}

func (p Place) sink() *configs.Sink { return p.Config.Sinks[p.Name] }

// A Connector is one kind of outside system.
type Connector struct {
	// atomic: its targets make rows visible in whole transactions of the source,
	// so they are asked to commit between those alone.
	Atomic bool
	// has reports whether a sink is of this kind.
	has func(s *configs.Sink) bool
	// shape gives what of the settings decides what the system holds and where
	// (an index, a table, a mapping): when it changes, the sink is filled anew.
	// Secrets, limits and addresses through which the same system is reached are
	// not in it.
	Shape func(s *configs.Sink) string
	// open makes the outlet; nothing is connected yet.
	Open func(p Place) (Outlet, error)
}

// Connectors lists every kind of system that Evert delivers to, by its key in
// the file. A new one is a folder below sinks, a file beside this one, and a line
// here; and the line of its key in configs/notbuilt.go goes.
func Connectors() map[string]Connector {
	return map[string]Connector{
		"bleve":      bleveConnector(),
		"files":      filesConnector(),
		"opensearch": openSearchConnector(),
		"postgres":   postgresConnector(),
		"stdout":     stdoutConnector(),
		"webhook":    webhookConnector(),
	}
}

// KindOf finds the connector of a sink.
func KindOf(all map[string]Connector, name string, s *configs.Sink) (kind string, c Connector, err error) {
	for _, kind := range slices.Sorted(maps.Keys(all)) {
		if c := all[kind]; c.has(s) {
			return kind, c, nil
		}
	}
	return "", c, fmt.Errorf("sink %s: no connector delivers to its system", name)
}
