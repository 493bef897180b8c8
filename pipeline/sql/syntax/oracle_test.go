package syntax

import (
	"fmt"
	"math/rand/v2"
	"os"
	"regexp"
	"strings"
	"testing"

	pgquery "github.com/wasilibs/go-pgquery"
)

var placesInTree = regexp.MustCompile(`"(location|stmt_len|stmt_location|rexpr_list_start|rexpr_list_end)":-?\d+,?`)

// pgTree is the tree of Postgres's own parser, without positions; ASC is
// what no word means too.
func pgTree(text string) (string, error) {
	tree, err := pgquery.ParseToJSON(text)
	if err != nil {
		return "", err
	}
	tree = strings.ReplaceAll(tree, "SORTBY_ASC", "SORTBY_DEFAULT")
	return strings.ReplaceAll(placesInTree.ReplaceAllString(tree, ""), ",}", "}"), nil
}

// againstPostgres parses text and, if it is accepted, compares the structure
// with the one that Postgres sees: in the text as it is, in the canonical text,
// and in one with brackets around every operator of our tree.
func againstPostgres(text string) error {
	q, err := Parse(text)
	if err != nil {
		return nil
	}
	if len(text) > 2000 {
		return reparses(q.String()) // the tree of a long chain is too deep for the oracle's stack
	}
	want, err := pgTree(text)
	if err != nil {
		return fmt.Errorf("accepted, and Postgres says: %w\n%s", err, text)
	}
	full := printer{full: true}
	full.query(q)
	for _, again := range []string{q.String(), full.b.String()} {
		got, err := pgTree(again)
		if err != nil {
			return fmt.Errorf("Postgres does not read what was printed: %w\n%s\n%s", err, text, again)
		}
		if got != want {
			return fmt.Errorf("Postgres reads another structure\n%s\n%s\n%s\n%s", text, again, want, got)
		}
	}
	return reparses(q.String())
}

// reparses holds that canonical text is a fixed point.
func reparses(canonical string) error {
	again, err := Parse(canonical)
	if err != nil {
		return fmt.Errorf("the canonical text is refused: %w\n%s", err, canonical)
	}
	if s := again.String(); s != canonical {
		return fmt.Errorf("the canonical text is not a fixed point\n%s\n%s", canonical, s)
	}
	return nil
}

func FuzzParse(f *testing.F) {
	if _, err := pgTree("SELECT 1"); err != nil { // compiles the oracle, which takes longer than an input may
		f.Fatal(err)
	}
	for _, text := range accepted {
		f.Add(text)
	}
	for _, r := range refusals {
		f.Add(r.text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if err := againstPostgres(text); err != nil {
			t.Fatal(err)
		}
	})
}

// TestRandomTextAgainstPostgres writes texts of random tokens in roughly the
// order of the grammar; most are accepted, and every accepted one has the
// structure that Postgres sees.
func TestRandomTextAgainstPostgres(t *testing.T) {
	count := 2_000
	if os.Getenv("EVERT_FULL") != "" {
		count = 200_000
	}
	seed := rand.Uint64()
	g := generator{rand.New(rand.NewPCG(seed, 0))}
	taken := 0
	for range count {
		text := g.query(2)
		if _, err := Parse(text); err == nil {
			taken++
		}
		if err := againstPostgres(text); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
	}
	if taken < count/4 {
		t.Errorf("seed %d: only %d of %d texts were accepted", seed, taken, count)
	}
}

type generator struct{ *rand.Rand }

func (g generator) pick(list ...string) string { return list[g.IntN(len(list))] }

// maybe is text, once in n times.
func (g generator) maybe(n int, text func() string) string {
	if g.IntN(n) == 0 {
		return text()
	}
	return ""
}

func (g generator) query(depth int) string {
	s := "SELECT " + g.pick("", "", "DISTINCT ", "ALL ") + g.expr(depth) + g.pick("", " x", " AS day", ` AS "Ä"`, " month", ", t.*", ", *")
	s += " FROM " + g.from(depth)
	s += g.maybe(2, func() string { return " WHERE " + g.expr(depth+1) })
	s += g.maybe(4, func() string { return " GROUP BY 1, " + g.expr(1) })
	s += g.maybe(6, func() string { return " HAVING " + g.expr(1) })
	s += g.maybe(8, func() string { return g.pick(" UNION ALL ", " UNION ") + g.query(0) })
	return s
}

func (g generator) from(depth int) string {
	table := g.pick("a.b.c", "v", "a.b.c AS t", "v t (x, y)", `"V" "left"`)
	if depth == 0 {
		return table
	}
	switch g.IntN(6) {
	case 0:
		return "(" + g.query(0) + ") AS s"
	case 1:
		return g.from(depth-1) + g.pick(" JOIN ", " LEFT JOIN ", " RIGHT OUTER JOIN ") + g.from(depth-1) + g.pick(" USING (a, b)", " ON "+g.expr(1))
	case 2:
		return "(" + g.from(depth-1) + " JOIN " + g.from(depth-1) + " ON " + g.expr(1) + ")"
	case 3:
		return g.from(depth-1) + ", " + table
	}
	return table
}

func (g generator) expr(depth int) string {
	if depth <= 0 {
		return g.pick("a", "t.b", "1", "2.5", "'x'", "NULL", "TRUE", `"C"`, "a[1]", "count(*)", "E'\\n'", "-3", "(a)", "$$q$$", "date '2020-01-01'")
	}
	x := func() string { return g.expr(depth - 1 - g.IntN(2)) }
	switch g.IntN(24) {
	case 0:
		return "(" + x() + ")"
	case 1:
		return g.pick("NOT ", "- ", "+ ", "@ ", "~ ", "|/ ") + x()
	case 2:
		return x() + g.pick(" IS NULL", " IS NOT TRUE", " ISNULL", " NOTNULL", " IS UNKNOWN", " IS NOT FALSE")
	case 3:
		return x() + g.pick(" BETWEEN ", " NOT BETWEEN ", " BETWEEN SYMMETRIC ") + x() + " AND " + x()
	case 4:
		return x() + g.pick(" IN (", " NOT IN (") + x() + ", " + x() + ")"
	case 5:
		return x() + g.pick(" LIKE ", " NOT LIKE ", " ILIKE ", " NOT ILIKE ") + x() + g.maybe(3, func() string { return " ESCAPE " + x() })
	case 6:
		return x() + g.pick("::int", "::numeric(10, 2)", "::text[]", "::timestamp(3) with time zone", "::char", "::s.mood", "::varchar(3)", "::float(20)")
	case 7:
		return x() + " AT TIME ZONE " + x()
	case 8:
		return x() + g.pick(` COLLATE "C"`, ` COLLATE pg_catalog."de_DE"`)
	case 9:
		return g.call(x)
	case 10:
		return "CASE" + g.maybe(2, func() string { return " " + x() }) + " WHEN " + x() + " THEN " + x() + g.maybe(2, func() string { return " ELSE " + x() }) + " END"
	case 11:
		return x() + g.pick(" = ANY (", " <> ALL (", " < SOME (", " LIKE ANY (", " || ANY (") + x() + ")"
	case 12:
		return g.pick("ARRAY[", "greatest(", "coalesce(") + x() + ", " + x() + g.pick("]", ")", ")")
	case 13:
		return x() + g.pick(" IS DISTINCT FROM ", " IS NOT DISTINCT FROM ") + x()
	}
	return x() + g.pick(" + ", " - ", " * ", " / ", " % ", " ^ ", " || ", " -> ", " ->> ", " @> ", " = ", " <> ", " < ", " >= ", " != ", " AND ", " OR ", " AND ", " OR ", "-", " ~* ") + x()
}

func (g generator) call(x func() string) string {
	switch g.IntN(9) {
	case 0:
		return "extract(" + g.pick("year", "EPOCH", "'dow'") + " from " + x() + ")"
	case 1:
		return "substring(" + x() + g.pick(" from ", " for ", ", ") + x() + g.maybe(2, func() string { return " for " + x() }) + ")"
	case 2:
		return "position(" + x() + " in " + x() + ")"
	case 3:
		return "trim(" + g.pick("", "both ", "leading ", "trailing ") + g.maybe(2, x) + g.pick(" from ", "") + x() + ")"
	case 4:
		return "overlay(" + x() + " placing " + x() + " from " + x() + g.maybe(2, func() string { return " for " + x() }) + ")"
	case 5:
		return g.pick("string_agg", "array_agg", "s.f") + "(" + g.pick("", "DISTINCT ", "ALL ") + x() + ", " + x() + " ORDER BY " + x() + g.pick("", " DESC", " ASC NULLS FIRST") + ")" + g.maybe(2, func() string { return " FILTER (WHERE " + x() + ")" })
	case 6:
		return "nullif(" + x() + ", " + x() + ")"
	case 7:
		return "CAST(" + x() + " AS " + g.pick("double precision", "interval(3)", "bool", "time without time zone", "dec", `"My Type"`) + ")"
	}
	return g.pick("lower", "left", "now", "date_trunc") + "(" + x() + ")"
}
