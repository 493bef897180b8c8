package tables

import (
	"slices"
	"strings"
	"time"

	"github.com/evertdb/evert/configs"
	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/capture"
	"github.com/evertdb/evert/pipeline/log"
	"github.com/evertdb/evert/schema"
)

// A request that a table is copied.
type request struct{ table, id string }

// copyAsked is a request that the source was given.
//
//	asked ─► passes: the source begins it ─► begun: the frontier says so
//	  └────────┴──► over: it is refused, or its table stops before it has begun
type copyAsked struct {
	id     string
	taken  bool       // it has taken it on
	passed bool       // it begins it
	done   bool       // and is done with it
	stops  []log.Stop // for which the table had stopped when it was begun
}

func (t *Tables) isOver(name, id string) bool {
	_, over := t.over[request{name, id}]
	return over
}

// gaveUp notes that the source has given a table up: it begins no copy that it was asked
// for before.
func (t *Tables) gaveUp(name string, why *pipeline.Refusal) {
	if a := t.asked[name]; a.taken && !a.passed && !begun(t.written(name), a.id) {
		t.over[request{name, a.id}] = why
	}
}

// passes notes that the source begins a copy, or is done with it.
func (t *Tables) passes(c *pipeline.TableCopy) {
	name := c.Table.String()
	a := t.asked[name]
	if a.id != c.ID || a.id == "" {
		return
	}
	if a.done = c.Done; !c.Done {
		a.passed, a.stops = true, stopsOf(t.written(name))
		delete(t.over, request{name, c.ID})
	}
	t.asked[name] = a
}

// Committed notes copies that are done and committed, and have not begun for the sink:
// the transforms dropped them, or the table has no row that goes anywhere.
func (t *Tables) Committed() {
	t.mu.Lock()
	var dropped []string
	for name, a := range t.asked {
		if a.done && !t.isOver(name, a.id) && !begun(t.written(name), a.id) && t.isCommanded(name, a.id) {
			dropped = append(dropped, name)
		}
	}
	t.mu.Unlock()
	if len(dropped) == 0 {
		return
	}
	t.change(func() {
		for _, name := range dropped {
			t.over[request{name, t.asked[name].id}] = t.dropped(name)
		}
	})
}

// isCommanded reports whether people asked for a copy, so that its ID is noted when it
// begins.
func (t *Tables) isCommanded(name, id string) bool {
	c := t.command(name)
	return c.Copy != nil && c.Copy.ID == id
}

// dropped says why a copy did not begin; nil where no row of its table went anywhere.
func (t *Tables) dropped(name string) error {
	if len(t.written(name)) == 0 {
		return nil
	}
	if t.chain != nil {
		if _, _, err := t.chain.Copied(t.tables[name]); err != nil {
			return err
		}
	}
	return &pipeline.Refusal{Code: codeNoCopier, Where: "table " + name, What: "its transforms did not let the copy through",
		Mend: "evert reset " + t.Source + " --resnapshot --yes   # copies all tables of the source"}
}

// weigh notes requests whose copies passed, and whose tables stopped instead of it.
func (t *Tables) weigh() {
	for name, a := range t.asked {
		written := t.written(name)
		if !a.passed || begun(written, a.id) {
			continue
		}
		for _, why := range stopsOf(written) {
			if !slices.Contains(a.stops, why) {
				t.over[request{name, a.id}] = &pipeline.Refusal{Code: why.Code, What: why.Text, Mend: "evert status   # why, and what mends it"}
			}
		}
	}
}

func stopsOf(states []log.TableState) (stops []log.Stop) {
	for _, s := range states {
		if s.State == log.Stopped {
			stops = append(stops, s.Why)
		}
	}
	return stops
}

// MendsItself reports whether a table that stops is copied again without people.
func (t *Tables) MendsItself(to *schema.Table, code pipeline.Code) bool {
	if t == nil || to == nil || !capture.Mends(code) {
		return false
	}
	name, err := t.origin(to.String())
	if err != nil || t.copyable(name) != nil {
		return false
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	table := t.tables[name]
	tried := strings.TrimSuffix(capture.ErrorID(log.Stop{Code: code, At: time.UnixMicro(0)}), "0")
	if a := t.asked[name]; a.passed && strings.HasPrefix(a.id, tried) {
		return false // the copy for this code has begun, and that is not committed yet
	}
	return table != nil && t.command(name).Paused == nil && !t.states[to.String()].HasTried(code) &&
		t.File.Sources[t.Source].For(table.Schema, table.Name).OnTableError == configs.Resnapshot
}
