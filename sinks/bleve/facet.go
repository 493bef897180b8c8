package bleve

import (
	"cmp"
	"slices"
	"strconv"

	"github.com/blevesearch/bleve/v2/search"
)

// maxFacetTerms is how many different values one facet counts.
const maxFacetTerms = 100_000

// counter counts the values of one field over all hits. It stops taking new ones
// when there are too many (I9).
type counter struct {
	field   string
	counts  map[string]int
	total   int
	missing int
	saw     bool
	partial bool
}

var _ search.FacetBuilder = (*counter)(nil)

func (c *counter) StartDoc() { c.saw = false }

func (c *counter) UpdateVisitor(term []byte) {
	c.saw = true
	c.total++
	if n, ok := c.counts[string(term)]; ok || len(c.counts) < maxFacetTerms {
		c.counts[string(term)] = n + 1
		return
	}
	c.partial = true
}

func (c *counter) EndDoc() {
	if !c.saw {
		c.missing++
	}
}

func (c *counter) Field() string { return c.field }
func (c *counter) Size() int     { return 0 }
func (c *counter) Result() *search.FacetResult {
	return &search.FacetResult{Field: c.field, Terms: &search.TermFacets{}}
}

// facet gives the most frequent values.
func (c *counter) facet(size int) Facet {
	f := Facet{Terms: []Term{}, Missing: c.missing, Other: c.total, Partial: c.partial}
	for term, n := range c.counts {
		f.Terms = append(f.Terms, Term{term, n})
	}
	slices.SortFunc(f.Terms, func(a, b Term) int { return cmp.Or(b.Count-a.Count, cmp.Compare(a.Term, b.Term)) })
	f.Terms = f.Terms[:min(size, len(f.Terms))]
	for _, t := range f.Terms {
		f.Other -= t.Count
	}
	return f
}

// facets makes the counters of a request, by column.
func (c *compiler) facets(r *Request) (map[string]*counter, error) {
	all := map[string]*counter{}
	for _, column := range r.Facets {
		at, err := c.spot(column)
		if err != nil {
			return nil, err
		}
		if at.kind == asNumber || at.kind == asTime || at.kind == asNothing {
			return nil, badQuery("column "+strconv.Quote(column)+" is a number, a time or bytes: its values are not counted", "ask for the facet of a text")
		}
		all[column] = &counter{field: at.exact(), counts: map[string]int{}}
	}
	return all, nil
}
