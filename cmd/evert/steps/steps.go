package steps

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/evertdb/evert/configs"
	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/transform"
	"github.com/evertdb/evert/schema"
)

// OfSource makes what the changes of a source have to pass: first the masks of
// its overrides, then its transforms. Keys of masks are read now. It is nil if
// there is nothing to pass.
func OfSource(c *configs.Config, name string) (*transform.Chain, error) {
	s := c.Sources[name]
	specs, err := Specs(c, s.Transforms)
	if err != nil {
		return nil, err
	}
	if masks, ok := overrideMasks(c, s); ok {
		specs = append([]transform.Spec{masks}, specs...)
	}
	if len(specs) == 0 {
		return nil, nil
	}
	one := func(t *schema.Table) string { return "evert snapshot " + name + "." + t.String() }
	return transform.New(transform.Config{Specs: specs, Again: "evert reset " + name + " --resnapshot --yes", AgainOne: one}), nil
}

// Specs makes the steps of a list.
func Specs(c *configs.Config, list []configs.Transform) (specs []transform.Spec, err error) {
	for i := range list {
		step, err := transformStep(c, &list[i])
		if err != nil {
			return nil, err
		}
		specs = append(specs, transform.Spec{For: namedBy(list[i].Tables), Step: step})
	}
	return specs, nil
}

func namedBy(patterns []configs.TablePattern) func(schema, table string) bool {
	if len(patterns) == 0 {
		return nil
	}
	return func(schema, table string) bool { return configs.Captures(patterns, nil, schema, table) }
}

// transformStep says a step of the file in the words of package transform.
func transformStep(c *configs.Config, t *configs.Transform) (transform.Step, error) {
	switch {
	case !t.Filter.IsZero():
		return transform.Filter{Where: stepText(c, t.Filter)}, nil
	case t.Project != nil:
		return transform.Project{Items: stepTexts(c, t.Project)}, nil
	case t.Map != nil:
		return transform.Map{Columns: stepNames(c, t.Map)}, nil
	case t.Rename != nil:
		return transform.Rename{Columns: stepNames(c, t.Rename)}, nil
	case t.Mask != nil:
		return maskStep(c, t.Mask, func(string) bool { return false })
	case t.Rekey != nil:
		return transform.Rekey{Columns: stepTexts(c, t.Rekey)}, nil
	case t.Route != nil:
		return routeStep(c, t.Route), nil
	case t.Outbox != nil:
		return outboxStep(c, t), nil
	}
	return shapeStep(c, t)
}

// shapeStep says the steps that give rows another shape.
func shapeStep(c *configs.Config, t *configs.Transform) (transform.Step, error) {
	switch {
	case t.Flatten != nil:
		f := t.Flatten
		return transform.Flatten{Column: stepText(c, f.Column), Fields: stepTexts(c, f.Fields), Separator: f.Separator, Depth: f.Depth}, nil
	case t.Nest != nil:
		return transform.Nest{Into: stepText(c, t.Nest.Into), Columns: stepTexts(c, t.Nest.Columns)}, nil
	case t.Unnest != nil:
		u := t.Unnest
		return transform.Unnest{Column: stepText(c, u.Column), As: u.As, Ordinal: u.Ordinal, Most: u.MaxElements}, nil
	case t.DropUnchanged != nil:
		return transform.DropUnchanged{Columns: stepTexts(c, t.DropUnchanged.Columns)}, nil
	case t.Metadata != nil:
		return transform.Metadata{Columns: stepNames(c, t.Metadata.Columns), Headers: stepNames(c, t.Metadata.Headers)}, nil
	case t.Script != nil:
		s := t.Script
		return transform.Script{Code: stepText(c, s.Code), Columns: stepNames(c, s.Columns), Steps: s.MaxSteps, Bytes: int(s.MaxBytes)}, nil
	}
	return nil, errors.New("a step of transforms does nothing") // Load refuses it
}

// routeStep knows the tables that are named whole from the beginning.
func routeStep(c *configs.Config, r *configs.Route) transform.Route {
	step := transform.Route{To: stepText(c, r.To), Most: r.MaxTopics}
	for _, p := range r.Topics {
		schema, table, exact := p.Exact()
		if exact {
			step.Tables = append(step.Tables, transform.Name{Schema: schema, Table: table})
		} else {
			step.Allows = namedBy(r.Topics)
		}
	}
	return step
}

func outboxStep(c *configs.Config, t *configs.Transform) transform.Outbox {
	o := t.Outbox
	column := func(name string) transform.Text {
		at := stepText(c, t.At())
		at.Text = name
		return at
	}
	step := transform.Outbox{Where: column(""), ID: column(o.ID), Type: column(o.AggregateType), Aggregate: column(o.AggregateID), Event: column(o.Type), Payload: column(o.Payload),
		Tables: o.Topics, Most: o.MaxTopics, SkipUpdates: o.OnUpdate == "skip"}
	if len(o.Topics) == 0 {
		step.Allows = func(string, string) bool { return true }
	}
	return step
}

// overrideMasks is the step of the overrides' columns. A column of a pattern's
// override need not be in every table that matches.
func overrideMasks(c *configs.Config, s *configs.Source) (transform.Spec, bool) {
	columns := func(schema, table string) map[string]*configs.Column { return s.For(schema, table).Columns }
	any := false
	for _, o := range s.Overrides {
		any = any || len(o.Columns) > 0
	}
	return transform.Spec{
		For: func(schema, table string) bool { return len(columns(schema, table)) > 0 },
		Step: transform.StepFunc(func(t *schema.Table) (transform.Step, error) {
			return maskStep(c, columns(t.Schema, t.Name), func(column string) bool { return !s.NamesColumn(t.Schema, t.Name, column) })
		}),
	}, any
}

func maskStep(c *configs.Config, columns map[string]*configs.Column, lenient func(column string) bool) (transform.Step, error) {
	var m transform.Mask
	for _, name := range slices.Sorted(maps.Keys(columns)) {
		column := columns[name]
		masked := transform.Masked{Named: transform.Named{Name: name, Text: stepText(c, column.At())}, Way: maskWay(column), Keep: column.Keep, Lenient: lenient(name)}
		if masked.Way == transform.HMAC {
			key, err := column.Key.Reveal()
			if err != nil {
				return nil, fmt.Errorf("the key of mask %s: %w", name, err)
			}
			masked.Key = []byte(key)
		}
		m.Columns = append(m.Columns, masked)
	}
	return m, nil
}

// MaskKeys are the keys of masks, one behind the other: with another key, what was
// hidden looks otherwise. One that cannot be read is said at the start.
func MaskKeys(list []configs.Transform) (keys string) {
	for i := range list {
		for _, name := range slices.Sorted(maps.Keys(list[i].Mask)) {
			if key, err := list[i].Mask[name].Key.Reveal(); err == nil && key != "" {
				keys += "\x00" + key
			}
		}
	}
	return keys
}

func maskWay(c *configs.Column) transform.Way {
	switch {
	case c.Drop:
		return transform.Drop
	case c.Mask == configs.MaskHMAC:
		return transform.HMAC
	case c.Mask == configs.MaskNull:
		return transform.Nullify
	case c.Mask == configs.MaskPartial:
		return transform.Partial
	}
	return transform.Redact
}

func stepText(c *configs.Config, t configs.Text) transform.Text {
	return transform.Text{Text: t.Value, Where: t.Where(c), Fault: func(line, column int, code pipeline.Code, what, mend string) error {
		return t.Fault(c, line, column, code, what, mend)
	}}
}

func stepTexts(c *configs.Config, list []configs.Text) (out []transform.Text) {
	for _, t := range list {
		out = append(out, stepText(c, t))
	}
	return out
}

// stepNames are texts by name, in the order of the names.
func stepNames(c *configs.Config, of map[string]configs.Text) (out []transform.Named) {
	for _, name := range slices.Sorted(maps.Keys(of)) {
		out = append(out, transform.Named{Name: name, Text: stepText(c, of[name])})
	}
	return out
}

// Faults are the mistakes of transforms that need no table to be seen.
// Nothing starts with one.
func Faults(c *configs.Config) error {
	var all configs.Errors
	look := func(list []configs.Transform) {
		for i := range list {
			if step, err := transformStep(c, &list[i]); err == nil { // a key that cannot be read is said at the start
				all = append(all, configs.ErrorsOf(transform.Check(step))...)
			}
		}
	}
	for _, name := range c.SourceNames() {
		look(c.Sources[name].Transforms)
	}
	for _, name := range slices.Sorted(maps.Keys(c.Sinks)) {
		look(c.Sinks[name].Transforms)
	}
	if len(all) == 0 {
		return nil
	}
	return all.Sorted()
}

// Written gives what the tables of a source become before they are written.
// The error joins why some cannot.
func Written(c *configs.Config, source string, tables []*schema.Table) (out []*schema.Table, err error) {
	chain, err := OfSource(c, source)
	if err != nil || chain == nil {
		return tables, err
	}
	var all []error
	for _, t := range tables {
		become, err := chain.Tables(t)
		if err != nil {
			all = append(all, err)
		}
		out = append(out, become...)
	}
	return out, errors.Join(all...)
}

// Rereader gives what reads the row of a change again at the source, through the chain.
// aside, if the source has it, leaves values that are too large for memory where they
// are.
func Rereader(aside func(ctx context.Context, c *pipeline.Change) (schema.Row, error), reread func(ctx context.Context, t *schema.Table, key schema.Row) (schema.Row, error), chain *transform.Chain) func(context.Context, *pipeline.Change) (schema.Row, error) {
	if aside == nil {
		aside = func(ctx context.Context, c *pipeline.Change) (schema.Row, error) {
			return reread(ctx, c.Table, c.After)
		}
	}
	return func(ctx context.Context, c *pipeline.Change) (schema.Row, error) {
		if chain == nil {
			return aside(ctx, c)
		}
		return chain.Reread(ctx, aside, c)
	}
}
