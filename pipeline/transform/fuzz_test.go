package transform_test

import (
	"context"
	"testing"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/transform"
	"github.com/evertdb/evert/schema"
)

// apply binds a step to a table and gives it one change of each kind. What stops
// is well; nothing may panic.
func apply(t *testing.T, table *schema.Table, row schema.Row, step transform.Step) {
	t.Helper()
	_ = transform.Check(step)
	chain := transform.New(transform.Config{Specs: []transform.Spec{{Step: step}}, Fault: func(context.Context, *pipeline.Change, *pipeline.Refusal) error { return nil }})
	tx := &pipeline.Tx{Position: pipeline.Position{Seq: 1, Native: "0/1"}}
	key := make(schema.Row, len(row))
	for i := range key {
		key[i] = schema.Unknown()
	}
	key[0] = row[0]
	holes := append(schema.Row{row[0]}, key[1:]...)
	b := pipeline.Batch{Tables: []*schema.Table{table}}
	for _, c := range []pipeline.Change{
		{Op: pipeline.Read, After: row}, {Op: pipeline.Create, After: row}, {Op: pipeline.Update, Before: row, After: row}, {Op: pipeline.Update, After: row},
		{Op: pipeline.Update, Before: key, After: row}, {Op: pipeline.Update, After: holes}, {Op: pipeline.Delete, Before: row}, {Op: pipeline.Delete, Before: key}, {Op: pipeline.Truncate},
	} {
		c.Table, c.Tx = table, tx
		b.Changes = append(b.Changes, c)
	}
	out, err := chain.Apply(context.Background(), b)
	if err != nil && pipeline.CodeOf(err) == "" {
		t.Fatalf("an error that is no refusal: %v", err)
	}
	for i := range out.Changes {
		c := &out.Changes[i]
		for _, r := range []schema.Row{c.Before, c.After} {
			if r != nil && len(r) != len(c.Table.Columns) {
				t.Fatalf("a row of %d values in %s", len(r), printTable(c.Table))
			}
		}
	}
}

func FuzzExpressions(f *testing.F) {
	for _, s := range []string{"age > 3", "*", "id, name", "upper(name) AS n", "change.op = 'd'", "change.table || city", "1/age", "people.id", "'", "bio::json->'x'", "tags[1]", "count(*)", "row.age + 1", "str(row.tags)", "row.address[\"geo\"]", "def transform(row):\n    row.x = row.bio\n    return row"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		table := crowd()
		row := newHistory(1, true).row(1)
		any := func(string, string) bool { return true }
		for _, step := range []transform.Step{
			transform.Filter{Where: text(s)}, transform.Project{Items: texts("id", s)}, transform.Map{Columns: named("x", s)}, transform.Map{Columns: named("name", s)},
			transform.Route{To: text(s), Allows: any, Most: 3},
			transform.Script{Code: text("def transform(row):\n    row.name = " + s + "\n    return row"), Steps: 1000}, transform.Script{Code: text(s), Steps: 1000},
		} {
			apply(t, table, row, step)
		}
	})
}

func FuzzNames(f *testing.F) {
	for _, s := range []string{"id", "name", "tags", "address", "", "a b text", "geo.lat double precision", "a.b.c.d.e.f.g text", `"`, "op"} {
		f.Add(s, s)
	}
	f.Fuzz(func(t *testing.T, a, b string) {
		table := crowd()
		row := newHistory(1, true).row(1)
		for _, step := range []transform.Step{
			transform.Rename{Columns: named(a, b)}, transform.Rekey{Columns: texts(a, b)}, transform.DropUnchanged{Columns: texts(a)},
			transform.Nest{Into: text(a), Columns: texts(b, "name")}, transform.Flatten{Column: text("address"), Fields: texts(a, b)}, transform.Flatten{Column: text(a), Separator: b},
			transform.Unnest{Column: text(a), As: b}, transform.Metadata{Columns: named(a, b), Headers: named(b, a)},
			transform.Outbox{ID: text("id"), Type: text(a), Aggregate: text(b), Event: text("city"), Payload: text("bio"), Allows: func(string, string) bool { return true }, Most: 3},
		} {
			apply(t, table, row, step)
		}
		for way := transform.HMAC; way <= transform.Drop; way++ {
			apply(t, table, row, transform.Mask{Columns: []transform.Masked{masked(a, way)}})
		}
	})
}

func FuzzValues(f *testing.F) {
	for _, s := range []string{"{}", "[]", `{"a":{"b":[1,{"c":2}]}}`, `[1,"x",null]`, "null", "{", `{"a":1,"a":2}`, "", "\xff", `{"geo":{"lat":"x"}}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		table := crowd()
		table.Columns[2].Type = table.Columns[6].Type
		table.Columns[2].Type.Binary, table.Columns[2].Type.Name = false, "json"
		row := newHistory(1, true).row(1)
		row[1], row[2], row[6] = schema.Text(b), schema.JSON(b), schema.JSON(b)
		for _, step := range []transform.Step{
			transform.Flatten{Column: text("address")}, transform.Flatten{Column: text("city")}, transform.Flatten{Column: text("city"), Fields: texts("geo.lat double precision", "a json")},
			transform.Unnest{Column: text("city")}, transform.Unnest{Column: text("address"), Most: 3}, transform.Nest{Into: text("x"), Columns: texts("city", "name")},
			transform.Mask{Columns: []transform.Masked{masked("name", transform.Partial)}}, transform.Route{To: text("name"), Allows: func(string, string) bool { return true }, Most: 3},
		} {
			apply(t, table, row, step)
		}
	})
}
