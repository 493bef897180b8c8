package tables

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/evertdb/evert/cmd/evert/commands"
	"github.com/evertdb/evert/cmd/evert/steps"
	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/control"
	"github.com/evertdb/evert/pipeline/log"
	"github.com/evertdb/evert/pipeline/transform"
	"github.com/evertdb/evert/schema"
)

// reach is where the rows of a table of the source go.
type reach struct {
	chain *transform.Chain                // of this table alone
	named []string                        // tables, in order
	also  func(schema, table string) bool // others that rows may name; nil: none
}

// learn takes down where the rows of a table go. What it reached in older versions stays.
func (t *Tables) learn(table *schema.Table) error {
	r := t.reaches[table.String()]
	if r == nil {
		chain, err := steps.OfSource(t.File, t.Source)
		if err != nil {
			return err
		}
		r = &reach{chain: chain}
		t.reaches[table.String()] = r
	}
	all, also, err := r.chain.Copied(table)
	r.named, r.also = nil, also
	for _, to := range all {
		r.named = append(r.named, to.String())
	}
	return err
}

// to gives the tables that rows of one go to, as far as they are known: those that the
// steps name, and of those that rows name the ones that were written.
func (t *Tables) to(name string) []string {
	r := t.reaches[name]
	switch {
	case t.tables[name] == nil:
		return nil
	case r == nil:
		return []string{name}
	case r.also == nil:
		return r.named
	}
	names := slices.Clone(r.named)
	for _, other := range slices.Sorted(maps.Keys(t.states)) {
		space, table, _ := strings.Cut(other, ".")
		if r.also(space, table) && !t.isNamed(other) {
			names = append(names, other)
		}
	}
	return names
}

// isNamed reports whether the steps of some table name this one.
func (t *Tables) isNamed(name string) bool {
	for _, r := range t.reaches {
		if slices.Contains(r.named, name) {
			return true
		}
	}
	return false
}

// written gives the states of the tables that the rows of one go to, as far as they
// are known.
func (t *Tables) written(name string) (states []log.TableState) {
	for _, to := range t.to(name) {
		if s, ok := t.states[to]; ok {
			states = append(states, s)
		}
	}
	return states
}

// isKnown reports whether it is known what became of a table: it is written, or it is
// one whose rows name their tables, and there were none yet.
func (t *Tables) isKnown(name string, written []log.TableState) bool {
	r := t.reaches[name]
	return len(written) > 0 || t.announced && r != nil && r.also != nil
}

// origins gives the tables of the source whose rows go to a table.
func (t *Tables) origins(name string) (origins []string) {
	for _, origin := range slices.Sorted(maps.Keys(t.tables)) {
		if slices.Contains(t.to(origin), name) {
			origins = append(origins, origin)
		}
	}
	return origins
}

// origin gives the table of the source whose rows alone go to a table: most often the
// same. Where no stage runs, or none knows its tables yet, the name is taken as it is:
// the one that does adopts the command.
func (t *Tables) origin(name string) (string, error) {
	if t == nil {
		return name, nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.tables[name] != nil || t.chain == nil || len(t.tables) == 0 {
		return name, nil
	}
	origins := t.origins(name)
	if len(origins) == 1 {
		return origins[0], nil
	}
	one := origins
	if len(one) == 0 {
		one = slices.Sorted(maps.Keys(t.tables))
	}
	return "", &pipeline.Refusal{Code: commands.CodeNoTable, Where: "source " + t.Source, What: "table " + name + " is made by transforms of several tables, or of none that is known",
		Mend: fmt.Sprintf("name a table of the database: one of %v", one)}
}

// adopt moves to a table what was commanded, while none knew its source's tables, by the
// name of one that its rows go to.
func (t *Tables) adopt(ctx context.Context, name string) error {
	for _, alias := range t.aliases(name) {
		held, _, _ := t.Control.Table(t.Source + "." + alias)
		if held.Paused == nil && held.Copy == nil {
			continue
		}
		if err := t.move(ctx, alias, name, held); err != nil {
			t.Log.Warn("what was commanded of a table cannot be read", "table", name, "error", err.Error())
			return err
		}
	}
	return nil
}

// aliases are the other names of a table: of what its rows alone become.
func (t *Tables) aliases(name string) (names []string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.chain == nil {
		return nil
	}
	for _, to := range t.to(name) {
		if t.tables[to] == nil && len(t.origins(to)) == 1 {
			names = append(names, to)
		}
	}
	return names
}

func (t *Tables) move(ctx context.Context, alias, name string, held control.Table) error {
	entry := control.Entry{Command: "snapshot", Table: t.Source + "." + name}
	if held.Copy != nil {
		entry.By = held.Copy.By
	}
	if held.Paused != nil {
		entry.Command, entry.By = "pause", held.Paused.By
	}
	_, err := control.ChangeTable(ctx, t.Control.Log, t.File.Name, entry, func(to *control.Table) error {
		if held.Paused != nil {
			to.Paused = held.Paused
		}
		if held.Copy != nil {
			to.Copy = held.Copy
		}
		return nil
	})
	if err != nil {
		return err
	}
	entry.Table = t.Source + "." + alias
	_, err = control.ChangeTable(ctx, t.Control.Log, t.File.Name, entry, func(to *control.Table) error {
		*to = control.Table{}
		return nil
	})
	if err != nil {
		return err
	}
	return t.Control.Look(ctx)
}
