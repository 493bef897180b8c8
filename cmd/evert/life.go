package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/evertdb/evert/cmd/evert/api"
	"github.com/evertdb/evert/cmd/evert/monitor"
)

const (
	turnSlack = 30 * time.Second // beyond what a turn may take by itself
	stuckLong = 5 * time.Minute  // until a source that hangs is a reason to start anew
)

// lives says what of the daemon does not live, for the watchdog. A database or a
// cluster that is away is no reason: to start anew would not bring it back. The
// call itself takes every lock that a status takes, so that it does not return
// while one is held for ever.
func (d *daemon) lives(now time.Time) error {
	st := d.Status(context.Background())
	if s := d.watch.turns.Still(now); s > readersEvery+turnSlack {
		return fmt.Errorf("the watch of disk and readers has stood still for %s", s.Round(time.Second))
	}
	for i, c := range d.captures.All() {
		if s := c.Probes.Still(now); s > c.Patience()+turnSlack {
			return fmt.Errorf("source %s: its prober has stood still for %s", c.Name(), s.Round(time.Second))
		}
		if d.hangs(&st.Sources[i], now) {
			return fmt.Errorf("source %s: it has hung for %s although its server answers and the log has room", c.Name(), now.Sub(st.Sources[i].Since).Round(time.Second))
		}
	}
	return nil
}

// hangs reports whether a source stands still for no reason outside of this
// process: the log is embedded and has room, and the server has just answered.
func (d *daemon) hangs(s *monitor.SourceStatus, now time.Time) bool {
	inside := d.config.Kafka == nil && !d.full.Load()
	answers := s.Server != nil && s.Server.Error == "" && now.Sub(s.Server.At) < turnSlack
	return s.State == monitor.Stuck && inside && answers && now.Sub(s.Since) > stuckLong
}

// line says how the daemon is in one line.
func (d *daemon) line() string { return lineOf(d.Status(context.Background())) }

func lineOf(st api.Status) string {
	parts := []string{"health " + string(st.Light)}
	for i := range st.Sources {
		s := &st.Sources[i]
		text := s.Name + " " + string(s.State)
		if s.Problem != nil && s.Problem.Code != "" {
			text += " [" + string(s.Problem.Code) + "]"
		}
		parts = append(parts, text)
	}
	return strings.Join(parts, ", ")
}
