package api

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/view/query"
	"github.com/evertdb/evert/sinks/bleve"
)

// Indexes are the full-text indexes of a daemon. Its methods may be called from
// any goroutine.
type Indexes interface {
	// Names are those of all indexes, sorted.
	Names() []string
	// Index gives one; ok is false if there is none of that name.
	Index(name string) (x Index, ok bool)
}

// An Index is a full-text index that can be searched. Its methods may be called
// from any goroutine.
type Index interface {
	// Search answers from one snapshot.
	Search(ctx context.Context, r bleve.Request) (*bleve.Result, error)
	// State says how the index is now.
	State() (bleve.State, error)
	// At gives where the sources were at a place of the index, and their clock: or
	// later, where no row of it is another. It is nil for the zero place.
	At(place pipeline.Resume) (query.Vector, time.Time)
	// Progress is how much of a fill is done; the zero Progress if none is known.
	Progress() Progress
	// Moved is closed as soon as State or At are others than when it was called.
	Moved() <-chan struct{}
}

// An IndexStatus is how an index is, as /v1/indexes gives it.
type IndexStatus struct {
	Name      string     `json:"name"`
	State     string     `json:"state"` // filling, live, rebuilding or closed
	Problem   *Problem   `json:"problem,omitempty"`
	Progress  *Progress  `json:"progress,omitempty"` // while it is filled
	Documents uint64     `json:"documents"`
	Position  string     `json:"position"` // empty while nothing can be searched
	AsOf      *time.Time `json:"as_of,omitempty"`
}

// Hits are the answer to a search.
type Hits struct {
	Hits     []Hit                  `json:"hits"`
	Total    uint64                 `json:"total"`
	Next     *int                   `json:"next"` // the offset of the next page; null: there is none
	Facets   map[string]bleve.Facet `json:"facets,omitempty"`
	Position string                 `json:"position"`
	AsOf     *time.Time             `json:"as_of,omitempty"`
	Stale    *Staleness             `json:"stale,omitempty"`
}

// A Hit is a document that was found.
type Hit struct {
	ID         string              `json:"id"`
	Score      float64             `json:"score"`
	Document   json.RawMessage     `json:"document"`
	Highlights map[string][]string `json:"highlights,omitempty"` // HTML: text escaped, what was found in <mark>
}

func (h Handlers) indexes(w http.ResponseWriter, _ *http.Request) {
	all := []IndexStatus{}
	if h.Indexes != nil {
		for _, name := range h.Indexes.Names() {
			if x, ok := h.Indexes.Index(name); ok {
				all = append(all, describeIndex(name, x))
			}
		}
	}
	writeJSON(w, http.StatusOK, map[string][]IndexStatus{"indexes": all})
}

func (h Handlers) index(w http.ResponseWriter, r *http.Request) {
	name, x, ok := h.namedIndex(w, r)
	if !ok {
		return
	}
	s := describeIndex(name, x)
	w.Header().Set(positionHeader, s.Position)
	writeJSON(w, http.StatusOK, s)
}

// namedIndex finds the index that a request names, or answers that there is none.
func (h Handlers) namedIndex(w http.ResponseWriter, r *http.Request) (name string, x Index, ok bool) {
	name = r.PathValue("sink")
	if h.Indexes != nil {
		x, ok = h.Indexes.Index(name)
	}
	if !ok {
		WriteProblem(w, &pipeline.Refusal{Code: CodeNoSuchIndex, What: "there is no index " + strconv.Quote(name), Mend: "GET /v1/indexes"})
	}
	return name, x, ok
}

func describeIndex(name string, x Index) IndexStatus {
	now, err := x.State()
	s := IndexStatus{Name: name, Documents: now.Documents, State: "closed"}
	switch {
	case now.Live && now.Filling:
		s.State = "rebuilding"
	case now.Live:
		s.State = "live"
	case now.Filling:
		s.State = "filling"
	}
	if err == nil {
		err = now.Problem
	}
	if err != nil {
		s.Problem = problemOf(err)
	}
	if now.Filling {
		p := x.Progress()
		p.Rows = max(p.Rows, int64(now.Filled))
		s.Progress = &p
	}
	at, clock := x.At(now.Resume)
	s.Position = at.String()
	if !clock.IsZero() {
		s.AsOf = &clock
	}
	return s
}

// search answers a search, of a snapshot that has come to what is waited for.
func (h Handlers) search(w http.ResponseWriter, r *http.Request) {
	name, x, ok := h.namedIndex(w, r)
	if !ok {
		return
	}
	w.Header().Set("Cache-Control", "no-store")
	q, wait, err := parameters(r)
	var asked bleve.Request
	if err == nil {
		asked, err = bleve.ParseRequest(q)
	}
	if err != nil {
		WriteProblem(w, err)
		return
	}
	asked.Bytes = h.Reads.PageBytes()
	h.patient(w, wait)
	err = h.Reads.Await(r.Context(), "index "+name, wait, func() (query.Vector, error) { return reachedBy(x) }, x.Moved)
	if err != nil {
		h.inVain(w, x, err)
		return
	}
	found, err := x.Search(r.Context(), asked)
	if err != nil {
		h.inVain(w, x, err)
		return
	}
	out := hitsOf(found, x)
	w.Header().Set(positionHeader, out.Position)
	if found.Stale != nil {
		w.Header().Set(staleHeader, string(found.Stale.Code))
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(out.Append(nil))
}

// Append writes the answer, the documents byte for byte: an encoder would write
// their spaces anew.
func (h *Hits) Append(dst []byte) []byte {
	dst = append(dst, `{"hits":[`...)
	for i := range h.Hits {
		if i > 0 {
			dst = append(dst, ",\n"...)
		}
		dst = h.Hits[i].append(dst)
	}
	rest := *h
	rest.Hits = []Hit{}
	tail, found := bytes.CutPrefix(marshalled(rest), []byte(`{"hits":[`))
	if !found {
		panic("the answer to a search begins with its hits")
	}
	return append(append(dst, tail...), '\n')
}

func (h *Hit) append(dst []byte) []byte {
	dst = append(append(dst, `{"id":`...), marshalled(h.ID)...)
	dst = append(append(dst, `,"score":`...), marshalled(h.Score)...)
	dst = append(append(dst, `,"document":`...), h.Document...)
	if len(h.Highlights) > 0 {
		dst = append(append(dst, `,"highlights":`...), marshalled(h.Highlights)...)
	}
	return append(dst, '}')
}

// marshalled writes what always has a JSON form.
func marshalled(v any) []byte {
	text, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return text
}

// reachedBy is where the sources were for what a search would see now.
func reachedBy(x Index) (query.Vector, error) {
	s, err := x.State()
	if err != nil || !s.Live {
		return nil, err
	}
	at, _ := x.At(s.Resume)
	return at, nil
}

// inVain answers that a search failed, and where the index is.
func (h Handlers) inVain(w http.ResponseWriter, x Index, err error) {
	p := problemOf(err)
	if at, err := reachedBy(x); err == nil {
		p.Position = at.String()
	}
	if p.Code == bleve.CodeNotReady {
		if progress := x.Progress(); progress != (Progress{}) {
			p.Progress = &progress
		}
	}
	p.write(w)
}

func hitsOf(found *bleve.Result, x Index) *Hits {
	at, clock := x.At(found.Resume)
	out := &Hits{Hits: make([]Hit, len(found.Hits)), Total: found.Total, Facets: found.Facets, Position: at.String()}
	for i, hit := range found.Hits {
		out.Hits[i] = Hit{hit.ID, hit.Score, hit.Document, hit.Highlights}
	}
	if found.Next > 0 {
		out.Next = &found.Next
	}
	if !clock.IsZero() {
		out.AsOf = &clock
	}
	if found.Stale != nil {
		out.Stale = &Staleness{Code: found.Stale.Code, Detail: detailOf(found.Stale), Mend: found.Stale.Mend}
	}
	return out
}

// Search searches an index; params are as in a URL.
func (c *Client) Search(ctx context.Context, index string, params url.Values) (*Hits, error) {
	var out Hits
	return &out, c.call(ctx, http.MethodGet, "/v1/indexes/"+url.PathEscape(index)+"/search?"+params.Encode(), nil, &out)
}
