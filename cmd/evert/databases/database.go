package databases

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
	"github.com/evertdb/evert/pipeline/handover"
	"github.com/evertdb/evert/schema"
)

// A Database is what the daemon and the verbs need of a configured source. Its
// methods may be called from any goroutine.
type Database interface {
	// Source makes a source, anew for each run of a stage.
	Source() Source
	// Check asks the server for everything that would keep the source from
	// starting at from, which is nil if that is not known. An error means that it
	// could not be asked.
	Check(ctx context.Context, from *pipeline.Resume) (Report, error)
	// Probe asks the server how far it is, on a connection of its own (O12);
	// committed is the native position that we have, empty if none.
	Probe(ctx context.Context, committed string) (monitor.Probe, error)
	// End gives the server's end now, as a native position.
	End(ctx context.Context) (string, error)
	// Drop removes what the source keeps on the server for us, or with dry says
	// what it would remove.
	Drop(ctx context.Context, dry bool) ([]api.Step, error)
}

// A Tabled database can tell its tables without capturing them.
type Tabled interface {
	// Tables gives the tables that would be captured now.
	Tables(ctx context.Context) ([]*schema.Table, error)
}

// A Source is a pipeline.Source with what the capture sink and the monitor need
// of it.
type Source interface {
	pipeline.Source
	Reread(ctx context.Context, t *schema.Table, key schema.Row) (schema.Row, error)
	Facts() monitor.Facts // may be called from any goroutine
	Hasten(waiting bool)  // somebody waits for it to move on although nothing happens
	Separate(each bool)   // each batch is to end behind its transaction; may be called from any goroutine
}

// A Drainer is a Source that can be drained before its server is upgraded.
type Drainer interface {
	// Drain reads everything, ends the source, and returns when that is committed. It
	// may be called from any goroutine, while the source is open.
	Drain(ctx context.Context, d api.Drain) (api.Drained, error)
	// Undrain lets Open go on where the source was drained.
	Undrain()
}

// A Report is what a check of a source found, and the tables that it would
// capture.
type Report struct {
	Found  []pipeline.Finding
	Tables []TableName
}

// A TableName is the name of a table in its database.
type TableName struct{ Schema, Name string }

// Place is where a source stands: what every connector is made from.
type Place struct {
	Config *configs.Config
	Name   string
	Log    *slog.Logger
}

func (p Place) source() *configs.Source { return p.Config.Sources[p.Name] }

// where gives the condition of the rows of a table that are copied.
func (p Place) where(schema, table string) handover.Where {
	text := p.source().Chooses(schema, table)
	return handover.Where{SQL: text.Value, At: func(line, column int) string { return text.Place(p.Config, line, column) }}
}

// A Connector is one kind of database.
type Connector struct {
	Kind  string                          // for people and metrics
	Names string                          // for the records' source block, as Debezium calls it
	has   func(s *configs.Source) bool    // reports whether a source is of this kind
	open  func(p Place) (Database, error) // nothing is connected yet
}

// connectors lists every kind of database that Evert captures. A new one is a
// folder below sources, a file beside this one, and a line here.
func connectors() map[string]Connector {
	return map[string]Connector{
		"postgres": {Kind: "postgres", Names: "postgresql", has: func(s *configs.Source) bool { return s.Postgres != nil }, open: openPostgres},
		"mysql":    {Kind: "mysql", Names: "mysql", has: func(s *configs.Source) bool { return s.MySQL != nil }, open: openMySQL},
	}
}

// Open finds the connector of a source and opens its database.
func Open(p Place) (Connector, Database, error) {
	all := connectors()
	for _, kind := range slices.Sorted(maps.Keys(all)) {
		if c := all[kind]; c.has(p.source()) {
			d, err := c.open(p)
			return c, d, err
		}
	}
	return Connector{}, nil, fmt.Errorf("source %s: no connector captures its database", p.Name)
}
