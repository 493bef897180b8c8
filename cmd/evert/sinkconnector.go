package main

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

// An outlet is what the daemon and the verbs need of a configured sink. It is
// made once and lives as long as they do; its methods may be called from any
// goroutine. What it may offer beyond that stands below.
type outlet interface {
	// Target makes a target, anew for each run. Nothing is connected yet.
	Target() (deliver.Target, error)
}

// A checkable outlet can be asked for everything that would keep its sink from
// starting, for `evert check --connect`. It changes nothing. An error means that
// it could not be asked.
type checkable interface {
	Check(ctx context.Context) ([]pipeline.Finding, error)
}

// An auditable outlet can be compared with its topic, for `evert verify`.
type auditable interface {
	Auditor() (deliver.Auditor, error)
}

// A sinkPlace is where a sink stands: what every outlet is made from.
type sinkPlace struct {
	config *configs.Config
	name   string // of the sink
	topic  string // that is delivered
	dir    string // a folder of the sink's own below data_dir; it is not made yet
	log    *slog.Logger

	// table gives the newest shape of the topic's rows, before any transform; it
	// is registry.ErrNotFound until the first was written. A target does not need
	// it: Batch.Tables names every shape before its rows.
	table func(ctx context.Context) (*schema.Table, error)
	// rejects takes the rows that the system does not take; it is safe for
	// concurrent use.
	rejects deliver.Rejects
	// keeper makes what keeps the place of a target whose system has no room for
	// it, anew for each target.
	keeper func() deliver.Keeper
}

func (p sinkPlace) sink() *configs.Sink { return p.config.Sinks[p.name] }

// A sinkConnector is one kind of outside system.
type sinkConnector struct {
	// atomic: its targets make rows visible in whole transactions of the source,
	// so they are asked to commit between those alone.
	atomic bool
	// has reports whether a sink is of this kind.
	has func(s *configs.Sink) bool
	// shape gives what of the settings decides what the system holds and where
	// (an index, a table, a mapping): when it changes, the sink is filled anew.
	// Secrets, limits and addresses through which the same system is reached are
	// not in it.
	shape func(s *configs.Sink) string
	// open makes the outlet; nothing is connected yet.
	open func(p sinkPlace) (outlet, error)
}

// sinkConnectors lists every kind of system that Evert delivers to, by its key in
// the file. A new one is a folder below sinks, a file beside this one, and a line
// here; and the line of its key in configs/notbuilt.go goes.
func sinkConnectors() map[string]sinkConnector {
	return map[string]sinkConnector{
		"bleve":      bleveConnector(),
		"files":      filesConnector(),
		"opensearch": openSearchConnector(),
		"postgres":   postgresConnector(),
		"stdout":     stdoutConnector(),
		"webhook":    webhookConnector(),
	}
}

// connectorOf finds the connector of a sink.
func connectorOf(all map[string]sinkConnector, name string, s *configs.Sink) (kind string, c sinkConnector, err error) {
	for _, kind := range slices.Sorted(maps.Keys(all)) {
		if c := all[kind]; c.has(s) {
			return kind, c, nil
		}
	}
	return "", c, fmt.Errorf("sink %s: no connector delivers to its system", name)
}
