package sql

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/evertdb/evert/pipeline/dataflow"
	"github.com/evertdb/evert/pipeline/scalar"
	"github.com/evertdb/evert/schema"
)

// shapes are queries whose plans are out of the ordinary; random ones are left to
// the suite of integration.
var shapes = []string{
	"SELECT count(*) AS n FROM (SELECT id + 1 AS x FROM shop.public.orders) AS q",
	"SELECT 1 AS one, count(*) AS n FROM (SELECT 'x' AS x FROM shop.public.orders WHERE FALSE) AS q",
	"SELECT o.id, c.name, l.line FROM shop.public.orders o, shop.public.customers c, shop.public.lines l WHERE l.order_id = o.id AND c.id = o.customer_id AND (l.qty > 1 OR c.vip)",
	"SELECT x.id, y.id AS yid, z.id AS zid FROM shop.public.orders x, shop.public.customers y, shop.public.orders z WHERE x.customer_id = z.customer_id AND z.id = y.id",
	"SELECT c.id, o.id AS oid, l.line FROM shop.public.lines l RIGHT JOIN shop.public.orders o ON o.id = l.order_id AND l.qty > 2 RIGHT JOIN shop.public.customers c ON c.id = o.customer_id WHERE c.id > 1 AND (o.id IS NULL OR o.total > 1)",
	"SELECT c.id, o.id AS oid FROM shop.public.customers c LEFT JOIN shop.public.orders o ON o.customer_id = c.id AND c.vip AND FALSE",
	"SELECT c.id, o.id AS oid FROM shop.public.customers c LEFT JOIN shop.public.orders o ON o.customer_id = c.id AND c.vip WHERE TRUE AND o.total IS DISTINCT FROM 2",
	"SELECT o.id, t.n, t.s FROM shop.public.orders o LEFT JOIN (SELECT count(*) AS n, sum(qty) AS s FROM shop.public.lines) AS t ON o.total > 1",
	"SELECT customer_id, vip, count(*) AS n FROM shop.public.orders o JOIN shop.public.customers c ON c.id = o.id GROUP BY customer_id, c.vip HAVING bool_and(c.vip) IS NOT FALSE AND customer_id < 4",
	"SELECT o.id, o.total, o.state, count(l.line) AS n, sum(l.price * l.qty) AS v FROM shop.public.orders o LEFT JOIN shop.public.lines l ON l.order_id = o.id GROUP BY o.id",
	"SELECT o.id, c.id AS cid, o.note, o.note ->> 'a' AS a, c.mail, count(l.line) AS n FROM shop.public.orders o LEFT JOIN shop.public.customers c ON c.id = o.customer_id LEFT JOIN shop.public.lines l ON l.order_id = o.id GROUP BY o.id, c.id HAVING o.note IS NOT NULL OR c.id > 2",
	"SELECT DISTINCT state, total > 2 AS big FROM shop.public.orders WHERE state <> 'x'",
	"SELECT q.s, count(*) AS n FROM (SELECT state AS s FROM shop.public.orders UNION ALL SELECT sku FROM shop.public.lines UNION ALL SELECT NULL FROM shop.public.customers) AS q GROUP BY q.s",
	"SELECT id FROM shop.public.orders WHERE id > 1 UNION SELECT order_id + 1 FROM shop.public.lines WHERE qty > 1",
	"WITH a AS (SELECT customer_id AS k, max(total) AS m FROM shop.public.orders GROUP BY customer_id), b (k, v) AS (SELECT k, m + 1 FROM a WHERE m > 0) SELECT a.k, a.m, b.v FROM a LEFT JOIN b ON a.k = b.k",
	"SELECT t.customer_id, t.spent, c.name FROM order_totals t JOIN shop.public.customers c ON c.id = t.customer_id WHERE t.customer_id > 1",
	"SELECT c.code, count(*) AS n, string_agg(l.sku COLLATE \"C\", '+' ORDER BY l.sku COLLATE \"C\" DESC, l.line) AS s FROM shop.public.lines l JOIN shop.public.customers c ON c.code = l.sku GROUP BY c.code",
	"SELECT mail COLLATE \"C\" AS mail, count(*) AS n FROM shop.public.customers GROUP BY mail COLLATE \"C\"",
	"SELECT DISTINCT mail COLLATE \"C\" AS mail, vip FROM shop.public.customers",
	"SELECT count(DISTINCT mail COLLATE \"C\") AS n, min(mail COLLATE \"C\") AS least FROM shop.public.customers",
	"SELECT a.id, b.id AS other FROM shop.public.customers a JOIN shop.public.customers b ON a.mail COLLATE \"C\" = b.mail COLLATE \"C\"",
	"SELECT c.id, c.mail COLLATE \"C\" AS mail, count(o.id) AS n FROM shop.public.customers c LEFT JOIN shop.public.orders o ON o.customer_id = c.id GROUP BY c.id, c.mail COLLATE \"C\"",
	"SELECT mood, count(*) AS n, min(mood) AS m, max(placed) AS p, count(DISTINCT state) AS d FROM shop.public.orders GROUP BY mood HAVING mood IS NULL OR mood >= 'ok'",
	"SELECT a.id, b.id AS other FROM shop.public.orders a JOIN shop.public.orders b ON a.customer_id = b.customer_id AND a.id < b.id AND a.total + b.total > 3",
	"SELECT o.id, CASE WHEN total > 2 THEN 'big' WHEN total IS NULL THEN NULL ELSE 'small' END AS size, o.state IN ('a', 'b') AS ab, o.customer_id NOT IN (1, NULL) AS n, o.total BETWEEN SYMMETRIC 3 AND 1 AS s FROM shop.public.orders o",
	"SELECT date_trunc('month', placed) AS m, extract(dow FROM placed) AS d, count(*) AS n FROM shop.public.orders GROUP BY 1, d",
	"SELECT id, array_agg(DISTINCT qty ORDER BY qty DESC)::text AS q, array_agg(sku ORDER BY line) FILTER (WHERE qty > 1) AS f FROM shop.public.orders JOIN shop.public.lines ON order_id = id GROUP BY id",
	"SELECT span, count(*) AS n FROM crm.public.people WHERE age > 0 GROUP BY span HAVING span > interval '1 hour'",
	"SELECT round(total, 2) AS t, count(*) AS n, round(total, 2)::text = '1.50' AS look FROM (SELECT price AS total FROM shop.public.lines UNION ALL SELECT total FROM shop.public.orders) AS q GROUP BY 1 HAVING round(total, 2) > 0.5",
}

// TestAnswersAgainstPostgres lets each view follow random changes of its tables,
// and compares with Postgres after each. R18 R19
func TestAnswersAgainstPostgres(t *testing.T) {
	steps := 4
	if os.Getenv("EVERT_FULL") != "" {
		steps = 60
	}
	conn, seed := arranged(t), rand.Uint64()
	if _, err := conn.Exec(t.Context(), "SET TimeZone = 'UTC'"); err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(seed, 0))
	var views []*followed
	for _, text := range shapes {
		v, err := follow(text)
		if err != nil {
			t.Fatalf("%s\n%v", text, err)
		}
		views = append(views, v)
	}
	rows := 0
	for range steps {
		disturb(t, conn, r)
		for _, v := range views {
			n, err := v.compare(t.Context(), conn)
			if err != nil {
				t.Fatalf("seed %d: %s\n%v\n%s", seed, v.text, err, explained(v.view.Plan))
			}
			rows += n
		}
	}
	if rows < 10*steps {
		t.Errorf("seed %d: only %d rows were compared", seed, rows)
	}
}

// A followed view keeps its own result.
type followed struct {
	text   string
	view   *View
	engine *dataflow.Engine
	state  *dataflow.Memory
	begun  bool
	had    []map[string]schema.Row // by input
	result map[string]string       // key → row
}

func follow(text string) (*followed, error) {
	v, err := Compile(text, shop(), Options{})
	if err != nil {
		return nil, err
	}
	e, err := dataflow.New(v.Plan, dataflow.Env{NewSorter: dataflow.NewMemorySorter, MaxGroup: 1 << 20})
	if err != nil {
		return nil, err
	}
	return &followed{text: text, view: v, engine: e, state: &dataflow.Memory{}, had: make([]map[string]schema.Row, len(v.Plan.Inputs)), result: map[string]string{}}, nil
}

func (f *followed) compare(ctx context.Context, conn *pgx.Conn) (int, error) {
	if err := f.epoch(ctx, conn); err != nil {
		return 0, err
	}
	var have []string
	for _, row := range f.result {
		have = append(have, row)
	}
	want, err := answer(ctx, conn, inDatabase(f.text), f.view.Columns)
	if err != nil {
		return 0, err
	}
	slices.Sort(have)
	slices.Sort(want)
	if !slices.Equal(have, want) {
		return 0, fmt.Errorf("here:\n%s\nthere:\n%s", strings.Join(have, "\n"), strings.Join(want, "\n"))
	}
	return len(want), nil
}

// epoch tells the engine how its tables have changed.
func (f *followed) epoch(ctx context.Context, conn *pgx.Conn) error {
	var r dataflow.Reader
	if f.begun {
		r = f.state
	}
	e, err := f.engine.Begin(r, f.state)
	if err != nil {
		return err
	}
	defer e.Close()
	for i := range f.view.Plan.Inputs {
		in := &f.view.Plan.Inputs[i]
		now, err := contents(ctx, conn, in)
		if err != nil {
			return err
		}
		for key, row := range f.had[i] {
			if _, there := now[key]; !there {
				err = e.Delete(i, chosen(row, in.Key))
			}
		}
		for _, row := range now {
			if err == nil {
				err = e.Upsert(i, row)
			}
		}
		if err != nil {
			return err
		}
		f.had[i] = now
	}
	if _, err := e.Finish(ctx, f.take); err != nil {
		return err
	}
	f.state.Apply()
	f.begun = true
	return nil
}

func (f *followed) take(c dataflow.Change) error {
	columns := f.view.Columns
	key := fmt.Sprint(texts(columnsAt(columns, f.view.Plan.Key), c.Key))
	switch {
	case (c.Old != nil) != (f.result[key] != ""):
		return fmt.Errorf("a change of %s says that there was a row: %t", key, c.Old != nil)
	case c.New == nil:
		delete(f.result, key)
	default:
		f.result[key] = strings.Join(texts(columns, c.New), " | ")
	}
	return nil
}

func columnsAt(columns []schema.Column, at []int) []schema.Column {
	var list []schema.Column
	for _, i := range at {
		list = append(list, columns[i])
	}
	return list
}

func chosen(row schema.Row, at []int) schema.Row {
	var list schema.Row
	for _, i := range at {
		list = append(list, row[i])
	}
	return list
}

func texts(columns []schema.Column, row schema.Row) []string {
	list := make([]string, len(row))
	for i, v := range row {
		if list[i] = "NULL"; !v.IsNull() {
			list[i] = string(columns[i].Type.AppendText(nil, v))
		}
	}
	return list
}

// contents are a table's rows, as far as the plan carries them, by their key.
func contents(ctx context.Context, conn *pgx.Conn, in *dataflow.Input) (map[string]schema.Row, error) {
	var columns []schema.Column
	var names []string
	for _, c := range in.Carry {
		columns = append(columns, in.Table.Columns[c])
		names = append(names, in.Table.Columns[c].Name)
	}
	raw, err := lines(ctx, conn, "SELECT "+strings.Join(names, ", ")+" FROM "+in.Table.Name, len(names))
	if err != nil {
		return nil, err
	}
	rows := map[string]schema.Row{}
	for _, line := range raw {
		row := make(schema.Row, len(line))
		for i, text := range line {
			if text == nil {
				continue
			}
			if row[i], err = scalar.Parse(&columns[i].Type, []byte(*text)); err != nil {
				return nil, err
			}
		}
		rows[fmt.Sprint(texts(columnsAt(columns, in.Key), chosen(row, in.Key)))] = row
	}
	return rows, nil
}

// lines gives the columns of a query as texts.
func lines(ctx context.Context, conn *pgx.Conn, query string, columns int) ([][]*string, error) {
	list := make([]string, columns)
	names := make([]string, columns)
	for i := range list {
		names[i] = fmt.Sprintf("c%d", i)
		list[i] = "CASE WHEN " + names[i] + " IS NOT NULL THEN format('%s', " + names[i] + ") END"
	}
	text := "SELECT " + strings.Join(list, ", ") + " FROM (" + query + ") AS q (" + strings.Join(names, ", ") + ")"
	rows, err := conn.Query(ctx, text)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) ([]*string, error) {
		line := make([]*string, columns)
		to := make([]any, columns)
		for i := range line {
			to[i] = &line[i]
		}
		return line, row.Scan(to...)
	})
}

// answer is what Postgres says.
func answer(ctx context.Context, conn *pgx.Conn, query string, columns []schema.Column) ([]string, error) {
	raw, err := lines(ctx, conn, query, len(columns))
	if err != nil {
		return nil, err
	}
	var out []string
	for _, line := range raw {
		text := make([]string, len(line))
		for i, v := range line {
			if text[i] = "NULL"; v != nil {
				text[i] = *v
			}
		}
		out = append(out, strings.Join(text, " | "))
	}
	return out, nil
}

// disturb changes some rows of all tables.
func disturb(t *testing.T, conn *pgx.Conn, r *rand.Rand) {
	maybe := func(text string) string {
		if r.IntN(4) == 0 {
			return "NULL"
		}
		return text
	}
	number := func(n int) string { return maybe(fmt.Sprint(r.IntN(n))) }
	word := func() string { return maybe("'" + []string{"a", "b", "x", "Ä", "", "a "}[r.IntN(6)] + "'") }
	decimal := func() string { return maybe(fmt.Sprintf("%d.%d", r.IntN(4), r.IntN(4)*25)) }
	day := func() string {
		return maybe(fmt.Sprintf("timestamp '2024-01-31 10:00' + interval '%d days'", r.IntN(60)))
	}
	for range 5 {
		for _, s := range []string{
			fmt.Sprintf("INSERT INTO customers VALUES (%d, %s, %s, %s, %s, 'm') ON CONFLICT (id) DO UPDATE SET (name, city, vip, code) = (excluded.name, excluded.city, excluded.vip, excluded.code)",
				r.IntN(6), word(), word(), maybe("true"), word()),
			fmt.Sprintf("INSERT INTO orders VALUES (%d, %s, %s, %s, %s, NULL, %s, %s) ON CONFLICT (id) DO UPDATE SET (customer_id, total, state, note, mood) = (excluded.customer_id, excluded.total, excluded.state, excluded.note, excluded.mood)",
				r.IntN(8), number(5), decimal(), word(), day(), maybe("jsonb_build_object('a', "+number(3)+")"), maybe("'"+[]string{"sad", "ok", "happy"}[r.IntN(3)]+"'")),
			fmt.Sprintf("INSERT INTO lines VALUES (%d, %d, %s, %s, %s, 1) ON CONFLICT (order_id, line) DO UPDATE SET (sku, qty, price) = (excluded.sku, excluded.qty, excluded.price)",
				r.IntN(8), r.IntN(3), word(), number(4), maybe(fmt.Sprintf("%d.5", r.IntN(3)))),
			fmt.Sprintf("INSERT INTO people VALUES (md5('%d')::uuid, %s, NULL, %s, %s) ON CONFLICT (id) DO UPDATE SET (age, span) = (excluded.age, excluded.span)",
				r.IntN(5), word(), number(4), maybe(fmt.Sprintf("interval '%d hours'", r.IntN(3)))),
			fmt.Sprintf("DELETE FROM %s WHERE %s = %d", []string{"orders", "customers", "lines"}[r.IntN(3)], "id", r.IntN(9)),
		} {
			s = strings.Replace(s, "FROM lines WHERE id", "FROM lines WHERE order_id", 1)
			if _, err := conn.Exec(t.Context(), s); err != nil {
				t.Fatalf("%s\n%v", s, err)
			}
		}
	}
}
