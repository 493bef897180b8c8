package bleve

import (
	"context"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/blevesearch/bleve/v2/search"
	"github.com/blevesearch/bleve/v2/search/query"
	index "github.com/blevesearch/bleve_index_api"
)

// compiler makes the library's queries of a request, over one snapshot.
type compiler struct {
	ctx    context.Context
	shape  *shape
	reader index.IndexReader
	terms  int // that patterns may stand for
}

// query gives the whole of a request: the query string, within the filters.
func (c *compiler) query(r *Request) (query.Query, error) {
	var q query.Query = query.NewMatchAllQuery()
	if strings.TrimSpace(r.Query) != "" {
		parsed, err := query.NewQueryStringQuery(r.Query).Parse()
		if err != nil {
			return nil, badQuery("the query cannot be read", `write words, +needed, -excluded, column:word, "a phrase", pre*, typo~1; a backslash before what is none of these`)
		}
		if q, err = c.rewrite(parsed); err != nil {
			return nil, err
		}
	}
	if len(r.Filters) == 0 {
		return q, nil
	}
	var filters []query.Query
	for _, f := range r.Filters {
		filter, err := c.filter(&f)
		if err != nil {
			return nil, err
		}
		filters = append(filters, filter)
	}
	all := query.NewBooleanQuery([]query.Query{q}, nil, nil)
	all.AddFilter(query.NewConjunctionQuery(filters))
	return all, nil
}

// rewrite leads the leaves of a parsed query to the fields that there are.
func (c *compiler) rewrite(q query.Query) (query.Query, error) {
	switch q := q.(type) {
	case *query.BooleanQuery:
		for _, part := range []*query.Query{&q.Must, &q.Should, &q.MustNot, &q.Filter} {
			if *part == nil {
				continue
			}
			var err error
			if *part, err = c.rewrite(*part); err != nil {
				return nil, err
			}
		}
		return q, nil
	case *query.ConjunctionQuery:
		return q, c.rewriteAll(q.Conjuncts)
	case *query.DisjunctionQuery:
		return q, c.rewriteAll(q.Disjuncts)
	case query.FieldableQuery:
		return c.leaf(q)
	}
	return q, nil
}

func (c *compiler) rewriteAll(all []query.Query) (err error) {
	for i := range all {
		if all[i], err = c.rewrite(all[i]); err != nil {
			return err
		}
	}
	return nil
}

// leaf gives a leaf its field. Without one it looks at all text, which has a field
// for each language.
func (c *compiler) leaf(q query.FieldableQuery) (query.Query, error) {
	if name := q.Field(); name != "" {
		return c.in(q, fieldName(name))
	}
	if _, ok := q.(*query.NumericRangeQuery); ok {
		return query.NewMatchNoneQuery(), nil // numbers in text are words
	}
	var everywhere []query.Query
	for _, language := range c.shape.languages() {
		one, err := c.in(copied(q), c.shape.allOf(language))
		if err != nil {
			return nil, err
		}
		everywhere = append(everywhere, one)
	}
	if len(everywhere) == 1 {
		return everywhere[0], nil
	}
	return query.NewDisjunctionQuery(everywhere), nil
}

// copied gives a leaf of its own.
func copied(q query.FieldableQuery) query.FieldableQuery {
	switch q := q.(type) {
	case *query.MatchQuery:
		c := *q
		return &c
	case *query.MatchPhraseQuery:
		c := *q
		return &c
	case *query.WildcardQuery:
		c := *q
		return &c
	case *query.RegexpQuery:
		c := *q
		return &c
	}
	return q
}

// mostTypos is how many letters of a word the library lets be others.
const mostTypos = 2

// in leads a leaf to a field. Patterns are in small letters where words are, and
// are counted before the library gathers what they stand for.
func (c *compiler) in(q query.FieldableQuery, name string) (query.Query, error) {
	switch p := q.(type) {
	case *query.WildcardQuery:
		return c.pattern(wildcard(p.Wildcard), name, p.BoostVal)
	case *query.RegexpQuery:
		return c.pattern(p.Regexp, name, p.BoostVal)
	case *query.MatchQuery:
		if p.Fuzziness < 0 || p.Fuzziness > mostTypos {
			return nil, badQuery("a typo is one of one letter or two", "write word~1 or word~2")
		}
	}
	q.SetField(name)
	return q, nil
}

func (c *compiler) pattern(re, name string, boost *query.Boost) (query.Query, error) {
	if (&lookup{shape: c.shape}).AnalyzerNameForPath(name) != "keyword" {
		re = lowerPattern(re)
	}
	q := query.NewRegexpQuery(re)
	q.SetField(name)
	q.BoostVal = boost
	if q.Validate() != nil {
		return nil, badQuery("a pattern of the query cannot be read", "write /regular expression/ as RE2 has them, or word*")
	}
	dict, err := c.reader.(index.IndexReaderRegexp).FieldDictRegexp(name, re)
	if err != nil {
		return nil, badQuery("a pattern of the query is not supported", "write a simpler one, or word*")
	}
	return q, c.countTerms(dict)
}

// lowerPattern writes the letters of a pattern small, but not those behind a
// backslash.
func lowerPattern(re string) string {
	var b strings.Builder
	escaped := false
	for _, r := range re {
		if escaped || r < 'A' {
			b.WriteRune(r)
		} else {
			b.WriteString(strings.ToLower(string(r)))
		}
		escaped = r == '\\' && !escaped
	}
	return b.String()
}

// wildcard writes a pattern with * and ? as a regular expression.
func wildcard(text string) string {
	quoted := regexp.QuoteMeta(text)
	return strings.NewReplacer(`\*`, ".*", `\?`, ".").Replace(quoted)
}

// countTerms refuses what stands for too many terms.
func (c *compiler) countTerms(dict index.FieldDict) error {
	defer dict.Close()
	for n := 0; ; n++ {
		entry, err := dict.Next()
		if entry == nil || err != nil {
			return err
		}
		if n >= c.terms {
			return tooWide(c.terms)
		}
		if n%1024 == 0 && c.ctx.Err() != nil {
			return c.ctx.Err()
		}
	}
}

// A target of a condition, an order or a facet.
type spot struct {
	kind   fieldKind
	name   string // of the field of words or values
	isPath bool   // in JSON, where the kind is that of the value
}

// exact is the field that holds the text as it is.
func (s spot) exact() string {
	if s.kind == asText || s.kind == asJSON {
		return s.name + keywordPart
	}
	return s.name
}

// spot finds a column, or a path in JSON.
func (c *compiler) spot(column string) (spot, error) {
	if f := c.shape.field(column); f != nil {
		return spot{f.Kind, fieldName(column), false}, nil
	}
	for i := range c.shape.Fields {
		if f := &c.shape.Fields[i]; f.Kind == asJSON && strings.HasPrefix(column, f.Name+".") {
			return spot{asJSON, fieldName(column), true}, nil
		}
	}
	names := make([]string, len(c.shape.Fields))
	for i := range names {
		names[i] = c.shape.Fields[i].Name
	}
	return spot{}, badQuery("the index has no column "+strconv.Quote(column), "its columns are "+strings.Join(names, ", "))
}

func (c *compiler) filter(f *Filter) (query.Query, error) {
	at, err := c.spot(f.Column)
	if err != nil {
		return nil, err
	}
	switch f.Op {
	case "is.null", "not.is.null":
		return c.nulls(f, at)
	case "prefix":
		return c.prefix(f, at)
	}
	var all []query.Query
	for _, value := range f.Values {
		one, err := c.compare(f, at, value)
		if err != nil {
			return nil, err
		}
		all = append(all, one)
	}
	switch len(all) {
	case 0:
		return query.NewMatchNoneQuery(), nil
	case 1:
		return all[0], nil
	}
	return query.NewDisjunctionQuery(all), nil
}

func (c *compiler) nulls(f *Filter, at spot) (query.Query, error) {
	if at.isPath {
		return nil, badQuery("is.null asks for a column, not for a path in one", "filter on the column")
	}
	null := query.NewTermQuery(f.Column)
	null.SetField(nullsField)
	if f.Op == "is.null" {
		return null, nil
	}
	return query.NewBooleanQuery([]query.Query{query.NewMatchAllQuery()}, nil, []query.Query{null}), nil
}

func (c *compiler) prefix(f *Filter, at spot) (query.Query, error) {
	if at.kind == asNumber || at.kind == asTime || at.kind == asNothing {
		return nil, badQuery("column "+strconv.Quote(f.Column)+" has no prefixes", "filter with eq. gt. gte. lt. lte. or in.()")
	}
	dict, err := c.reader.FieldDictPrefix(at.exact(), []byte(f.Values[0]))
	if err == nil {
		err = c.countTerms(dict)
	}
	q := query.NewPrefixQuery(f.Values[0])
	q.SetField(at.exact())
	return q, err
}

// compare makes the condition of one value.
func (c *compiler) compare(f *Filter, at spot, value string) (query.Query, error) {
	switch at.kind {
	case asNothing:
		return nil, badQuery("column "+strconv.Quote(f.Column)+" is not indexed", "filter on another column")
	case asNumber:
		n, err := strconv.ParseFloat(value, 64)
		if err != nil {
			return nil, badQuery("what stands for column "+strconv.Quote(f.Column)+" is no number", "write a number such as -1.5")
		}
		return numbers(f.Op, at.name, n), nil
	case asTime:
		t, _, err := (&lookup{}).DateTimeParserNamed("").ParseDateTime(value)
		if err != nil || t.Year() < firstYear || t.Year() > lastYear {
			return nil, badQuery("what stands for column "+strconv.Quote(f.Column)+" is no day or time from 1678 to 2261", "write 2026-11-26 or 2026-11-26T12:00:00Z")
		}
		return times(f.Op, at.name, t), nil
	case asJSON:
		text, err := texts(f, at, value)
		if n, e := strconv.ParseFloat(value, 64); e == nil && err == nil {
			return query.NewDisjunctionQuery([]query.Query{text, numbers(f.Op, at.name, n)}), nil
		}
		return text, err
	}
	return texts(f, at, value)
}

// bounds gives what an operator asks for: below and above, and whether the value
// itself is in.
func bounds(op string) (low, high, inclusive bool) {
	return strings.HasPrefix(op, "gt") || op == "eq" || op == "in", strings.HasPrefix(op, "lt") || op == "eq" || op == "in",
		op == "eq" || op == "in" || strings.HasSuffix(op, "te")
}

func numbers(op, name string, n float64) query.Query {
	low, high, inclusive := bounds(op)
	q := query.NewNumericRangeInclusiveQuery(nil, nil, &inclusive, &inclusive)
	if low {
		q.Min = &n
	}
	if high {
		q.Max = &n
	}
	q.SetField(name)
	return q
}

func times(op, name string, t time.Time) query.Query {
	low, high, inclusive := bounds(op)
	q := query.NewDateRangeInclusiveQuery(time.Time{}, time.Time{}, &inclusive, &inclusive)
	if low {
		q.Start.Time = t
	}
	if high {
		q.End.Time = t
	}
	q.SetField(name)
	return q
}

func texts(f *Filter, at spot, value string) (query.Query, error) {
	if len(value) > maxKeyword {
		return nil, badQuery("the value for column "+strconv.Quote(f.Column)+" is longer than "+strconv.Itoa(maxKeyword)+" bytes, which no keyword is", "search for its words")
	}
	low, high, inclusive := bounds(f.Op)
	if low && high {
		q := query.NewTermQuery(value)
		q.SetField(at.exact())
		return q, nil
	}
	q := query.NewTermRangeInclusiveQuery("", "", &inclusive, &inclusive)
	if low {
		q.Min = value
	} else {
		q.Max = value
	}
	q.SetField(at.exact())
	return q, nil
}

// order gives how hits are sorted; the id makes it total.
func (c *compiler) order(r *Request) (search.SortOrder, error) {
	var order search.SortOrder
	for _, o := range r.Order {
		if o.Column == "_score" {
			order = append(order, &search.SortScore{Desc: o.Desc})
			continue
		}
		at, err := c.spot(o.Column)
		if err != nil {
			return nil, err
		}
		order = append(order, sortBy(at, o.Desc))
	}
	if len(order) == 0 && r.Query != "" {
		order = append(order, &search.SortScore{Desc: true})
	}
	return append(order, &search.SortDocID{}), nil
}

// sortBy sorts NULL last, or first when descending, as Postgres does.
func sortBy(at spot, desc bool) search.SearchSort {
	s := &search.SortField{Field: at.exact(), Desc: desc, Type: search.SortFieldAsString, Missing: search.SortFieldMissingLast}
	switch at.kind {
	case asNumber:
		s.Type = search.SortFieldAsNumber
	case asTime:
		s.Type = search.SortFieldAsDate
	}
	if desc {
		s.Missing = search.SortFieldMissingFirst
	}
	return s
}
