package inspect

import (
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/evertdb/evert/cmd/evert/databases"
	"github.com/evertdb/evert/cmd/evert/steps"
	"github.com/evertdb/evert/configs"
	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/schema"
)

// codeMaskUnused warns of a mask that hides nothing.
const codeMaskUnused pipeline.Code = "MASK_UNUSED"

// lookAtTransforms compiles what the changes of a source have to pass for the
// tables as the server has them, and notes what they become.
func (i *inspection) lookAtTransforms(ctx context.Context, name string, d databases.Database) {
	asked, ok := d.(databases.Tabled)
	chain, err := steps.OfSource(i.file, name)
	if err != nil {
		i.found = append(i.found, failures("source "+name, err)...)
	}
	if !ok || chain == nil {
		return
	}
	tables, err := asked.Tables(ctx)
	if err != nil {
		return // the source says so itself
	}
	i.tables[name] = nil
	faults := len(i.found)
	for _, t := range tables {
		become, err := chain.Tables(t)
		for _, r := range Refusals(err) {
			i.add(name, pipeline.Found(pipeline.Fails, pipeline.Refusal{Code: r.Code, Where: r.Where + ", table " + t.String(), What: r.What, Mend: r.Mend, Err: r.Err}))
		}
		for _, out := range become {
			i.tables[name] = append(i.tables[name], databases.TableName{Schema: out.Schema, Name: out.Name})
		}
	}
	i.lookForMasks(name, tables)
	if len(i.found) == faults {
		i.add(name, pipeline.Good("transforms", "every step fits the tables as they are"))
	}
}

// lookForMasks warns of columns of overrides that no table has: a name that is
// misspelt hides nothing.
func (i *inspection) lookForMasks(name string, tables []*schema.Table) {
	s := i.file.Sources[name]
	for _, p := range slices.SortedFunc(maps.Keys(s.Overrides), func(a, b configs.TablePattern) int { return strings.Compare(a.String(), b.String()) }) {
		for _, column := range slices.Sorted(maps.Keys(s.Overrides[p].Columns)) {
			hides := func(t *schema.Table) bool { return p.Match(t.Schema, t.Name) && t.Column(column) >= 0 }
			if slices.ContainsFunc(tables, hides) {
				continue
			}
			c := s.Overrides[p].Columns[column]
			i.add(name, pipeline.Found(pipeline.Warns, pipeline.Refusal{Code: codeMaskUnused, Where: c.At().Where(i.file),
				What: "no table that matches " + p.String() + " has a column " + column + ", so that nothing of it is hidden", Mend: "correct the column's name, or remove it from the override"}))
		}
	}
}
