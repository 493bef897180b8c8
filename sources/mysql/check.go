package mysql

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"time"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/schema"
)

// Checked is what Check found.
type Checked struct {
	Findings []pipeline.Finding
	Tables   []TableName // that would be captured
}

// Check asks the server for everything that would keep a source from starting at from,
// which is nil if that is not known, and for what will hurt later. An error means that
// it could not be asked.
func Check(ctx context.Context, c Config, from *pipeline.Resume) (Checked, error) {
	c.Log = slog.New(slog.DiscardHandler)
	s := New(c)
	defer s.Close()
	problems, was, err := s.problems(ctx, from)
	var r *pipeline.Refusal
	if errors.As(err, &r) {
		return Checked{Findings: []pipeline.Finding{pipeline.Found(pipeline.Fails, *r)}}, nil
	}
	if err != nil {
		return Checked{}, err
	}
	var out Checked
	for _, p := range problems {
		if !errors.As(p, &r) {
			return out, p
		}
		out.Findings = append(out.Findings, pipeline.Found(pipeline.Fails, *r))
	}
	for _, p := range s.conditions(ctx, s.side, func(t *tableInfo) bool { return !s.copiesFirst(t, was) }) {
		if !errors.As(p, &r) {
			return out, p
		}
		r.What += "; a copy of the table does not begin"
		out.Findings = append(out.Findings, pipeline.Found(pipeline.Warns, *r))
	}
	for _, r := range append(s.facts.warnings(&s.config), s.Stats().LeftOut...) {
		out.Findings = append(out.Findings, pipeline.Found(pipeline.Warns, *r))
	}
	for _, t := range s.facts.chosen {
		out.Tables = append(out.Tables, t.TableName)
	}
	if len(problems) == 0 {
		out.Findings = append(out.Findings, pipeline.Good("server "+s.facts.version, fmt.Sprintf("%d tables can be captured", len(out.Tables))))
	}
	return out, nil
}

// Describe gives the tables that would be captured now, whichever rows of them are copied.
func Describe(ctx context.Context, c Config) ([]*schema.Table, error) {
	c.Log, c.Where = slog.New(slog.DiscardHandler), nil
	s := New(c)
	defer s.Close()
	problems, _, err := s.problems(ctx, nil)
	if err == nil {
		err = errors.Join(problems...)
	}
	if err == nil {
		err = s.assemble(pipeline.Resume{}, state{})
	}
	if err != nil {
		return nil, err
	}
	var out []*schema.Table
	for _, k := range s.tables.kept() {
		out = append(out, s.tables.find(k.TableName).shape.table)
	}
	return out, nil
}

// End gives the end of the server's log, as a native position.
func End(ctx context.Context, c Config) (string, error) {
	end, _, err := EndAndClock(ctx, c)
	return end, err
}

// EndAndClock gives the end of the server's log, as a native position, and by how
// much the server's clock is ahead of ours, within half of the time of the answer.
func EndAndClock(ctx context.Context, c Config) (end string, ahead time.Duration, err error) {
	c = c.withDefaults()
	side, err := c.dial(ctx)
	if err != nil {
		return "", 0, err
	}
	defer side.close()
	p, err := side.logEnd(ctx)
	if err != nil {
		return "", 0, err
	}
	asked := time.Now()
	rows, err := side.query(ctx, "SELECT cast(unix_timestamp(now(6)) * 1000000 AS SIGNED)")
	if err != nil {
		return "", 0, err
	}
	middle := asked.Add(time.Since(asked) / 2)
	micros, err := strconv.ParseInt(rows.text(0, 0), 10, 64)
	if err != nil {
		return "", 0, fmt.Errorf("the server's clock: %w", err)
	}
	return p.String(), time.UnixMicro(micros).Sub(middle), nil
}

// Reached compares native positions, without a server.
func Reached(have, want string) (bool, error) { return reached(have, want) }
