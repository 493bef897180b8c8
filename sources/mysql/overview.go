package mysql

import (
	"context"
	"errors"
	"log/slog"
	"strings"

	"github.com/evertdb/evert/pipeline"
)

// An Overview is what somebody sees who looks at a database for the first time.
type Overview struct {
	MariaDB bool
	Version string

	ByPosition bool // its transactions have no GTIDs: see Grant

	Tables []TableSize // by database and name
}

// A TableSize is one table, by the server's own estimates.
type TableSize struct {
	TableName
	Rows, Bytes int64
	Left        *pipeline.Refusal // why it cannot be captured as it is; nil: it can
}

// Survey looks at the tables that c matches; it changes nothing. What keeps a source
// from starting is told by Check.
func Survey(ctx context.Context, c Config) (Overview, error) {
	c.Log = slog.New(slog.DiscardHandler)
	s := New(c)
	defer s.Close()
	side, err := s.config.dial(ctx)
	if err != nil {
		return Overview{}, err
	}
	s.setSide(side)
	if s.facts, err = loadFacts(ctx, side); err != nil {
		return Overview{}, err
	}
	if s.collations, err = loadCollations(ctx, side); err != nil {
		return Overview{}, err
	}
	out := Overview{MariaDB: s.facts.mariaDB, ByPosition: s.facts.byPosition, Version: plainVersion(s.facts.version)}
	for _, t := range s.facts.tables {
		if wanted, _ := s.config.wants(t.TableName); !wanted {
			continue
		}
		left, err := s.survey(ctx, side, t)
		if err != nil {
			return out, err
		}
		out.Tables = append(out.Tables, TableSize{t.TableName, t.rows, t.bytes, left})
	}
	return out, nil
}

// survey says why a table cannot be captured.
func (s *Source) survey(ctx context.Context, side *session, t *tableInfo) (left *pipeline.Refusal, err error) {
	if err := t.describe(ctx, side, s.collations); err != nil {
		return nil, err
	}
	if r := s.capturable(t); r != nil {
		return r, nil
	}
	for _, err := range t.cascades(ctx, side) {
		if !errors.As(err, &left) {
			return nil, err
		}
	}
	return left, nil
}

// plainVersion leaves out what packagers add: 10.11.6-MariaDB-0+deb12u1-log.
func plainVersion(text string) string {
	version, _, _ := strings.Cut(text, "-")
	return version
}
