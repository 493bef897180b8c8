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
	// Under load an epoch follows at most this often; at once when a reader waits for what it has.
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
