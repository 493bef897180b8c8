package transform_test

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/scalar"
	"github.com/evertdb/evert/pipeline/transform"
	"github.com/evertdb/evert/schema"
)

// crowd is people with a list and an object: id name city age bio tags address.
func crowd() *schema.Table {
	t := people()
	for _, c := range []schema.Column{{Name: "tags", Type: scalar.ArrayOf(scalar.Text.Type())}, {Name: "address", Type: scalar.JSONB.Type()}} {
		c.Nullable = true
		t.Columns = append(t.Columns, c)
	}
	return t
}

// A history is a table whose rows change at random, as a server would tell of it:
// with whole old rows, or with the key alone.
type history struct {
	rng  *rand.Rand
	t    *schema.Table
	full bool // REPLICA IDENTITY FULL
	rows map[int64]schema.Row
	txs  [][]pipeline.Change
	news []map[int64]schema.Row // whole new rows by transaction and change
}

func newHistory(seed uint64, full bool) *history {
	h := &history{rng: rand.New(rand.NewPCG(seed, 3)), t: crowd(), full: full, rows: map[int64]schema.Row{}}
	for n := range 3 + h.rng.IntN(20) {
		tx := &pipeline.Tx{Position: pipeline.Position{Seq: uint64(n + 1), Native: "0/" + strconv.Itoa(n)}, ID: uint64(n + 100), At: time.Unix(int64(1e9+n), 0)}
		var changes []pipeline.Change
		h.news = append(h.news, map[int64]schema.Row{})
		for i := range 1 + h.rng.IntN(6) {
			c := h.change()
			c.Table, c.Tx, c.Row = h.t, tx, uint32(i)
			if c.After != nil {
				h.news[n][int64(i)] = h.rows[c.After[0].Int()]
			}
			changes = append(changes, c)
		}
		h.txs = append(h.txs, changes)
	}
	return h
}

func (h *history) pick(list ...string) schema.Value {
	if s := list[h.rng.IntN(len(list))]; s != "~" {
		return schema.Text([]byte(s))
	}
	return schema.Null()
}

func (h *history) row(id int64) schema.Row {
	tags := schema.Null()
	if n := h.rng.IntN(5); n < 4 {
		var list []schema.Value
		for range n {
			list = append(list, h.pick("a", "b", "~"))
		}
		tags = schema.Array(schema.AppendArray(nil, list...))
	}
	address := schema.JSON([]byte([]string{`{"geo": {"lat": 1.5}, "street": "x"}`, `{}`, `[1]`, `null`}[h.rng.IntN(4)]))
	return schema.Row{schema.Int(id), h.pick("Ada", "Bo", "~"), h.pick("Bern", "Rome", "~"), schema.Int(int64(h.rng.IntN(40))), h.pick("short", "long", "~"), tags, address}
}

// change changes a row, and gives what the server tells.
func (h *history) change() pipeline.Change {
	id := int64(h.rng.IntN(6))
	old, there := h.rows[id]
	switch n := h.rng.IntN(20); {
	case n == 0:
		h.rows = map[int64]schema.Row{}
		return pipeline.Change{Op: pipeline.Truncate}
	case !there:
		h.rows[id] = h.row(id)
		return pipeline.Change{Op: pipeline.Create, After: h.rows[id]}
	case n < 5:
		delete(h.rows, id)
		return pipeline.Change{Op: pipeline.Delete, Before: h.told(old)}
	case n < 8:
		to := int64(6 + h.rng.IntN(3))
		if h.rows[to] == nil {
			return h.update(old, to)
		}
	}
	return h.update(old, id)
}

// told is the old row as far as the server sends it.
func (h *history) told(old schema.Row) schema.Row {
	if h.full {
		return old
	}
	row := make(schema.Row, len(old))
	for i := range row {
		row[i] = schema.Unknown()
	}
	row[0] = old[0]
	return row
}

func (h *history) update(old schema.Row, to int64) pipeline.Change {
	row := h.row(to)
	c := pipeline.Change{Op: pipeline.Update}
	if h.full || to != old[0].Int() {
		c.Before = h.told(old)
	}
	c.After = row
	if h.rng.IntN(2) == 0 { // bio is large and did not change
		row[4] = old[4]
		c.After = slices.Clone(row)
		c.After[4] = schema.Unknown()
	}
	delete(h.rows, old[0].Int())
	h.rows[to] = row
	return c
}

// A fold is what a compacted topic of each table holds, as a sink writes it: values
// that are unknown are those of the key's row.
type fold map[string]map[string]schema.Row

func keyText(t *schema.Table, row schema.Row) string {
	var words []string
	for _, k := range t.Key {
		words = append(words, string(t.Columns[k].Type.AppendText(nil, row[k]))+fmt.Sprint(row[k].IsNull()))
	}
	return strings.Join(words, "|")
}

func (f fold) add(c *pipeline.Change, reread func(c *pipeline.Change) schema.Row) error {
	name := c.Table.String()
	if f[name] == nil {
		f[name] = map[string]schema.Row{}
	}
	switch c.Op {
	case pipeline.Truncate:
		f[name] = map[string]schema.Row{}
		return nil
	case pipeline.Delete:
		delete(f[name], keyText(c.Table, c.Before))
		return nil
	}
	row, old := c.After.Clone(), keyText(c.Table, c.After)
	if c.KeyChanged() {
		old = keyText(c.Table, c.Before)
	}
	for i := range row {
		if stored := f[name][old]; !row[i].IsKnown() && stored != nil {
			row[i] = stored[i]
		}
	}
	if !row.Known() {
		now := reread(c)
		for i := range row {
			if !row[i].IsKnown() && now != nil {
				row[i] = now[i]
			}
		}
	}
	if !row.Known() {
		return fmt.Errorf("a row of %s cannot be filled", name)
	}
	if c.KeyChanged() {
		delete(f[name], old)
	}
	f[name][keyText(c.Table, row)] = row
	return nil
}

func (f fold) print(tables map[string]*schema.Table) string {
	var out []string
	for name, rows := range f {
		for _, row := range rows {
			out = append(out, name+printRow("+", tables[name], row))
		}
	}
	slices.Sort(out)
	return strings.Join(out, "\n")
}

func everyRoute() transform.Route {
	r := transform.Route{To: text("'in_' || coalesce(city, 'none')")}
	for _, city := range []string{"Bern", "Rome", "none"} {
		r.Tables = append(r.Tables, transform.Name{Schema: "public", Table: "in_" + city})
	}
	return r
}

// A program is a list of steps; needsOld are those that need whole old rows.
type program struct {
	name     string
	steps    []transform.Step
	needsOld bool
}

func programs() []program {
	hide := transform.Mask{Columns: []transform.Masked{masked("id", transform.HMAC), masked("name", transform.Partial), masked("bio", transform.HMAC), masked("city", transform.Nullify)}}
	unnest := transform.Unnest{Column: text("tags"), As: "tag"}
	return []program{
		{"filter", []transform.Step{transform.Filter{Where: text("age >= 18")}}, false},
		{"filter and project", []transform.Step{transform.Filter{Where: text("age >= 18 AND city = 'Bern'")}, transform.Project{Items: texts("id", "bio || '!' AS loud", "age + 1 AS next", "address")}}, false},
		{"map, rename, mask", []transform.Step{transform.Map{Columns: named("older", "age * 2", "bio", "bio || bio")}, transform.Rename{Columns: named("age", "years")}, hide}, false},
		{"drop unchanged", []transform.Step{transform.Project{Items: texts("id", "city")}, transform.DropUnchanged{}}, false},
		{"nest and flatten", []transform.Step{transform.Nest{Into: text("doc"), Columns: texts("name", "city")}, transform.Flatten{Column: text("address"), Fields: texts("geo.lat double precision", "street text")}}, false},
		{"flatten", []transform.Step{transform.Flatten{Column: text("address"), Separator: "."}, transform.Filter{Where: text("age < 30")}}, false},
		{"rekey", []transform.Step{transform.Rekey{Columns: texts("city", "id")}}, true},
		{"rekey and filter", []transform.Step{transform.Filter{Where: text("bio = 'long'")}, transform.Rekey{Columns: texts("city", "id")}, hideCity()}, true},
		{"route", []transform.Step{everyRoute()}, true},
		{"route by the key", []transform.Step{transform.Route{To: text("'p' || (id % 2)::text"), Tables: []transform.Name{{Schema: "public", Table: "p0"}, {Schema: "public", Table: "p1"}}}}, false},
		{"unnest", []transform.Step{unnest}, true},
		{"script", []transform.Step{transform.Script{Code: text("def transform(row):\n    if row.age != None and row.age < 18:\n        return None\n    row.name = (row.name or \"\") + \"!\"\n    row.double = row.age * 2\n    return row"), Columns: named("double", "integer")}}, false},
		{"everything", []transform.Step{transform.Filter{Where: text("age >= 10")}, everyRoute(), unnest, transform.Filter{Where: text("tag <> 'b'")}, transform.Rekey{Columns: texts("tags_ordinal", "id")}, hide}, true},
	}
}

func hideCity() transform.Mask {
	return transform.Mask{Columns: []transform.Masked{masked("city", transform.HMAC)}}
}

func (p *program) chain() *transform.Chain {
	var specs []transform.Spec
	for _, s := range p.steps {
		specs = append(specs, transform.Spec{Step: s})
	}
	return transform.New(transform.Config{Specs: specs})
}

func seeds(t *testing.T, n int) (from uint64, count int) {
	if text := os.Getenv("EVERT_SEED"); text != "" {
		seed, err := strconv.ParseUint(text, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		from = seed << 16
	}
	return from, n
}

// What the stream leaves in the topics is what a snapshot of the last rows would
// put there, whatever the steps, and however much the server tells.
func TestStreamIsSnapshot(t *testing.T) {
	from, n := seeds(t, 150)
	for _, p := range programs() {
		t.Run(p.name, func(t *testing.T) {
			for seed := from; seed < from+uint64(n); seed++ {
				h := newHistory(seed, p.needsOld || seed%2 == 0)
				if err := compareStream(&p, h); err != nil {
					t.Fatalf("seed %d, whole old rows %v: %v", seed, h.full, err)
				}
			}
		})
	}
}

func compareStream(p *program, h *history) error {
	ctx, stream, tables := context.Background(), fold{}, map[string]*schema.Table{}
	follow := p.chain()
	for n, tx := range h.txs {
		reread := func(c *pipeline.Change) schema.Row {
			row, err := follow.Reread(ctx, func(context.Context, *pipeline.Change) (schema.Row, error) {
				return h.news[n][int64(c.Row)], nil
			}, c)
			if err != nil {
				panic(err)
			}
			return row
		}
		b, err := follow.Apply(ctx, pipeline.Batch{Tables: []*schema.Table{h.t}, Changes: tx})
		if err != nil || len(b.Stopped) > 0 {
			return fmt.Errorf("the stream stops: %v %s", err, printBatch(b))
		}
		for i := range b.Changes {
			tables[b.Changes[i].Table.String()] = b.Changes[i].Table
			if err := stream.add(&b.Changes[i], reread); err != nil {
				return fmt.Errorf("%w: %s", err, printBatch(pipeline.Batch{Changes: b.Changes[i : i+1]}))
			}
		}
	}
	copied := fold{}
	var reads []pipeline.Change
	for _, id := range slices.Sorted(maps.Keys(h.rows)) {
		reads = append(reads, pipeline.Change{Table: h.t, Op: pipeline.Read, After: h.rows[id], Tx: &pipeline.Tx{}})
	}
	b, err := p.chain().Apply(ctx, pipeline.Batch{Changes: reads})
	if err != nil || len(b.Stopped) > 0 {
		return fmt.Errorf("the snapshot stops: %v %s", err, printBatch(b))
	}
	for i := range b.Changes {
		tables[b.Changes[i].Table.String()] = b.Changes[i].Table
		if err := copied.add(&b.Changes[i], nil); err != nil {
			return err
		}
	}
	if got, want := stream.print(tables), copied.print(tables); got != want {
		return fmt.Errorf("the stream leaves\n%s\nand a snapshot\n%s", got, want)
	}
	return nil
}
