//go:build unix

package ddl

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"

	"github.com/jackc/pgx/v5"
)

// A generator makes a program, one transaction after the other, from what the
// catalog has. It is used by one goroutine.
type generator struct {
	rng         *rand.Rand
	conn        *pgx.Conn
	tables      int // that there were in the beginning
	harsh       int // percent of the statements that earlier rows do not follow
	publication string
	names       int // made so far
	seen        []*table
	history     []string // what was committed, in order
	failed      int
}

// setup makes the tables.
func (g *generator) setup(ctx context.Context) error {
	sql := `CREATE SCHEMA elsewhere; CREATE TABLE calm (id int PRIMARY KEY, v text);
		CREATE TABLE "Mixed" (id int PRIMARY KEY, v text, c1 text); CREATE TABLE mixed (id int PRIMARY KEY, v text, c1 int);`
	for i := range g.tables {
		sql += fmt.Sprintf("CREATE TABLE t%d (id int PRIMARY KEY, v text, c1 int, c2 varchar(20)); INSERT INTO t%d SELECT i, 'first', i FROM generate_series(1, 50) i;", i, i)
	}
	for i := range g.tables / 3 {
		sql += fmt.Sprintf(`CREATE TABLE p%d (id int NOT NULL, k int NOT NULL, v text, c1 int, PRIMARY KEY (k, id)) PARTITION BY RANGE (k);
			CREATE TABLE p%[1]d_a PARTITION OF p%[1]d FOR VALUES FROM (0) TO (10); CREATE TABLE p%[1]d_b PARTITION OF p%[1]d FOR VALUES FROM (10) TO (20);
			INSERT INTO p%[1]d SELECT i, i %% 20, 'first' FROM generate_series(1, 60) i;`, i)
	}
	_, err := g.conn.Exec(ctx, sql)
	g.names = 100
	return err
}

// step runs one transaction of the program. What fails is rolled back, as it would
// be elsewhere; the program goes on with what there is.
func (g *generator) step(ctx context.Context) (err error) {
	if g.seen, err = tablesOf(ctx, g.conn); err != nil {
		return err
	}
	whole := g.transaction()
	for sql := range strings.SplitSeq(whole, then) {
		if _, err := g.conn.Exec(ctx, sql); err != nil {
			g.failed++
			if g.conn.IsClosed() || ctx.Err() != nil {
				return err
			}
			_, err = g.conn.Exec(ctx, "ROLLBACK")
			return err
		}
	}
	g.history = append(g.history, whole)
	return nil
}

// then lies between what is sent by itself.
const then = "; -- then\n"

// transaction makes one, of one statement or several.
func (g *generator) transaction() string {
	calm := fmt.Sprintf("INSERT INTO calm VALUES (%d, 'calm %d') ON CONFLICT (id) DO UPDATE SET v = excluded.v", g.rng.IntN(100), g.rng.IntN(1000))
	var all []string
	for range 1 + g.rng.IntN(5) {
		sql := g.statement()
		if alone := strings.HasPrefix(sql, "VACUUM"); alone && len(all) == 0 {
			return sql
		} else if sql != "" && !alone {
			all = append(all, sql)
		}
	}
	switch n := g.rng.IntN(20); {
	case len(all) == 0:
		return calm
	case n == 0:
		return "BEGIN; SAVEPOINT a; " + strings.Join(all, "; ") + "; ROLLBACK TO a; " + calm + "; COMMIT"
	case n == 1:
		return "BEGIN; " + strings.Join(all, "; ") + "; ROLLBACK"
	case n < 4:
		name := g.fresh("prepared")
		return "BEGIN; " + calm + "; " + strings.Join(all, "; ") + "; PREPARE TRANSACTION '" + name + "'" + then + "COMMIT PREPARED '" + name + "'"
	case n < 6:
		return "BEGIN; SELECT pg_logical_emit_message(true, 'somebody', repeat('x', 2000)); " + strings.Join(all, "; ") + "; " + calm + "; COMMIT"
	}
	return "BEGIN; " + strings.Join(append(all, calm), "; ") + "; COMMIT"
}

// statement makes one for a table by chance; "" if none fits.
func (g *generator) statement() string {
	if len(g.seen) == 0 {
		return create(g, nil)
	}
	t := g.seen[g.rng.IntN(len(g.seen))]
	if t.parent != "" { // most often by its root's name
		for _, root := range g.seen {
			if root.name == t.parent && g.rng.IntN(4) > 0 {
				t = root
			}
		}
	}
	kinds := rows
	if t.parent == "" {
		switch n := g.rng.IntN(100); {
		case n < g.harsh:
			kinds = harsh
		case n < g.harsh+15:
			kinds = gentle
		}
	}
	for range 10 {
		if sql := choose(g.rng, kinds).make(g, t); sql != "" {
			return sql
		}
	}
	return ""
}
