package transform_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/scalar"
	"github.com/evertdb/evert/pipeline/transform"
	"github.com/evertdb/evert/schema"
)

// An elsewhere is a value that lies elsewhere, and is never brought into memory.
type elsewhere struct {
	t     *testing.T
	value schema.Value
}

func (e elsewhere) Size() int64 { return int64(len(e.value.Ref())) }
func (e elsewhere) Open() (io.ReadCloser, error) {
	return io.NopCloser(iotest.HalfReader(bytes.NewReader(e.value.Ref()))), nil
}
func (e elsewhere) Load() (schema.Value, error) {
	e.t.Error("a value is brought into memory")
	return e.value, nil
}

// headBytes are those that a row has of a value that lies elsewhere.
const headBytes = 10

// aside takes the value of a column out of the rows of a change, where it is long.
func aside(t *testing.T, c pipeline.Change, column int) pipeline.Change {
	for old, row := range map[bool]schema.Row{true: c.Before, false: c.After} {
		if row == nil || len(row[column].Ref()) <= headBytes {
			continue
		}
		v := row[column]
		head := v.Ref()[:headBytes]
		c.SetAside(old, column, elsewhere{t, v})
		if row[column] = schema.Text(head); v.Kind() == schema.KindBytes {
			row[column] = schema.Bytes(head)
		}
	}
	return c
}

// brought gives a row with all of each value, and how many lie elsewhere.
func brought(t *testing.T, row schema.Row, asides []pipeline.Aside) (schema.Row, int) {
	t.Helper()
	row, n := row.Clone(), 0
	for i := range row {
		if i >= len(asides) || asides[i] == nil {
			continue
		}
		r, err := asides[i].Open()
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(r)
		if err != nil || int64(len(b)) != asides[i].Size() || !bytes.HasPrefix(b, row[i].Ref()) || len(row[i].Ref()) != headBytes {
			t.Errorf("a value of %d bytes begins with %q, and is read as %q: %v", asides[i].Size(), row[i].Ref(), b, err)
		}
		row[i], n = schema.Text(b), n+1
	}
	return row, n
}

// papers is a table with a text and bytes that may be large.
func papers() *schema.Table {
	return &schema.Table{Schema: "public", Name: "papers", Key: []int{0}, Columns: []schema.Column{
		{Name: "id", Type: schema.Type{Name: "integer", Kind: schema.KindInt, Bits: 32}},
		{Name: "body", Type: schema.Type{Name: "text", Kind: schema.KindText}, Nullable: true},
		{Name: "scan", Type: schema.Type{Name: "bytea", Kind: schema.KindBytes}, Nullable: true},
	}}
}

// paper is a create or update of one.
func paper(t *schema.Table, op pipeline.Op, body, scan string) pipeline.Change {
	row := func() schema.Row {
		return schema.Row{schema.Int(1), schema.Text([]byte(body)), schema.Bytes([]byte(scan))}
	}
	c := pipeline.Change{Table: t, Op: op, After: row(), Tx: &pipeline.Tx{}}
	if op == pipeline.Update {
		c.Before = row()
	}
	return c
}

// carry passes one change, whose long values lie elsewhere or not, and gives what comes.
func carry(t *testing.T, specs []transform.Spec, c pipeline.Change, elsewhere bool) (pipeline.Batch, *transform.Chain) {
	t.Helper()
	if elsewhere {
		c = aside(t, aside(t, c, 1), 2)
	}
	chain := transform.New(transform.Config{Specs: specs})
	b, err := chain.Apply(context.Background(), pipeline.Batch{Tables: []*schema.Table{c.Table}, Changes: []pipeline.Change{c}})
	if err != nil {
		t.Fatal(err)
	}
	return b, chain
}

// P26: masks hide a value that lies elsewhere as they hide one in memory, piece by piece;
// what nobody looks at is passed on from where it lies.
func TestLargeValuesAreHiddenWhereTheyLie(t *testing.T) {
	seed := rand.Uint64()
	rng := rand.New(rand.NewPCG(seed, 7))
	mask := func(column string, w transform.Way) transform.Step {
		return transform.Mask{Columns: []transform.Masked{masked(column, w)}}
	}
	steps := map[string][]transform.Step{}
	for _, w := range []transform.Way{transform.HMAC, transform.Redact, transform.Nullify, transform.Partial, transform.Drop} {
		steps[fmt.Sprintf("way %d", w)] = []transform.Step{mask("body", w), mask("scan", transform.HMAC)}
		steps[fmt.Sprintf("way %d of bytes", w)] = []transform.Step{mask("scan", w)}
	}
	steps["passed on"] = []transform.Step{
		transform.Filter{Where: text("id = 1")}, transform.Project{Items: []transform.Text{text("scan"), text("id"), text("id + 1 AS next"), text("body AS b")}},
		transform.Rename{Columns: named("b", "text")}, transform.DropUnchanged{Columns: []transform.Text{text("next")}}, transform.Rekey{Columns: []transform.Text{text("next")}},
	}
	for name, list := range steps {
		for _, op := range []pipeline.Op{pipeline.Create, pipeline.Update} {
			for range 20 {
				var specs []transform.Spec
				for _, s := range list {
					specs = append(specs, transform.Spec{Step: s})
				}
				body, scan := strings.Repeat("aü日😀"[:[]int{1, 3, 6, 10}[rng.IntN(4)]], rng.IntN(30)), strings.Repeat("\x00\xff", rng.IntN(30))
				whole, _ := carry(t, specs, paper(papers(), op, body, scan), false)
				got, _ := carry(t, specs, paper(papers(), op, body, scan), true)
				if len(got.Changes) != len(whole.Changes) || len(got.Stopped) > 0 {
					t.Fatalf("seed %d, %s: %d changes came, want %d; %v", seed, name, len(got.Changes), len(whole.Changes), got.Stopped)
				}
				for i := range got.Changes {
					c, want := &got.Changes[i], &whole.Changes[i]
					if c.Aside == nil {
						c.Aside = &pipeline.Asides{}
					}
					after, _ := brought(t, c.After, c.Aside.After)
					before, _ := brought(t, c.Before, c.Aside.Before)
					if !sameTexts(after, want.After) || !sameTexts(before, want.Before) {
						t.Errorf("seed %d, %s of %q, %q: got %s, want %s", seed, name, body, scan, printRow("", c.Table, before)+printRow(" → ", c.Table, after), printRow("", c.Table, want.Before)+printRow(" → ", c.Table, want.After))
					}
				}
			}
		}
	}
}

// sameTexts reports whether two rows have the same bytes.
func sameTexts(a, b schema.Row) bool {
	for i := range b {
		if i >= len(a) || !bytes.Equal(a[i].Ref(), b[i].Ref()) || a[i].IsNull() != b[i].IsNull() {
			return false
		}
	}
	return len(a) == len(b)
}

// P26: a step that has to look at a value that is not in memory stops the table, and says
// why; nothing is guessed.
func TestLargeValuesAreNotLookedAt(t *testing.T) {
	for name, step := range map[string]transform.Step{
		"filter":    transform.Filter{Where: text("body LIKE 'a%'")},
		"map":       transform.Map{Columns: named("size", "length(body)")},
		"rekey":     transform.Rekey{Columns: []transform.Text{text("body")}},
		"route":     transform.Route{To: text("body"), Most: 3, Allows: func(string, string) bool { return true }},
		"script":    transform.Script{Code: text("def transform(row):\n  return row\n")},
		"unchanged": transform.DropUnchanged{},
	} {
		t.Run(name, func(t *testing.T) {
			c := paper(papers(), pipeline.Create, strings.Repeat("a", 50), "")
			b, _ := carry(t, []transform.Spec{{Step: step}}, c, true)
			if name == "unchanged" { // it compares piece by piece
				if len(b.Changes) != 1 {
					t.Errorf("%d changes came", len(b.Changes))
				}
				return
			}
			if len(b.Changes) != 0 || len(b.Stopped) != 1 || pipeline.CodeOf(b.Stopped[0].Why) != "TRANSFORM_LIMIT" || !strings.Contains(b.Stopped[0].Why.Error(), `"body"`) {
				t.Errorf("%d changes came, stopped %v", len(b.Changes), b.Stopped)
			}
		})
	}
}

// An update that changes a large value alone is told from one that changes nothing.
func TestLargeValuesThatDidNotChange(t *testing.T) {
	specs := []transform.Spec{{Step: transform.DropUnchanged{}}}
	same := paper(papers(), pipeline.Update, strings.Repeat("a", 100_000), "")
	if b, _ := carry(t, specs, same, true); len(b.Changes) != 0 {
		t.Error("an update that changes nothing is passed on")
	}
	other := paper(papers(), pipeline.Update, strings.Repeat("a", 100_000), "")
	other.After[1] = schema.Text([]byte(strings.Repeat("a", 99_999) + "b"))
	if b, _ := carry(t, specs, other, true); len(b.Changes) != 1 {
		t.Error("an update that changes the last byte is left out")
	}
}

// P26: an array has no bytes that could be read piece by piece. A mask of one that is not
// in memory stops the table, and nothing else; two that may be equal are not taken for that.
func TestLargeArraysAreNotReadInPieces(t *testing.T) {
	lists := papers()
	lists.Columns[1].Type = scalar.ArrayOf(scalar.Text.Type())
	change := func() pipeline.Change {
		c := paper(lists, pipeline.Update, "", "")
		for old, row := range map[bool]schema.Row{true: c.Before, false: c.After} {
			row[1] = schema.Array([]byte(strings.Repeat("a", headBytes)))
			c.SetAside(old, 1, packed{elsewhere{t, schema.Text([]byte(strings.Repeat("a", 50)))}})
		}
		return c
	}
	for way, stops := range map[transform.Way]bool{transform.HMAC: true, transform.Partial: true, transform.Redact: false, transform.Nullify: false, transform.Drop: false} {
		b, _ := carry(t, []transform.Spec{{Step: transform.Mask{Columns: []transform.Masked{masked("body", way)}}}}, change(), false)
		switch {
		case !stops && (len(b.Changes) != 1 || len(b.Stopped) != 0):
			t.Errorf("way %d: %d changes came, stopped %v", way, len(b.Changes), b.Stopped)
		case stops && (len(b.Changes) != 0 || len(b.Stopped) != 1 || pipeline.CodeOf(b.Stopped[0].Why) != "TRANSFORM_LIMIT"):
			t.Errorf("way %d: %d changes came, stopped %v", way, len(b.Changes), b.Stopped)
		}
	}
	if b, _ := carry(t, []transform.Spec{{Step: transform.DropUnchanged{}}}, change(), false); len(b.Changes) != 1 {
		t.Error("an update that may change an array is left out")
	}
}

// P26: an event with a large payload is published from where it lies, and its row may be
// deleted.
func TestLargePayloadIsPublished(t *testing.T) {
	events, body := papers(), strings.Repeat("a", 50)
	events.Columns[1].Name, events.Columns[2].Name = "aggregatetype", "payload"
	for _, name := range []string{"aggregateid", "type"} {
		events.Columns = append(events.Columns, schema.Column{Name: name, Type: scalar.Text.Type()})
	}
	event := func(aggregate string) pipeline.Change {
		c := paper(events, pipeline.Create, "order", body)
		c.After = append(c.After, schema.Text([]byte(aggregate)), schema.Text([]byte("made")))
		return c
	}
	specs := []transform.Spec{{Step: transform.Outbox{Allows: func(string, string) bool { return true }, Most: 3}}}
	b, _ := carry(t, specs, event("7"), true)
	if len(b.Changes) != 1 || len(b.Stopped) != 0 {
		t.Fatalf("%d events came, stopped %v", len(b.Changes), b.Stopped)
	}
	if row, n := brought(t, b.Changes[0].After, b.Changes[0].Aside.After); n != 1 || string(row[1].Ref()) != body {
		t.Errorf("it came as %s", printRow("", b.Changes[0].Table, row))
	}
	gone := event("7")
	gone.Op, gone.Before, gone.After = pipeline.Delete, gone.After, nil
	if b, _ = carry(t, specs, gone, true); len(b.Changes) != 0 || len(b.Stopped) != 0 {
		t.Errorf("%d events came, stopped %v", len(b.Changes), b.Stopped)
	}
	if b, _ = carry(t, specs, aside(t, event(body), 3), false); len(b.Stopped) != 1 {
		t.Error("an event has a key of which only the first bytes are known")
	}
}

// A packed value has no bytes of its own, as an array.
type packed struct{ elsewhere }

func (packed) Open() (io.ReadCloser, error) { return nil, errors.New("it has no bytes of its own") }

// Of several expressions the one is named that looks at the value.
func TestLargeValueNamesItsExpression(t *testing.T) {
	looks, other := transform.Text{Text: "length(body) AS size", Where: "file:1"}, transform.Text{Text: "id + 1 AS next", Where: "file:2"}
	b, _ := carry(t, []transform.Spec{{Step: transform.Project{Items: []transform.Text{text("id"), looks, other}}}}, paper(papers(), pipeline.Create, strings.Repeat("a", 50), ""), true)
	if len(b.Stopped) != 1 || !strings.Contains(b.Stopped[0].Why.Error(), looks.Where) || strings.Contains(b.Stopped[0].Why.Error(), other.Where) {
		t.Errorf("stopped %v", b.Stopped)
	}
}

// P13: a large value that is read again at the source passes the steps from where it lies.
func TestLargeValuesAreReadAgain(t *testing.T) {
	c := paper(papers(), pipeline.Update, "", "short")
	c.Before, c.After[1] = nil, schema.Unknown()
	specs := []transform.Spec{{Step: transform.Mask{Columns: []transform.Masked{masked("scan", transform.Redact)}}}, {Step: transform.Project{Items: []transform.Text{text("scan"), text("body"), text("id")}}}}
	b, chain := carry(t, specs, c, true)
	body := strings.Repeat("b", 100)
	row, err := chain.Reread(context.Background(), func(_ context.Context, c *pipeline.Change) (schema.Row, error) {
		c.SetAside(false, 1, elsewhere{t, schema.Text([]byte(body))})
		return schema.Row{schema.Int(1), schema.Text([]byte(body[:headBytes])), schema.Unknown()}, nil
	}, &b.Changes[0])
	if err != nil || row == nil || b.Changes[0].AsideAfter(1) == nil {
		t.Fatalf("%v, %v", row, err)
	}
	if row, _ = brought(t, row, b.Changes[0].Aside.After); string(row[1].Ref()) != body || string(row[0].Ref()) != "[redacted]" {
		t.Errorf("got %s", printRow("", b.Changes[0].Table, row))
	}
}
