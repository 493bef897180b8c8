package bleve

import (
	"encoding/json"
	"net/url"
	"strconv"
	"strings"

	"github.com/evertdb/evert/pipeline"
)

// A Request says what is searched for.
type Request struct {
	Query     string   // in the language of query strings; empty: everything
	Filters   []Filter // all of them hold; they do not count for the score
	Order     []Order  // none: the best first, then by id
	Limit     int      // 10 if 0
	Offset    int
	Facets    []string // columns whose values are counted over all hits
	FacetSize int      // values of each; 10 if 0
	Highlight bool     // fragments of the text that was found
	Bytes     int      // of the documents of one answer; 0: any
}

// A Filter is a condition on a column, or on a path in JSON.
type Filter struct {
	Column string
	Op     string // eq gt gte lt lte in prefix is.null not.is.null
	Values []string
}

// An Order is a column to sort by; _score is how well a document fits.
type Order struct {
	Column string
	Desc   bool
}

// A Result is what was found, all of it in one snapshot of the index.
type Result struct {
	Hits   []Hit
	Total  uint64
	Next   int              // the offset behind the last hit; 0: there are no more
	Facets map[string]Facet // by column
	Resume pipeline.Resume  // how far the snapshot had come
	Stale  *pipeline.Refusal
}

// A Hit is a document that was found.
type Hit struct {
	ID         string
	Score      float64
	Document   []byte
	Highlights map[string][]string // HTML, escaped, by field
}

// A Facet counts the values of a column over all hits.
type Facet struct {
	Terms   []Term `json:"terms"`
	Other   int    `json:"other"`             // values beyond those
	Missing int    `json:"missing"`           // hits without one
	Partial bool   `json:"partial,omitempty"` // there were too many different ones to count
}

// A Term is a value of a column, and in how many hits it was.
type Term struct {
	Term  string `json:"term"`
	Count int    `json:"count"`
}

// maxQuery is the longest query string, in bytes.
const maxQuery = 8 << 10

// ParseRequest reads the parameters of a URL. wait_for and timeout are others'.
func ParseRequest(q url.Values) (r Request, err error) {
	for name, texts := range q {
		switch name {
		case "wait_for", "timeout":
		case "q":
			r.Query = texts[len(texts)-1]
		case "limit":
			r.Limit, err = count(name, texts)
		case "offset":
			r.Offset, err = count(name, texts)
		case "facet_size":
			r.FacetSize, err = count(name, texts)
		case "facet":
			r.Facets = listed(texts)
		case "order":
			r.Order, err = parseOrder(listed(texts))
		case "highlight":
			r.Highlight, err = strconv.ParseBool(texts[len(texts)-1])
			if err != nil {
				err = badQuery("highlight is neither true nor false", "write highlight=true")
			}
		default:
			r.Filters, err = appendFilters(r.Filters, name, texts)
		}
		if err != nil {
			return r, err
		}
	}
	if len(r.Query) > maxQuery {
		return r, badQuery("q is longer than "+strconv.Itoa(maxQuery)+" bytes", "ask for less")
	}
	return r, nil
}

func count(name string, texts []string) (int, error) {
	n, err := strconv.ParseUint(texts[len(texts)-1], 10, 31)
	if err != nil {
		return 0, badQuery(name+" is not a number", "write "+name+"=20")
	}
	return int(n), nil
}

// listed takes values apart that may stand one by one or with commas.
func listed(texts []string) (all []string) {
	for _, text := range texts {
		for part := range strings.SplitSeq(text, ",") {
			if part != "" {
				all = append(all, part)
			}
		}
	}
	return all
}

func parseOrder(terms []string) (all []Order, err error) {
	for _, term := range terms {
		o := Order{Column: term}
		if column, ok := strings.CutSuffix(term, ".desc"); ok {
			o = Order{column, true}
		} else if column, ok := strings.CutSuffix(term, ".asc"); ok {
			o = Order{column, false}
		}
		all = append(all, o)
	}
	return all, nil
}

func appendFilters(all []Filter, name string, texts []string) ([]Filter, error) {
	if len(name) > 2 && name[0] == '"' && name[len(name)-1] == '"' {
		name = name[1 : len(name)-1]
	}
	for _, text := range texts {
		f, err := parseFilter(name, text)
		if err != nil {
			return nil, err
		}
		all = append(all, f)
	}
	return all, nil
}

func parseFilter(column, text string) (Filter, error) {
	if text == "is.null" || text == "not.is.null" {
		return Filter{Column: column, Op: text}, nil
	}
	op, value, ok := strings.Cut(text, ".")
	switch {
	case !ok:
	case op == "eq" || op == "gt" || op == "gte" || op == "lt" || op == "lte" || op == "prefix":
		return Filter{column, op, []string{value}}, nil
	case op == "in" && strings.HasPrefix(value, "(") && strings.HasSuffix(value, ")"):
		values, err := parseValues(value[1 : len(value)-1])
		return Filter{column, op, values}, err
	}
	return Filter{}, badQuery("the condition on "+strconv.Quote(column)+" is none", "write column=eq.value, gt. gte. lt. lte. prefix. in.(a,b), is.null or not.is.null")
}

// parseValues reads a,b,"c,d".
func parseValues(text string) (values []string, err error) {
	for text != "" {
		var value string
		if text[0] == '"' {
			quoted, err := strconv.QuotedPrefix(text)
			if err != nil || json.Unmarshal([]byte(quoted), &value) != nil {
				return nil, badQuery("a quoted value of in.(…) does not end", `write in.(a,"b,c")`)
			}
			text = text[len(quoted):]
		} else {
			value, _, _ = strings.Cut(text, ",")
			text = text[len(value):]
		}
		values = append(values, value)
		text = strings.TrimPrefix(text, ",")
	}
	return values, nil
}
