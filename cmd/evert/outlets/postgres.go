package outlets

import (
	"context"

	"github.com/evertdb/evert/configs"
	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/deliver"
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
	return revealed(o.sink().Postgres.Connect())
}

func revealed(u *configs.DatabaseURL, err error) (string, error) {
	if err != nil {
		return "", err
	}
	return u.Reveal()
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
			}, URL: func(context.Context) (string, error) { return revealed(pg.Connect()) }})
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
	shape, err := o.Table(ctx)
	if err != nil || len(o.sink().Transforms) > 0 {
		shape = nil // it is not what is written, or no row was written yet, or the log says by itself why it cannot be read
	}
	return sink.Check(ctx, all[0], shape)
}

// Auditor implements auditable.
func (o postgresOutlet) Auditor() (deliver.Auditor, error) {
	all := o.settings()
	if len(all) == 1 {
		return sink.OpenAuditor(context.Background(), all[0])
	}
	return sink.OpenGroupAuditor(context.Background(), all)
}
