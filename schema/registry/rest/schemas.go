package rest

import (
	"net/http"
	"slices"

	"github.com/evertdb/evert/schema/registry"
)

// An answer about a version.
type version struct {
	Subject    string               `json:"subject"`
	Version    int                  `json:"version"`
	ID         int                  `json:"id"`
	References []registry.Reference `json:"references,omitempty"`
	Schema     string               `json:"schema"`
	Deleted    bool                 `json:"deleted,omitempty"`
}

func answerOf(v registry.Version) version {
	return version{v.Subject, v.Number, v.ID, v.References, v.Text, v.Deleted}
}

func (h handler) schemas(r *http.Request) (any, error) {
	prefix, err := prefixOf(r)
	if err != nil {
		return nil, err
	}
	all, err := h.Versions(r.Context(), prefix, flag(r, "deleted"))
	if err != nil {
		return nil, err
	}
	answers := []version{}
	for i, v := range all {
		if last := i == len(all)-1 || all[i+1].Subject != v.Subject; last || !flag(r, "latestOnly") {
			answers = append(answers, answerOf(v))
		}
	}
	return window(r, answers), nil
}

func (h handler) schema(r *http.Request) (any, error) {
	s, err := h.byID(r)
	if err != nil {
		return nil, err
	}
	answer := struct {
		Schema     string               `json:"schema"`
		References []registry.Reference `json:"references,omitempty"`
		MaxID      int                  `json:"maxId,omitempty"`
	}{Schema: s.Text, References: s.References}
	if flag(r, "fetchMaxId") {
		_, answer.MaxID = h.Size()
	}
	return answer, nil
}

func (h handler) byID(r *http.Request) (registry.Schema, error) {
	id, err := idOf(r)
	if err != nil {
		return registry.Schema{}, err
	}
	return h.ByID(r.Context(), id)
}

func (h handler) schemaText(r *http.Request) (any, error) {
	s, err := h.byID(r)
	return plain(s.Text), err
}

// having gives the versions that have an id.
func (h handler) having(r *http.Request) ([]registry.Version, error) {
	id, err := idOf(r)
	if err != nil {
		return nil, err
	}
	if _, err := h.ByID(r.Context(), id); err != nil {
		return nil, err
	}
	all, err := h.Versions(r.Context(), "", flag(r, "deleted"))
	return slices.DeleteFunc(all, func(v registry.Version) bool { return v.ID != id }), err
}

func (h handler) subjectsOf(r *http.Request) (any, error) {
	all, err := h.having(r)
	return window(r, names(all)), err
}

func (h handler) versionsOf(r *http.Request) (any, error) {
	type place struct {
		Subject string `json:"subject"`
		Version int    `json:"version"`
	}
	all, err := h.having(r)
	places := []place{}
	for _, v := range all {
		places = append(places, place{v.Subject, v.Number})
	}
	return window(r, places), err
}

func names(all []registry.Version) []string {
	names := []string{}
	for _, v := range all {
		names = append(names, v.Subject)
	}
	return slices.Compact(names)
}
