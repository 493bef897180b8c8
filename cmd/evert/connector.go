package main

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"

	"github.com/evertdb/evert/cmd/evert/api"
	"github.com/evertdb/evert/cmd/evert/monitor"
	"github.com/evertdb/evert/configs"
	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/schema"
)

// A database is what the daemon and the verbs need of a configured source. Its
// methods may be called from any goroutine.
type database interface {
	// Source makes a source, anew for each run of a stage.
	Source() source
	// Check asks the server for everything that would keep the source from
	// starting at from, which is nil if that is not known. An error means that it
	// could not be asked.
	Check(ctx context.Context, from *pipeline.Resume) (report, error)
	// Probe asks the server how far it is, on a connection of its own (O12);
	// committed is the native position that we have, empty if none.
	Probe(ctx context.Context, committed string) (monitor.Probe, error)
	// End gives the server's end now, as a native position.
	End(ctx context.Context) (string, error)
	// Drop removes what the source keeps on the server for us, or with dry says
	// what it would remove.
	Drop(ctx context.Context, dry bool) ([]api.Step, error)
}

// A source is a pipeline.Source with what the capture sink and the monitor need
// of it.
type source interface {
	pipeline.Source
	Reread(ctx context.Context, t *schema.Table, key schema.Row) (schema.Row, error)
	Facts() monitor.Facts // may be called from any goroutine
	Hasten(waiting bool)  // somebody waits for it to move on although nothing happens
	Separate(each bool)   // each batch is to end behind its transaction; may be called from any goroutine
}

// A report is what a check of a source found, and the tables that it would
// capture.
type report struct {
	found  []pipeline.Finding
	tables []tableName
}

type tableName struct{ schema, name string }

// place is where a source stands: what every connector is made from.
type place struct {
	config *configs.Config
	name   string
	log    *slog.Logger
}

func (p place) source() *configs.Source { return p.config.Sources[p.name] }

// A connector is one kind of database.
type connector struct {
	kind  string                          // for people and metrics
	names string                          // for the records' source block, as Debezium calls it
	has   func(s *configs.Source) bool    // reports whether a source is of this kind
	open  func(p place) (database, error) // nothing is connected yet
}

// connectors lists every kind of database that Evert captures. A new one is a
// folder below sources, a file beside this one, and a line here.
func connectors() map[string]connector {
	return map[string]connector{
		"postgres": {kind: "postgres", names: "postgresql", has: func(s *configs.Source) bool { return s.Postgres != nil }, open: openPostgres},
		"mysql":    {kind: "mysql", names: "mysql", has: func(s *configs.Source) bool { return s.MySQL != nil }, open: openMySQL},
	}
}

// connect finds the connector of a source and opens its database.
func connect(p place) (connector, database, error) {
	all := connectors()
	for _, kind := range slices.Sorted(maps.Keys(all)) {
		if c := all[kind]; c.has(p.source()) {
			d, err := c.open(p)
			return c, d, err
		}
	}
	return connector{}, nil, fmt.Errorf("source %s: no connector captures its database", p.name)
}
