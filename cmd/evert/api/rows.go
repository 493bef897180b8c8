package api

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/view/query"
)

// The headers of a read's answer: how far the view had come, in the form that
// wait_for takes, and the code of what keeps it from going on, if anything does.
const (
	positionHeader = "Evert-Position"
	staleHeader    = "Evert-Stale"
)

// answerPatience is how long a client may take for an answer, beside the wait
// that it asked for.
const answerPatience = time.Minute

// row serves one row by its key.
func (h Handlers) row(w http.ResponseWriter, r *http.Request) {
	name, v, ok := h.named(w, r)
	if !ok {
		return
	}
	q, wait, err := parameters(r)
	for param := range q {
		if param != "wait_for" && param != "timeout" {
			err = &pipeline.Refusal{Code: query.CodeRequest, What: "one row takes no parameter " + strconv.Quote(param), Mend: "leave it out, or ask for /v1/views/" + name + "/rows with filters"}
		}
	}
	if err != nil {
		WriteProblem(w, err)
		return
	}
	key, err := keySegments(r)
	if err != nil {
		WriteProblem(w, err)
		return
	}
	h.patient(w, wait)
	a, err := h.Reads.Row(r.Context(), name, v, key, wait)
	h.answer(w, &a, err, func(dst []byte) []byte { return append(append(dst, `"row":`...), a.Rows[0]...) })
}

// rows serves many.
func (h Handlers) rows(w http.ResponseWriter, r *http.Request) {
	name, v, ok := h.named(w, r)
	if !ok {
		return
	}
	q, wait, err := parameters(r)
	if err != nil {
		WriteProblem(w, err)
		return
	}
	h.patient(w, wait)
	a, err := h.Reads.Rows(r.Context(), name, v, q, wait)
	h.answer(w, &a, err, func(dst []byte) []byte { return appendRows(dst, &a) })
}

func appendRows(dst []byte, a *query.Answer) []byte {
	dst = append(dst, `"rows":[`...)
	for i, row := range a.Rows {
		if i > 0 {
			dst = append(dst, ",\n"...)
		}
		dst = append(dst, row...)
	}
	dst = append(dst, `],"cursor":`...)
	if a.Cursor == "" {
		return append(dst, "null"...)
	}
	return strconv.AppendQuote(dst, a.Cursor)
}

// patient moves the deadlines of the connection behind the wait: those of the
// server are for requests that are answered at once.
func (h Handlers) patient(w http.ResponseWriter, wait query.Wait) {
	if len(wait.For) == 0 {
		return
	}
	end := time.Now().Add(h.Reads.Longest(wait) + answerPatience)
	c := http.NewResponseController(w) // a recorder of tests has no deadlines
	_ = c.SetReadDeadline(end)
	_ = c.SetWriteDeadline(end)
}

// answer writes what was read, or why nothing was, and always the position.
func (h Handlers) answer(w http.ResponseWriter, a *query.Answer, err error, appendBody func(dst []byte) []byte) {
	position := a.Epoch.At.String()
	w.Header().Set("Cache-Control", "no-store")
	if position != "" {
		w.Header().Set(positionHeader, position)
	}
	if a.Stale != nil {
		w.Header().Set(staleHeader, string(a.Stale.Code))
	}
	if err != nil {
		p := problemOf(err)
		p.Position = position
		p.write(w)
		return
	}
	body := appendBody([]byte{'{'})
	body = append(strconv.AppendQuote(append(body, `,"position":`...), position), `,"epoch":`...)
	body = strconv.AppendUint(body, a.Epoch.Number, 10)
	body = append(append(append(body, `,"version":"`...), VersionText(a.Epoch.Version)...), '"')
	if at := a.Epoch.Time; !at.IsZero() {
		body = append(at.UTC().AppendFormat(append(body, `,"as_of":"`...), "2006-01-02T15:04:05.999999Z07:00"), '"')
	}
	body = appendStale(body, a.Stale)
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(append(slices.Clip(body), "}\n"...))
}

// VersionText names a version of a view's definition: the beginning of what
// `evert explain` calls it.
func VersionText(version uint64) string { return fmt.Sprintf("%016x", version) }

func appendStale(body []byte, why *pipeline.Refusal) []byte {
	if why == nil {
		return body
	}
	text, err := json.Marshal(Staleness{Code: why.Code, Detail: detailOf(why), Mend: why.Mend})
	if err != nil {
		panic(err) // strings always have a JSON form
	}
	return append(append(body, `,"stale":`...), text...)
}

// A Staleness says why a view does not go on.
type Staleness struct {
	Code   pipeline.Code `json:"code"`
	Detail string        `json:"detail"`
	Mend   string        `json:"mend,omitempty"`
}
