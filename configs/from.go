package configs

import "strings"

// A From names what a sink delivers: a view, a table, or several tables of one source.
// It is written as a word or as a list.
type From []string

// maxTables bounds the tables of one sink.
const maxTables = 1000

// String names all of it, for people.
func (f From) String() string { return strings.Join(f, ", ") }

// tableOf reads <source>.<schema>.<table>; ok is false if it is no such name, or a
// pattern.
func tableOf(name string) (source string, table TablePattern, ok bool) {
	source, rest, dotted := strings.Cut(name, ".")
	if !dotted {
		return "", table, false
	}
	table, err := ParseTable(rest)
	if err != nil {
		return "", table, false
	}
	_, _, exact := table.Exact()
	return source, table, exact
}

// checkFrom finds what a sink delivers among the views and tables of the file.
func (d *decoder) checkFrom(c *Config, name string, s *Sink, from string) {
	isView := c.Views[from] != nil
	if isView && !s.Several() || !d.wrote("sinks", name, "from") || from == "" {
		return
	}
	wrong := func(what, mend string) { d.add(d.at("sinks", name, "from"), badValue, what, mend) }
	known := "write a view of the file, or a table as <source>.<schema>.<table>"
	source, table, ok := tableOf(from)
	switch {
	case isView:
		wrong("view "+from+" stands in a list, and has cuts of its own", "write a sink for the view alone")
	case !ok && !strings.Contains(from, "."):
		wrong("there is no view "+from, known+among(sortedKeys(c.Views)))
	case !ok && strings.Contains(from, "*"):
		wrong(quoteName(from)+" is a pattern, and which tables a sink holds may not change by itself", "name each table: from: [<source>.<schema>.<table>, …]")
	case !ok:
		wrong(quoteName(from)+" is no table", known)
	case c.Sources[source] == nil:
		wrong("there is no source "+source, known+among(sortedKeys(c.Sources)))
	default:
		d.checkCaptured(c, source, table, wrong)
		s.checkAppended(c, source, table, wrong)
	}
}

// checkCaptured refuses a table that its source does not capture.
func (d *decoder) checkCaptured(c *Config, source string, table TablePattern, wrong func(what, mend string)) {
	section, tables, exclude := c.Sources[source].Patterns()
	if schema, name, _ := table.Exact(); !Captures(tables, exclude, schema, name) {
		wrong("source "+source+" does not capture table "+table.String(), "add "+table.String()+" to sources."+source+"."+section+".tables")
	}
}
