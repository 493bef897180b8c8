// Package rest serves a registry.Local by Confluent's REST protocol, as its
// clients use it ("Schema Registry API reference" of Confluent's documentation):
//
//	GET  /schemas/types  /schemas  /schemas/ids/{id}[/schema|/subjects|/versions]
//	GET  /subjects  /subjects/{s}/versions[/{v}[/schema|/referencedby]]
//	POST /subjects/{s}            is it registered?
//	POST /subjects/{s}/versions   register it
//	DEL  /subjects/{s}[/versions/{v}]?permanent=
//	POST /compatibility/subjects/{s}/versions[/{v}]?verbose=
//	GET PUT DEL /config[/{s}]  /mode[/{s}]
//	GET  /contexts                there is one, "."
//
// A subject may be written with the default context, `:.:name`, and every path
// below /contexts/{context}. Other contexts are refused, as ids would mean
// different schemas in them.
//
// The pattern of the endpoint that answered stands in the request afterwards.
//
// Bodies, paths and times are bounded (X16, X18); who may ask is decided in
// front of the handler.
package rest

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/evertdb/evert/schema/registry"
)

// ContentType is that of every answer.
const ContentType = "application/vnd.schemaregistry.v1+json"

const (
	maxBody = 9 << 20 // of a request: a schema of 4 MiB, escaped
	patient = 30 * time.Second
)

// A handler serves one registry.
type handler struct{ *registry.Local }

// An endpoint gives what is answered, as JSON unless it is plain text.
type endpoint func(r *http.Request) (any, error)

// Handler serves a registry. It may be called by any number of goroutines.
func Handler(l *registry.Local) http.Handler {
	h := handler{l}
	mux := http.NewServeMux()
	for pattern, e := range h.endpoints() {
		mux.Handle(pattern, e)
	}
	mux.HandleFunc("/", nowhere)
	return inContext(mux)
}

func (h handler) endpoints() map[string]endpoint {
	return map[string]endpoint{
		"GET /{$}":                       func(*http.Request) (any, error) { return struct{}{}, nil },
		"GET /contexts":                  func(*http.Request) (any, error) { return []string{"."}, nil },
		"GET /schemas/types":             func(*http.Request) (any, error) { return []string{"AVRO"}, nil },
		"GET /schemas":                   h.schemas,
		"GET /schemas/ids/{id}":          h.schema,
		"GET /schemas/ids/{id}/schema":   h.schemaText,
		"GET /schemas/ids/{id}/subjects": h.subjectsOf,
		"GET /schemas/ids/{id}/versions": h.versionsOf,

		"GET /subjects":                                           h.subjects,
		"POST /subjects/{subject}":                                h.lookup,
		"DELETE /subjects/{subject}":                              h.deleteSubject,
		"GET /subjects/{subject}/versions":                        h.versions,
		"POST /subjects/{subject}/versions":                       h.register,
		"GET /subjects/{subject}/versions/{version}":              h.version,
		"DELETE /subjects/{subject}/versions/{version}":           h.deleteVersion,
		"GET /subjects/{subject}/versions/{version}/schema":       h.versionText,
		"GET /subjects/{subject}/versions/{version}/referencedby": h.referencedBy,

		"POST /compatibility/subjects/{subject}/versions":           h.compatible,
		"POST /compatibility/subjects/{subject}/versions/{version}": h.compatible,

		"GET /config":              h.config,
		"GET /config/{subject}":    h.config,
		"PUT /config":              h.configure,
		"PUT /config/{subject}":    h.configure,
		"DELETE /config":           h.unconfigure,
		"DELETE /config/{subject}": h.unconfigure,
		"GET /mode":                h.mode,
		"GET /mode/{subject}":      h.mode,
		"PUT /mode":                h.setMode,
		"PUT /mode/{subject}":      h.setMode,
		"DELETE /mode":             h.unsetMode,
		"DELETE /mode/{subject}":   h.unsetMode,
	}
}

// plain is an answer that is not written as JSON.
type plain string

// ServeHTTP makes an endpoint a handler.
func (e endpoint) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), patient)
	defer cancel()
	r = r.WithContext(ctx)
	r.Body = http.MaxBytesReader(w, r.Body, maxBody)
	answer, err := e(r)
	if err != nil {
		Refuse(w, err)
		return
	}
	w.Header().Set("Content-Type", ContentType)
	if text, ok := answer.(plain); ok {
		_, _ = w.Write([]byte(text))
		return
	}
	write(w, answer)
}

func write(w http.ResponseWriter, answer any) {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	_ = e.Encode(answer)
}

// nowhere answers what is not served.
func nowhere(w http.ResponseWriter, _ *http.Request) {
	Refuse(w, &registry.Error{Code: registry.CodeNoSuchPath, Message: "HTTP 404 Not Found"})
}

// Refuse answers with an error, as the protocol writes one.
func Refuse(w http.ResponseWriter, err error) {
	var own *registry.Error
	if !errors.As(err, &own) {
		own = failure(err)
	}
	w.Header().Set("Content-Type", ContentType)
	if own.Code == registry.CodeUnauthorized {
		w.Header().Add("WWW-Authenticate", `Basic realm="registry"`)
		w.Header().Add("WWW-Authenticate", "Bearer")
	}
	w.WriteHeader(own.Code.Status())
	write(w, struct {
		Code    registry.Code `json:"error_code"`
		Message string        `json:"message"`
	}{own.Code, own.Message})
}

// failure is an error that is not the client's.
func failure(err error) *registry.Error {
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		return &registry.Error{Code: registry.CodeTimeout, Message: "The log did not answer in time: " + err.Error()}
	}
	return &registry.Error{Code: registry.CodeStore, Message: "Error in the backend data store: " + err.Error()}
}

// inContext serves paths below /contexts/{context} as those without.
func inContext(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		rest, ok := strings.CutPrefix(r.URL.EscapedPath(), "/contexts/")
		if !ok {
			next.ServeHTTP(w, r)
			return
		}
		name, path, _ := strings.Cut(rest, "/")
		if name != "." && name != ":.:" && name != "%3A.%3A" {
			Refuse(w, &registry.Error{Code: registry.CodeInvalidSubject, Message: "This registry has only the default context"})
			return
		}
		inner := r.Clone(r.Context())
		inner.URL.RawPath = "/" + path
		inner.URL.Path = "/" + path
		if u, err := r.URL.Parse("/" + path); err == nil {
			inner.URL.Path, inner.URL.RawPath = u.Path, u.RawPath
		}
		next.ServeHTTP(w, inner)
		r.Pattern = inner.Pattern // for those who count what is asked for
	})
}
