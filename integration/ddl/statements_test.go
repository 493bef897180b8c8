//go:build unix

package ddl

import (
	"fmt"
	"math/rand/v2"
	"strings"

	"github.com/jackc/pgx/v5"
)

// A kind of statement makes one for a table; "" if there is none that fits.
type kind struct {
	weight int
	make   func(g *generator, t *table) string
}

// rows are statements that change rows.
var rows = []kind{
	{40, insert}, {25, update}, {10, remove}, {5, moveKey}, {1, truncate}, {4, movePartition}, {3, insertMany},
}

// gentle is what earlier rows follow.
var gentle = []kind{
	{10, addColumn}, {8, dropColumn}, {3, widen}, {3, setDefault}, {2, identity}, {3, makePartition}, {3, attachEmpty}, {1, vacuumFull}, {2, index},
	{2, create},
}

// harsh is what they do not follow.
var harsh = []kind{
	{6, addDefault}, {3, addVolatile}, {4, addNotNull}, {4, renameColumn}, {5, retype}, {4, rewrite}, {3, renameTable}, {2, moveSchema},
	{3, dropTable}, {3, attachFilled}, {3, detach}, {2, dropPartition}, {2, truncatePartition}, {2, otherKey}, {1, identityNothing}, {2, publication},
	{2, replaceColumn}, {2, comesAgain},
}

func choose(rng *rand.Rand, kinds []kind) kind {
	total := 0
	for _, k := range kinds {
		total += k.weight
	}
	n := rng.IntN(total)
	for _, k := range kinds {
		if n -= k.weight; n < 0 {
			return k
		}
	}
	panic("unreachable")
}

func ident(name string) string { return pgx.Identifier{name}.Sanitize() }

// value is a constant of a type; now and then a long one, or NULL.
func (g *generator) value(typ string) string {
	n := g.rng.IntN(1000)
	switch {
	case n%9 == 0:
		return "NULL"
	case strings.HasPrefix(typ, "character varying"):
		return fmt.Sprintf("'v%d'", n)
	case typ == "text" && n%13 == 0:
		return fmt.Sprintf("(SELECT string_agg(md5((i + %d)::text), '') FROM generate_series(1, 120) i)", n)
	case typ == "text":
		return fmt.Sprintf("'text %d'", n)
	case typ == "boolean":
		return fmt.Sprint(n%2 == 0)
	}
	return fmt.Sprint(n)
}

var types = []string{"integer", "bigint", "text", "boolean", "character varying(20)", "smallint"}

func (g *generator) typ() string { return types[g.rng.IntN(len(types))] }

// fresh is a name that was never used.
func (g *generator) fresh(prefix string) string {
	g.names++
	return fmt.Sprintf("%s%d", prefix, g.names)
}

func (g *generator) id() int { return g.rng.IntN(200) }

// columnsOf gives the columns of a row and their values.
func (g *generator) row(t *table, id int) (names, values string) {
	var ns, vs []string
	for _, c := range t.columns {
		ns = append(ns, ident(c.name))
		switch c.name {
		case "id":
			vs = append(vs, fmt.Sprint(id))
		case "k":
			vs = append(vs, fmt.Sprint(id%20))
		default:
			v := g.value(c.typ)
			if v == "NULL" && g.rng.IntN(3) > 0 { // NOT NULL columns take rows as well
				v = g.value(c.typ)
			}
			vs = append(vs, v)
		}
	}
	return strings.Join(ns, ", "), strings.Join(vs, ", ")
}

func insert(g *generator, t *table) string {
	names, values := g.row(t, g.id())
	return "INSERT INTO " + t.sql() + " (" + names + ") VALUES (" + values + ") ON CONFLICT DO NOTHING"
}

func insertMany(g *generator, t *table) string {
	n := 500 + g.rng.IntN(1500)
	key := "i"
	if t.has("k") {
		return fmt.Sprintf("INSERT INTO %s (id, k, v) SELECT i, i %% 20, md5(i::text) FROM generate_series(1000, %d) i ON CONFLICT DO NOTHING", t.sql(), 1000+n)
	}
	return fmt.Sprintf("INSERT INTO %s (id, v) SELECT %s, md5(i::text) FROM generate_series(1000, %d) i ON CONFLICT DO NOTHING", t.sql(), key, 1000+n)
}

func (g *generator) some(t *table) string {
	return fmt.Sprintf(" WHERE id %% %d = %d", 2+g.rng.IntN(30), g.rng.IntN(3))
}

func update(g *generator, t *table) string {
	c := t.columns[g.rng.IntN(len(t.columns))]
	if c.name == "id" || c.name == "k" {
		return "UPDATE " + t.sql() + " SET v = v || '.'" + g.some(t)
	}
	return "UPDATE " + t.sql() + " SET " + ident(c.name) + " = " + g.value(c.typ) + g.some(t)
}

func remove(g *generator, t *table) string { return "DELETE FROM " + t.sql() + g.some(t) }

func moveKey(g *generator, t *table) string {
	return fmt.Sprintf("UPDATE %s SET id = id + 10000 WHERE id %% 50 = %d", t.sql(), g.rng.IntN(50))
}

func truncate(_ *generator, t *table) string { return "TRUNCATE " + t.sql() }

// movePartition moves rows to another partition (P23).
func movePartition(g *generator, t *table) string {
	if t.kind != "p" {
		return ""
	}
	return fmt.Sprintf("UPDATE %s SET k = (k + 10) %% 20 WHERE k < 20 AND id %% 7 = %d", t.sql(), g.rng.IntN(7))
}

func addColumn(g *generator, t *table) string {
	return "ALTER TABLE " + t.sql() + " ADD COLUMN " + g.fresh("c") + " " + g.typ()
}

// one gives one of the columns that may go; false if there is none.
func (g *generator) one(t *table) (column, bool) {
	free := t.free()
	if len(free) == 0 {
		return column{}, false
	}
	return free[g.rng.IntN(len(free))], true
}

func dropColumn(g *generator, t *table) string {
	c, ok := g.one(t)
	if !ok {
		return ""
	}
	return "ALTER TABLE " + t.sql() + " DROP COLUMN " + ident(c.name)
}

func replaceColumn(g *generator, t *table) string {
	c, ok := g.one(t)
	if !ok {
		return ""
	}
	return "ALTER TABLE " + t.sql() + " DROP COLUMN " + ident(c.name) + ", ADD COLUMN " + ident(c.name) + " " + g.typ()
}

// comesAgain lets rows come under a column that another one of its name replaces.
func comesAgain(g *generator, t *table) string {
	c, typ := ident(g.fresh("c")), g.typ()
	add := "ALTER TABLE " + t.sql() + " ADD COLUMN " + c + " " + typ
	return add + "; UPDATE " + t.sql() + " SET " + c + " = " + g.value(typ) + g.some(t) + "; ALTER TABLE " + t.sql() + " DROP COLUMN " + c + "; " + add
}

func widen(g *generator, t *table) string {
	for _, c := range t.free() {
		if strings.HasPrefix(c.typ, "character varying") {
			return fmt.Sprintf("ALTER TABLE %s ALTER COLUMN %s TYPE varchar(%d)", t.sql(), ident(c.name), 21+g.rng.IntN(100))
		}
	}
	return ""
}

func setDefault(g *generator, t *table) string {
	c, ok := g.one(t)
	if !ok {
		return ""
	}
	if g.rng.IntN(2) == 0 {
		return "ALTER TABLE " + t.sql() + " ALTER COLUMN " + ident(c.name) + " DROP DEFAULT"
	}
	return "ALTER TABLE " + t.sql() + " ALTER COLUMN " + ident(c.name) + " SET DEFAULT " + g.value(c.typ)
}

func identity(g *generator, t *table) string {
	return "ALTER TABLE " + t.sql() + " REPLICA IDENTITY " + []string{"FULL", "DEFAULT"}[g.rng.IntN(2)]
}

func identityNothing(_ *generator, t *table) string {
	return "ALTER TABLE " + t.sql() + " REPLICA IDENTITY NOTHING"
}

func vacuumFull(_ *generator, t *table) string {
	if t.kind == "p" {
		return ""
	}
	return "VACUUM FULL " + t.sql()
}

func index(g *generator, t *table) string {
	return "CREATE INDEX " + g.fresh("i") + " ON " + t.sql() + " (left(v, 100))"
}

// create makes a table under a name that another one may have had.
func create(g *generator, _ *table) string {
	return fmt.Sprintf("CREATE TABLE public.t%d (id int PRIMARY KEY, v text)", g.rng.IntN(g.tables))
}

// ranges of partitions: [from, from + 10).
func (g *generator) from() int { return 10 * g.rng.IntN(4) }

func makePartition(g *generator, t *table) string {
	if t.kind != "p" {
		return ""
	}
	from := g.from()
	return fmt.Sprintf("CREATE TABLE public.%s PARTITION OF %s FOR VALUES FROM (%d) TO (%d)", g.fresh("q"), t.sql(), from, from+10)
}

// attach makes a table and attaches it.
func (g *generator) attach(t *table, fill string) string {
	if t.kind != "p" {
		return ""
	}
	name, from := g.fresh("q"), g.from()
	fill = strings.NewReplacer("NAME", name, "FROM", fmt.Sprint(from)).Replace(fill)
	return fmt.Sprintf("CREATE TABLE public.%s (LIKE %s INCLUDING ALL); %sALTER TABLE %s ATTACH PARTITION public.%s FOR VALUES FROM (%d) TO (%d)",
		name, t.sql(), fill, t.sql(), name, from, from+10)
}

func attachEmpty(g *generator, t *table) string { return g.attach(t, "") }

func attachFilled(g *generator, t *table) string {
	return g.attach(t, "INSERT INTO public.NAME (id, k, v) SELECT i, FROM, 'attached' FROM generate_series(300, 310) i; ")
}

// partition gives one partition of a table.
func (g *generator) partition(t *table) (*table, bool) {
	var all []*table
	for _, p := range g.seen {
		if p.parent == t.name {
			all = append(all, p)
		}
	}
	if len(all) == 0 {
		return nil, false
	}
	return all[g.rng.IntN(len(all))], true
}

func detach(g *generator, t *table) string {
	p, ok := g.partition(t)
	if !ok {
		return ""
	}
	return "ALTER TABLE " + t.sql() + " DETACH PARTITION " + p.sql()
}

func dropPartition(g *generator, t *table) string {
	p, ok := g.partition(t)
	if !ok {
		return ""
	}
	return "DROP TABLE " + p.sql()
}

func truncatePartition(g *generator, t *table) string {
	p, ok := g.partition(t)
	if !ok {
		return ""
	}
	return "TRUNCATE ONLY " + p.sql()
}

func addDefault(g *generator, t *table) string {
	return "ALTER TABLE " + t.sql() + " ADD COLUMN " + g.fresh("c") + " int DEFAULT 42"
}

func addVolatile(g *generator, t *table) string {
	return "ALTER TABLE " + t.sql() + " ADD COLUMN " + g.fresh("c") + " int DEFAULT (random() * 1000)::int"
}

func addNotNull(g *generator, t *table) string {
	return "ALTER TABLE " + t.sql() + " ADD COLUMN " + g.fresh("c") + " text NOT NULL DEFAULT 'new'"
}

func renameColumn(g *generator, t *table) string {
	c, ok := g.one(t)
	if !ok {
		return ""
	}
	return "ALTER TABLE " + t.sql() + " RENAME COLUMN " + ident(c.name) + " TO " + g.fresh("c")
}

func retype(g *generator, t *table) string {
	c, ok := g.one(t)
	if !ok {
		return ""
	}
	return "ALTER TABLE " + t.sql() + " ALTER COLUMN " + ident(c.name) + " TYPE text USING " + ident(c.name) + "::text || '!'"
}

// rewrite changes values, and nothing that a row in the log would tell.
func rewrite(g *generator, t *table) string {
	return "ALTER TABLE " + t.sql() + " ALTER COLUMN v TYPE text USING upper(v)"
}

func renameTable(g *generator, t *table) string {
	return "ALTER TABLE " + t.sql() + " RENAME TO " + g.fresh("r")
}

func moveSchema(_ *generator, t *table) string {
	to := map[string]string{"public": "elsewhere", "elsewhere": "public"}[t.schema]
	return "ALTER TABLE " + t.sql() + " SET SCHEMA " + to
}

func dropTable(_ *generator, t *table) string { return "DROP TABLE " + t.sql() }

func otherKey(g *generator, t *table) string {
	if t.kind == "p" {
		return ""
	}
	return "ALTER TABLE " + t.sql() + " DROP CONSTRAINT " + ident(t.name+"_pkey") + ", ADD COLUMN " + g.fresh("c") + " bigserial, ADD PRIMARY KEY (id, " + fmt.Sprintf("c%d", g.names) + ")"
}

func publication(g *generator, t *table) string {
	return "ALTER PUBLICATION " + g.publication + " " + []string{"DROP", "ADD"}[g.rng.IntN(2)] + " TABLE " + t.sql()
}
