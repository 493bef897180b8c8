package rest

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"strconv"
	"strings"

	"github.com/evertdb/evert/schema/registry"
)

func refuse(code registry.Code, format string, args ...any) error {
	return &registry.Error{Code: code, Message: fmt.Sprintf(format, args...)}
}

// subjectOf gives the subject of a path; empty if it has none.
func subjectOf(r *http.Request) (string, error) { return unqualified(r.PathValue("subject")) }

// unqualified takes the default context from before a name.
func unqualified(name string) (string, error) {
	if !strings.HasPrefix(name, ":") {
		return name, nil
	}
	if bare, ok := strings.CutPrefix(name, ":.:"); ok {
		return bare, nil
	}
	return "", refuse(registry.CodeInvalidSubject, "Invalid subject %.60q: this registry has only the default context", name)
}

// versionOf gives the version of a path; 0 if it has none.
func versionOf(r *http.Request) (int, error) {
	text := r.PathValue("version")
	switch text {
	case "":
		return 0, nil
	case "latest", "-1":
		return registry.Newest, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > math.MaxInt32 {
		return 0, refuse(registry.CodeInvalidVersion, "The specified version '%.40s' is not a valid version id. Allowed values are between [1, 2^31-1] and the string \"latest\"", text)
	}
	return n, nil
}

func idOf(r *http.Request) (int, error) {
	n, err := strconv.Atoi(r.PathValue("id"))
	if err != nil || n < 0 || n > math.MaxInt32 {
		return 0, refuse(registry.CodeNoSuchPath, "HTTP 404 Not Found")
	}
	return n, nil
}

// flag gives a boolean of the query; anything but true is false.
func flag(r *http.Request, name string) bool {
	return strings.EqualFold(r.URL.Query().Get(name), "true")
}

// window cuts a list by offset and limit of the query.
func window[T any](r *http.Request, list []T) []T {
	q := r.URL.Query()
	if n, err := strconv.Atoi(q.Get("offset")); err == nil && n > 0 {
		list = list[min(n, len(list)):]
	}
	if n, err := strconv.Atoi(q.Get("limit")); err == nil && n >= 0 {
		list = list[:min(n, len(list))]
	}
	if list == nil {
		list = []T{}
	}
	return list
}

// prefixOf is the prefix of the subjects that are asked for.
func prefixOf(r *http.Request) (string, error) {
	prefix := r.URL.Query().Get("subjectPrefix")
	if prefix == ":*:" {
		return "", nil
	}
	return unqualified(prefix)
}

// decode reads a body; what it does not know it leaves alone, as clients of
// newer releases send more.
func decode(r *http.Request, into any) error {
	d := json.NewDecoder(r.Body)
	err := d.Decode(into)
	var large *http.MaxBytesError
	var mistyped *json.UnmarshalTypeError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &large):
		return refuse(registry.CodeSchemaTooLarge, "The request is larger than %d bytes", maxBody)
	case errors.As(err, &mistyped):
		return refuse(422, "The body's %s is not a %s", mistyped.Field, mistyped.Type)
	case errors.Is(err, io.EOF):
		return refuse(422, "The request has no body")
	}
	return refuse(registry.CodeBadRequest, "The body is not JSON")
}

// A proposal is the body of what concerns a schema.
type proposal struct {
	Schema     string               `json:"schema"`
	SchemaType string               `json:"schemaType"`
	References []registry.Reference `json:"references"`
	ID         int                  `json:"id"`
	Version    int                  `json:"version"`
	Metadata   json.RawMessage      `json:"metadata"`
	RuleSet    json.RawMessage      `json:"ruleSet"`
}

func proposalOf(r *http.Request) (registry.Proposal, error) {
	var p proposal
	if err := decode(r, &p); err != nil {
		return registry.Proposal{}, err
	}
	for name, part := range map[string]json.RawMessage{"metadata": p.Metadata, "ruleSet": p.RuleSet} {
		if len(part) > 0 && string(part) != "null" {
			return registry.Proposal{}, refuse(registry.CodeInvalidSchema, "Invalid schema: this registry keeps no %s", name)
		}
	}
	for i := range p.References {
		var err error
		if p.References[i].Subject, err = unqualified(p.References[i].Subject); err != nil {
			return registry.Proposal{}, err
		}
	}
	return registry.Proposal{
		Schema: registry.Schema{Text: p.Schema, References: p.References},
		Type:   p.SchemaType, ID: max(p.ID, 0), Number: max(p.Version, 0), Normalize: flag(r, "normalize"),
	}, nil
}
