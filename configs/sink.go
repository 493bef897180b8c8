package configs

import (
	"slices"
	"strings"
	"time"
)

// A Sink is an outside system that a table or view is delivered to. Exactly one
// of its kinds is set.
type Sink struct {
	// A view, or a table as <source>.<schema>.<table>.
	From string `yaml:"from" format:"text" required:"true"`
	// What rows have to pass before they are delivered, step by step.
	Transforms []Transform `yaml:"transforms"`
	// An OpenSearch or Elasticsearch index.
	OpenSearch *OpenSearch `yaml:"opensearch"`
	// An embedded full-text index, served over HTTP under the sink's name.
	Bleve *Bleve `yaml:"bleve"`
	// A table of a Postgres database.
	Postgres *PostgresSink `yaml:"postgres"`
	// An HTTP endpoint that is told of every change.
	Webhook *Webhook `yaml:"webhook"`
	// A folder of files.
	Files *Files `yaml:"files"`
	// The standard output.
	Stdout *Stdout `yaml:"stdout"`

	// What happens to a row that the system does not take: the sink stops, or it goes to the dead-letter topic and the sink goes on, and an earlier version of the row is taken out of a system that holds rows.
	OnReject string `yaml:"on_reject" enum:"stop,dead_letter" default:"stop"`
	// How long rejected and skipped rows are kept in the dead-letter topic.
	DeadLetterRetention time.Duration `yaml:"dead_letter_retention" default:"168h" min:"1h" max:"87600h"`
	// Rows that may lie in the dead-letter topic; one more stops the sink.
	MaxDeadLetters int `yaml:"max_dead_letters" default:"100000" min:"1" max:"1000000"`
	// Under load a commit follows at most this often; an idle sink commits at once.
	CommitInterval time.Duration `yaml:"commit_interval" default:"100ms" min:"1ms" max:"10m"`
	// Rows of one commit. A sink that keeps transactions whole commits a larger one at its end.
	MaxCommitRows int `yaml:"max_commit_rows" default:"10000" min:"1" max:"100000000"`
	// Bytes of one commit, likewise.
	MaxCommitBytes Size `yaml:"max_commit_bytes" default:"8MiB" min:"64KiB" max:"4GiB"`
	// The longest pause between two attempts to reach the system; the first ones are short.
	RetryMax time.Duration `yaml:"retry_max" default:"30s" min:"100ms" max:"1h"`
}

// sinkKinds are the keys that say which system a sink delivers to.
func sinkKinds() []string {
	return []string{"opensearch", "bleve", "postgres", "webhook", "files", "stdout"}
}

// HoldsRows reports whether the sink's system holds rows, rather than is told of
// changes.
func (s *Sink) HoldsRows() bool { return s.OpenSearch != nil || s.Bleve != nil || s.Postgres != nil }

// NeedsOldRows reports whether its transforms have to know what rows were.
func (s *Sink) NeedsOldRows() bool {
	return slices.ContainsFunc(s.Transforms, func(t Transform) bool { return t.NeedsOldRows() })
}

// Table gives the table that the sink delivers; ok is false if it is a view.
func (s *Sink) Table() (source, schema, table string, ok bool) {
	source, rest, dotted := strings.Cut(s.From, ".")
	if !dotted {
		return "", "", "", false
	}
	p, err := ParseTable(rest)
	if err != nil {
		return "", "", "", false
	}
	schema, table, exact := p.Exact()
	return source, schema, table, exact
}

// checkFrom finds what a sink delivers among the views and tables of the file.
func (d *decoder) checkFrom(c *Config, name string, s *Sink) {
	if c.Views[s.From] != nil || !d.wrote("sinks", name, "from") {
		return
	}
	wrong := func(what, mend string) { d.add(d.at("sinks", name, "from"), badValue, what, mend) }
	known := "write a view of the file, or a table as <source>.<schema>.<table>"
	source, schema, table, ok := s.Table()
	switch {
	case !ok && !strings.Contains(s.From, "."):
		wrong("there is no view "+s.From, known+among(sortedKeys(c.Views)))
	case !ok:
		wrong(quoteName(s.From)+" is no table", known)
	case c.Sources[source] == nil:
		wrong("there is no source "+source, known+among(sortedKeys(c.Sources)))
	default:
		section, tables, exclude := c.Sources[source].Patterns()
		if !Captures(tables, exclude, schema, table) {
			_, full, _ := strings.Cut(s.From, ".")
			wrong("source "+source+" does not capture table "+full, "add "+full+" to sources."+source+"."+section+".tables")
		}
	}
}

// among names what there is.
func among(known []string) string {
	if len(known) == 0 {
		return ""
	}
	return "; there are " + strings.Join(known, ", ")
}

func (d *decoder) checkSink(c *Config, name string, s *Sink) {
	d.checkFrom(c, name, s)
	d.checkTransforms(c, s.Transforms, "sinks", name, "transforms")
	kinds := sinkKinds()
	written := slices.DeleteFunc(slices.Clone(kinds), func(kind string) bool { return !d.wrote("sinks", name, kind) })
	if len(written) != 1 {
		last := len(kinds) - 1
		d.add(d.at("sinks", name), conflict, "sinks."+name+" must name exactly one of "+strings.Join(kinds[:last], ", ")+" and "+kinds[last], "name the one to deliver to")
	}
	if o := s.OpenSearch; o != nil {
		d.checkOpenSearch(c, name, o)
	}
	if p := s.Postgres; p != nil {
		d.checkURL(c, p.URL, p.Connect, p.Insecure, "sinks", name, "postgres")
		d.checkExact(p.Table, "sinks", name, "postgres", "table")
		d.checkExact(p.Positions, "sinks", name, "postgres", "positions")
	}
	if w := s.Webhook; w != nil {
		d.checkWebhook(c, name, w)
	}
	if f := s.Files; f != nil {
		d.checkFiles(name, f)
	}
}
