package inspect

import (
	"fmt"

	"github.com/evertdb/evert/pipeline"
)

// A Finding is what was found, as it is printed.
type Finding struct {
	Source  string        `json:"source,omitempty"`
	Level   string        `json:"level"` // error, warning or fine
	Code    pipeline.Code `json:"code,omitempty"`
	Where   string        `json:"where,omitempty"`
	What    string        `json:"what"`
	Mend    string        `json:"mend,omitempty"`
	Refusal error         `json:"-"` // as people read it
}

// failures makes findings of an error; nil makes none.
func failures(where string, err error) (all []Finding) {
	for _, r := range Refusals(err) {
		all = append(all, FindingOf("", pipeline.Finding{Refusal: r}))
	}
	if err != nil && len(all) == 0 {
		all = append(all, Finding{Level: pipeline.Fails.String(), Where: where, What: err.Error(), Refusal: fmt.Errorf("%s: %w", where, err)})
	}
	return all
}

// FindingOf is a finding of a source, or with an empty name of none.
func FindingOf(source string, f pipeline.Finding) Finding {
	c := Finding{Source: source, Level: f.Severity.String(), Code: f.Code, Where: f.Where, What: f.What, Mend: f.Mend, Refusal: f.Refusal}
	if f.Err != nil {
		c.What += ": " + f.Err.Error()
	}
	if f.Code == "" {
		c.Refusal = fmt.Errorf("%s: %s", f.Where, c.What)
	}
	return c
}

// Refusals gives the refusals of an error that joins several.
func Refusals(err error) []*pipeline.Refusal {
	switch e := err.(type) {
	case nil:
		return nil
	case *pipeline.Refusal:
		return []*pipeline.Refusal{e}
	case interface{ Unwrap() []error }:
		var all []*pipeline.Refusal
		for _, inner := range e.Unwrap() {
			all = append(all, Refusals(inner)...)
		}
		return all
	case interface{ Unwrap() error }:
		return Refusals(e.Unwrap())
	}
	return nil
}
