package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/evertdb/evert/cmd/evert/api"
	"github.com/evertdb/evert/cmd/evert/databases"
	"github.com/evertdb/evert/cmd/evert/datadir"
	"github.com/evertdb/evert/cmd/evert/exit"
	"github.com/evertdb/evert/cmd/evert/steps"
	"github.com/evertdb/evert/cmd/evert/views"
	"github.com/evertdb/evert/configs"
	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/sql"
	"github.com/evertdb/evert/schema"
)

// serversTables asks the servers for the tables that would be captured now.
func serversTables(ctx context.Context, c *configs.Config) (*views.Catalog, error) {
	found := map[string]*schema.Table{}
	for _, name := range c.SourceNames() {
		_, database, err := connectTo(c, name)
		if err != nil {
			return nil, err
		}
		asked, ok := database.(databases.Tabled)
		if !ok {
			continue
		}
		tables, err := asked.Tables(ctx)
		if err != nil {
			return nil, exit.Environment(fmt.Errorf("source %s: %w", name, err))
		}
		tables, _ = steps.Written(c, name, tables) // what keeps one from it is said of the source
		for _, t := range tables {
			found[views.TableTopic(c, name, t.Schema, t.Name)] = t
		}
	}
	return views.NewCatalog(ctx, c, found), nil
}

// lookAtViews compiles every view for the tables as the servers have them.
func (i *inspection) lookAtViews(ctx context.Context) {
	if len(i.config.Views) == 0 {
		return
	}
	known, err := serversTables(ctx, i.config)
	if err != nil {
		return // the source says so itself
	}
	for _, name := range slices.Sorted(maps.Keys(i.config.Views)) {
		p, err := views.CompileOver(i.config, known, name)
		if err != nil {
			i.found = append(i.found, failures("view "+name, err)...)
			continue
		}
		if !p.KeyKnown {
			i.add("", keyGuessed(i.config, name, p.View))
		}
		i.add("", pipeline.Good("view "+name, "its query holds for the tables as they are"))
	}
}

// lookAtCaptured compiles every view for the tables as they were captured last, if
// the data directory says so and nobody runs there. What is wrong then is a warning:
// the tables may have changed since, which only their servers know.
func (a *app) lookAtCaptured(i *inspection) {
	c := i.config
	if len(c.Views) == 0 || c.Kafka != nil || c.Registry != nil || !datadir.Exists(c.DataDir) {
		return
	}
	if _, err := api.Dial(a.ctx, datadir.SocketPath(c.DataDir)); err == nil {
		return // a daemon holds it
	}
	rest, err := a.rest(a.ctx, c, "check", false)
	if err != nil {
		return // it can be of no help
	}
	defer rest.close()
	for _, name := range slices.Sorted(maps.Keys(c.Views)) {
		p, err := views.Compile(a.ctx, c, rest.registry, name)
		for _, r := range refusals(err) {
			if r.Code == views.CodeWaits {
				continue // it says nothing of a table that was never captured
			}
			old := *r
			old.What, old.Mend = "as its tables were captured last, "+r.What, r.Mend+"; if a table has changed since: evert check --connect"
			i.add("", pipeline.Found(pipeline.Warns, old))
		}
		if err == nil && !p.KeyKnown {
			i.add("", keyGuessed(c, name, p.View))
		}
	}
}

// keyGuessed warns of a key that the query does not prove, with one that it does
// if there is one.
func keyGuessed(c *configs.Config, name string, v *sql.View) pipeline.Finding {
	columns, mend := v.Plan.Root.Columns(), "add the columns that identify a row to views."+name+".key, or group by the key in its sql"
	if sets := v.Plan.Root.Unique(); len(sets) > 0 {
		known := slices.MinFunc(sets, func(a, b []int) int { return len(a) - len(b) })
		mend = "key: " + columnList(columns, known) + "   # identifies a row; or group by the present key in the view's sql"
	}
	return pipeline.Found(pipeline.Warns, pipeline.Refusal{Code: codeViewKeyGuess, Where: c.Views[name].KeyAt(c),
		What: "nothing in the query proves that " + columnList(columns, v.Plan.Key) + " identifies a row of view " + name + ", which stops if two rows share it", Mend: mend})
}

// columnList writes columns as the file does.
func columnList(columns []schema.Column, of []int) string {
	names := make([]string, len(of))
	for i, c := range of {
		names[i] = columns[c].Name
	}
	return "[" + strings.Join(names, ", ") + "]"
}

// codeViewKeyGuess warns of a key that is not known to be one.
const codeViewKeyGuess pipeline.Code = "VIEW_KEY_UNPROVEN"
