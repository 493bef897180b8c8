package program

import (
	"fmt"
	"math/rand/v2"
)

// A generator makes one program.
type generator struct {
	r      *rand.Rand
	tables []*Table
	names  int // aliases given out so far
}

func (g *generator) between(low, high int) int { return low + g.r.IntN(high-low+1) }

// chance is true in percent of a hundred cases.
func (g *generator) chance(percent int) bool { return g.r.IntN(100) < percent }

func (g *generator) pick(from ...string) string { return from[g.r.IntN(len(from))] }

// kind is one whose values can be compared.
func (g *generator) kind() kind { return kind(g.r.IntN(int(comparable))) }

func (g *generator) alias() string {
	g.names++
	return fmt.Sprintf("t%d", g.names)
}

// A Program is what one run does.
type Program struct {
	Seed         uint64
	Tables       []*Table
	SQL          string     // the view; tables are written src.public.<name>
	Key          []string   // its key columns
	Loose        bool       // equal numbers of different scale may stand for each other
	Transactions [][]string // statements; the first fill the tables
	Risky        bool       // its query fails on some rows, as a division by zero does
}

// New makes the program of a seed.
func New(seed uint64) *Program {
	g := &generator{r: rand.New(rand.NewPCG(seed, 0x5eed))}
	for i := range g.between(1, 3) {
		g.tables = append(g.tables, g.table(i))
	}
	// A generator of its own decides: the other programs stay what they were.
	p := &Program{Seed: seed, Tables: g.tables, Risky: rand.New(rand.NewPCG(seed, 0xbad)).IntN(4) == 0}
	make := g.view
	if p.Risky {
		make = g.risky
	}
	q := make()
	p.SQL, p.Loose = q.sql, q.loose
	for _, c := range q.key() {
		p.Key = append(p.Key, c.name)
	}
	p.Transactions = g.transactions()
	if p.Risky {
		p.Transactions = append(p.Transactions, g.mend()...)
	}
	return p
}
