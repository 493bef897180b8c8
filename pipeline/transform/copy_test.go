package transform_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/transform"
	"github.com/evertdb/evert/schema"
)

// printCopies prints what a batch says of copies and stops, with what an earlier run
// may have reached of some tables.
func printCopies(b pipeline.Batch, asked ...string) string {
	var words []string
	others := func(also func(string, string) bool) (text string) {
		for _, name := range asked {
			if also != nil && also("public", name) {
				text += "+" + name
			}
		}
		return text
	}
	for _, s := range b.Stopped {
		words = append(words, "stop "+s.Table.Name+others(s.Also)+" "+string(s.Why.Code))
	}
	for _, c := range b.Copies {
		word := "begin "
		switch {
		case c.Done:
			word = "done "
		case c.Adds:
			word = "add "
		}
		if c.Routed {
			word += "for "
		}
		words = append(words, word+c.Table.Name+others(c.Also)+" "+c.ID)
	}
	return strings.Join(words, ", ")
}

func copyOf(t *schema.Table, done bool) pipeline.Batch {
	return pipeline.Batch{Copies: []pipeline.TableCopy{{Table: t, ID: "r", Done: done}}}
}

// TestCopies tells what the copy of a table is for those that its rows go to (O15):
// one for each, which adds to those where rows of others go too.
func TestCopies(t *testing.T) {
	people, pets := called("people"), called("pets")
	why := &pipeline.Refusal{Code: "GIVEN_UP", What: "it cannot be read"}
	route := func(to string, allows func(string, string) bool, names ...string) transform.Route {
		r := transform.Route{To: text(to), Most: 9, Allows: allows}
		for _, n := range names {
			r.Tables = append(r.Tables, transform.Name{Schema: "public", Table: n})
		}
		return r
	}
	any := func(_, table string) bool { return table != "secret" }
	for _, c := range []struct {
		name              string
		specs             []transform.Spec
		begin, done, stop string
		refused           string
	}{
		{"as it is", []transform.Spec{{For: onlyFor("pets"), Step: transform.Filter{Where: text("true")}}},
			"begin people r", "done people r", "stop people GIVEN_UP", ""},
		{"renamed", []transform.Spec{{For: onlyFor("people"), Step: route("'citizens'", nil, "citizens")}},
			"begin citizens r", "done citizens r", "stop citizens GIVEN_UP", ""},
		{"spread", []transform.Spec{{For: onlyFor("people"), Step: route("city", nil, "Bern", "Rome")}},
			"begin Bern r, begin Rome r", "done Bern r, done Rome r", "stop Bern GIVEN_UP, stop Rome GIVEN_UP", ""},
		{"to tables that rows name", []transform.Spec{{For: onlyFor("people"), Step: route("city", any, "Bern")}},
			"begin Bern+Oslo r", "done Bern+Oslo r", "stop Bern+Oslo GIVEN_UP", ""},
		{"to tables that rows alone name", []transform.Spec{{For: onlyFor("people"), Step: route("city", any)}},
			"begin for people+Oslo r", "done for people+Oslo r", "stop people+Oslo GIVEN_UP", ""},
		{"merged", []transform.Spec{{Step: route("'all'", nil, "all")}}, "add all r", "done all r", "stop all GIVEN_UP", "public.all"},
		{"into another one", []transform.Spec{{For: onlyFor("people"), Step: route("'pets'", nil, "pets")}}, "add pets r", "done pets r", "stop pets GIVEN_UP", "public.pets"},
		{"perhaps merged", []transform.Spec{{Step: route("city", any, "Bern")}}, "add Bern+Oslo+pets r", "done Bern+Oslo+pets r", "stop Bern+Oslo GIVEN_UP", "public.Bern"},
		{"perhaps merged by rows alone", []transform.Spec{{Step: route("city", any)}}, "add for people+Oslo+pets r", "done for people+Oslo+pets r", "stop people+Oslo GIVEN_UP", "tables that rows name"},
	} {
		t.Run(c.name, func(t *testing.T) {
			chain := transform.New(transform.Config{Specs: c.specs, Again: "do it again"})
			must(t, chain, pipeline.Batch{Tables: []*schema.Table{people, pets}})
			if got := printCopies(must(t, chain, copyOf(people, false)), "Oslo", "secret", "pets"); got != c.begin {
				t.Errorf("begin is %q, want %q", got, c.begin)
			}
			if got := printCopies(must(t, chain, copyOf(people, true)), "Oslo", "secret", "pets"); got != c.done {
				t.Errorf("done is %q, want %q", got, c.done)
			}
			_, _, err := chain.Copied(people)
			if (err != nil) != (c.refused != "") || err != nil && (pipeline.CodeOf(err) != "TRANSFORM_COPY" || !strings.Contains(err.Error(), "go to table "+c.refused) && !strings.Contains(err.Error(), "go to "+c.refused)) {
				t.Errorf("it is refused as %v", err)
			}
			if got := printCopies(must(t, chain, pipeline.Batch{Stopped: []pipeline.TableStop{{Table: people, Why: why}}}), "Oslo", "secret"); got != c.stop {
				t.Errorf("given up by the source: %q, want %q", got, c.stop)
			}
			again := must(t, chain, pipeline.Batch{Stopped: []pipeline.TableStop{{Table: people, Why: why, Copy: "r"}}})
			if got := printCopies(again, "Oslo", "secret"); got != c.stop || again.Stopped[0].Copy != "r" {
				t.Errorf("a copy that is refused: %q of %q, want %q", got, again.Stopped[0].Copy, c.stop)
			}
			if b := must(t, chain, pipeline.Batch{Changes: []pipeline.Change{change(t, people, 0, "c +(1 Ada Bern 3 a)")}}); len(b.Changes) != 0 {
				t.Errorf("it goes on: %s", printBatch(b))
			}
		})
	}
}

// TestCopiesMeet tells of tables whose rows come to one: it is done when the last of
// their copies is, also where the second came while the first was copied; one that is
// given up is not waited for.
func TestCopiesMeet(t *testing.T) {
	people, pets := called("people"), called("pets")
	for _, c := range []struct{ known, want string }{
		{"both", "add all r; add all r; ; done all r"},
		{"one", "begin all r; add all r; ; done all r"},
		{"one stops", "begin all r; add all r; stop all GIVEN_UP; done all r"},
	} {
		t.Run(c.known, func(t *testing.T) {
			chain := transform.New(transform.Config{Specs: []transform.Spec{{Step: transform.Route{To: text("'all'"), Most: 9, Tables: []transform.Name{{Schema: "public", Table: "all"}}}}}})
			known := []*schema.Table{people, pets}
			if c.known != "both" {
				known = known[:1]
			}
			must(t, chain, pipeline.Batch{Tables: known})
			said := []string{printCopies(must(t, chain, copyOf(people, false)))}
			must(t, chain, pipeline.Batch{Tables: []*schema.Table{pets}})
			said = append(said, printCopies(must(t, chain, copyOf(pets, false))))
			end := copyOf(people, true)
			if c.known == "one stops" {
				end = pipeline.Batch{Stopped: []pipeline.TableStop{{Table: people, Why: &pipeline.Refusal{Code: "GIVEN_UP"}}}}
			}
			said = append(said, printCopies(must(t, chain, end)), printCopies(must(t, chain, copyOf(pets, true))))
			if got := strings.Join(said, "; "); got != c.want {
				t.Errorf("it is\n%s\nwant\n%s", got, c.want)
			}
		})
	}
}

// TestStopIsMendedByOneCopy tells that the mend of a stop is the copy of its table, where
// that may be copied by itself.
func TestStopIsMendedByOneCopy(t *testing.T) {
	people, pets := called("people"), called("pets")
	for merged, want := range map[bool]string{false: "\ncopy people", true: "\ncopy all"} {
		specs := []transform.Spec{{Step: transform.Filter{Where: text("10 / age > 1")}}}
		if merged {
			specs = append(specs, transform.Spec{Step: transform.Route{To: text("'all'"), Most: 9, Tables: []transform.Name{{Schema: "public", Table: "all"}}}})
		}
		chain := transform.New(transform.Config{Specs: specs, Again: "copy all", AgainOne: func(t *schema.Table) string { return "copy " + t.Name }})
		b := must(t, chain, pipeline.Batch{Tables: []*schema.Table{people, pets}, Changes: []pipeline.Change{change(t, people, 0, "c +(2 Bo Bern 0 a)")}})
		if len(b.Stopped) != 1 || !strings.HasSuffix(b.Stopped[0].Why.Mend, want) {
			t.Errorf("merged %v: it is %v", merged, b.Stopped)
		}
	}
}

// TestGivenUpIsCopied tells that a table which a step gave up is transformed again
// from the batch on in which its copy begins, in whatever version; and that it is
// given up again where the step still does not fit.
func TestGivenUpIsCopied(t *testing.T) {
	people := called("people")
	chain := transform.New(transform.Config{Specs: []transform.Spec{{Step: transform.Filter{Where: text("10 / age > 1")}}}})
	poison, good := change(t, people, 0, "c +(2 Bo Bern 0 a)"), change(t, people, 1, "r +(4 Bo Bern 3 a)")
	if got := printCopies(must(t, chain, pipeline.Batch{Tables: []*schema.Table{people}, Changes: []pipeline.Change{poison, good}})); got != "stop people TRANSFORM_VALUE" {
		t.Fatal(got)
	}
	b := must(t, chain, copyOf(people, false))
	if got := printCopies(b); got != "begin people r" || len(b.Tables) != 1 {
		t.Errorf("%s, %d tables", got, len(b.Tables))
	}
	for n := range 3 {
		b = must(t, chain, pipeline.Batch{Changes: []pipeline.Change{good}})
		if len(b.Changes) != 1 || b.Changes[0].Table != people {
			t.Fatalf("batch %d: %s", n, printBatch(b))
		}
	}
	if got := printCopies(must(t, chain, pipeline.Batch{Changes: []pipeline.Change{poison}})); got != "stop people TRANSFORM_VALUE" {
		t.Errorf("the second time: %q", got)
	}
	narrow := called("people")
	narrow.Version, narrow.Columns = 2, narrow.Columns[:2]
	must(t, chain, pipeline.Batch{Tables: []*schema.Table{narrow}})
	b = must(t, chain, copyOf(narrow, false))
	if got := printCopies(b); !strings.HasPrefix(got, "stop people SQL_NAME") || strings.Contains(got, "begin") {
		t.Errorf("where the step does not fit: %s", fmt.Sprint(got))
	}
}
