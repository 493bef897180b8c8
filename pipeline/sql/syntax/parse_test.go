package syntax

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

// accepted are texts that are read, each with a construct of its own.
var accepted = []string{
	"SELECT 1",
	"select a, b as c, d e from shop.public.t;",
	"SELECT t.*, u.a FROM s.p.t AS t JOIN v AS u ON u.id = t.id LEFT OUTER JOIN w USING (id, k)",
	"SELECT a FROM s.p.t RIGHT JOIN s.p.u ON t.x = u.x AND t.y > 1",
	"SELECT a FROM x, y, (SELECT b FROM z) AS q (b) WHERE x.id = y.id AND q.b = x.id",
	"WITH a AS (SELECT 1 AS x), b (y) AS MATERIALIZED (SELECT x FROM a) SELECT * FROM b",
	"SELECT a FROM x UNION ALL SELECT b FROM y UNION SELECT c FROM z",
	"SELECT a FROM x UNION ALL (SELECT b FROM y UNION SELECT c FROM z)",
	"(WITH q AS (SELECT 1) SELECT * FROM q) UNION ALL (SELECT 2)",
	"SELECT count(*), sum(DISTINCT x) FILTER (WHERE y), string_agg(n, ', ' ORDER BY n DESC NULLS LAST, k) FROM v GROUP BY a, 2, lower(b) HAVING count(*) > 1",
	"SELECT DISTINCT a FROM v WHERE NOT a = 1 OR b AND c IS NOT NULL",
	"SELECT -a ^ 2, - - 1, -1::int, 2 - -3, a - - b, @ -5 FROM v",
	"SELECT a BETWEEN 1 AND 2 AND b, a NOT BETWEEN SYMMETRIC b + 1 AND c FROM v",
	"SELECT a LIKE 'x%' ESCAPE '!', a NOT ILIKE b || '%', a IN (1, 2, 3), a NOT IN ('x') FROM v",
	"SELECT a = ANY (b), a <> ALL (ARRAY[1, 2]), a LIKE ANY (c), ARRAY[]::int[], ARRAY[[1, 2], [3, 4]] FROM v",
	"SELECT date '2020-01-01', timestamp(3) with time zone '2020-01-01', interval '1 day', numeric(5,2) '1.25', point '1,2', s.t 'x' FROM v",
	"SELECT a::numeric(10,2), CAST(a AS character varying(5)), a::double precision[], a::char, a::s.mood, a::float(10), a::time with time zone FROM v",
	"SELECT extract(epoch from a), extract('year' from a), position('a' in b), substring(a from 2 for 3), substring(a for 2), substring(a, 2), trim(a), trim(leading 'x' from a), trim(from a), trim(both from a, b), overlay(a placing 'x' from 2 for 1) FROM v",
	"SELECT coalesce(a, 1), nullif(a, b), greatest(a, b), least(a) FROM v",
	"SELECT a AT TIME ZONE 'UTC' AT TIME ZONE b, a COLLATE \"C\" < b, a COLLATE pg_catalog.\"de\" FROM v",
	"SELECT CASE a WHEN 1 THEN 'x' ELSE 'y' END, CASE WHEN a THEN 1 WHEN b THEN 2 END FROM v",
	"SELECT 'it''s', E'a\\tb\\\\\\u00e9\\x41\\101', $$dollar 'quoted'$$, $x$a $$ b$x$, 'two'\n  'parts', '\\' FROM v",
	"SELECT a -- a comment\n, /* and /* one */ inside */ b FROM v",
	"SELECT a[1][2], (f(x))[1], t.a[1], a->'b'->>'c', a#>>'{x,y}', a @> b FROM v",
	"SELECT a IS DISTINCT FROM b, a IS NOT DISTINCT FROM NULL, a IS TRUE, a IS NOT UNKNOWN, a ISNULL, b NOTNULL FROM v",
	"SELECT \"Quoted \"\" name\", \"select\", größe, a$1 FROM \"View\" AS \"t 1\"",
	"SELECT 1., .5, 1e10, 1.5E-3, 12345678901234567890 FROM v",
	"SELECT left(a, 1), s.f(b), now, t.left FROM v AS t",
	"SELECT a FROM ((x JOIN y ON x.a = y.a) JOIN z ON TRUE)",
	"SELECT a FROM (((SELECT 1) UNION ALL (SELECT 2))) AS q",
	"SELECT a FROM ((SELECT 1) AS p JOIN (SELECT 2) AS q ON TRUE)",
	"SELECT a FROM x JOIN y JOIN z ON y.a = z.a ON x.a = y.a",
	"SELECT a IS NULL IS NOT NULL, a + NOT b, NOT a IS NULL, a = b IS NULL FROM v",
	"SELECT a operator, b at FROM v",
	"SELECT extract(quarter FROM a), extract(second FROM a), extract(minute FROM a), extract(timezone_hour FROM a), extract(\"week\" FROM a) FROM v",
	"SELECT a!=b, a<-1, a@-1, a*-b FROM v",
}

func TestAcceptedAgainstPostgres(t *testing.T) {
	for _, text := range accepted {
		if _, err := Parse(text); err != nil {
			t.Errorf("%s\n%v", text, err)
		}
		if err := againstPostgres(text); err != nil {
			t.Error(err)
		}
	}
}

// refusals are texts with what is said about them: place, code and a word of the
// message or mend.
var refusals = []struct{ text, place, code, says string }{
	{"SELECT a FROM x ORDER BY a", "1:17", "SQL_UNSUPPORTED", "?order="},
	{"SELECT a FROM x LIMIT 1", "1:17", "SQL_UNSUPPORTED", "?limit="},
	{"SELECT a FROM x OFFSET 1 ROWS", "1:17", "SQL_UNSUPPORTED", "?cursor="},
	{"SELECT a FROM x FETCH FIRST ROW ONLY", "1:17", "SQL_UNSUPPORTED", "?limit="},
	{"SELECT a FROM x FOR UPDATE", "1:17", "SQL_UNSUPPORTED", "leave FOR out"},
	{"SELECT a\nFROM x\n  NATURAL JOIN y", "3:3", "SQL_UNSUPPORTED", "USING"},
	{"SELECT a FROM x FULL JOIN y ON x.a = y.a", "1:17", "SQL_UNSUPPORTED", "UNION ALL"},
	{"SELECT a FROM x CROSS JOIN y", "1:17", "SQL_UNSUPPORTED", "JOIN … ON"},
	{"SELECT a FROM x, LATERAL (SELECT 1) AS y", "1:18", "SQL_UNSUPPORTED", "GROUP BY"},
	{"WITH RECURSIVE r AS (SELECT 1) SELECT * FROM r", "1:6", "SQL_UNSUPPORTED", "without RECURSIVE"},
	{"WITH d AS (DELETE FROM x) SELECT 1", "1:12", "SQL_UNSUPPORTED", "SELECT"},
	{"SELECT DISTINCT ON (a) a, b FROM x", "1:8", "SQL_UNSUPPORTED", "min or max"},
	{"SELECT a FROM x INTERSECT SELECT b FROM y", "1:17", "SQL_UNSUPPORTED", "USING"},
	{"SELECT a FROM x EXCEPT SELECT b FROM y", "1:17", "SQL_UNSUPPORTED", "IS NULL"},
	{"VALUES (1)", "1:1", "SQL_UNSUPPORTED", "UNION ALL"},
	{"TABLE x", "1:1", "SQL_UNSUPPORTED", "SELECT * FROM"},
	{"SELECT a INTO y FROM x", "1:10", "SQL_UNSUPPORTED", "leave INTO out"},
	{"SELECT rank() OVER (PARTITION BY a ORDER BY (b)) FROM x", "1:15", "SQL_UNSUPPORTED", "GROUP BY"},
	{"SELECT sum(a) OVER w FROM x WINDOW w AS (ORDER BY b)", "1:15", "SQL_UNSUPPORTED", "window functions"},
	{"SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY a) FROM x", "1:29", "SQL_UNSUPPORTED", "WITHIN GROUP"},
	{"SELECT a FROM x WHERE EXISTS (SELECT 1 FROM y)", "1:23", "SQL_UNSUPPORTED", "DISTINCT"},
	{"SELECT a FROM x WHERE a IN (SELECT b FROM y)", "1:29", "SQL_UNSUPPORTED", "JOIN (SELECT DISTINCT"},
	{"SELECT a FROM x WHERE a NOT IN (SELECT b FROM y)", "1:33", "SQL_UNSUPPORTED", "LEFT JOIN"},
	{"SELECT a FROM x WHERE a = ANY (SELECT b FROM y)", "1:32", "SQL_UNSUPPORTED", "in FROM"},
	{"SELECT (SELECT max(b) FROM y) FROM x", "1:9", "SQL_UNSUPPORTED", "GROUP BY"},
	{"SELECT ARRAY(SELECT b FROM y) FROM x", "1:8", "SQL_UNSUPPORTED", "array_agg"},
	{"SELECT a FROM x WHERE (a, b) = (1, 2)", "1:23", "SQL_UNSUPPORTED", "column by column"},
	{"SELECT ROW(a, b) FROM x", "1:8", "SQL_UNSUPPORTED", "rows as values"},
	{"SELECT a FROM x WHERE a = $1", "1:27", "SQL_UNSUPPORTED", "the value itself"},
	{"SELECT f(a => 1) FROM x", "1:10", "SQL_UNSUPPORTED", "in their order"},
	{"SELECT f(VARIADIC a) FROM x", "1:10", "SQL_UNSUPPORTED", "one by one"},
	{"SELECT a SIMILAR TO 'x' FROM x", "1:10", "SQL_UNSUPPORTED", "LIKE"},
	{"SELECT (a, b) OVERLAPS (c, d) FROM x", "1:8", "SQL_UNSUPPORTED", "rows"},
	{"SELECT current_date, a FROM x", "1:8", "SQL_UNSUPPORTED", "store the moment"},
	{"SELECT CURRENT_TIMESTAMP FROM x", "1:8", "SQL_UNSUPPORTED", "cannot depend"},
	{"SELECT current_user FROM x", "1:8", "SQL_UNSUPPORTED", "who reads"},
	{"SELECT a AT LOCAL FROM x", "1:10", "SQL_UNSUPPORTED", "AT TIME ZONE"},
	{"SELECT a[1:2] FROM x", "1:11", "SQL_UNSUPPORTED", "slices"},
	{"SELECT (a).b FROM x", "1:11", "SQL_UNSUPPORTED", "composite"},
	{"SELECT count(t.*) FROM x t", "1:14", "SQL_UNSUPPORTED", "whole row"},
	{"SELECT a FROM generate_series(1, 2)", "1:15", "SQL_UNSUPPORTED", "functions in FROM"},
	{"SELECT a FROM x TABLESAMPLE system (1)", "1:17", "SQL_UNSUPPORTED", "chance"},
	{"SELECT a FROM ONLY x", "1:15", "SQL_UNSUPPORTED", "name the table"},
	{"SELECT a FROM public.x", "1:15", "SQL_UNSUPPORTED", "source.public.x"},
	{"SELECT a FROM (SELECT 1)", "1:15", "SQL_UNSUPPORTED", "AS name"},
	{"SELECT a FROM (x JOIN y ON TRUE) AS j", "1:15", "SQL_UNSUPPORTED", "tables in it"},
	{"SELECT a FROM x JOIN y USING (a) AS j", "1:34", "SQL_UNSUPPORTED", "leave it out"},
	{"SELECT a FROM x GROUP BY ROLLUP (a)", "1:26", "SQL_UNSUPPORTED", "UNION ALL"},
	{"SELECT a FROM x GROUP BY ()", "1:26", "SQL_UNSUPPORTED", "grouping sets"},
	{"SELECT interval '1' day FROM x", "1:21", "SQL_UNSUPPORTED", "interval '1 day'"},
	{"SELECT B'101' FROM x", "1:8", "SQL_UNSUPPORTED", "bit strings"},
	{"SELECT U&'\\0041' FROM x", "1:8", "SQL_UNSUPPORTED", "the characters themselves"},
	{"SELECT a::int[3] FROM x", "1:14", "SQL_UNSUPPORTED", "type[]"},
	{"SELECT json_object('a': 1) FROM x", "1:8", "SQL_UNSUPPORTED", "jsonb_build_object"},
	{"SELECT a OPERATOR(pg_catalog.+) b FROM x", "1:10", "SQL_UNSUPPORTED", "operator itself"},
	{"SELECT " + strings.Repeat("(", 300) + "1" + strings.Repeat(")", 300), "1:", "SQL_UNSUPPORTED", "nested too deeply"},
	{"SELECT 1" + strings.Repeat(" + 1", 3000), "1:", "SQL_UNSUPPORTED", "too many operators"},

	{"", "1:1", "SQL_SYNTAX", "write one SELECT"},
	{"CREATE VIEW v AS SELECT 1", "1:1", "SQL_SYNTAX", "write one SELECT"},
	{"SELECT a FROM x; SELECT b", "1:18", "SQL_SYNTAX", "syntax error"},
	{"SELECT a,\n  FROM x", "2:3", "SQL_SYNTAX", "FROM"},
	{"SELECT 'größe', a ä b FROM x", "1:21", "SQL_SYNTAX", "syntax error"},
	{"SELECT a < b < c FROM x", "1:14", "SQL_SYNTAX", "brackets"},
	{"SELECT a LIKE b LIKE c FROM x", "1:17", "SQL_SYNTAX", "brackets"},
	{"SELECT 'abc FROM x", "1:8", "SQL_SYNTAX", "no end"},
	{"SELECT a /* b FROM x", "1:10", "SQL_SYNTAX", "*/"},
	{"SELECT 12ab FROM x", "1:8", "SQL_SYNTAX", "number"},
	{"SELECT 0x1F FROM x", "1:8", "SQL_SYNTAX", "decimal digits"},
	{"SELECT " + strings.Repeat("a", 64) + " FROM x", "1:8", "SQL_SYNTAX", "63 bytes"},
	{"SELECT E'\\xff' FROM x", "1:9", "SQL_SYNTAX", "UTF-8"},
	{"SELECT a \\ b", "1:10", "SQL_SYNTAX", "stands for nothing"},
	{"SELECT a FROM x WHERE order = 1", "1:23", "SQL_SYNTAX", `"order"`},
	{"SELECT a FROM a.b.c.d", "1:15", "SQL_SYNTAX", "source.schema.table"},
	{"SELECT extract(zone FROM a) FROM x", "1:16", "SQL_SYNTAX", "YEAR"},
	{"SELECT \xff", "1:8", "SQL_SYNTAX", "UTF-8"},
}

func TestRefusals(t *testing.T) {
	for _, r := range refusals {
		_, err := Parse(r.text)
		var list Errors
		if !errors.As(err, &list) {
			t.Errorf("%.80s\naccepted, or another error: %v", r.text, err)
			continue
		}
		e := list[0]
		place := fmt.Sprintf("%d:%d", e.Line, e.Column)
		if !strings.HasPrefix(place, r.place) || string(e.Code) != r.code || !strings.Contains(e.What+"\n"+e.Mend, r.says) {
			t.Errorf("%.80s\nwant %s [%s] … %s …, have\n%v", r.text, r.place, r.code, r.says, e)
		}
	}
}

// What can be read on is read on: one check tells all refusals.
func TestAllRefusalsAtOnce(t *testing.T) {
	_, err := Parse("SELECT DISTINCT ON (a) a, (SELECT 1), sum(b) OVER ()\nFROM public.x\nORDER BY a LIMIT 3")
	var places []string
	var list Errors
	if errors.As(err, &list) {
		for _, e := range list {
			places = append(places, fmt.Sprintf("%d:%d", e.Line, e.Column))
		}
	}
	if got, want := strings.Join(places, " "), "1:8 1:28 1:46 2:6 3:1 3:12"; got != want {
		t.Errorf("places %s, want %s\n%v", got, want, err)
	}
}

func TestCanonicalText(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"select  A, \"B\" from  S.p.T where (((a)=1)) and(b)", `SELECT a, "B" FROM s.p.t WHERE a = 1 AND b`},
		{"select cast(a as decimal(5)), int '1', 'x'::VARCHAR(3)", "SELECT a::numeric(5), '1'::integer, 'x'::character varying(3)"},
		{"select (a+b)*c, a+(b*c), a-(b-c), (a-b)-c, (a or b) and c", "SELECT (a + b) * c, a + b * c, a - (b - c), a - b - c, (a OR b) AND c"},
		{"select not (a and b), (not a) and b, -(a), -(-1), (-1)::int, a between (b and c) and d", "SELECT NOT (a AND b), NOT a AND b, -a, - -1, (-1)::integer, a BETWEEN (b AND c) AND d"},
		{"select sum(a order by b asc) filter(where c) x from v inner join w on(true)", "SELECT sum(a ORDER BY b) FILTER (WHERE c) AS x FROM v JOIN w ON TRUE"},
		{`select E'\\', 'day' as day, "day", extract(YEAR from x)`, `SELECT E'\\', 'day' AS "day", "day", EXTRACT(YEAR FROM x)`},
	} {
		q, err := Parse(c.text)
		if err != nil {
			t.Errorf("%s\n%v", c.text, err)
			continue
		}
		if got := q.String(); got != c.want {
			t.Errorf("%s\ngot  %s\nwant %s", c.text, got, c.want)
		}
	}
}

func TestLongChainsAreQuick(t *testing.T) {
	q, err := Parse("SELECT 1" + strings.Repeat(" OR a", 990))
	if err != nil {
		t.Fatal(err)
	}
	if err := reparses(q.String()); err != nil {
		t.Error(err)
	}
}
