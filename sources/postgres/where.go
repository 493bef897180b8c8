package postgres

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/handover"
	"github.com/evertdb/evert/sources/postgres/pgsql"
)

// where gives the condition of a table that is to be copied.
func (c *Config) where(t pgsql.TableName) handover.Where {
	if c.Where == nil {
		return handover.Where{}
	}
	return c.Where(t.Schema, t.Name)
}

// chosenRows gives the conditions that a copy of the table is read with: that of the
// publication, and that of the configuration.
func (c *Config) chosenRows(t *tableInfo) (conds []string) {
	if t.filter != "" {
		conds = append(conds, "("+t.filter+")")
	}
	if w := c.where(t.TableName); w.SQL != "" {
		conds = append(conds, w.InBrackets())
	}
	return conds
}

// isAdded reports whether a table was named since the place was reached. A start refuses its
// condition; all other copies of a source that streams look at theirs when they begin, and
// what is wrong there stops that table and nothing else (I8).
func (s *Source) isAdded(t *tableInfo, was state) bool {
	_, named := s.config.wants(t.TableName)
	return named && !was.holdsAs(t) && !slices.ContainsFunc(s.stopped, func(st stop) bool { return st.name() == t.TableName })
}

// conditions gives what is wrong with those of tables.
func (s *Source) conditions(ctx context.Context, tables []*tableInfo, of func(*tableInfo) bool) []error {
	tables = slices.DeleteFunc(slices.Clone(tables), func(t *tableInfo) bool { return !of(t) })
	wrong, err := s.config.checkWhere(ctx, s.side, tables)
	if err != nil {
		wrong = append(wrong, err)
	}
	return wrong
}

// checkWhere refuses conditions that the server does not take, or that may choose other
// rows when a chunk is read again. It reads no rows.
func (c *Config) checkWhere(ctx context.Context, at *side, tables []*tableInfo) (refused []error, err error) {
	tables = slices.DeleteFunc(slices.Clone(tables), func(t *tableInfo) bool { return c.where(t.TableName).SQL == "" })
	if len(tables) == 0 {
		return nil, nil
	}
	p := &whereParser{catalog: at}
	conn, err := c.dial(ctx, false, func(conf *pgconn.Config) { conf.OnNotice = p.notice })
	if err != nil {
		return nil, err
	}
	defer closeConn(conn.PgConn)
	p.conn = conn.PgConn
	if _, err := pgsql.SimpleQuery(ctx, conn.PgConn, parseTreeSQL); err != nil {
		return nil, fmt.Errorf("have conditions parsed: %w", err)
	}
	for _, t := range tables {
		r, err := p.check(ctx, t, c.where(t.TableName))
		if err != nil {
			return nil, fmt.Errorf("have the condition of %s parsed: %w", t.TableName, err)
		}
		if r != nil {
			refused = append(refused, r)
		}
	}
	return refused, nil
}

// parseTreeSQL lets the server tell this session what it makes of a statement's text.
// Any user may set both.
const parseTreeSQL = "SET client_min_messages = log; SET debug_print_parse = on; SET debug_pretty_print = off"

// A whereParser has the server parse conditions.
type whereParser struct {
	conn    *pgconn.PgConn
	catalog *side
	tree    string // of the statement that was parsed last
}

func (p *whereParser) notice(_ *pgconn.PgConn, n *pgconn.Notice) {
	if n.Message == "parse tree:" {
		p.tree = strings.Join(strings.Fields(n.Detail), " ") // it comes in lines
	}
}

// check parses the condition alone and in brackets: what is a condition only one way
// would change the statement around it.
func (p *whereParser) check(ctx context.Context, t *tableInfo, w handover.Where) (*pipeline.Refusal, error) {
	head := "SELECT FROM ONLY " + t.SQL() + " WHERE "
	for _, form := range []struct{ before, text string }{{head, w.SQL}, {head + "(", w.SQL + "\n)"}} {
		_, err := p.conn.Prepare(ctx, "", form.before+form.text, nil)
		var pg *pgconn.PgError
		switch {
		case errors.As(err, &pg) && !slices.Contains([]string{"57", "08", "53", "55"}, pg.Code[:2]):
			return t.refuseWhere(w, int(pg.Position)-1-len([]rune(form.before)), "the server does not take it as a condition: "+pg.Message, "correct it: a condition of the table's columns, as behind WHERE, with qualified names of what is not in pg_catalog"), nil
		case err != nil:
			return nil, err
		}
	}
	why, err := p.unsteady(ctx)
	if why == "" || err != nil {
		return nil, err
	}
	return t.refuseWhere(w, 0, "it is not immutable: "+why+", so that a chunk that is read again may have other rows", "write what it comes to, such as timestamptz '2026-01-01 00:00+00'"), nil
}

// refuseWhere refuses a table for a character of its condition.
func (t *tableInfo) refuseWhere(w handover.Where, at int, what, mend string) *pipeline.Refusal {
	r := t.refuse(CodeWhere, what, mend)
	r.Where = w.Place(t.Schema+"."+t.Name, at)
	return r
}

// whereFailed gives the refusal of a condition that the server cannot evaluate for a row,
// such as one that divides by what is zero there, and every other error back: the next try
// would fail as well.
func (c *Config) whereFailed(t pgsql.TableName, err error) error {
	w := c.where(t)
	var pg *pgconn.PgError
	if w.SQL == "" || !errors.As(err, &pg) || !pgsql.AboutValue(pg) || slices.Contains(ofEncoding, pg.Code) {
		return err
	}
	info := &tableInfo{TableName: t}
	return info.refuseWhere(w, 0, "the server cannot evaluate it for a row (SQLSTATE "+pg.Code+")", "write it so that it has a value for every row, such as with CASE WHEN or NULLIF")
}

// ofEncoding are SQLSTATEs of class 22 that tell of a text that cannot be sent.
var ofEncoding = []string{"22021", "22P05"}

// What a parse tree says of an expression
// (https://github.com/postgres/postgres/blob/master/src/backend/nodes/outfuncs.c).
var (
	treeFunctions = regexp.MustCompile(`:(?:opfuncid|funcid|hashfuncid|negfuncid) (\d+)`)
	treeOperators = regexp.MustCompile(`:opnos? (?:\(o )?([\d ]+)`)
	treeTypes     = regexp.MustCompile(`:(?:vartype|consttype|resulttype|funcresulttype|opresulttype|array_typeid|element_typeid) (\d+)`)
)

// treeUnsteady are the nodes that are never immutable.
var treeUnsteady = []struct{ node, why string }{
	{"{SUBLINK ", "it reads other rows"},
	{"{SQLVALUEFUNCTION ", "it depends on who asks, or when"},
	{"{NEXTVALUEEXPR ", "it takes a number from a sequence"},
}

const unsteadySQL = `
SELECT min(format('function %s is %s', p.oid::regprocedure, CASE p.provolatile WHEN 's' THEN 'stable' ELSE 'volatile' END))
FROM pg_proc p WHERE p.provolatile <> 'i' AND (p.oid = ANY($1::oid[])
  OR p.oid IN (SELECT oprcode::oid FROM pg_operator WHERE oid = ANY($2::oid[]))
  OR p.oid IN (SELECT typoutput::oid FROM pg_type WHERE oid = ANY($3::oid[]))
  OR p.oid IN (SELECT typinput::oid FROM pg_type WHERE oid = ANY($4::oid[])))`

// unsteady says what of the condition that was parsed last is not immutable. A cast by
// text goes by the functions of both types.
func (p *whereParser) unsteady(ctx context.Context) (string, error) {
	for _, u := range treeUnsteady {
		if strings.Contains(p.tree, u.node) {
			return u.why, nil
		}
	}
	var from, to []string
	for _, node := range nodesOf(p.tree, "{COERCEVIAIO ") {
		arg, result := castTypes(node)
		from, to = append(from, arg...), append(to, result...)
	}
	rs, err := p.catalog.query(ctx, unsteadySQL, array(oids(treeFunctions, p.tree)), array(oids(treeOperators, p.tree)), array(from), array(to))
	if err != nil {
		return "", err
	}
	return rs.Text(0, 0), nil
}

func oids(of *regexp.Regexp, tree string) (out []string) {
	for _, m := range of.FindAllStringSubmatch(tree, -1) {
		out = append(out, strings.Fields(m[1])...)
	}
	return out
}

func array(oids []string) string { return "{" + strings.Join(oids, ",") + "}" }

// nodesOf gives the nodes of a tree that begin so, each to its closing brace. Braces of
// names and constants stand behind a backslash.
func nodesOf(tree, begin string) (out []string) {
	for at := strings.Index(tree, begin); at >= 0; {
		out = append(out, tree[at:at+closing(tree[at:])])
		next := strings.Index(tree[at+1:], begin)
		if next < 0 {
			break
		}
		at += 1 + next
	}
	return out
}

// closing gives the length of the node that a tree begins with.
func closing(tree string) int {
	depth := 0
	for i := 0; i < len(tree); i++ {
		switch tree[i] {
		case '\\':
			i++
		case '{':
			depth++
		case '}':
			if depth--; depth == 0 {
				return i + 1
			}
		}
	}
	return len(tree)
}

// castTypes gives the types that a cast by text leads from and to: the first of its
// argument, and its own, which comes behind that.
func castTypes(node string) (from, to []string) {
	inner := strings.IndexByte(node[1:], '{') + 1
	if inner == 0 {
		return nil, nil
	}
	end := inner + closing(node[inner:])
	first := func(part string) []string { return oids(treeTypes, part)[:min(1, len(oids(treeTypes, part)))] }
	return first(node[inner:end]), first(node[end:])
}
