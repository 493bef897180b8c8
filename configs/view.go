package configs

import (
	"strings"
	"time"

	"github.com/evertdb/evert/pipeline"
)

// A View is the result of a query, kept current.
type View struct {
	// The columns that key the view.
	Key []string `yaml:"key" format:"column" required:"true"`
	// Lists of columns that reads may filter and order by.
	Indexes [][]string `yaml:"indexes" format:"column"`
	// The query, in Postgres's dialect; tables are <source>.<schema>.<table>.
	SQL string `yaml:"sql" format:"text" required:"true"`
	// Under load an epoch follows at most this often.
	EpochInterval time.Duration `yaml:"epoch_interval" default:"50ms" min:"1ms" max:"10m"`
	// Partitions of the view's topic, when it is made; keys never move to others later.
	Partitions int `yaml:"partitions" default:"1" min:"1" max:"10000"`

	text text  // where SQL stands
	key  place // where Key does
}

// KeyAt gives where the view's key stands, as file:line:column of the file.
func (v *View) KeyAt(c *Config) string { return placeText(c.file, v.key) }

// Fault makes the error of something wrong with the view's SQL, as file:line:column
// of the file; line and column are those of the text, from 1.
func (v *View) Fault(c *Config, line, column int, code pipeline.Code, what, mend string) error {
	ps := &problems{file: c.file}
	ps.add(v.text.at(line, column), code, what, mend)
	return ps.err(v.text.page.excerpt)
}

// text is a value of several lines in a file.
type text struct {
	page   *page
	begins place // of the value: its first character, its quote, or the | or > of a block
	block  bool
}

// at gives the place in the file of a place in the text. In a folded block, or
// quotes over several lines, the line is that of the beginning: how the lines
// were joined is not known any more.
func (t *text) at(line, column int) place {
	if t.page == nil {
		return place{1, 1}
	}
	if !t.block {
		if line == 1 {
			return place{t.begins.line, t.begins.column + column - 1}
		}
		return t.begins
	}
	first := t.begins.line + 1
	return place{first + line - 1, t.indent(first) + column}
}

// indent is that of a block's lines: of its first one that is not empty.
func (t *text) indent(first int) int {
	for i := first; i <= len(t.page.lines); i++ {
		line := t.page.lines[i-1]
		if rest := strings.TrimLeft(line, " "); rest != "" {
			return len(line) - len(rest)
		}
	}
	return 0
}

// A Sink is an outside system that a table or view is delivered to. Exactly one
// of its kinds is set.
type Sink struct {
	// A view, or a table as <source>.<schema>.<table>.
	From string `yaml:"from" format:"text" required:"true"`
	// An OpenSearch index.
	OpenSearch *OpenSearch `yaml:"opensearch"`
	// An embedded full-text index, served over HTTP under the sink's name.
	Bleve *Bleve `yaml:"bleve"`
	// A table of a Postgres database.
	Postgres *PostgresSink `yaml:"postgres"`
	// What happens to a rejected document: the sink stops, or it goes to the dead-letter topic.
	OnReject string `yaml:"on_reject" enum:"stop,dead_letter" default:"stop"`
}

// OpenSearch is an index of an OpenSearch cluster.
type OpenSearch struct {
	// Its address, as https://host:port.
	URL Secret `yaml:"url" required:"true"`
	// The index, or the alias that is switched between versions of it.
	Index string `yaml:"index" format:"topic" required:"true"`
	// The user of basic authentication.
	Username string `yaml:"username" format:"text"`
	// The password of basic authentication.
	Password Secret `yaml:"password"`
	// TLS of an https address.
	TLS *TLS `yaml:"tls"`
	// Allows credentials over plain http, and a tls.mode weaker than verify-full, to a cluster that is not on this machine.
	Insecure bool `yaml:"insecure"`
}

// Bleve is an embedded full-text index.
type Bleve struct{}

// PostgresSink is a table that holds what a table topic or view holds.
type PostgresSink struct {
	// As for a source.
	URL Secret `yaml:"url" required:"true"`
	// The password, instead of one inside url; it needs no percent-encoding.
	Password Secret `yaml:"password"`
	// Allows an sslmode weaker than verify-full to a server that is not on this machine.
	Insecure bool `yaml:"insecure"`
	// The table, as schema.table.
	Table TablePattern `yaml:"table" required:"true"`
}
