package rest

import (
	"net/http"

	"github.com/evertdb/evert/schema/registry"
)

// A config as it is told; what is asked for has another name for the level.
type config struct {
	Level     registry.Level `json:"compatibilityLevel,omitempty"`
	Normalize *bool          `json:"normalize,omitempty"`
}

func (h handler) config(r *http.Request) (any, error) {
	subject, err := subjectOf(r)
	if err != nil {
		return nil, err
	}
	s, err := h.Setting(r.Context(), subject, flag(r, "defaultToGlobal"))
	return config(s), err
}

// wanted is the body of a change. The last ones change what is compared, and
// are not built.
type wanted struct {
	Compatibility string `json:"compatibility"`
	Normalize     *bool  `json:"normalize"`
	Group         string `json:"compatibilityGroup"`
	Alias         string `json:"alias"`
}

func (h handler) configure(r *http.Request) (any, error) {
	subject, err := subjectOf(r)
	if err != nil {
		return nil, err
	}
	var w wanted
	if err := decode(r, &w); err != nil {
		return nil, err
	}
	if w.Group != "" || w.Alias != "" {
		return nil, refuse(registry.CodeInvalidLevel, "This registry has no compatibility groups and no aliases")
	}
	s := registry.Setting{Normalize: w.Normalize}
	if w.Compatibility != "" || w.Normalize == nil {
		if s.Level, err = registry.ParseLevel(w.Compatibility); err != nil {
			return nil, err
		}
	}
	return struct {
		Level     registry.Level `json:"compatibility,omitempty"`
		Normalize *bool          `json:"normalize,omitempty"`
	}{s.Level, s.Normalize}, h.Configure(r.Context(), subject, s)
}

func (h handler) unconfigure(r *http.Request) (any, error) {
	subject, err := subjectOf(r)
	if err != nil {
		return nil, err
	}
	was, err := h.Unconfigure(r.Context(), subject)
	return config(was), err
}

type mode struct {
	Mode registry.Mode `json:"mode"`
}

func (h handler) mode(r *http.Request) (any, error) {
	subject, err := subjectOf(r)
	if err != nil {
		return nil, err
	}
	m, err := h.Mode(r.Context(), subject, flag(r, "defaultToGlobal"))
	return mode{m}, err
}

func (h handler) setMode(r *http.Request) (any, error) {
	subject, err := subjectOf(r)
	if err != nil {
		return nil, err
	}
	var body struct {
		Mode string `json:"mode"`
	}
	if err := decode(r, &body); err != nil {
		return nil, err
	}
	m, err := registry.ParseMode(body.Mode)
	if err != nil {
		return nil, err
	}
	return mode{m}, h.SetMode(r.Context(), subject, m, flag(r, "force"))
}

func (h handler) unsetMode(r *http.Request) (any, error) {
	subject, err := subjectOf(r)
	if err != nil {
		return nil, err
	}
	was, err := h.UnsetMode(r.Context(), subject)
	return mode{was}, err
}
