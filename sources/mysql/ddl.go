package mysql

import "strings"

// A statement is what a Query event of the log says, as far as capturing has to know.
//
// The log holds row changes as rows; as text it holds transactions' beginnings and
// ends, definitions of tables, and what a session wrote with binlog_format=STATEMENT.
type statement struct {
	kind   kindOf
	tables []TableName // that it names, in its order; an empty Database is the session's
	rest   string      // of an XA statement: the transaction's name
	why    string      // of a rewrite: what it does; of a CREATE: why the table may have rows that are not in the log

	added, dropped, modified []string // columns that an ALTER TABLE names; "*" stands for all
}

type kindOf uint8

// The kinds of statements.
const (
	stOther    kindOf = iota // it changes neither rows nor tables
	stBegin                  // BEGIN
	stCommit                 // COMMIT
	stRollback               // ROLLBACK of the whole transaction
	stPart                   // SAVEPOINT and what belongs to it
	stXA                     // XA START, XA END
	stXACommit               // XA COMMIT
	stXARoll                 // XA ROLLBACK
	stRows                   // it changes rows, whatever they are
	stCreate                 // CREATE TABLE
	stReplace                // CREATE OR REPLACE TABLE
	stAlter                  // ALTER TABLE that keeps the rows
	stRewrite                // ALTER TABLE that takes rows away or rewrites them (M08)
	stExchange               // ALTER TABLE that exchanges rows with the other tables that it names, or with files
	stRename                 // RENAME TABLE, ALTER TABLE … RENAME
	stDrop                   // DROP TABLE
	stDropAll                // DROP DATABASE
	stTruncate               // TRUNCATE
	stUnknown                // none of those that are known
)

// parseStatement reads a statement. It need not be whole: what follows the names of
// the tables is looked through for words alone.
func parseStatement(text string, ansiQuotes bool) statement {
	w := words{text: text, ansi: ansiQuotes}
	if w.peek() == "SET" {
		return w.set()
	}
	return w.statement()
}

// set reads SET, and what MariaDB runs with settings of its own, which it logs as it was
// written: SET STATEMENT … FOR statement.
func (w *words) set() statement {
	if w.next(); w.next() != "STATEMENT" {
		return statement{}
	}
	for depth, word := 0, w.next(); word != ""; word = w.next() {
		switch {
		case word == "(":
			depth++
		case word == ")":
			depth--
		case word == "FOR" && depth == 0 && w.peek() != "" && w.peek() != "SET":
			return w.statement()
		}
	}
	return statement{kind: stUnknown}
}

func (w *words) statement() statement {
	switch first := w.next(); first {
	case "BEGIN":
		return statement{kind: stBegin}
	case "START":
		return statement{kind: stBegin}
	case "COMMIT":
		return statement{kind: stCommit}
	case "ROLLBACK":
		if w.next() == "TO" {
			return statement{kind: stPart}
		}
		return statement{kind: stRollback}
	case "SAVEPOINT", "RELEASE":
		return statement{kind: stPart}
	case "XA":
		return w.xa()
	case "INSERT", "UPDATE", "DELETE", "REPLACE", "LOAD", "WITH", "CALL", "DO", "MERGE", "SELECT": // SELECT is that of a function which changes rows
		return statement{kind: stRows}
	case "CREATE":
		return w.create()
	case "ALTER":
		return w.alter()
	case "DROP":
		return w.drop()
	case "RENAME":
		return w.rename()
	case "TRUNCATE":
		w.skip("TABLE")
		return statement{kind: stTruncate, tables: w.names()}
	case "ANALYZE":
		if word := w.next(); word != "TABLE" && word != "TABLES" && word != "LOCAL" && word != "NO_WRITE_TO_BINLOG" {
			return statement{kind: stRows} // MariaDB runs the statement that it analyzes
		}
		return statement{}
	case "GRANT", "REVOKE", "OPTIMIZE", "REPAIR", "CHECK", "CHECKSUM", "FLUSH", "RESET", "INSTALL", "UNINSTALL", "KILL", "USE", "LOCK", "UNLOCK", "CHANGE", "CACHE", "":
		return statement{}
	}
	return statement{kind: stUnknown}
}

func (w *words) xa() statement {
	kind := map[string]kindOf{"START": stXA, "BEGIN": stXA, "END": stXA, "COMMIT": stXACommit, "ROLLBACK": stXARoll}[w.next()]
	rest := strings.TrimSpace(w.text[w.at:])
	return statement{kind: kind, rest: strings.TrimSuffix(rest, " ONE PHASE")}
}

// create reads CREATE [OR REPLACE] [TEMPORARY] TABLE.
func (w *words) create() statement {
	kind := stCreate
	for {
		switch word := w.next(); word {
		case "OR":
			if w.next() == "REPLACE" {
				kind = stReplace
			}
		case "TEMPORARY":
			return statement{} // its rows are never in the log
		case "TABLE":
			return w.createTable(kind)
		case "UNIQUE", "FULLTEXT", "SPATIAL", "INDEX", "VIEW", "TRIGGER", "PROCEDURE", "FUNCTION", "EVENT", "USER", "ROLE", "SERVER", "DATABASE", "SCHEMA", "TABLESPACE",
			"LOGFILE", "UNDO", "DEFINER", "AGGREGATE", "ALGORITHM", "SQL", "PACKAGE", "SEQUENCE", "SPECIFIC", "RESOURCE", "LIBRARY", "JSON", "":
			return statement{}
		default:
			return statement{kind: stUnknown}
		}
	}
}

// createTable reads what follows CREATE TABLE. With rows as rows the log never has a
// SELECT here, and a table that existed before may be one whose rows nobody knows.
func (w *words) createTable(kind kindOf) statement {
	s := statement{kind: kind}
	if w.exists() {
		s.why = "it may have existed before"
	}
	name, ok := w.name()
	if !ok {
		return statement{kind: stUnknown}
	}
	s.tables = []TableName{name}
	for word := w.next(); word != ""; word = w.next() {
		if word == "SELECT" {
			s.why = "its first rows are not in the log"
		}
	}
	return s
}

// drop reads DROP TABLE and DROP DATABASE.
func (w *words) drop() statement {
	switch word := w.next(); word {
	case "TABLE", "TABLES":
		w.exists()
		return statement{kind: stDrop, tables: w.names()}
	case "DATABASE", "SCHEMA":
		w.exists()
		name, _ := w.name()
		return statement{kind: stDropAll, tables: []TableName{{Database: name.Table}}}
	}
	return statement{}
}

// rename reads RENAME TABLE a TO b, c TO d as a, b, c, d.
func (w *words) rename() statement {
	if word := w.next(); word != "TABLE" && word != "TABLES" {
		return statement{}
	}
	w.exists()
	s := statement{kind: stRename}
	for {
		name, ok := w.name()
		if !ok {
			return s
		}
		s.tables = append(s.tables, name)
		for w.peek() == "WAIT" || w.peek() == "NOWAIT" || w.peek() == "TO" || w.peek() == "," || isDigits(w.peek()) {
			w.next()
		}
	}
}

func isDigits(s string) bool { return s != "" && strings.Trim(s, "0123456789") == "" }

// words takes a text apart: words in upper case, quoted names as they are, single
// characters. Comments are left out, but not those that a server obeys.
type words struct {
	text   string
	ansi   bool
	plain  bool // a backslash is one, as in our own sessions
	at     int
	quoted bool   // the last word was a quoted name
	raw    string // the last word as it stands, or what stood in quotes
}

func (w *words) next() string {
	w.space()
	w.quoted, w.raw = false, ""
	if w.at >= len(w.text) {
		return ""
	}
	switch c := w.text[w.at]; {
	case c == '`' || c == '"' && w.ansi:
		w.raw, w.quoted = w.until(c), true
		return "`" + w.raw // a name is no keyword
	case c == '\'' || c == '"':
		w.raw = w.until(c)
		return "'"
	case isWord(c):
		from := w.at
		for w.at < len(w.text) && isWord(w.text[w.at]) {
			w.at++
		}
		w.raw = w.text[from:w.at]
		return strings.ToUpper(w.raw)
	default:
		w.at++
		return string(c)
	}
}

func isWord(c byte) bool {
	return c == '_' || c == '$' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= 0x80
}

// until reads a quoted text; a doubled quote stands for one, and so does one behind a
// backslash in a text.
func (w *words) until(quote byte) string {
	var b strings.Builder
	for w.at++; w.at < len(w.text); w.at++ {
		c := w.text[w.at]
		switch {
		case c == '\\' && quote != '`' && !w.plain && w.at+1 < len(w.text):
			w.at++
			c = w.text[w.at]
		case c == quote && w.at+1 < len(w.text) && w.text[w.at+1] == quote:
			w.at++
		case c == quote:
			w.at++
			return b.String()
		}
		b.WriteByte(c)
	}
	return b.String()
}

// space skips what is no word. /*!40101 and /*M!100101 begin text that servers obey,
// and */ ends it.
func (w *words) space() {
	for w.at < len(w.text) {
		rest := w.text[w.at:]
		switch {
		case strings.HasPrefix(rest, "/*!"), strings.HasPrefix(rest, "/*M!"):
			w.at += strings.IndexByte(rest, '!') + 1
			for w.at < len(w.text) && w.text[w.at] >= '0' && w.text[w.at] <= '9' {
				w.at++
			}
		case strings.HasPrefix(rest, "/*"):
			w.skipTo("*/")
		case strings.HasPrefix(rest, "*/"):
			w.at += 2
		case strings.HasPrefix(rest, "#"), strings.HasPrefix(rest, "-- "), strings.HasPrefix(rest, "--\t"), strings.HasPrefix(rest, "--\n"):
			w.skipTo("\n")
		case rest[0] <= ' ' || rest[0] == ';':
			w.at++
		default:
			return
		}
	}
}

func (w *words) skipTo(end string) {
	i := strings.Index(w.text[w.at:], end)
	if i < 0 {
		w.at = len(w.text)
		return
	}
	w.at += i + len(end)
}

func (w *words) peek() string {
	at := w.at
	word := w.next()
	w.at = at
	return word
}

// skip takes the next word if it is this one.
func (w *words) skip(word string) {
	if w.peek() == word {
		w.next()
	}
}

// exists skips IF EXISTS and IF NOT EXISTS, and reports whether one of them is there.
func (w *words) exists() bool {
	if w.peek() != "IF" {
		return false
	}
	w.next()
	w.skip("NOT")
	w.skip("EXISTS")
	return true
}

// name reads [database.]table.
func (w *words) name() (TableName, bool) {
	first, ok := w.part()
	if !ok {
		return TableName{}, false
	}
	if w.at < len(w.text) && w.peek() == "." {
		w.next()
		second, ok := w.part()
		return TableName{first, second}, ok
	}
	return TableName{Table: first}, true
}

func (w *words) part() (string, bool) {
	word := w.next()
	return w.raw, w.quoted || word != "" && isWord(word[0])
}

// names reads names with commas between them.
func (w *words) names() (out []TableName) {
	for {
		name, ok := w.name()
		if !ok {
			return out
		}
		if out = append(out, name); w.peek() != "," {
			return out
		}
		w.next()
	}
}

// mentions reports whether a name stands anywhere in a statement; what stands between
// double quotes may be one.
func mentions(text string, is func(word string) bool) bool {
	w := words{text: text, ansi: true}
	for word := w.next(); word != ""; word = w.next() {
		if word != "'" && w.raw != "" && is(w.raw) {
			return true
		}
	}
	return false
}
