package scalar

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/evertdb/evert/schema"
	"github.com/evertdb/evert/sources/postgres/pgserver/pgtest"
)

var pg pgtest.Shared

func TestMain(m *testing.M) { os.Exit(pg.Run(m)) }

// An oracle is Postgres, asked for many expressions at once.
type oracle struct {
	t       *testing.T
	conn    *pgx.Conn
	lenient bool // another version, which has more, or less: only two answers can differ
}

// try evaluates an expression and gives its type and output, or the state of its
// error.
const try = `
CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy');
CREATE FUNCTION try(expression text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE answer text;
BEGIN
	EXECUTE 'SELECT pg_typeof(v)::text || ''|'' || CASE WHEN v IS NOT DISTINCT FROM NULL THEN ''NULL'' ELSE format(''%s'', v) END FROM (SELECT '
		|| expression || ' AS v OFFSET 0) q' INTO answer;
	RETURN answer;
EXCEPTION WHEN OTHERS THEN RETURN 'ERROR ' || SQLSTATE || ' ' || SQLERRM;
END $$;
SET TimeZone = 'UTC'; SET DateStyle = 'ISO, MDY'; SET IntervalStyle = 'postgres'; SET bytea_output = 'hex'; SET extra_float_digits = 1`

func newOracle(t *testing.T) *oracle {
	conn, err := pgx.Connect(t.Context(), pg.Database(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	if _, err := conn.Exec(t.Context(), try); err != nil {
		t.Fatal(err)
	}
	var version int
	if err := conn.QueryRow(t.Context(), "SELECT current_setting('server_version_num')::int / 10000").Scan(&version); err != nil {
		t.Fatal(err)
	}
	return &oracle{t, conn, version != 15}
}

// ask gives the answers of expressions, in order.
func (o *oracle) ask(expressions []string) []string {
	rows, err := o.conn.Query(o.t.Context(), `SELECT try(e) FROM unnest($1::text[]) WITH ORDINALITY AS u(e, n) ORDER BY n`, expressions)
	if err != nil {
		o.t.Fatal(err)
	}
	answers, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		o.t.Fatal(err)
	}
	return answers
}

// A probe is one call with literal arguments.
type probe struct {
	name string
	args []argument
}

type argument struct {
	typ  schema.Type
	text string // "NULL" for NULL
}

// sql writes the call as Postgres reads it.
func (p *probe) sql() string {
	args := make([]string, len(p.args))
	for i, a := range p.args {
		args[i] = a.sql()
	}
	base, word, ok := quantified(p.name)
	switch {
	case ok:
		return fmt.Sprintf("(%s %s %s (%s))", args[0], base, word, args[1])
	case p.name == "[]":
		return fmt.Sprintf("((%s)[%s])", args[0], args[1])
	case p.name == "array":
		return "ARRAY[" + strings.Join(args, ", ") + "]"
	case p.name == "and" || p.name == "or" || strings.HasSuffix(p.name, "distinct from"):
		return "(" + strings.Join(args, " "+p.name+" ") + ")"
	case p.name == "not":
		return "(NOT " + args[0] + ")"
	case strings.HasPrefix(p.name, "is "):
		return "(" + args[0] + " " + p.name + ")"
	case slices.Contains([]string{"coalesce", "greatest", "least", "nullif"}, p.name):
		return p.name + "(" + strings.Join(args, ", ") + ")"
	case isOperator(p.name) && len(args) == 1:
		return "(" + p.name + " " + args[0] + ")"
	case isOperator(p.name):
		return "(" + strings.Join(args, " "+p.name+" ") + ")"
	}
	return `pg_catalog."` + p.name + `"(` + strings.Join(args, ", ") + ")"
}

func (a *argument) sql() string {
	name := a.typ.Name
	id := Identify(&a.typ)
	s := "NULL"
	if a.text != "NULL" {
		s = "'" + strings.ReplaceAll(a.text, "'", "''") + "'"
	}
	if id == Unknown {
		return s
	}
	s = "(" + s + "::" + name + ")"
	if isText(id.Elem()) {
		s = "(" + s + ` COLLATE "C")`
	}
	return s
}

// here evaluates the call by the catalogue.
func (p *probe) here() string {
	types, values := make([]schema.Type, len(p.args)), make([]schema.Value, len(p.args))
	for i, a := range p.args {
		v, err := a.value()
		if err != nil {
			return "ERROR " + stateOf(err)
		}
		types[i], values[i] = a.typ, v
	}
	f, err := Lookup(p.name, types)
	if err != nil {
		return "ERROR " + stateOf(err)
	}
	v, err := Call(&f, types, values)
	if err != nil {
		return "ERROR " + stateOf(err)
	}
	if v.IsNull() {
		return nameOf(&f.Result) + "|NULL"
	}
	return nameOf(&f.Result) + "|" + string(f.Result.AppendText(nil, v))
}

func nameOf(t *schema.Type) string {
	if t.Name == "bpchar" {
		return "character"
	}
	return typeName(t)
}

// Call casts arguments to what f wants and calls it.
func Call(f *Func, types []schema.Type, values []schema.Value) (schema.Value, error) {
	args := slices.Clone(values)
	for i := range args {
		c, err := Cast(types[i], f.Args[i], Implicit)
		if err != nil {
			return schema.Null(), err
		}
		if args[i], err = c.Eval(args[i : i+1]); err != nil {
			return schema.Null(), err
		}
	}
	return f.Eval(args)
}

func (a *argument) value() (schema.Value, error) {
	if a.text == "NULL" {
		return schema.Null(), nil
	}
	v := schema.Text([]byte(a.text))
	if Identify(&a.typ) == Unknown {
		return v, nil
	}
	c, err := Cast(Unknown.Type(), a.typ, Explicit)
	if err != nil {
		return v, err
	}
	return c.Eval([]schema.Value{v})
}

func stateOf(err error) string {
	switch e := err.(type) {
	case *Error:
		return e.State + " " + e.Text
	case *Refused:
		return "REFUSED " + e.Error()
	}
	return err.Error()
}

// agree reports whether two answers are the same; of errors, that both are.
func (o *oracle) agree(p *probe, there, here string) bool {
	if o.lenient && strings.HasPrefix(there, "ERROR") != strings.HasPrefix(here, "ERROR") {
		return true
	}
	if strings.HasPrefix(there, "ERROR") {
		return strings.HasPrefix(here, "ERROR")
	}
	return there == here || slices.Contains(stricter[p.name], strings.SplitN(here+"  ", " ", 3)[1])
}

// stricter lists errors of ours where some versions of Postgres wrap around, or
// look at an infinity before they look at the unit. Later ones raise them too.
var stricter = map[string][]string{
	"make_interval": {"22008"}, "age": {"22008"}, "-": {"22008"}, "::": {"22008"}, "#-": {"22004"}, "date_trunc": {"22023"},
}

// compareWith asks both and reports the first differences.
func (o *oracle) compareWith(probes []probe) {
	o.t.Helper()
	expressions := make([]string, len(probes))
	for i := range probes {
		expressions[i] = probes[i].sql()
	}
	answers := o.ask(expressions)
	wrong, refused := 0, 0
	for i := range probes {
		here := probes[i].here()
		if strings.HasPrefix(here, "ERROR 0A000") || strings.HasPrefix(here, "ERROR REFUSED") {
			refused++
			continue
		}
		if !o.agree(&probes[i], answers[i], here) {
			if wrong++; wrong <= 60 {
				o.t.Errorf("%s\n\tPostgres %.200s\n\there     %.200s", expressions[i], answers[i], here)
			}
		}
	}
	o.t.Logf("%d expressions, %d refused here, %d differ", len(probes), refused, wrong)
}

// TestCatalogueAgainstPostgres calls every function and operator of the catalogue
// with values at the edges of its types.
func TestCatalogueAgainstPostgres(t *testing.T) {
	perOverload := 12
	if os.Getenv("EVERT_FULL") != "" {
		perOverload = 300
	}
	if s := os.Getenv("EVERT_PROBES"); s != "" {
		perOverload, _ = strconv.Atoi(s)
	}
	seed := seedOf(t)
	rng := rand.New(rand.NewPCG(seed, 1))
	o := newOracle(t)
	only := os.Getenv("EVERT_ONLY")
	var probes []probe
	all := catalogue()
	for _, name := range sortedNames(all) {
		if only != "" && !slices.Contains(strings.Fields(only), name) {
			continue
		}
		for i := range all[name] {
			for range perOverload {
				probes = append(probes, drawProbe(rng, &all[name][i]))
			}
		}
	}
	for _, shape := range grammar() {
		for range 3 * perOverload {
			probes = append(probes, drawProbe(rng, &shape))
		}
	}
	o.compareWith(probes)
}

// grammar are calls that Lookup makes of other rows of the catalogue.
func grammar() []overload {
	var list []overload
	for _, name := range []string{"= any", "<> any", "< all", ">= any", "= all", "<> all"} {
		list = append(list, overload{name: name, args: []ID{Int8, Int4.Array()}}, overload{name: name, args: []ID{Numeric, Numeric.Array()}},
			overload{name: name, args: []ID{Text, Text.Array()}}, overload{name: name, args: []ID{Int4, Unknown}})
	}
	return append(list, overload{name: "~~ any", args: []ID{Text, Text.Array()}}, overload{name: "nullif", args: []ID{Int4, Int8}},
		overload{name: "nullif", args: []ID{Numeric, Float8}}, overload{name: "nullif", args: []ID{BPChar, Text}}, overload{name: "nullif", args: []ID{Text, Unknown}})
}

func seedOf(t *testing.T) uint64 {
	seed := rand.Uint64()
	if s := os.Getenv("EVERT_SEED"); s != "" {
		seed, _ = strconv.ParseUint(s, 10, 64)
	}
	t.Logf("EVERT_SEED=%d", seed)
	return seed
}

func sortedNames(all map[string][]overload) []string {
	var names []string
	for name := range all {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// drawProbe draws arguments for an overload.
func drawProbe(rng *rand.Rand, o *overload) probe {
	p := probe{name: o.name}
	pattern := o.args
	if o.rest != None {
		pattern, _ = o.arity(len(o.args) + rng.IntN(4))
	}
	element := drawScalar(rng)
	if p.name == "to_json" || p.name == "to_jsonb" {
		return probe{p.name, []argument{drawAny(rng)}}
	}
	for i, id := range pattern {
		t := concrete(rng, id, element)
		p.args = append(p.args, argument{t, drawText(rng, o.name, i, &t)})
	}
	return p
}

func drawAny(rng *rand.Rand) argument {
	t := drawScalar(rng)
	if rng.IntN(4) == 0 {
		t = ArrayOf(t)
	}
	return argument{t, drawText(rng, "", 0, &t)}
}

func drawScalar(rng *rand.Rand) schema.Type {
	ids := []ID{Bool, Int2, Int4, Int8, Float4, Float8, Numeric, Text, Bytea, Date, Time, Timestamp, Timestamptz, Interval, UUID, JSONB}
	return ids[rng.IntN(len(ids))].Type()
}

func concrete(rng *rand.Rand, id ID, element schema.Type) schema.Type {
	switch id {
	case anyElement, anyCompatible:
		return element
	case anyArray, anyCompatibleArray:
		return ArrayOf(element)
	case anyType, anyNonArray:
		return drawScalar(rng)
	case anyEnum:
		return moodType()
	}
	return id.Type()
}

func moodType() schema.Type {
	return schema.Type{Kind: schema.KindText, Name: "mood", Labels: []string{"sad", "ok", "happy"}, Precision: -1, Scale: -1}
}
