package outlets

import (
	"context"
	"errors"
	"fmt"

	"github.com/evertdb/evert/configs"
	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/deliver"
	"github.com/evertdb/evert/schema"
	"github.com/evertdb/evert/schema/registry"
	sink "github.com/evertdb/evert/sinks/postgres"
)

func postgresConnector() Connector {
	return Connector{
		Atomic: true,
		has:    func(s *configs.Sink) bool { return s.Postgres != nil },
		Shape:  postgresShape,
		Open:   func(p Place) (Outlet, error) { return postgresOutlet{p}, nil },
	}
}

// postgresOutlet is a table of a Postgres database.
type postgresOutlet struct{ Place }

// postgresShape is what of the settings decides where rows are held.
func postgresShape(s *configs.Sink) string {
	if s.Postgres.Schema != "" {
		return "postgres schema " + s.Postgres.Schema
	}
	return "postgres " + s.Postgres.Table.String()
}

// settings says the sink's section of the file in the sink's own words, for each
// table. Where there is a schema each has a position of its own name.
func (o postgresOutlet) settings() (all []sink.Config) {
	s := o.sink()
	for i, table := range s.Targets() {
		c := o.common()
		c.Topic = o.Topics[i]
		c.Table.Schema, c.Table.Name, _ = table.Exact()
		if s.Postgres.Schema != "" {
			c.Name += "/" + c.Table.Name
		}
		all = append(all, c)
	}
	return all
}

// common is what holds for every table.
func (o postgresOutlet) common() sink.Config {
	p := o.sink().Postgres
	c := sink.Config{
		Name: o.Config.Name + "." + o.Name, Group: o.Config.Name + "." + o.Name, URL: o.url,
		Adopt: p.Adopt, DropColumns: p.OnColumnGone == "drop", Foreign: o.foreign(),
		BufferBytes: int(p.BufferBytes), LockWait: p.LockWait,
		Rejects: o.Rejects, Log: o.Log, Captures: captures(o.Config),
	}
	c.Positions.Schema, c.Positions.Name, _ = p.Positions.Exact()
	return c
}

// url gives the connection string; secrets are read anew each time.
func (o postgresOutlet) url(context.Context) (string, error) {
	return configs.Revealed(o.sink().Postgres.Connect())
}

// foreign reports whether the rows come from a table of another kind of database,
// whose types have names of its own. A view's have Postgres's.
func (p Place) foreign() bool {
	source, _, table := p.sink().Tables()
	s := p.Config.Sources[source]
	return table && s != nil && s.Postgres == nil
}

// captures lists what the deployment's Postgres sources capture.
func captures(c *configs.Config) (out []sink.Capture) {
	for _, name := range c.SourceNames() {
		if pg := c.Sources[name].Postgres; pg != nil {
			out = append(out, sink.Capture{Source: name, Slot: pg.Slot, Match: func(schema, table string) bool {
				return configs.Captures(pg.Tables, pg.ExcludeTables, schema, table)
			}, URL: func(context.Context) (string, error) { return configs.Revealed(pg.Connect()) }})
		}
	}
	return out
}

// Target implements outlet.
func (o postgresOutlet) Target() (deliver.Target, error) {
	all := o.settings()
	if len(all) == 1 {
		return sink.New(all[0]), nil
	}
	return sink.NewGroup(all), nil
}

// Check implements checkable.
func (o postgresOutlet) Check(ctx context.Context) ([]pipeline.Finding, error) {
	all := o.settings()
	if len(all) > 1 {
		return sink.CheckGroup(ctx, all)
	}
	shape, unseen := o.shape(ctx)
	found, err := sink.Check(ctx, all[0], shape)
	return found, errors.Join(err, unseen)
}

// shape gives the columns of the rows that are written; nil: none was yet, or they are
// not those of the table.
func (o postgresOutlet) shape(ctx context.Context) (*schema.Table, error) {
	if len(o.sink().Transforms) > 0 {
		return nil, nil
	}
	shape, err := o.Table(ctx)
	if errors.Is(err, registry.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("look up the columns of %s: %w", o.Topics[0], err)
	}
	return shape, nil
}

// Auditor implements auditable.
func (o postgresOutlet) Auditor() (deliver.Auditor, error) {
	all := o.settings()
	if len(all) == 1 {
		return sink.OpenAuditor(context.Background(), all[0])
	}
	return sink.OpenGroupAuditor(context.Background(), all)
}
