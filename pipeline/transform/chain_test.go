package transform_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/transform"
	"github.com/evertdb/evert/schema"
)

func onlyFor(names ...string) func(string, string) bool {
	return func(_, table string) bool { return slices.Contains(names, table) }
}

func called(name string) *schema.Table {
	t := people()
	t.Name = name
	return t
}

func must(t *testing.T, chain *transform.Chain, b pipeline.Batch) pipeline.Batch {
	t.Helper()
	out, err := chain.Apply(context.Background(), b)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// A step is for the tables that it names as the source calls them, whatever the
// steps before made of the name; the others pass as they are, table and all.
func TestTablesOfASource(t *testing.T) {
	people, pets := called("people"), called("pets")
	chain := transform.New(transform.Config{Specs: []transform.Spec{
		{For: onlyFor("people"), Step: transform.Route{To: text("'citizens'"), Tables: []transform.Name{{Schema: "public", Table: "citizens"}}}},
		{For: onlyFor("people"), Step: transform.Rename{Columns: named("name", "who")}},
	}})
	b := must(t, chain, pipeline.Batch{Tables: []*schema.Table{people, pets}, Changes: []pipeline.Change{
		change(t, people, 0, "c +(1 Ada Bern 3 a)"), change(t, pets, 1, "c +(1 Rex Bern 3 a)"),
	}})
	if len(b.Tables) != 2 || b.Tables[0].Name != "citizens" || b.Tables[0].Columns[1].Name != "who" || b.Tables[1] != pets || b.Changes[1].Table != pets {
		t.Errorf("got %s", printBatch(b))
	}
	again := must(t, chain, pipeline.Batch{Changes: []pipeline.Change{change(t, people, 0, "c +(2 Ada Bern 3 a)")}})
	if len(again.Tables) != 0 || again.Changes[0].Table != b.Tables[0] {
		t.Errorf("I6 the same table became another one: %s", printBatch(again))
	}
	if !chain.Touches("public", "people") || chain.Touches("public", "pets") {
		t.Error("it is not known which tables are touched")
	}
}

// I8: what one table cannot do stops it, with all that it becomes and whatever
// version comes; the others go on.
func TestOneTableStops(t *testing.T) {
	people, pets := called("people"), called("pets")
	chain := transform.New(transform.Config{Again: "do it again", Specs: []transform.Spec{{For: onlyFor("people"), Step: transform.Filter{Where: text("10 / age > 1")}}}})
	b := must(t, chain, pipeline.Batch{Tables: []*schema.Table{people, pets}, Changes: []pipeline.Change{
		change(t, people, 0, "c +(1 Ada Bern 3 a)"), change(t, people, 1, "c +(2 Bo Bern 0 a)"), change(t, pets, 2, "c +(1 Rex Bern 0 a)"), change(t, people, 3, "c +(4 Bo Bern 3 a)"),
	}})
	if len(b.Stopped) != 1 || b.Stopped[0].Table != people || b.Stopped[0].Why.Code != "TRANSFORM_VALUE" || !strings.HasSuffix(b.Stopped[0].Why.Mend, "\ndo it again") {
		t.Fatalf("stopped: %s", printBatch(b))
	}
	if len(b.Changes) != 1 || b.Changes[0].Table != pets {
		t.Errorf("the other table: %s", printBatch(b))
	}
	newer := called("people")
	newer.Version = 2
	b = must(t, chain, pipeline.Batch{Tables: []*schema.Table{newer}, Changes: []pipeline.Change{change(t, newer, 0, "c +(5 Ada Bern 3 a)"), change(t, people, 0, "c +(6 Ada Bern 3 a)")}})
	if len(b.Changes) != 0 || len(b.Tables) != 0 {
		t.Errorf("it goes on in another version: %s", printBatch(b))
	}
}

// I8: rows of a table that has stopped are missing wherever they would have gone:
// where an earlier version's went, where steps say, and where an earlier run's may
// have gone.
func TestRoutedTableStops(t *testing.T) {
	config := transform.Config{Specs: []transform.Spec{{For: onlyFor("people"), Step: transform.Route{To: text("city"), Most: 9,
		Tables: []transform.Name{{Schema: "public", Table: "Bern"}}, Allows: func(_, table string) bool { return table != "secret" }}}}}
	people, pets := called("people"), called("pets")
	narrow := called("people")
	narrow.Version, narrow.Columns = 2, narrow.Columns[:2]
	for _, c := range []struct {
		name   string
		before []pipeline.Change
		want   string
	}{
		{"in a later version", []pipeline.Change{change(t, people, 0, "c +(1 Ada Oslo 3 a)"), change(t, pets, 1, "c +(1 Rex Bern 0 a)")}, "public.Bern public.Oslo"},
		{"in another run", []pipeline.Change{change(t, pets, 1, "c +(1 Rex Bern 0 a)")}, "public.Bern"},
	} {
		t.Run(c.name, func(t *testing.T) {
			chain := transform.New(config)
			must(t, chain, pipeline.Batch{Changes: c.before})
			b := must(t, chain, pipeline.Batch{Tables: []*schema.Table{narrow}})
			var names []string
			for _, s := range b.Stopped {
				names = append(names, s.Table.String())
			}
			if got := strings.Join(names, " "); got != c.want {
				t.Fatalf("stopped: %s, want %s", got, c.want)
			}
			also := b.Stopped[0].Also
			if also == nil || !also("public", "Rome") || also("public", "secret") || also("public", "pets") {
				t.Error("what an earlier run may have made is not told from others")
			}
		})
	}
}

// TestRoutedStop tells that a table whose rows name their topics, and of which none is
// known in this run, stands for them; one that had a row does not.
func TestRoutedStop(t *testing.T) {
	people := called("people")
	config := transform.Config{Specs: []transform.Spec{{Step: transform.Route{To: text("'in_' || city"), Most: 9, Allows: func(_, table string) bool { return table != "in_Oslo" }}}}}
	for _, c := range []struct {
		before string
		want   string
	}{{"", "public.people true"}, {"c +(1 Ada Bern 3 a)", "public.in_Bern false"}} {
		chain := transform.New(config)
		must(t, chain, pipeline.Batch{Tables: []*schema.Table{people}})
		if c.before != "" {
			must(t, chain, pipeline.Batch{Changes: []pipeline.Change{change(t, people, 0, c.before)}})
		}
		b := must(t, chain, pipeline.Batch{Changes: []pipeline.Change{change(t, people, 0, "c +(2 Bo Oslo 3 a)")}})
		if len(b.Stopped) != 1 || fmt.Sprintf("%s %v", b.Stopped[0].Table, b.Stopped[0].Routed) != c.want {
			t.Errorf("behind %q stopped: %s", c.before, printBatch(b))
		}
	}
}

// Two tables may become one, if they are alike; then which rows of it are gone
// cannot be told when one is truncated.
func TestMerged(t *testing.T) {
	first, second, other := called("events_1"), called("events_2"), called("events_3")
	other.Columns = other.Columns[:3]
	one := transform.Config{Specs: []transform.Spec{{Step: transform.Route{To: text("'events'"), Tables: []transform.Name{{Schema: "public", Table: "events"}}}}}}
	chain := transform.New(one)
	b := must(t, chain, pipeline.Batch{Tables: []*schema.Table{first, second}, Changes: []pipeline.Change{change(t, first, 0, "c +(1 Ada Bern 3 a)"), change(t, second, 1, "c +(2 Bo Bern 3 a)")}})
	if len(b.Changes) != 2 || b.Changes[0].Table.Name != "events" || b.Changes[1].Table.Name != "events" {
		t.Errorf("got %s", printBatch(b))
	}
	b = must(t, chain, pipeline.Batch{Changes: []pipeline.Change{change(t, first, 0, "t")}})
	if len(b.Stopped) != 1 || b.Stopped[0].Why.Code != "TRANSFORM_TRUNCATE" {
		t.Errorf("truncated: %s", printBatch(b))
	}
	b = must(t, transform.New(one), pipeline.Batch{Tables: []*schema.Table{first, other}})
	if len(b.Stopped) != 1 || b.Stopped[0].Why.Code != "TRANSFORM_MERGED" {
		t.Errorf("of other columns: %s", printBatch(b))
	}
}

// Below a sink a change of key goes as two changes, and who takes what cannot be
// transformed says what becomes of it.
func TestBelowASink(t *testing.T) {
	table, refused := people(), 0
	c := transform.Config{Split: true, Specs: []transform.Spec{{Step: transform.Rekey{Columns: texts("city", "id")}}}}
	c.Fault = func(_ context.Context, c *pipeline.Change, why *pipeline.Refusal) error {
		if refused++; c.Row == 3 {
			return errors.New("enough")
		}
		if why.Code != "TRANSFORM_OLD_ROW" || c.Row != 1 {
			t.Errorf("refused change %d: %v", c.Row, why)
		}
		return nil
	}
	chain := transform.New(c)
	b := must(t, chain, batch(t, table, `
		u -(1 Ada Bern 3 a) +(1 Ada Rome 3 a)
		u +(1 Ada Rome 4 a)
		c +(2 Bo Bern 4 a)`))
	got := printBatch(pipeline.Batch{Changes: b.Changes})
	want := "d -(1 Ada Bern 3 a)\nc +(1 Ada Rome 3 a)\nc +(2 Bo Bern 4 a)\n"
	if got != want || refused != 1 || len(b.Stopped) != 0 {
		t.Errorf("got\n%s\nand %d refused, want\n%s", got, refused, want)
	}
	if _, err := chain.Apply(context.Background(), pipeline.Batch{Changes: []pipeline.Change{change(t, table, 3, "u +(1 Ada Bern 3 a)")}}); err == nil {
		t.Error("an error of Fault is lost")
	}
	c.Specs[0].Step = transform.Rekey{Columns: texts("nick")}
	if _, err := transform.New(c).Apply(context.Background(), batch(t, table, "c +(1 Ada Bern 3 a)")); pipeline.CodeOf(err) != "TRANSFORM_COLUMN" {
		t.Errorf("I8 a step that does not fit leaves everything out: %v", err)
	}
}

// X09: of a row that cannot be transformed, and is left out, nothing stays of what was
// made of it before.
func TestLeftOutBelowASink(t *testing.T) {
	for name, c := range map[string]struct {
		specs []transform.Spec
		in    string
		want  string
	}{
		"with its key alone": {[]transform.Spec{{Step: transform.Map{Columns: named("age", "10 / age")}}}, "u +(1 Ada Bern 0 a)\nu +(2 Bo Bern 5 b)", "d -(1 ? ? ? ?)\nu +(2 Bo Bern 2 b)\n"},
		"with its old row": {[]transform.Spec{{Step: transform.Map{Columns: named("age", "10 / age")}}, {Step: transform.Rekey{Columns: texts("name")}}},
			"u -(1 Ada Bern 5 a) +(1 Eve Bern 0 a)", "d -(1 Ada Bern 2 a)\n"},
		"that are gone": {[]transform.Spec{{Step: transform.Map{Columns: named("age", "10 / age")}}, {Step: transform.Rekey{Columns: texts("name")}}}, "d -(1 ? ? ? ?)", ""},
	} {
		t.Run(name, func(t *testing.T) {
			chain := transform.New(transform.Config{Split: true, Specs: c.specs, Fault: func(context.Context, *pipeline.Change, *pipeline.Refusal) error { return nil }})
			b := must(t, chain, batch(t, people(), c.in))
			if got := printBatch(pipeline.Batch{Changes: b.Changes}); got != c.want {
				t.Errorf("got\n%s\nwant\n%s", got, c.want)
			}
		})
	}
}

// P13: a value that nobody has is read again at the source, through the steps; the
// source is asked by its own table and key.
func TestReread(t *testing.T) {
	table := people()
	chain := transform.New(transform.Config{Specs: []transform.Spec{
		{Step: transform.Filter{Where: text("age > 3")}}, {Step: transform.Mask{Columns: []transform.Masked{masked("id", transform.HMAC), masked("bio", transform.Redact)}}},
		{Step: transform.Rename{Columns: named("bio", "story", "id", "who")}},
	}})
	b := must(t, chain, batch(t, table, "u +(1 Ada Bern 4 ?)\nu +(2 Bo Bern 4 ?)"))
	read := func(_ context.Context, c *pipeline.Change) (schema.Row, error) {
		of, row := c.Table, c.After
		if of != table || row[0].Int() != 2 {
			t.Errorf("asked for %s of %s", printRow("", of, row), of)
		}
		return parse(t, table, "2 Bob Rome 1 secret"), nil // it does not fit any more
	}
	row, err := chain.Reread(context.Background(), read, &b.Changes[1])
	if err != nil || printRow("+", b.Changes[1].Table, row) != " +("+digest("2")+" Bob Rome 1 [redacted])" {
		t.Errorf("got %s, %v", printRow("+", b.Changes[1].Table, row), err)
	}
	gone := func(context.Context, *pipeline.Change) (schema.Row, error) { return nil, nil }
	if row, err := chain.Reread(context.Background(), gone, &b.Changes[0]); row != nil || err != nil {
		t.Errorf("a row that is gone: %v, %v", row, err)
	}
}

// Every mistake is told at its place in the file.
func TestPlaces(t *testing.T) {
	at := func(s string) transform.Text {
		return transform.Text{Text: s, Where: "evert.yaml:7:3", Fault: func(line, column int, code pipeline.Code, what, mend string) error {
			return &pipeline.Refusal{Code: code, Where: "evert.yaml:" + string(rune('6'+line)) + ":" + string(rune('2'+column)), What: what, Mend: mend}
		}}
	}
	for _, c := range []struct {
		step transform.Step
		want string
	}{
		{transform.Filter{Where: at("age > x")}, `evert.yaml:7:9: column "x" does not exist [SQL_NAME]`},
		{transform.Filter{Where: at("1 +\n '")}, `evert.yaml:8:4: `},
		{transform.Project{Items: []transform.Text{at("id"), at("1 1")}}, `evert.yaml:7:5: syntax error at "1" [SQL_SYNTAX]`},
		{transform.Rekey{Columns: []transform.Text{at("nick")}}, `evert.yaml:7:3: table public.people has no column "nick" at this step [TRANSFORM_COLUMN]`},
	} {
		_, err := c.step.Bind(people())
		if err == nil || !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("got %v, want %s", err, c.want)
		}
	}
	b := must(t, transform.New(transform.Config{Specs: []transform.Spec{{Step: transform.Filter{Where: at("bio = ''")}}}}), batch(t, people(), "u +(1 a b 1 ?)"))
	if where := b.Stopped[0].Why.Where; where != "evert.yaml:7:3, table public.people" {
		t.Errorf("a row's fault stands at %s", where)
	}
}
