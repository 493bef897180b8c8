package api

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/view/query"
	"github.com/evertdb/evert/schema"
)

// Views are the views of a daemon. Its methods may be called from any goroutine.
type Views interface {
	// Names are those of all views, sorted.
	Names() []string
	// View gives one; ok is false if there is none of that name.
	View(name string) (v query.View, ok bool)
	// Explain says how one is kept current, and what that came to so far.
	Explain(name string) (*Explanation, error)
}

// A ViewStatus is how a view is, as /v1/views gives it.
type ViewStatus struct {
	Name     string       `json:"name"`
	State    string       `json:"state"` // hydrating, live, frozen or stopped
	Problem  *Problem     `json:"problem,omitempty"`
	Progress *Progress    `json:"progress,omitempty"` // while it fills for the first time
	Position string       `json:"position"`           // empty while nothing can be read
	Epoch    uint64       `json:"epoch,omitempty"`
	Version  string       `json:"version,omitempty"` // of the definition whose rows are shown
	AsOf     *time.Time   `json:"as_of,omitempty"`   // the sources' clock at position
	Key      []string     `json:"key,omitempty"`
	Indexes  [][]string   `json:"indexes,omitempty"`
	Columns  []ViewColumn `json:"columns,omitempty"`
}

// Progress is how far a view has been filled.
type Progress struct {
	Rows        int64   `json:"rows"`
	Of          int64   `json:"of,omitempty"`
	SecondsLeft float64 `json:"seconds_left,omitempty"`
}

// A ViewColumn is a column of a view.
type ViewColumn struct {
	Name     string `json:"name"`
	Type     string `json:"type"`
	Nullable bool   `json:"nullable"`
}

func (h Handlers) views(w http.ResponseWriter, _ *http.Request) {
	all := []ViewStatus{}
	if h.Views != nil {
		for _, name := range h.Views.Names() {
			v, ok := h.Views.View(name)
			if !ok {
				continue // it went meanwhile
			}
			s, err := DescribeView(name, v)
			if err != nil {
				WriteProblem(w, err)
				return
			}
			all = append(all, s)
		}
	}
	writeJSON(w, http.StatusOK, map[string][]ViewStatus{"views": all})
}

func (h Handlers) view(w http.ResponseWriter, r *http.Request) {
	name, v, ok := h.named(w, r)
	if !ok {
		return
	}
	s, err := DescribeView(name, v)
	if err != nil {
		WriteProblem(w, err)
		return
	}
	w.Header().Set(positionHeader, s.Position)
	writeJSON(w, http.StatusOK, s)
}

// named finds the view that a request names, or answers that there is none.
func (h Handlers) named(w http.ResponseWriter, r *http.Request) (name string, v query.View, ok bool) {
	name = r.PathValue("view")
	if h.Views != nil {
		v, ok = h.Views.View(name)
	}
	if !ok {
		WriteProblem(w, NoView(name))
	}
	return name, v, ok
}

// NoView says that there is no view of a name.
func NoView(name string) error {
	return &pipeline.Refusal{Code: CodeNoSuchView, What: "there is no view " + strconv.Quote(name), Mend: "GET /v1/views"}
}

// DescribeView says how a view is.
func DescribeView(name string, v query.View) (s ViewStatus, err error) {
	state := v.State()
	s = ViewStatus{Name: name, State: state.Phase.String()}
	if state.Why != nil {
		s.Problem = problemOf(state.Why)
	}
	if state.Phase == query.Filling {
		s.Progress = &Progress{Rows: state.Rows, Of: state.Of, SecondsLeft: state.Left.Seconds()}
	}
	snap, err := v.Snapshot()
	if err != nil || snap == nil {
		return s, err
	}
	defer snap.Close()
	e, shape := snap.Epoch(), snap.Shape()
	s.Position, s.Epoch, s.Version = e.At.String(), e.Number, VersionText(e.Version)
	if !e.Time.IsZero() {
		s.AsOf = &e.Time
	}
	s.shape(shape)
	return s, nil
}

func (s *ViewStatus) shape(shape *query.Shape) {
	names := func(at []int) (out []string) {
		for _, c := range at {
			out = append(out, shape.Columns[c].Name)
		}
		return out
	}
	s.Key = names(shape.Key)
	for _, index := range shape.Indexes {
		s.Indexes = append(s.Indexes, names(index))
	}
	for _, c := range shape.Columns {
		s.Columns = append(s.Columns, ViewColumn{Name: c.Name, Type: typeName(&c.Type), Nullable: c.Nullable})
	}
}

func typeName(t *schema.Type) string {
	if t.Name != "" {
		return t.Name
	}
	return t.Kind.String()
}

// parameters reads those of a URL, and the wait among them.
func parameters(r *http.Request) (url.Values, query.Wait, error) {
	q, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, query.Wait{}, &pipeline.Refusal{Code: query.CodeRequest, What: "the parameters of the URL cannot be read",
			Mend: "percent-encode what is not plain in them: curl -G --data-urlencode 'name=eq.a;b'"}
	}
	w, err := query.ParseWait(q["wait_for"], q.Get("timeout"))
	return q, w, err
}

// keySegments gives the segments of a row's path behind rows/, decoded.
func keySegments(r *http.Request) ([]string, error) {
	_, path, _ := strings.Cut(r.URL.EscapedPath(), "/rows/")
	segments := strings.Split(path, "/")
	for i, s := range segments {
		plain, err := url.PathUnescape(s)
		if err != nil {
			return nil, &pipeline.Refusal{Code: query.CodeRequest, What: "the key in the path cannot be read", Mend: "percent-encode each segment"}
		}
		segments[i] = plain
	}
	return segments, nil
}

// emptySegments serves rows whose key has an empty text that is not the last one:
// http.ServeMux would take their // for a mistake, and send the client elsewhere.
func (h Handlers) emptySegments(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		path := r.URL.EscapedPath()
		rest, ok := strings.CutPrefix(path, "/v1/views/")
		view, key, isRow := strings.Cut(rest, "/rows/")
		if ok && isRow && r.Method == http.MethodGet && !strings.Contains(view, "/") && (strings.Contains(key, "//") || strings.HasPrefix(key, "/")) {
			r.SetPathValue("view", view)
			h.row(w, r)
			return
		}
		next.ServeHTTP(w, r)
	})
}
