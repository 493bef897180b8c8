package api

import (
	"encoding/json"
	"errors"
	"net/http"

	"github.com/evertdb/evert/cmd/evert/records"
	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/view/query"
	"github.com/evertdb/evert/sinks/bleve"
)

// The codes of refusals that clients of the API meet.
const (
	CodePortTaken    pipeline.Code = "PORT_TAKEN"
	CodeSocketPath   pipeline.Code = "SOCKET_PATH"
	CodeCertificate  pipeline.Code = "CERTIFICATE"
	CodeUnauthorized pipeline.Code = "UNAUTHORIZED"
	CodeForeignHost  pipeline.Code = "FOREIGN_HOST"
	CodeBusy         pipeline.Code = "TOO_MANY_REQUESTS"
	CodeNoSuchSource pipeline.Code = "NO_SUCH_SOURCE"
	CodeNoSuchPath   pipeline.Code = "NO_SUCH_PATH"
	CodeBadRequest   pipeline.Code = "BAD_REQUEST"
	CodeInternal     pipeline.Code = "INTERNAL"
	CodeNoSuchView   pipeline.Code = "NO_SUCH_VIEW"
	CodeNoSuchIndex  pipeline.Code = "NO_SUCH_INDEX"
	CodeNoSuchSink   pipeline.Code = "NO_SUCH_SINK"
	CodeNoLetter     pipeline.Code = "NO_DEAD_LETTER"
	CodeStreams      pipeline.Code = "TOO_MANY_STREAMS"
)

// A Problem is an error as RFC 9457 writes it, with code and mend.
type Problem struct {
	Type   string        `json:"type"`
	Title  string        `json:"title"`
	Status int           `json:"status"`
	Detail string        `json:"detail,omitempty"`
	Code   pipeline.Code `json:"code"`
	Mend   string        `json:"mend,omitempty"`
	// Position is how far a view had come that was asked in vain.
	Position string `json:"position,omitempty"`
	// Progress is how much of an index is filled that cannot be searched yet.
	Progress *Progress `json:"progress,omitempty"`
}

// Refusal gives the problem back as the refusal that it was.
func (p *Problem) Refusal() *pipeline.Refusal {
	return &pipeline.Refusal{Code: p.Code, What: p.Detail, Mend: p.Mend}
}

// problemOf tells err with the status that suits its code.
func problemOf(err error) *Problem {
	var r *pipeline.Refusal
	if !errors.As(err, &r) {
		r = &pipeline.Refusal{Code: CodeInternal, What: err.Error(), Mend: "see the daemon's log"}
	}
	status := statusOf(r.Code)
	return &Problem{Type: "about:blank", Title: http.StatusText(status), Status: status, Detail: detailOf(r), Code: r.Code, Mend: r.Mend}
}

// detailOf is what a refusal says, without its code and mend.
func detailOf(r *pipeline.Refusal) string {
	detail := r.What
	if r.Where != "" {
		detail = r.Where + ": " + detail
	}
	if r.Err != nil {
		detail += ": " + r.Err.Error()
	}
	return detail
}

func statusOf(code pipeline.Code) int {
	switch code {
	case CodeNoSuchSource, records.CodeNoSuchTopic, CodeNoSuchPath, CodeNoSuchView, CodeNoSuchIndex, CodeNoSuchSink, CodeNoLetter, query.CodeNoRow:
		return http.StatusNotFound
	case CodeUnauthorized:
		return http.StatusUnauthorized
	case CodeForeignHost:
		return http.StatusForbidden
	case CodeBusy, CodeStreams, query.CodeNotReady, bleve.CodeNotReady:
		return http.StatusServiceUnavailable
	case CodeBadRequest, query.CodeRequest, query.CodeIndex, bleve.CodeQuery, bleve.CodeTooWide:
		return http.StatusBadRequest
	case query.CodeCursor:
		return http.StatusGone
	case query.CodeTimeout, bleve.CodeSlow:
		return http.StatusGatewayTimeout
	case CodeInternal:
		return http.StatusInternalServerError
	}
	return http.StatusConflict
}

// WriteProblem answers a request with err.
func WriteProblem(w http.ResponseWriter, err error) { problemOf(err).write(w) }

func (p *Problem) write(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "application/problem+json")
	if p.Status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", "Bearer")
	}
	if p.Status == http.StatusServiceUnavailable {
		w.Header().Set("Retry-After", "1")
	}
	w.WriteHeader(p.Status)
	_ = json.NewEncoder(w).Encode(p)
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	_ = e.Encode(v)
}
