package api

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/control"
)

// SinkCommands are what people may do with sinks while the daemon runs. The
// methods may be called from any goroutine.
type SinkCommands interface {
	// Command pauses a sink, resumes it, or has it skip a record.
	Command(ctx context.Context, sink string, c SinkCommand) (SinkAnswer, error)
	// DeadLetters lists what a sink, or a table, could not deliver: at most limit
	// letters, all if it is 0.
	DeadLetters(ctx context.Context, name string, limit int) (DeadLetters, error)
	// DeadLetter shows one of them, with the values of its row only if they are
	// asked for.
	DeadLetter(ctx context.Context, name, place string, values bool) (DeadLetterShown, error)
	// Replay delivers letters once more, or says which ones it would.
	Replay(ctx context.Context, sink string, r Replay) (Replayed, error)
}

// A SinkCommand is one thing to do with a sink.
type SinkCommand struct {
	Command string `json:"command"`         // pause, resume or skip
	Place   string `json:"place,omitempty"` // of a skip, as topic/partition/offset; empty: where the sink is stopped
	By      string `json:"by"`              // user@host
}

// A SinkAnswer is what holds for a sink from then on.
type SinkAnswer struct {
	Sink    string         `json:"sink"`
	Paused  *control.Given `json:"paused"`            // null: it is not
	Skipped string         `json:"skipped,omitempty"` // the place that is skipped by this command
	Changed bool           `json:"changed"`           // false: it was so before
}

// DeadLetters are what could not be delivered.
type DeadLetters struct {
	Topic   string             `json:"topic"`
	Total   int                `json:"total"`
	Reasons []DeadLetterReason `json:"reasons"` // the most frequent first
	Letters []DeadLetter       `json:"letters"`
}

// A DeadLetterReason is how often a code is the reason.
type DeadLetterReason struct {
	Code  pipeline.Code `json:"code"`
	Count int           `json:"count"`
}

// A DeadLetter is one record that could not be delivered; nothing of its row.
type DeadLetter struct {
	Place   string        `json:"place"` // topic/partition/offset
	Code    pipeline.Code `json:"code"`
	What    string        `json:"what,omitempty"`
	At      time.Time     `json:"at,omitzero"`
	Attempt int           `json:"attempt,omitempty"`
	Held    string        `json:"held,omitempty"` // record, tombstone or superseded
	Bytes   int64         `json:"bytes"`
}

// A DeadLetterShown is a letter with what is around it.
type DeadLetterShown struct {
	DeadLetter
	Sink        string          `json:"sink"`
	Incarnation string          `json:"incarnation,omitempty"`
	Record      json.RawMessage `json:"record,omitempty"` // as `evert tail` prints it; with values alone
	Key         []byte          `json:"key,omitempty"`    // as they are, where they cannot be read; with values alone
	Value       []byte          `json:"value,omitempty"`
}

// A Replay says which letters to deliver once more.
type Replay struct {
	Code  pipeline.Code `json:"code,omitempty"`  // those with this reason; empty: whatever it is
	Place string        `json:"place,omitempty"` // the one of this place; empty: wherever
	Yes   bool          `json:"yes"`             // do it; else only say what would be done
	By    string        `json:"by"`
}

// Replayed is what became of letters, or would.
type Replayed struct {
	Done    bool             `json:"done"`
	Letters []ReplayedLetter `json:"letters"`
}

// A ReplayedLetter says what became of one.
type ReplayedLetter struct {
	Place   string `json:"place"`
	Outcome string `json:"outcome"` // deliver, delivered, newer, rejected, unreadable or skipped
	What    string `json:"what,omitempty"`
}

func (h Handlers) sinkCommand(w http.ResponseWriter, r *http.Request) {
	var c SinkCommand
	if !h.takes(w, r, &c) {
		return
	}
	answer, err := h.Commands.Command(r.Context(), r.PathValue("sink"), c)
	respond(w, answer, err)
}

func (h Handlers) replay(w http.ResponseWriter, r *http.Request) {
	var c Replay
	if !h.takes(w, r, &c) {
		return
	}
	done, err := h.Commands.Replay(r.Context(), r.PathValue("sink"), c)
	respond(w, done, err)
}

// deadLetters lists the letters, or shows the one of ?place=.
func (h Handlers) deadLetters(w http.ResponseWriter, r *http.Request) {
	if h.Commands == nil {
		WriteProblem(w, noSinks())
		return
	}
	q, name := r.URL.Query(), r.PathValue("name")
	if place := q.Get("place"); place != "" {
		values, _ := strconv.ParseBool(q.Get("values"))
		shown, err := h.Commands.DeadLetter(r.Context(), name, place, values)
		respond(w, shown, err)
		return
	}
	limit, _ := strconv.Atoi(q.Get("limit"))
	list, err := h.Commands.DeadLetters(r.Context(), name, limit)
	respond(w, list, err)
}

// takes reads the body of a command.
func (h Handlers) takes(w http.ResponseWriter, r *http.Request, into any) bool {
	if h.Commands == nil {
		WriteProblem(w, noSinks())
		return false
	}
	return reads(w, r, into)
}

// reads reads the body of a request.
func reads(w http.ResponseWriter, r *http.Request, into any) bool {
	d := json.NewDecoder(http.MaxBytesReader(w, r.Body, 64<<10))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		WriteProblem(w, &pipeline.Refusal{Code: CodeBadRequest, What: "the command cannot be read", Err: err, Mend: "use the `evert` of the same version as the daemon"})
		return false
	}
	return true
}

func noSinks() error {
	return &pipeline.Refusal{Code: CodeNoSuchSink, What: "the file has no sinks", Mend: "add one below sinks"}
}

func respond(w http.ResponseWriter, answer any, err error) {
	if err != nil {
		WriteProblem(w, err)
		return
	}
	writeJSON(w, http.StatusOK, answer)
}

// SinkCommand sends a command.
func (c *Client) SinkCommand(ctx context.Context, sink string, s SinkCommand) (a SinkAnswer, err error) {
	return a, c.call(ctx, http.MethodPost, "/v1/sinks/"+url.PathEscape(sink)+"/control", s, &a)
}

// Replay sends a replay.
func (c *Client) Replay(ctx context.Context, sink string, r Replay) (d Replayed, err error) {
	return d, c.call(ctx, http.MethodPost, "/v1/sinks/"+url.PathEscape(sink)+"/replay", r, &d)
}

// DeadLetters asks for a list of letters.
func (c *Client) DeadLetters(ctx context.Context, name string, limit int) (l DeadLetters, err error) {
	return l, c.call(ctx, http.MethodGet, "/v1/dead-letters/"+url.PathEscape(name)+"?limit="+strconv.Itoa(limit), nil, &l)
}

// DeadLetter asks for one letter.
func (c *Client) DeadLetter(ctx context.Context, name, place string, values bool) (l DeadLetterShown, err error) {
	q := url.Values{"place": {place}, "values": {strconv.FormatBool(values)}}
	return l, c.call(ctx, http.MethodGet, "/v1/dead-letters/"+url.PathEscape(name)+"?"+q.Encode(), nil, &l)
}

// NoSink says that the file has no sink of a name; known are those that it has.
func NoSink(name string, known []string) error {
	return &pipeline.Refusal{Code: CodeNoSuchSink, What: fmt.Sprintf("there is no sink %q", name), Mend: fmt.Sprintf("name one of %v", known)}
}

// NoSource says that the file has no source of a name; known are those that it has.
func NoSource(name string, known []string) error {
	return &pipeline.Refusal{Code: CodeNoSuchSource, What: fmt.Sprintf("there is no source %q", name), Mend: fmt.Sprintf("name one of %v", known)}
}
