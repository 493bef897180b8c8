package mysql

import (
	"slices"
	"strings"

	"github.com/evertdb/evert/schema"
)

// A clause is one of the changes of an ALTER TABLE: its words, without what stands in
// parentheses.
type clause []clauseWord

type clauseWord struct{ word, raw string }

// at is a word of the clause, or "".
func (c clause) at(i int) string {
	if i >= len(c) {
		return ""
	}
	return c[i].word
}

// from is the clause behind n words, and behind COLUMN and IF [NOT] EXISTS.
func (c clause) from(n int) clause {
	c = c[min(n, len(c)):]
	for slices.Contains([]string{"COLUMN", "IF", "NOT", "EXISTS"}, c.at(0)) {
		c = c[1:]
	}
	return c
}

// name is the name of a column that the clause begins with.
func (c clause) name() string {
	if len(c) == 0 {
		return ""
	}
	return c[0].raw
}

// table is the name of a table that the clause begins with.
func (c clause) table() TableName {
	if c.at(1) == "." && len(c) > 2 {
		return TableName{c[0].raw, c[2].raw}
	}
	return TableName{Table: c.name()}
}

// has reports whether a word stands in the clause.
func (c clause) has(words ...string) bool {
	return slices.ContainsFunc(c, func(w clauseWord) bool { return slices.Contains(words, w.word) })
}

// clauses takes the rest of an ALTER TABLE apart. ADD (a int, b int) is ADD a int, ADD b int.
func (w *words) clauses() (out []clause) {
	var c clause
	depth, base := 0, 0
	for word := w.next(); word != ""; word = w.next() {
		switch {
		case word == "(" && depth == base && c.at(0) == "ADD" && len(c.from(1)) == 0:
			depth, base = depth+1, base+1
		case word == "(":
			depth++
		case word == ")":
			depth--
			base = min(base, depth)
		case word == "," && depth == base:
			out, c = append(out, c), nil
			if base > 0 {
				c = clause{{word: "ADD"}}
			}
		case depth == base:
			c = append(c, clauseWord{word, w.raw})
		}
	}
	return append(out, c)
}

// alter reads ALTER [ONLINE] [IGNORE] TABLE and looks for what changes rows.
func (w *words) alter() statement {
	s := statement{kind: stAlter}
	for word := w.next(); word != "TABLE"; word = w.next() {
		switch word {
		case "IGNORE":
			s.rewrites(stRewrite, "ignore")
		case "ONLINE", "OFFLINE":
		default:
			return statement{} // of a user, a view, a database
		}
	}
	w.exists()
	name, ok := w.name()
	if !ok {
		return statement{kind: stUnknown}
	}
	for s.tables = []TableName{name}; w.peek() == "WAIT" || w.peek() == "NOWAIT" || isDigits(w.peek()); {
		w.next()
	}
	for _, c := range w.clauses() {
		s.clause(c)
	}
	return s
}

// rewrites notes that rows are changed without a word in the log.
func (s *statement) rewrites(kind kindOf, why string) {
	if s.why == "" {
		s.why = why
	}
	if s.kind != stRename && s.kind != stExchange { // a table that is renamed stops, or is copied
		s.kind = kind
	}
}

// clause takes one clause of an ALTER TABLE.
func (s *statement) clause(c clause) {
	switch c.at(0) {
	case "ADD":
		if !slices.Contains(noColumns, c.from(1).at(0)) {
			s.adds(c.from(1))
		}
	case "DROP":
		s.drops(c)
	case "ALTER":
		if !slices.Contains(noColumns, c.from(1).at(0)) {
			s.modified = append(s.modified, c.from(1).name())
		}
	case "MODIFY", "CHANGE":
		s.modifies(c)
	case "RENAME":
		s.renames(c)
	case "CONVERT":
		if c.at(1) == "TO" { // CONVERT TO CHARACTER SET
			s.modified = append(s.modified, "*")
		}
	}
	s.partitions(c)
	s.engine(c)
}

// engine looks for ENGINE [=] BLACKHOLE: the rows are gone from then on, and so is what
// changes them later, without a word in the log.
func (s *statement) engine(c clause) {
	for i, w := range c {
		behind := clause(c[i+1:])
		if behind.at(0) == "=" {
			behind = behind[1:]
		}
		if w.word == "ENGINE" && strings.EqualFold(behind.name(), "BLACKHOLE") {
			s.rewrites(stRewrite, "its engine became BLACKHOLE, which keeps no row")
		}
	}
}

// noColumns are the words behind ADD, ALTER and DROP with which no column is meant.
var noColumns = []string{"INDEX", "KEY", "UNIQUE", "FULLTEXT", "SPATIAL", "VECTOR", "PRIMARY", "CONSTRAINT", "FOREIGN", "CHECK", "PARTITION", "PERIOD", "SYSTEM", ""}

// adds reads a column that comes. What the server says of its default later may be what
// another ALTER has made of it.
func (s *statement) adds(column clause) {
	s.added = append(s.added, column.name())
	for i := range column {
		switch word := column.at(i); {
		case word == "DEFAULT" && column.at(i+1) != "NULL":
			s.rewrites(stRewrite, "a column came with a default, which earlier rows have")
		case i > 0 && (word == "AS" || word == "GENERATED"):
			s.rewrites(stRewrite, "a column came that is generated, in earlier rows too")
		}
	}
}

func (s *statement) drops(c clause) {
	switch {
	case c.at(1) == "SYSTEM" && c.at(2) == "VERSIONING":
		s.rewrites(stRewrite, "drop system versioning")
	case !slices.Contains(noColumns, c.from(1).at(0)):
		s.dropped = append(s.dropped, c.from(1).name())
	}
}

// modifies reads MODIFY column and CHANGE column column.
func (s *statement) modifies(c clause) {
	column := c.from(1)
	s.modified = append(s.modified, column.name())
	if c.at(0) == "CHANGE" && column.from(1).name() != column.name() {
		s.rewrites(stRewrite, "a column was renamed")
	}
	if column.has("AS", "GENERATED") {
		s.rewrites(stRewrite, "a column became generated")
	}
}

// renames reads RENAME COLUMN and RENAME [TO] table; of an index it says nothing.
func (s *statement) renames(c clause) {
	to := c[1:]
	switch to.at(0) {
	case "COLUMN":
		s.rewrites(stRewrite, "a column was renamed")
		return
	case "INDEX", "KEY", "":
		return
	case "TO", "AS", "=":
		to = to[1:]
	}
	s.kind, s.tables = stRename, append(s.tables, to.table())
}

// partitions looks for rows that go with a partition or a file, and for the table which
// they go to or come from.
//
//	EXCHANGE PARTITION p WITH TABLE b    CONVERT TABLE b TO PARTITION p    CONVERT PARTITION p TO TABLE b
func (s *statement) partitions(c clause) {
	for i := range c {
		verb, what := c.at(i), c.at(i+1)
		switch {
		case verb == "CONVERT" && what == "TABLE", (verb == "CONVERT" || verb == "EXCHANGE") && what == "PARTITION":
			s.rewrites(stExchange, strings.ToLower(verb+" "+what))
			if j := slices.IndexFunc(c, func(w clauseWord) bool { return w.word == "TABLE" }); j >= 0 {
				s.tables = append(s.tables, c[j+1:].table())
			}
			return
		case verb == "IMPORT" && (what == "TABLESPACE" || what == "PARTITION"):
			s.rewrites(stExchange, strings.ToLower(verb+" "+what))
		case (verb == "DROP" || verb == "TRUNCATE" || verb == "DISCARD") && (what == "TABLESPACE" || what == "PARTITION"):
			s.rewrites(stRewrite, strings.ToLower(verb+" "+what))
		}
	}
}

// alters notes which columns an ALTER TABLE names. It says why earlier rows may have been
// rewritten though the columns look in the end as if they followed, or "".
func (r *relation) alters(st statement) (why string) {
	for _, name := range st.dropped {
		if slices.ContainsFunc(r.shape.table.Columns, func(c schema.Column) bool { return strings.EqualFold(c.Name, name) }) {
			r.gone = append(r.gone, name)
		}
	}
	if one := common(st.added, r.gone); one != "" {
		return "column " + one + " was dropped and came again"
	}
	if one := common(append(st.added, st.modified...), r.touched); one != "" {
		return "column " + one + " was changed twice without a row between"
	}
	r.touched = slices.Concat(r.touched, st.added, st.modified)
	return ""
}

// common gives a name of a that is one of b too, or "". The name * is like any.
func common(a, b []string) string {
	for _, x := range a {
		for _, y := range b {
			if x == "*" || y == "*" || strings.EqualFold(x, y) {
				return x
			}
		}
	}
	return ""
}
