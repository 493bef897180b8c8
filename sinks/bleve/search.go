package bleve

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/blevesearch/bleve/v2/index/scorch"
	"github.com/blevesearch/bleve/v2/search"
	"github.com/blevesearch/bleve/v2/search/collector"
	index "github.com/blevesearch/bleve_index_api"

	"github.com/evertdb/evert/pipeline"
)

// Search answers a request from one snapshot of what readers see.
func (x *Index) Search(ctx context.Context, r Request) (*Result, error) {
	snap, s := x.snapshot()
	if snap == nil {
		return nil, notReady(&s)
	}
	defer snap.Close()
	ctx, cancel := context.WithTimeout(ctx, x.config.SearchTimeout)
	defer cancel()
	var found *Result
	err := guard(func() (err error) {
		found, err = x.search(ctx, snap, &r)
		return err
	})
	if errors.Is(err, context.DeadlineExceeded) {
		return nil, tooSlow(err)
	}
	if err != nil {
		return nil, err
	}
	if s.Filling {
		found.Stale = rebuilding(&s)
	}
	return found, nil
}

// notReady says why nothing can be read.
func notReady(s *State) error {
	what := fmt.Sprintf("the index is filled for the first time: %d documents so far", s.Filled)
	if s.Problem != nil {
		return &pipeline.Refusal{Code: CodeNotReady, What: "the index cannot be opened", Err: s.Problem, Mend: "evert status"}
	}
	return &pipeline.Refusal{Code: CodeNotReady, What: what, Mend: "ask again"}
}

func rebuilding(s *State) *pipeline.Refusal {
	return &pipeline.Refusal{Code: CodeRebuilt, What: fmt.Sprintf("the index is filled anew beside this one: %d documents so far", s.Filled), Mend: "nothing: it switches when it is whole"}
}

func (x *Index) search(ctx context.Context, snap *scorch.IndexSnapshot, r *Request) (*Result, error) {
	record, err := stateOf(snap)
	if err != nil {
		return nil, err
	}
	out := &Result{Resume: record.resume, Hits: []Hit{}, Facets: map[string]Facet{}}
	if record.shape == nil { // no row has ever come
		return out, nil
	}
	c := &compiler{ctx, record.shape, snap, x.config.MaxTerms}
	q, err := c.query(r)
	if err != nil {
		return nil, err
	}
	order, err := c.order(r)
	if err != nil {
		return nil, err
	}
	counters, err := c.facets(r)
	if err != nil {
		return nil, err
	}
	limit, offset, err := x.window(r)
	if err != nil {
		return nil, err
	}
	ctx = search.ContextWithTermSearchersCounter(context.WithValue(ctx, search.MaxTermSearchersKey, x.config.MaxTerms))
	searcher, err := q.Searcher(ctx, snap, &lookup{record.shape, x.words}, search.SearcherOptions{IncludeTermVectors: r.Highlight})
	if err != nil {
		return nil, x.searching(err)
	}
	defer searcher.Close()
	top := collector.NewTopNCollector(limit, offset, order)
	if len(counters) > 0 {
		facets := search.NewFacetsBuilder(snap)
		for column, counter := range counters {
			facets.Add(column, counter)
		}
		top.SetFacetsBuilder(facets)
	}
	if err := top.Collect(ctx, searcher, snap); err != nil {
		return nil, x.searching(err)
	}
	out.Total = top.Total()
	for column, counter := range counters {
		out.Facets[column] = counter.facet(cmp.Or(r.FacetSize, 10))
	}
	return out, x.fill(out, snap, top.Results(), r, offset)
}

// searching tells a query that stands for too much from a failure.
func (x *Index) searching(err error) error {
	if strings.Contains(err.Error(), "TooManyTermSearchers") {
		return tooWide(x.config.MaxTerms)
	}
	return err
}

// window is the part of the hits that is asked for.
func (x *Index) window(r *Request) (limit, offset int, err error) {
	limit = min(cmp.Or(r.Limit, 10), x.config.MaxHits)
	if r.Offset+limit > x.config.MaxHits {
		return 0, 0, badQuery(fmt.Sprintf("offset and limit together go beyond %d hits", x.config.MaxHits), "narrow the search by a filter, or raise bleve.max_hits of the sink")
	}
	return limit, r.Offset, nil
}

// fill loads the documents of the hits, as many as an answer may have bytes.
func (x *Index) fill(out *Result, snap *scorch.IndexSnapshot, hits search.DocumentMatchCollection, r *Request, offset int) error {
	size := 0
	for _, match := range hits {
		source, err := sourceOf(snap, match.ID)
		if err != nil {
			return err
		}
		size += len(source)
		if r.Bytes > 0 && size > r.Bytes && len(out.Hits) > 0 {
			break
		}
		hit := Hit{ID: match.ID, Score: match.Score, Document: source}
		if r.Highlight {
			// Fragments are a courtesy: a text they cannot be cut from has none.
			_ = guard(func() error { hit.Highlights = highlight(match, source); return nil })
		}
		out.Hits = append(out.Hits, hit)
	}
	if end := offset + len(out.Hits); len(out.Hits) > 0 && uint64(end) < out.Total {
		out.Next = end
	}
	return nil
}

// sourceOf gives the stored document of an id.
func sourceOf(snap *scorch.IndexSnapshot, id string) (source []byte, err error) {
	doc, err := snap.Document(id)
	if err != nil {
		return nil, err
	}
	if doc == nil {
		return nil, torn("a document that was found is not there")
	}
	doc.VisitFields(func(f index.Field) {
		if f.Name() == sourceField {
			source = append(source, f.Value()...)
		}
	})
	return source, nil
}
