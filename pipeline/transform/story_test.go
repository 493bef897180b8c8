package transform_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/scalar"
	"github.com/evertdb/evert/pipeline/transform"
	"github.com/evertdb/evert/schema"
)

// people is the table of most stories: id name city age bio.
func people() *schema.Table {
	column := func(name string, id scalar.ID) schema.Column {
		c := schema.Column{Name: name, Type: id.Type(), Nullable: name != "id"}
		if id == scalar.Text {
			c.Collation = schema.Collation{Name: "default", Provider: "d", Deterministic: true}
		}
		return c
	}
	return &schema.Table{Database: "shop", Schema: "public", Name: "people", Native: "16384", Version: 1, Key: []int{0}, Columns: []schema.Column{
		column("id", scalar.Int8), column("name", scalar.Text), column("city", scalar.Text), column("age", scalar.Int4), column("bio", scalar.Text),
	}}
}

// parse reads a row: values separated by spaces, ? unknown, ~ NULL.
func parse(t testing.TB, table *schema.Table, text string) schema.Row {
	t.Helper()
	words := strings.Fields(text)
	if len(words) == 0 {
		return nil
	}
	if len(words) != len(table.Columns) {
		t.Fatalf("row %q has %d values, and the table %d columns", text, len(words), len(table.Columns))
	}
	row := make(schema.Row, len(words))
	for i, w := range words {
		switch w {
		case "?":
			row[i] = schema.Unknown()
		case "~":
		default:
			v, err := scalar.Parse(&table.Columns[i].Type, []byte(w))
			if err != nil {
				t.Fatalf("value %q: %v", w, err)
			}
			row[i] = v.Clone()
		}
	}
	return row
}

var ops = map[string]pipeline.Op{"r": pipeline.Read, "c": pipeline.Create, "u": pipeline.Update, "d": pipeline.Delete, "t": pipeline.Truncate}

// a change is written as `u -(old row) +(new row)`.
func change(t testing.TB, table *schema.Table, n int, line string) pipeline.Change {
	t.Helper()
	op, rest, _ := strings.Cut(line, " ")
	c := pipeline.Change{Table: table, Op: ops[op], Row: uint32(n), Tx: &pipeline.Tx{Position: pipeline.Position{Seq: 7, Native: "0/70"}, ID: 99, At: time.Unix(1e9, 0)}}
	if c.Op == pipeline.Read {
		c.Tx = &pipeline.Tx{At: time.Unix(1e9, 0)}
	}
	if i := strings.Index(rest, "-("); i >= 0 {
		c.Before = parse(t, table, rest[i+2:i+strings.IndexByte(rest[i:], ')')])
	}
	if i := strings.Index(rest, "+("); i >= 0 {
		c.After = parse(t, table, rest[i+2:i+strings.IndexByte(rest[i:], ')')])
	}
	return c
}

func lines(text string) (out []string) {
	for _, l := range strings.Split(text, "\n") {
		if l = strings.TrimSpace(l); l != "" {
			out = append(out, l)
		}
	}
	return out
}

func batch(t testing.TB, table *schema.Table, text string) pipeline.Batch {
	b := pipeline.Batch{Tables: []*schema.Table{table}, End: &pipeline.Resume{At: pipeline.Position{Seq: 7}}}
	for n, l := range lines(text) {
		b.Changes = append(b.Changes, change(t, table, n, l))
	}
	return b
}

func printRow(sign string, table *schema.Table, row schema.Row) string {
	if row == nil {
		return ""
	}
	words := make([]string, len(row))
	for i, v := range row {
		switch {
		case !v.IsKnown():
			words[i] = "?"
		case v.IsNull():
			words[i] = "~"
		default:
			words[i] = string(table.Columns[i].Type.AppendText(nil, v))
		}
	}
	return " " + sign + "(" + strings.Join(words, " ") + ")"
}

func printTable(t *schema.Table) string {
	var words []string
	for i := range t.Columns {
		c := &t.Columns[i]
		w := c.Name + " " + c.Type.Name
		if !c.Nullable {
			w += " not null"
		}
		words = append(words, w)
	}
	var key []string
	for _, k := range t.Key {
		key = append(key, t.Columns[k].Name)
	}
	return t.String() + "(" + strings.Join(words, ", ") + ") key " + strings.Join(key, " ")
}

func printBatch(b pipeline.Batch) string {
	var out strings.Builder
	for _, t := range b.Tables {
		fmt.Fprintf(&out, "%s\n", printTable(t))
	}
	for i := range b.Changes {
		c := &b.Changes[i]
		if name := c.Table.String(); name != "public.people" {
			fmt.Fprintf(&out, "%s ", name)
		}
		fmt.Fprintf(&out, "%s%s%s", c.Op, printRow("-", c.Table, c.Before), printRow("+", c.Table, c.After))
		for _, h := range c.Headers {
			fmt.Fprintf(&out, " %s=%s", h.Key, h.Value)
		}
		out.WriteByte('\n')
	}
	for _, s := range b.Stopped {
		fmt.Fprintf(&out, "stopped %s %s: %s", s.Table, s.Why.Code, s.Why.What)
		if s.Why.Err != nil {
			fmt.Fprintf(&out, ": %v", s.Why.Err)
		}
		fmt.Fprintf(&out, " | %s\n", strings.ReplaceAll(s.Why.Mend, "\n", " | "))
	}
	return out.String()
}

// A tale is one transform, what goes in and what comes out.
type tale struct {
	name string
	step transform.Step
	in   string
	want string
}

func (c tale) tell(t *testing.T, table *schema.Table) {
	t.Helper()
	chain := transform.New(transform.Config{Specs: []transform.Spec{{Step: c.step}}})
	b, err := chain.Apply(context.Background(), batch(t, table, c.in))
	if err != nil {
		t.Fatal(err)
	}
	got := lines(printBatch(b))
	want := lines(c.want)
	if len(want) == 0 || !strings.Contains(want[0], ") key ") { // the table is not shown
		for len(got) > 0 && strings.Contains(got[0], ") key ") {
			got = got[1:]
		}
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if b.End == nil || b.End.At.Seq != 7 {
		t.Error("the end of the batch is lost")
	}
}

func text(s string) transform.Text { return transform.Text{Text: s} }

func named(pairs ...string) (out []transform.Named) {
	for i := 0; i < len(pairs); i += 2 {
		out = append(out, transform.Named{Name: pairs[i], Text: text(pairs[i+1])})
	}
	return out
}
