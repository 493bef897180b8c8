package api

import (
	"context"
	"net/http"
	"net/url"
	"time"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/view/query"
)

// An Explanation says how a view is kept current, as /v1/views/{view}/plan and
// `evert explain -o json` give it.
type Explanation struct {
	View      string       `json:"view"`
	Version   string       `json:"version"` // of the definition, over the tables as they are
	Key       []string     `json:"key"`
	Indexes   [][]string   `json:"indexes,omitempty"`
	Operators []Operator   `json:"operators"` // the root first, each before those it reads
	Reads     []string     `json:"reads"`     // topics
	Writes    string       `json:"writes"`    // a topic
	Frontier  string       `json:"frontier"`  // of the view's topic
	Keeps     []Collection `json:"keeps"`     // the state

	// What only a daemon knows that maintains this version.
	Filled     *Work   `json:"filled,omitempty"`    // the epoch that filled the state last
	Following  *Work   `json:"following,omitempty"` // all since then, or since the daemon took the view up
	StateBytes int64   `json:"state_bytes,omitempty"`
	Epoch      uint64  `json:"epoch,omitempty"`
	Position   string  `json:"position,omitempty"`
	Unknown    Unknown `json:"work_unknown,omitempty"` // why it does not say that
}

// Unknown is why nobody says what the operators did; empty: it is said.
type Unknown string

// Why the work of a view is not known.
const (
	NoDaemon     Unknown = "no daemon runs"                                 // only one that runs counts
	OtherVersion Unknown = "the daemon maintains another version"           // the file or a table has changed
	NotYet       Unknown = "the daemon does not maintain the view just now" // it waits, or another daemon owns it
)

// An Operator is one of a view's plan.
type Operator struct {
	Number    int        `json:"number"` // its place in the list, from 1
	Does      string     `json:"does"`
	Unique    [][]string `json:"unique,omitempty"` // sets of columns of which each identifies a row; none: rows may repeat
	Inputs    []int      `json:"inputs,omitempty"` // the numbers of those that it reads
	Filled    *Flow      `json:"filled,omitempty"`
	Following *Flow      `json:"following,omitempty"`
}

// A Collection is one part of a view's state.
type Collection struct {
	Number uint16 `json:"number"`
	Holds  string `json:"holds"` // output, index, input, join, group or values
	Of     int    `json:"of"`    // the operator whose rows it holds, by its number
}

// A Flow is the changed rows that an operator took and gave. A row that is updated
// leaves a table's scan as two: the one before and the one after.
type Flow struct {
	In     int64   `json:"in"`
	Out    int64   `json:"out"`
	FanOut float64 `json:"fan_out"` // Out for each of In
}

// Work is what a view did in some epochs: In rows of its tables changed Out rows of
// its own.
type Work struct {
	Epochs int64     `json:"epochs"`
	Since  time.Time `json:"since"`
	Flow
	Reads   int64 `json:"state_reads"` // gets, scans, and the entries these went over
	Read    int64 `json:"state_read_bytes"`
	Writes  int64 `json:"state_writes"`
	Written int64 `json:"state_written_bytes"`
}

// NewFlow counts.
func NewFlow(in, out int64) Flow {
	f := Flow{In: in, Out: out}
	if in > 0 {
		f.FanOut = float64(out) / float64(in)
	}
	return f
}

func (h Handlers) plan(w http.ResponseWriter, r *http.Request) {
	name, _, ok := h.named(w, r)
	if !ok {
		return
	}
	e, err := h.Views.Explain(name)
	if err != nil {
		WriteProblem(w, err)
		return
	}
	writeJSON(w, http.StatusOK, e)
}

// NotMaintained says that nobody here maintains a view, so that it has no plan yet;
// why may be nil.
func NotMaintained(name string, why *pipeline.Refusal) error {
	r := &pipeline.Refusal{Code: query.CodeNotReady, Where: "view " + name, What: "this daemon has no plan of it: it has not taken it up yet, or another one owns it", Mend: "evert status"}
	if why != nil {
		r.What, r.Mend = "this daemon has no plan of it: "+detailOf(why), why.Mend
	}
	return r
}

// Explain asks how a view is kept current.
func (c *Client) Explain(ctx context.Context, view string) (*Explanation, error) {
	var e Explanation
	return &e, c.call(ctx, http.MethodGet, "/v1/views/"+url.PathEscape(view)+"/plan", nil, &e)
}
