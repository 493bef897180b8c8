package mysql

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/go-mysql-org/go-mysql/mysql"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/handover"
)

// where gives the condition of a table that is to be copied.
func (c *Config) where(t TableName) handover.Where {
	if c.Where == nil {
		return handover.Where{}
	}
	return c.Where(t.Database, t.Table)
}

// chosenRows adds the condition of a table to others.
func (c *Config) chosenRows(t TableName, conds ...string) []string {
	if w := c.where(t); w.SQL != "" {
		conds = append(conds, w.InBrackets())
	}
	return conds
}

// copiesFirst reports whether a start copies a table before anything else is known of it:
// every one at the first start, later one that was named and never captured. All other
// copies look at their conditions when they begin, and what is wrong there stops that table
// and nothing else (I8).
func (s *Source) copiesFirst(t *tableInfo, was state) bool {
	_, named := s.config.wants(t.TableName)
	return !was.Copied || named && !was.knows(t.String())
}

// conditions gives what is wrong with those of chosen tables.
func (s *Source) conditions(ctx context.Context, side *session, of func(t *tableInfo) bool) (out []error) {
	for _, t := range s.facts.chosen {
		if !of(t) {
			continue
		}
		if err := s.config.checkWhere(ctx, side, t.TableName); err != nil {
			out = append(out, err)
		}
	}
	return out
}

// checkWhere refuses a condition that the server does not take, or that may choose other
// rows when a chunk is read again. The server reads no rows for it.
func (c *Config) checkWhere(ctx context.Context, s *session, t TableName) error {
	w := c.where(t)
	if w.SQL == "" {
		return nil
	}
	if word, why := unsteady(w.SQL); why != "" {
		return refuseWhere(t, w, word, "it may choose other rows when a chunk is read again: "+why, "write what it comes to, such as timestamp '2026-01-01 00:00:00'")
	}
	head := "SELECT 1 FROM " + t.sql() + " WHERE "
	for _, sql := range []string{head + w.SQL, head + w.InBrackets()} { // what is a condition only one way would change the statement around it
		if err := s.parses(ctx, t, w, sql); err != nil {
			return err
		}
	}
	return nil
}

// parses has the server prepare a statement with a condition, which it does not run.
func (s *session) parses(ctx context.Context, t TableName, w handover.Where, sql string) error {
	stop := context.AfterFunc(ctx, s.close)
	defer stop()
	stmt, err := s.conn.Prepare(sql)
	var said *mysql.MyError
	switch {
	case errors.As(err, &said) && aboutText(said):
		return notTaken(t, w, said.Message)
	case err != nil:
		return fmt.Errorf("have the condition of %s parsed: %w", t, plain(err))
	}
	defer stmt.Close()
	if stmt.ParamNum() > 0 {
		return refuseWhere(t, w, "?", "the server does not take it as a condition: ? stands for a value that nobody gives", takenWhere)
	}
	return nil
}

const takenWhere = "correct it: a condition of the table's columns, as behind WHERE"

func notTaken(t TableName, w handover.Where, said string) *pipeline.Refusal {
	return refuseWhere(t, w, quoted(said), "the server does not take it as a condition: "+strings.Join(strings.Fields(said), " "), takenWhere)
}

// aboutText reports whether an error is of a statement's text and of what it names, and not
// of the connection, or of the server, whose limits have SQLSTATEs of class 42 too.
func aboutText(said *mysql.MyError) bool {
	return strings.HasPrefix(said.State, "42") && !isDenied(said) && !isPassing(said) || strings.HasPrefix(said.State, "22") || said.Code == mysql.ER_CANT_AGGREGATE_2COLLATIONS
}

// quoted gives the first line of what a message quotes first: the word that is unknown, or
// the rest of a text behind an error.
func quoted(said string) string {
	_, rest, _ := strings.Cut(said, "'")
	line, _, _ := strings.Cut(rest, "\n")
	if i := strings.LastIndexByte(line, '\''); i >= 0 {
		if before, _, isName := strings.Cut(line, "' in "); isName {
			return before
		}
		line = line[:i]
	}
	return strings.TrimSuffix(line, ")")
}

// refuseWhere refuses a table for its condition, at a word of it.
func refuseWhere(t TableName, w handover.Where, word, what, mend string) *pipeline.Refusal {
	at := strings.Index(w.SQL, word)
	if word == "" {
		at = -1
	}
	if at > 0 {
		at = len([]rune(w.SQL[:at]))
	}
	return &pipeline.Refusal{Code: CodeWhere, Where: w.Place(t.String(), at), What: what, Mend: mend}
}

// whereFailed gives the refusal of a condition that the server cannot evaluate for a row, or
// that names a column which is gone, and every other error back: the next try would fail as
// well. The server's words may hold values of rows.
func (c *Config) whereFailed(t TableName, err error) error {
	w := c.where(t)
	var said *mysql.MyError
	var r *pipeline.Refusal
	switch {
	case w.SQL == "" || !errors.As(err, &said) || errors.As(err, &r):
		return err
	case said.Code == mysql.ER_BAD_FIELD_ERROR:
		return notTaken(t, w, said.Message)
	case strings.HasPrefix(said.State, "22") || isRegexp(said.Code):
		return refuseWhere(t, w, "", fmt.Sprintf("the server cannot evaluate it for a row (error %d)", said.Code), "write it so that it has a value for every row, such as with CASE WHEN or NULLIF")
	}
	return err
}

// isRegexp reports whether an error is of a regular expression: MariaDB has one number,
// MySQL a range of them.
func isRegexp(code uint16) bool { return code == 1139 || code >= 3684 && code <= 3702 }

// unsteady says which word of a condition makes it depend on more than the row, and why;
// empty if none does. A function is steady if it is known to be.
func unsteady(sql string) (word, why string) {
	w := words{text: sql, plain: true}
	for before, word := "", w.next(); word != ""; {
		name, raw := w.quoted, w.raw
		next := w.peek()
		switch {
		case word == "@":
			return "@", "it reads a variable"
		case next == "(" && (name || before == "."):
			return raw, "it calls function " + raw
		case name || before == "." || raw == "" || word == "'":
		case word == "TABLE" && before == "(":
			return raw, unsteadyWords["SELECT"]
		case unsteadyWords[word] != "":
			return raw, unsteadyWords[word]
		case word == "NEXT" && next == "VALUE", word == "PREVIOUS" && next == "VALUE":
			return raw, "it takes a number from a sequence"
		case next == "(" && !isSteady(word):
			return raw, "it calls function " + raw + ", which is none of those that are known to give the same always"
		case word == "UNIX_TIMESTAMP" && isNow(w):
			return raw, unsteadyWords["CURRENT_TIMESTAMP"]
		}
		before, word = word, w.next()
	}
	return "", ""
}

// isNow reports whether a function is called without an argument.
func isNow(w words) bool {
	w.next()
	return w.next() == ")"
}
