package views

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/evertdb/evert/configs"
	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/log"
	"github.com/evertdb/evert/pipeline/sql"
	"github.com/evertdb/evert/pipeline/sql/syntax"
	"github.com/evertdb/evert/schema"
	"github.com/evertdb/evert/schema/avro"
	"github.com/evertdb/evert/schema/registry"
)

// CodeWaits: a table of the view is not captured yet; it passes.
const CodeWaits pipeline.Code = "VIEW_WAITS"

// A Plan is a view's query as it was compiled for the tables of a moment.
type Plan struct {
	*sql.View
	hash   string
	topics []string // of the plan's inputs
}

// NewCatalog knows the tables of found by their topics, and asks nobody for others.
func NewCatalog(ctx context.Context, c *configs.Config, found map[string]*schema.Table) *Catalog {
	return &Catalog{ctx: ctx, config: c, found: found}
}

// Compile compiles a view for the tables as the registry has them now.
func Compile(ctx context.Context, c *configs.Config, r registry.Registry, name string) (*Plan, error) {
	known := &Catalog{ctx: ctx, config: c, registry: r}
	return CompileOver(c, known, name)
}

// CompileOver compiles a view over a catalog. Its errors stand at their places in
// the file.
func CompileOver(c *configs.Config, known *Catalog, name string) (*Plan, error) {
	v := c.Views[name]
	known.missing = nil
	compiled, err := sql.Compile(v.SQL, known, sql.Options{Name: name, Key: v.Key, Indexes: v.Indexes})
	switch {
	case known.failed != nil:
		return nil, known.failed
	case len(known.missing) > 0:
		return nil, &pipeline.Refusal{Code: CodeWaits, Where: "view " + name, What: "table " + known.missing[0] + " is not captured yet, so that its columns are not known",
			Mend: "evert status   # how far the source is, and whether it captures the table"}
	case err != nil:
		return nil, placed(c, v, err)
	}
	p := &Plan{View: compiled, hash: hex.EncodeToString(compiled.Hash[:16])}
	for _, in := range compiled.Plan.Inputs {
		p.topics = append(p.topics, TableTopic(c, in.Source, in.Table.Schema, in.Table.Name))
	}
	return p, nil
}

// placed puts the errors of a query where they stand in the file.
func placed(c *configs.Config, v *configs.View, err error) error {
	var list syntax.Errors
	if !errors.As(err, &list) {
		return err
	}
	all := make([]error, len(list))
	for i, e := range list {
		all[i] = v.Fault(c, e.Line, e.Column, e.Code, e.What, e.Mend)
	}
	return errors.Join(all...)
}

// A Catalog is the tables that the registry has schemas of, and the views of
// the file.
type Catalog struct {
	ctx      context.Context
	config   *configs.Config
	registry registry.Registry // nil: found is all that there is
	missing  []string          // tables that a source would capture, and has not yet
	failed   error             // why the registry could not be asked
	found    map[string]*schema.Table
}

// fileNames are the names that the file alone allows.
type fileNames struct{ config *configs.Config }

// View implements sql.Names.
func (n fileNames) View(name string) (text string, ok bool) {
	v, ok := n.config.Views[name]
	if !ok {
		return "", false
	}
	return v.SQL, true
}

// Named implements sql.Names.
func (n fileNames) Named(source, schemaName, name string) error {
	s, ok := n.config.Sources[source]
	if !ok {
		return &sql.NoTable{What: "there is no source " + source, Mend: "write one of the file's sources: " + strings.Join(n.config.SourceNames(), ", ")}
	}
	section, tables, _ := s.Patterns()
	if s.Writes(schemaName, name) {
		return appendOnly(s, source, schemaName, name)
	}
	table, at := schema.QuotePart(schemaName)+"."+schema.QuotePart(name), "sources."+source+"."+section
	mend := "add " + table + " to " + at + ".tables"
	if configs.Captures(tables, nil, schemaName, name) {
		mend = "take what matches " + table + " out of " + at + ".exclude_tables"
	}
	return &sql.NoTable{What: "source " + source + " does not capture table " + table, Mend: mend}
}

// appendOnly refuses a table whose topic holds changes: rows that nobody changed for
// long are not there any more.
func appendOnly(s *configs.Source, source, schemaName, name string) error {
	if !s.IsAppendOnly(schemaName, name) {
		return nil
	}
	table := source + "." + schema.QuotePart(schemaName) + "." + schema.QuotePart(name)
	return &sql.NoTable{What: "table " + table + " is append-only: its topic holds changes for a time, and not its rows",
		Mend: "remove topic: {cleanup: delete} from the table's override, then evert reset " + source + " --yes; or leave it out of views"}
}

// View implements sql.Catalog.
func (k *Catalog) View(name string) (text string, ok bool) {
	return fileNames{k.config}.View(name)
}

// Table implements sql.Catalog.
func (k *Catalog) Table(source, schemaName, name string) (*schema.Table, error) {
	never := fileNames{k.config}.Named(source, schemaName, name)
	if s := k.config.Sources[source]; s == nil || appendOnly(s, source, schemaName, name) != nil {
		return nil, never
	}
	topic := TableTopic(k.config, source, schemaName, name)
	if t := k.found[topic]; t != nil {
		return t, nil
	}
	if k.registry == nil && never == nil {
		table := schema.QuotePart(schemaName) + "." + schema.QuotePart(name)
		return nil, &sql.NoTable{What: "source " + source + " has no table " + table + " that can be captured", Mend: "create the table, or correct its name"}
	}
	if k.registry == nil {
		return nil, never
	}
	t, err := k.read(topic)
	switch {
	case errors.Is(err, registry.ErrNotFound) && never != nil:
		return nil, never
	case errors.Is(err, registry.ErrNotFound):
		full := source + "." + schema.QuotePart(schemaName) + "." + schema.QuotePart(name)
		k.missing = append(k.missing, full)
		return nil, fmt.Errorf("table %s is not captured yet", full)
	case err != nil:
		k.failed = fmt.Errorf("look up the columns of %s: %w", topic, err)
		return nil, k.failed
	}
	if k.found == nil {
		k.found = map[string]*schema.Table{}
	}
	k.found[topic] = t
	return t, nil
}

// read rebuilds a table from the newest schemas of its topic.
func (k *Catalog) read(topic string) (*schema.Table, error) {
	_, value, err := k.registry.Latest(k.ctx, topic+"-value")
	if err != nil {
		return nil, err
	}
	_, key, err := k.registry.Latest(k.ctx, topic+"-key")
	if err != nil {
		return nil, err
	}
	codec, err := avro.ParseCodec(key, value)
	if err != nil {
		return nil, err
	}
	t := *codec.Table()
	t.Key = slices.Clone(t.Key)
	return &t, nil
}

// TableTopic names the topic of a table of a source.
func TableTopic(c *configs.Config, source, schemaName, name string) string {
	return log.TableTopic(c.Sources[source].TopicPrefix, schemaName, name)
}
