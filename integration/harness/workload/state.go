package workload

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
)

// A row is what a session knows of one of its rows.
type row struct {
	key []string // as SQL literals without quotes
	ver int
}

// rows are a session's rows of one table; order serves a fair choice by seed.
type rows struct {
	byKey map[string]row
	order []string
	next  int // numbers new keys
}

// state is what a session knows of the database.
type state map[string]*rows

func newState() state {
	s := state{}
	for _, t := range Tables() {
		s[t.Name] = &rows{byKey: map[string]row{}}
	}
	return s
}

func (s state) clone() state {
	c := state{}
	for name, r := range s {
		c[name] = &rows{byKey: maps.Clone(r.byKey), order: slices.Clone(r.order), next: r.next}
	}
	return c
}

func (r *rows) put(x row) {
	k := keyText(x.key)
	if _, ok := r.byKey[k]; !ok {
		r.order = append(r.order, k)
	}
	r.byKey[k] = x
}

func (r *rows) drop(k string) {
	delete(r.byKey, k)
	i := slices.Index(r.order, k)
	r.order[i] = r.order[len(r.order)-1]
	r.order = r.order[:len(r.order)-1]
}

func (r *rows) pick(rng *rand.Rand) (row, bool) {
	if len(r.order) == 0 {
		return row{}, false
	}
	return r.byKey[r.order[rng.IntN(len(r.order))]], true
}

func (r *rows) clear() { r.byKey, r.order = map[string]row{}, nil }

func keyText(key []string) string { return strings.Join(key, "|") }

// newKey gives a key that no other session uses.
func (s *session) newKey(t Table) []string {
	r := s.state[t.Name]
	r.next++
	n := r.next*s.g.Sessions + s.number
	switch t.Name {
	case "documents":
		return []string{fmt.Sprintf("p%d", n%3), fmt.Sprint(n)}
	case "events":
		return []string{fmt.Sprintf("%08x-0000-4000-8000-%012x", s.number, n)}
	}
	return []string{fmt.Sprint(n)}
}

// tempKey is the key through which two rows of the session swap theirs.
func (s *session) tempKey(t Table) []string {
	switch t.Name {
	case "documents":
		return []string{"tmp", fmt.Sprint(-1 - s.number)}
	case "events":
		return []string{fmt.Sprintf("ffffffff-0000-4000-8000-%012x", s.number)}
	}
	return []string{fmt.Sprint(-1 - s.number)}
}

func (t Table) where(key []string) string {
	parts := make([]string, len(key))
	for i := range key {
		parts[i] = t.Key[i] + "='" + key[i] + "'"
	}
	return strings.Join(parts, " AND ")
}
