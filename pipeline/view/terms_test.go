package view

import (
	"slices"
	"testing"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/log"
)

// record is a frontier record of a view, at these terms and with its sources at cuts.
func record(number uint64, terms []term, at Vector) *log.Frontier {
	return &log.Frontier{Number: number, Resume: pipeline.Resume{State: at.append(nil, terms)}}
}

func cut(life, seq uint64) log.Frontier {
	return log.Frontier{Incarnation: life, Resume: pipeline.Resume{At: pipeline.Position{Seq: seq}}, Offsets: log.Offsets{}, Tables: map[string]log.TableState{}}
}

// TestCompare tells a frontier record that follows a delivered one from one of another
// history, which began at an older copy of the log (O16).
func TestCompare(t *testing.T) {
	a, b, c := newTerm(0), newTerm(7), newTerm(12)
	had := record(9, []term{a, b}, Vector{"shop": cut(1, 50), "crm": cut(1, 5)})
	same, late := Vector{"shop": cut(1, 50), "crm": cut(1, 5)}, Vector{"shop": cut(1, 49), "crm": cut(1, 80)}
	other := newTerm(8)
	for name, tc := range map[string]struct {
		has              *log.Frontier
		follows, reaches bool
	}{
		"itself":                              {had, true, true},
		"later, in the same term":             {record(11, []term{a, b}, same), true, true},
		"later, in the next term":             {record(12, []term{a, b, c}, same), true, true},
		"earlier":                             {record(8, []term{a, b}, late), false, false},
		"the same number, another term":       {record(9, []term{a, b, other}, late), false, false},
		"a later number, another term":        {record(30, []term{a, b, other, newTerm(20)}, same), false, true},
		"another term, and a source in front": {record(30, []term{a, b, other}, Vector{"shop": cut(1, 51), "crm": cut(1, 4)}), false, false},
		"another term, a source began anew":   {record(30, []term{a, b, other}, Vector{"shop": cut(2, 1), "crm": cut(1, 5)}), false, true},
		"from before its term":                {record(30, []term{a, newTerm(5)}, same), false, true},
		"more terms than are kept":            {record(99, []term{newTerm(40), newTerm(50)}, same), false, true},
	} {
		follows, reaches, err := Compare(tc.has, had)
		if follows != tc.follows || reaches != tc.reaches || err != nil {
			t.Errorf("%s: follows %v, reaches %v, %v", name, follows, reaches, err)
		}
	}
}

// TestTerms tells that terms are kept as they are, that only the newest are, and that a
// record of an older release, which has none, is read and believed.
func TestTerms(t *testing.T) {
	at := Vector{"shop": cut(1, 50)}
	var terms []term
	for n := range uint64(termsKept + 3) {
		terms = follow(terms, newTerm(n))
	}
	v, got, err := parseState(at.append(nil, terms))
	if err != nil || !slices.Equal(got, terms) || len(got) != termsKept || got[0].first != 3 || v.String() != at.String() {
		t.Errorf("%v, %d terms of %d, from %v: %v", v, len(got), len(terms), got[0], err)
	}
	code := at.append(nil, nil)
	code[0] = aloneVersion
	old := &log.Frontier{Number: 9, Resume: pipeline.Resume{State: code[:len(code)-1]}}
	if follows, _, err := Compare(record(10, terms, at), old); !follows || err != nil {
		t.Errorf("a record without terms: %v, %v", follows, err)
	}
	whole := at.append(nil, terms)
	for n := range whole {
		if _, _, err := parseState(whole[:n]); err == nil {
			t.Errorf("the first %d bytes of %d are read", n, len(whole))
		}
	}
}
