package configs

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// A Sink is an outside system that a table or view is delivered to. Exactly one
// of its kinds is set.
type Sink struct {
	// A view, or a table as <source>.<schema>.<table>; or a list of tables of one source, which move from cut to cut together. Postgres, webhook, files and stdout take several.
	From From `yaml:"from" format:"text" required:"true"`
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

// Several reports whether the sink delivers more than one table.
func (s *Sink) Several() bool { return len(s.From) > 1 }

// Tables gives the tables that the sink delivers, and their source; ok is false if it
// delivers a view.
func (s *Sink) Tables() (source string, tables []TablePattern, ok bool) {
	for _, name := range s.From {
		from, table, ok := tableOf(name)
		if !ok {
			return "", nil, false
		}
		source, tables = from, append(tables, table)
	}
	return source, tables, len(tables) > 0
}

// checkSeveral refuses tables that cannot move together, and kinds that hold one.
func (d *decoder) checkSeveral(name string, s *Sink) {
	if !s.Several() {
		return
	}
	wrong := func(what, mend string) {
		d.add(d.at("sinks", name, "from"), conflict, "sinks."+name+".from: "+what, mend)
	}
	if len(s.From) > maxTables {
		wrong(fmt.Sprintf("%d tables, and a sink takes %d", len(s.From), maxTables), "write a second sink for some of them")
	}
	d.checkTwice(s, wrong)
	first, _, _ := tableOf(s.From[0])
	for _, from := range s.From[1:] {
		if source, _, ok := tableOf(from); ok && first != "" && source != first {
			wrong("tables of "+first+" and of "+source+" have no common order of transactions", "write a sink for each source")
		}
	}
	if s.OpenSearch != nil || s.Bleve != nil {
		wrong("an index holds the documents of one table", "write a sink for each table; or a view that joins them, and deliver that")
	}
}

// checkTwice refuses a table that stands twice in a list, in two ways to write it.
func (d *decoder) checkTwice(s *Sink, wrong func(what, mend string)) {
	named := map[string]bool{}
	for i, from := range s.From {
		source, table, ok := tableOf(from)
		one := source + "." + table.String()
		if ok && named[one] && !slices.Contains(s.From[:i], from) { // the same text twice is refused as in every list
			wrong("table "+one+" stands twice", "remove one of them")
		}
		named[one] = named[one] || ok
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
	for _, from := range s.From {
		d.checkFrom(c, name, s, from)
	}
	d.checkSeveral(name, s)
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
		d.checkPostgresSink(name, s)
	}
	if w := s.Webhook; w != nil {
		d.checkWebhook(c, name, w)
	}
	if f := s.Files; f != nil {
		d.checkFiles(name, f)
	}
}
