package checks

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"

	"github.com/evertdb/evert/cmd/evert/captures"
	"github.com/evertdb/evert/cmd/evert/cli"
	"github.com/evertdb/evert/cmd/evert/databases"
	"github.com/evertdb/evert/cmd/evert/exit"
	"github.com/evertdb/evert/cmd/evert/steps"
	"github.com/evertdb/evert/configs"
	"github.com/evertdb/evert/pipeline/log"
	"github.com/evertdb/evert/schema/avro"
)

func (a verbs) schemasVerb() *cobra.Command {
	c := &cobra.Command{
		Use:   "schemas",
		Short: "The Avro schemas of the captured tables",
		RunE:  func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	dir := ""
	export := &cobra.Command{
		Use:   "export",
		Short: "Write the subjects and schemas that the tables need",
		Long: `Write the subjects and schemas that the tables of the file need, as the databases have them
now: for those who look after a registry with registry.auto_register: false. No daemon, log
or registry is asked, and nothing is changed. Without --dir all is one JSON array of
subject, schemaType and schema; with it there is one file per subject.`,
		Args: cli.Strict(cobra.NoArgs),
		RunE: func(*cobra.Command, []string) error { return a.exportSchemas(dir) },
	}
	export.Flags().StringVar(&dir, "dir", "", "write a file SUBJECT.avsc for each subject into this directory")
	c.AddCommand(export)
	return c
}

// A subject is what is registered under one name.
type subject struct {
	Subject    string `json:"subject"`
	SchemaType string `json:"schemaType"`
	Schema     string `json:"schema"`
}

func (a verbs) exportSchemas(dir string) error {
	c, err := a.Load()
	if err != nil {
		return err
	}
	var all []subject
	for _, name := range slices.Sorted(maps.Keys(c.Sources)) {
		of, err := subjectsOfSource(a.Ctx, c, name)
		if err != nil {
			return exit.Environment(fmt.Errorf("source %s: %w", name, err))
		}
		all = append(all, of...)
	}
	if dir != "" {
		return a.writeSubjects(dir, all)
	}
	e := json.NewEncoder(a.Out)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(all)
}

// subjectsOfSource compiles the schemas as capture does.
func subjectsOfSource(ctx context.Context, c *configs.Config, name string) (all []subject, err error) {
	kind, database, err := databases.Open(databases.Place{Config: c, Name: name, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		return nil, err
	}
	t, ok := database.(databases.Tabled)
	if !ok {
		return nil, fmt.Errorf("a %s database cannot tell its tables without being captured", kind.Kind)
	}
	tables, err := t.Tables(ctx)
	if err != nil {
		return nil, err
	}
	if tables, err = steps.Written(c, name, tables); err != nil {
		return nil, err
	}
	source := c.Sources[name]
	for _, t := range tables {
		topic := log.TableTopic(source.TopicPrefix, t.Schema, t.Name)
		codec, err := avro.Compile(t, avro.Options{Topic: topic, Envelope: captures.Envelope(source.Envelope), Handling: captures.Handling(source.Handling), Connector: kind.Names,
			Version: cli.ThisBuild().Version, Name: source.TopicPrefix, Database: t.Database})
		if err != nil {
			return nil, fmt.Errorf("table %s: %w", t, err)
		}
		all = append(all, subject{topic + "-key", "AVRO", codec.KeySchema()}, subject{topic + "-value", "AVRO", codec.ValueSchema()})
	}
	return all, nil
}

// writeSubjects writes one file per subject, indented for people; a registry
// takes a schema for the same however it is spelled.
func (a verbs) writeSubjects(dir string, all []subject) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for _, s := range all {
		var text bytes.Buffer
		if err := json.Indent(&text, []byte(s.Schema), "", "  "); err != nil {
			return err
		}
		text.WriteByte('\n')
		if err := os.WriteFile(filepath.Join(dir, s.Subject+".avsc"), text.Bytes(), 0o644); err != nil {
			return err
		}
	}
	a.Say("%d schemas are in %s; register each under the name of its file", len(all), dir)
	return nil
}
