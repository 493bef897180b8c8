package scalar

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/evertdb/evert/schema"
)

// castTargets are types with and without modifiers.
func castTargets(t testing.TB) []schema.Type {
	var list []schema.Type
	for id := Bool; id < Enum; id++ {
		list = append(list, id.Type())
	}
	list = append(list, moodType(), ArrayOf(Int4.Type()), ArrayOf(Text.Type()), ArrayOf(Numeric.Type()), ArrayOf(Timestamp.Type()))
	for _, m := range []struct {
		name string
		mods []int
	}{
		{"numeric", []int{5, 2}}, {"numeric", []int{3, -2}}, {"numeric", []int{3, 5}}, {"varchar", []int{3}}, {"char", []int{3}}, {"char", nil},
		{"timestamp", []int{2}}, {"timestamptz", []int{0}}, {"time", []int{1}}, {"interval", []int{0}}, {"float", []int{20}},
	} {
		typ, err := Named(m.name, m.mods...)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, typ)
	}
	return list
}

// A value cast to any type is what Postgres makes of it.
func TestCastsAgainstPostgres(t *testing.T) {
	perPair := 3
	if os.Getenv("EVERT_FULL") != "" {
		perPair = 60
	}
	seed := seedOf(t)
	rng := rand.New(rand.NewPCG(seed, 4))
	o := newOracle(t)
	targets := castTargets(t)
	var expressions, here []string
	for _, from := range targets {
		for _, to := range targets {
			for range perPair {
				a := argument{from, drawText(rng, "", 0, &from)}
				expressions = append(expressions, fmt.Sprintf("(%s::%s)", a.sql(), to.Name))
				here = append(here, castHere(&a, to))
			}
		}
	}
	wrong := 0
	for i, there := range o.ask(expressions) {
		if strings.HasPrefix(here[i], "ERROR 0A000") || o.agree(&probe{name: "::"}, untyped(there), here[i]) {
			continue
		}
		if wrong++; wrong < 40 {
			t.Errorf("%s\n\tPostgres %.150s\n\there     %.150s", expressions[i], there, here[i])
		}
	}
	t.Logf("%d casts, %d differ", len(expressions), wrong)
}

// untyped leaves out the name of the type.
func untyped(there string) string {
	if strings.HasPrefix(there, "ERROR") {
		return there
	}
	_, value, _ := strings.Cut(there, "|")
	return value
}

func castHere(a *argument, to schema.Type) string {
	v, err := a.value()
	if err == nil {
		var c Func
		if c, err = Cast(a.typ, to, Explicit); err == nil {
			v, err = c.Eval([]schema.Value{v})
		}
	}
	if err != nil {
		return "ERROR " + stateOf(err)
	}
	if v.IsNull() {
		return "NULL"
	}
	return string(to.AppendText(nil, v))
}

// Which casts are made without being written is what pg_cast says.
func TestCastContexts(t *testing.T) {
	o := newOracle(t)
	if o.lenient {
		t.Skip("each version has other casts")
	}
	for from := Bool; from < Enum; from++ {
		for to := Bool; to < Enum; to++ {
			if from == to {
				continue
			}
			answer := o.ask([]string{fmt.Sprintf(`(SELECT castcontext::text FROM pg_cast WHERE castsource = '%s'::regtype AND casttarget = '%s'::regtype)`,
				catalogName(from), catalogName(to))})[0]
			want := strings.TrimPrefix(answer, "text|")
			have := "NULL"
			switch {
			case allowed(from, to, Implicit):
				have = "i"
			case isText(to) || isText(from):
				continue // by input and output, which pg_cast does not list
			case allowed(from, to, Assignment):
				have = "a"
			case allowed(from, to, Explicit):
				have = "e"
			}
			if have != want {
				t.Errorf("%s to %s: Postgres %s, here %s", from, to, want, have)
			}
		}
	}
}

func catalogName(id ID) string {
	if id == BPChar {
		return "bpchar"
	}
	return id.String()
}

// A name and types lead to the function that Postgres would call: where both find
// one, its result has the same type; and none is found here that Postgres does not
// find.
func TestResolutionAgainstPostgres(t *testing.T) {
	per := 6
	if os.Getenv("EVERT_FULL") != "" {
		per = 300
	}
	seed := seedOf(t)
	rng := rand.New(rand.NewPCG(seed, 5))
	o := newOracle(t)
	types := append(castTargets(t)[:Enum], Unknown.Type(), Unknown.Type(), ArrayOf(Text.Type()))
	all := catalogue()
	var probes []probe
	for _, name := range sortedNames(all) {
		for range per {
			shape := all[name][rng.IntN(len(all[name]))]
			n := len(shape.args)
			if shape.rest != None {
				n += rng.IntN(3)
			}
			p := probe{name: name}
			for range n {
				p.args = append(p.args, argument{types[rng.IntN(len(types))], "NULL"})
			}
			probes = append(probes, p)
		}
	}
	expressions := make([]string, len(probes))
	for i := range probes {
		expressions[i] = probes[i].sql()
	}
	found, wrong := 0, 0
	for i, there := range o.ask(expressions) {
		types := make([]schema.Type, len(probes[i].args))
		for j := range types {
			types[j] = probes[i].args[j].typ
		}
		f, err := Lookup(probes[i].name, types)
		typ, _, _ := strings.Cut(there, "|")
		switch {
		case o.lenient && (err != nil || strings.HasPrefix(there, "ERROR")):
			continue
		case err != nil && (strings.HasPrefix(stateOf(err), "42883") || strings.HasPrefix(stateOf(err), "REFUSED")):
			continue // what is not there is not wrong
		case err != nil && strings.HasPrefix(there, "ERROR"):
			continue
		case err == nil && typ == nameOf(&f.Result):
			found++
			continue
		case err == nil && strings.HasPrefix(there, "ERROR 42725"):
			continue // Postgres has more of them
		case err == nil && slices.Contains([]string{"22004", "22023", "54000"}, strings.TrimPrefix(there, "ERROR ")[:min(5, len(there)-6)]):
			continue // found, and then refused its NULLs
		}
		if wrong++; wrong < 40 {
			t.Errorf("%s\n\tPostgres %.150s\n\there     %s %v", expressions[i], there, f.Result.Name, err)
		}
	}
	t.Logf("%d calls, %d found in both, %d differ", len(probes), found, wrong)
}
