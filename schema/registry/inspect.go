package registry

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/twmb/franz-go/pkg/sr"
)

// A Standing is how a registry stands to schemas that are to come: of all
// subjects, or of one.
type Standing struct {
	Subject string // empty: of those that have none of their own
	Level   string // compatibility, as the protocol writes it
	Mode    string // READWRITE, READONLY, READONLY_OVERRIDE, IMPORT; empty if the registry knows no modes
}

// Standings gives the registry's own standing, and those of the subjects that
// have another. It registers nothing.
func (c *Client) Standings(ctx context.Context, subjects ...string) ([]Standing, error) {
	global := Standing{}
	levels := c.sr.Compatibility(ctx)
	if len(levels) != 1 || levels[0].Err != nil {
		return nil, fmt.Errorf("registry: compatibility: %w", c.mapped(firstError(levels)))
	}
	global.Level = levels[0].Level.String()
	if modes := c.sr.Mode(ctx); len(modes) == 1 && modes[0].Err == nil {
		global.Mode = modes[0].Mode.String()
	}
	all := []Standing{global}
	for _, subject := range subjects {
		own := Standing{Subject: subject, Level: global.Level, Mode: global.Mode}
		for _, level := range c.sr.Compatibility(ctx, subject) {
			if level.Err == nil {
				own.Level = level.Level.String()
			}
		}
		for _, mode := range c.sr.Mode(ctx, subject) {
			if mode.Err == nil {
				own.Mode = mode.Mode.String()
			}
		}
		if own.Level != global.Level || own.Mode != global.Mode {
			all = append(all, own)
		}
	}
	return all, nil
}

func firstError(levels []sr.CompatibilityResult) error {
	for _, l := range levels {
		if l.Err != nil {
			return l.Err
		}
	}
	return errors.New("no answer")
}

// Means reports whether an id is that of a schema of a subject, deleted ones
// included. An id that was given anew after the registry was wiped, or one of
// another registry, is not (K25).
func (c *Client) Means(ctx context.Context, subject string, id int) (bool, error) {
	schemas, err := c.sr.Schemas(sr.WithParams(ctx, sr.ShowDeleted), subject)
	if err = c.mapped(err); errors.Is(err, ErrNotFound) {
		return false, nil
	} else if err != nil {
		return false, fmt.Errorf("registry: schemas of %s: %w", subject, err)
	}
	return slices.ContainsFunc(schemas, func(s sr.SubjectSchema) bool { return s.ID == id }), nil
}
