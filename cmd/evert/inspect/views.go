package inspect

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/evertdb/evert/cmd/evert/databases"
	"github.com/evertdb/evert/cmd/evert/exit"
	"github.com/evertdb/evert/cmd/evert/steps"
	"github.com/evertdb/evert/cmd/evert/views"
	"github.com/evertdb/evert/configs"
	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/sql"
	"github.com/evertdb/evert/schema"
	"github.com/evertdb/evert/schema/registry"
)

// ServersTables asks the servers for the tables that would be captured now.
func ServersTables(ctx context.Context, c *configs.Config) (*views.Catalog, error) {
	found := map[string]*schema.Table{}
	for _, name := range c.SourceNames() {
		_, database, err := open(c, name)
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
	if len(i.file.Views) == 0 {
		return
	}
	known, err := ServersTables(ctx, i.file)
	if err != nil {
		return // the source says so itself
	}
	for _, name := range slices.Sorted(maps.Keys(i.file.Views)) {
		p, err := views.CompileOver(i.file, known, name)
		if err != nil {
			i.found = append(i.found, failures("view "+name, err)...)
			continue
		}
		if !p.KeyKnown {
			i.add("", keyGuessed(i.file, name, p.View))
		}
		i.add("", pipeline.Good("view "+name, "its query holds for the tables as they are"))
	}
}

// Captured compiles every view for the tables as they were captured last. What is wrong then
// is a warning: the tables may have changed since, which only their servers know.
func Captured(ctx context.Context, c *configs.Config, r registry.Registry) (found []Finding) {
	warn := func(f pipeline.Finding) { found = append(found, FindingOf("", f)) }
	for _, name := range slices.Sorted(maps.Keys(c.Views)) {
		p, err := views.Compile(ctx, c, r, name)
		for _, r := range Refusals(err) {
			if r.Code == views.CodeWaits {
				continue // it says nothing of a table that was never captured
			}
			old := *r
			old.What, old.Mend = "as its tables were captured last, "+r.What, r.Mend+"; if a table has changed since: evert check --connect"
			warn(pipeline.Found(pipeline.Warns, old))
		}
		if err == nil && !p.KeyKnown {
			warn(keyGuessed(c, name, p.View))
		}
	}
	return found
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
