package tables

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/evertdb/evert/cmd/evert/codes"
	"github.com/evertdb/evert/cmd/evert/commands"
	"github.com/evertdb/evert/cmd/evert/monitor"
	"github.com/evertdb/evert/cmd/evert/steps"
	"github.com/evertdb/evert/cmd/evert/supervise"
	"github.com/evertdb/evert/configs"
	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/capture"
	"github.com/evertdb/evert/pipeline/control"
	"github.com/evertdb/evert/pipeline/log"
	"github.com/evertdb/evert/pipeline/transform"
	"github.com/evertdb/evert/schema"
)

// codeNoCopier says that a table cannot be copied again by itself, beside what its
// source says.
const codeNoCopier pipeline.Code = "TABLE_NOT_COPIED"

// A Config is what the tables of a source are commanded with.
type Config struct {
	File    *configs.Config
	Source  string
	Control *control.Follower // what people commanded; somebody else has it run
	Log     *slog.Logger
	Monitor *monitor.Source
	Settled func() // called whenever nothing is to be copied, as far as is known; may be nil
}

// Tables has the tables of one stage copied again, and lets them rest: because people
// command it, or because a table stopped and on_table_error says so.
//
//	control topic ─► Run ─► Copier.Copy ─► the source announces it ─► capture ─► state
//	                  ▲ └─► Apply: a table that is paused is given up              │
//	                  └────────────────────────────────────────────────────────────┘
//
// It is the first transform of its stage, which calls Apply; Run is a goroutine of its
// own, and State may be called by any.
type Tables struct {
	Config
	copier pipeline.Copier  // nil: the source is none
	chain  *transform.Chain // as the stage's, to ask where rows go; nil: they keep their table. Guarded by mu

	mu        sync.Mutex
	tables    map[string]*schema.Table  // of the source, the newest version of each
	reaches   map[string]*reach         // where the rows of each go; nil without a chain
	states    map[string]log.TableState // of the tables that are written, as committed
	over      map[request]error         // requests of which nothing comes any more in this run, and why
	asked     map[string]copyAsked      // by table: what was asked of the source last
	resting   map[string]bool           // tables of the source that are to be given up
	counts    map[string]*monitor.TableCopy
	announced bool          // the sink knows the tables
	moved     chan struct{} // closed, and made anew, when something of this changed

	backoff supervise.Backoff // of requests that the source could not take; owned by Run
	later   time.Time         // when it is asked again; owned by Run
}

// New makes what commands the tables of a stage that reads a source.
func New(c Config, s pipeline.Source) (*Tables, error) {
	chain, err := steps.OfSource(c.File, c.Source)
	t := &Tables{Config: c, chain: chain,
		tables: map[string]*schema.Table{}, states: map[string]log.TableState{}, asked: map[string]copyAsked{}, resting: map[string]bool{},
		reaches: map[string]*reach{}, over: map[request]error{}, counts: map[string]*monitor.TableCopy{}, moved: make(chan struct{})}
	longest := c.File.Sources[c.Source].ReconnectMax
	t.backoff = supervise.Backoff{Min: longest / 100, Max: longest}
	t.copier, _ = s.(pipeline.Copier)
	return t, err
}

// Copies reports whether the source copies single tables while it streams.
func (t *Tables) Copies() bool { return t.copier != nil }

// change changes what is known; fn is called with mu held.
func (t *Tables) change(fn func()) {
	t.mu.Lock()
	defer t.mu.Unlock()
	fn()
	close(t.moved)
	t.moved = make(chan struct{})
}

// Apply implements pipeline.Transform: it takes down what the source announces, and
// gives up tables that are to rest.
func (t *Tables) Apply(ctx context.Context, b pipeline.Batch) (pipeline.Batch, error) {
	if len(b.Tables)+len(b.Stopped)+len(b.Copies) > 0 {
		var err error
		t.change(func() { err = t.take(ctx, &b) })
		if err != nil {
			return b, err
		}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	b.Stopped = t.rest(b.Stopped)
	t.count(&b)
	return b, nil
}

func (t *Tables) take(ctx context.Context, b *pipeline.Batch) error {
	if err := t.know(ctx, b.Tables); err != nil {
		return err
	}
	for _, s := range b.Stopped {
		t.gaveUp(s.Table.String(), s.Why)
	}
	for _, c := range b.Copies {
		t.passes(&c)
	}
	return nil
}

func (t *Tables) know(ctx context.Context, tables []*schema.Table) error {
	for _, table := range tables {
		t.tables[table.String()] = table
	}
	if t.chain == nil || len(tables) == 0 {
		return nil
	}
	for _, table := range tables {
		if err := t.learn(table); err != nil {
			return err
		}
	}
	_, err := t.chain.Apply(ctx, pipeline.Batch{Tables: tables})
	return err
}

// rest adds the tables that are to be given up to those that are.
func (t *Tables) rest(stopped []pipeline.TableStop) []pipeline.TableStop {
	for _, name := range slices.Sorted(maps.Keys(t.resting)) {
		stopped = append(stopped, pipeline.TableStop{Table: t.tables[name], Why: t.paused(name)})
	}
	clear(t.resting)
	return stopped
}

func (t *Tables) paused(name string) *pipeline.Refusal {
	by := ""
	if c := t.command(name); c.Paused != nil {
		by = " by " + c.Paused.By
	}
	return &pipeline.Refusal{Code: capture.CodePaused, Where: "table " + name, What: "it was paused" + by, Mend: "evert resume " + t.Source + "." + name}
}

// count counts the rows of copies, for people.
func (t *Tables) count(b *pipeline.Batch) {
	for _, c := range b.Copies {
		delete(t.counts, c.Table.String())
		if !c.Done {
			t.counts[c.Table.String()] = &monitor.TableCopy{Table: c.Table.String()}
		}
		t.Log.Info(map[bool]string{false: "a table is copied again", true: "every row of the table was read again"}[c.Done], "table", c.Table.String(), "request", c.ID)
	}
	if len(t.counts) == 0 {
		return
	}
	for i := range b.Changes {
		if c := &b.Changes[i]; c.Op == pipeline.Read {
			if n := t.counts[c.Table.String()]; n != nil {
				n.Rows++
			}
		}
	}
	for _, n := range t.counts {
		t.Monitor.Copying(*n)
	}
}

// State takes down what the frontier says of a table that is written.
// Of one that no source announces, as those that rows name, only its topic is known.
func (t *Tables) State(topic string, table *schema.Table, state log.TableState) {
	name, _ := strings.CutPrefix(topic, t.File.Sources[t.Source].TopicPrefix+".")
	if table != nil {
		name = table.String()
		t.Monitor.TableIs(name, state.State.String())
	}
	t.change(func() {
		t.states[name] = state
		t.weigh()
	})
}

// Run asks for copies, and lets tables rest, until ctx ends.
func (t *Tables) Run(ctx context.Context) {
	for {
		_, known, commanded := t.Control.Table("")
		t.mu.Lock()
		moved := t.moved
		names := slices.Sorted(maps.Keys(t.tables))
		t.mu.Unlock()
		var again <-chan time.Time
		if known && !t.lookAll(ctx, names) {
			again = time.After(time.Until(t.later))
		}
		if t.isSettled() {
			t.Settled()
		}
		select {
		case <-ctx.Done():
			return
		case <-commanded:
		case <-moved:
		case <-again:
		}
	}
}

// isSettled reports whether somebody waits for nothing to be copied, and nothing is.
func (t *Tables) isSettled() bool {
	t.mu.Lock()
	known := t.announced && t.Settled != nil
	t.mu.Unlock()
	return known && !t.IsBusy()
}

// Wrote notes that the sink has taken a batch: the first one names every table that
// goes on.
func (t *Tables) Wrote() {
	t.mu.Lock()
	first := !t.announced
	t.mu.Unlock()
	if first {
		t.change(func() { t.announced = true })
	}
}

// lookAll does what is to be done for tables. It reports false if something is to be
// tried again later.
func (t *Tables) lookAll(ctx context.Context, names []string) bool {
	all, rests := true, time.Now().Before(t.later)
	for _, name := range names {
		err := t.adopt(ctx, name)
		if id := t.wants(name); err == nil && id != "" && !rests {
			err = t.look(ctx, name, id)
		} else if id != "" {
			all = false
		}
		all = all && err == nil
	}
	switch {
	case all:
		t.backoff.Reset()
	case !rests:
		t.later = time.Now().Add(t.backoff.Next())
	}
	return all
}

// look asks for the copy of a table. What the source refuses needs a person, and is not
// tried again; the error of anything else is given back.
func (t *Tables) look(ctx context.Context, name, id string) error {
	t.mu.Lock()
	t.asked[name] = copyAsked{id: id} // it may begin before Copy returns
	t.mu.Unlock()
	err := t.copyable(name)
	if err == nil {
		err = t.copier.Copy(ctx, pipeline.CopyRequest{ID: id, Table: name})
	}
	if ctx.Err() != nil {
		return nil
	}
	if err != nil {
		p := monitor.ProblemOf(err, t.Monitor.Now())
		t.Log.Warn("a table cannot be copied again", "table", name, "error", p.Text, "code", string(p.Code), "mend", p.Mend, "again", !codes.NeedsPerson(err))
	}
	if err != nil && !codes.NeedsPerson(err) {
		t.mu.Lock()
		delete(t.asked, name)
		t.mu.Unlock()
		return err
	}
	t.change(func() {
		a := t.asked[name]
		a.taken = err == nil
		t.asked[name] = a
		if err != nil {
			t.over[request{name, id}] = err
		}
	})
	return nil
}

// wants gives the ID of the copy that a table is to have and that was not asked for;
// empty: none. A table that people let rest is given up by the next batch.
func (t *Tables) wants(name string) (id string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if written := t.written(name); t.command(name).Paused != nil && t.isKnown(name, written) && (len(written) == 0 || !stoppedAll(written)) {
		t.resting[name] = true
	}
	if id = t.due(name); t.asked[name].id == id {
		return ""
	}
	return id
}

// due gives the ID of the copy that a table is to have and of which something may come
// yet, but that has not begun.
func (t *Tables) due(name string) (id string) {
	command, written := t.command(name), t.written(name)
	switch {
	case command.Paused != nil || !t.isKnown(name, written):
		return ""
	case command.Copy != nil && !begun(written, command.Copy.ID) && !t.isOver(name, command.Copy.ID):
		return command.Copy.ID
	}
	if id = t.mends(name, written); t.isOver(name, id) {
		return ""
	}
	return id
}

func stoppedAll(states []log.TableState) bool {
	return !slices.ContainsFunc(states, func(s log.TableState) bool { return s.State != log.Stopped })
}

// begun reports whether a copy has begun. Tables that rows name may have come since.
func begun(states []log.TableState, id string) bool {
	return slices.ContainsFunc(states, func(s log.TableState) bool { return s.Asked == id })
}

// mends gives the ID of the copy by which a stop is mended without people, once.
func (t *Tables) mends(name string, written []log.TableState) string {
	table := t.tables[name]
	if t.File.Sources[t.Source].For(table.Schema, table.Name).OnTableError != configs.Resnapshot {
		return ""
	}
	for _, s := range written {
		if s.State == log.Stopped && capture.Mends(s.Why.Code) && !s.HasTried(s.Why.Code) {
			return capture.ErrorID(s.Why)
		}
	}
	return ""
}

// command is what people commanded of a table.
func (t *Tables) command(name string) control.Table {
	c, _, _ := t.Control.Table(t.Source + "." + name)
	return c
}

// copyable says why a table cannot be copied by itself.
func (t *Tables) copyable(name string) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	table := t.tables[name]
	switch {
	case len(t.tables) == 0:
		return nil // they are about to be announced
	case table == nil:
		return &pipeline.Refusal{Code: commands.CodeNoTable, Where: "source " + t.Source, What: "it captures no table " + name, Mend: "evert status   # which tables it captures"}
	case t.copier == nil:
		return &pipeline.Refusal{Code: codeNoCopier, Where: "table " + name, What: "its source does not copy single tables while it streams",
			Mend: "evert reset " + t.Source + " --resnapshot --yes   # copies all tables of the source"}
	case t.chain != nil:
		_, _, err := t.chain.Copied(table)
		return err
	}
	return nil
}

// IsBusy reports whether a copy is due, or not whole yet.
func (t *Tables) IsBusy() bool {
	if c, ok := t.copier.(interface{ CopiesDue() bool }); ok && c.CopiesDue() { // that nobody commanded
		return true
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	for name := range t.tables {
		if t.due(name) != "" || slices.ContainsFunc(t.written(name), func(s log.TableState) bool { return s.State == log.Copying }) {
			return true
		}
	}
	return false
}

// taken waits until the source has taken on a request for a table, or has refused it.
func (t *Tables) taken(ctx context.Context, name, id string) error {
	for {
		t.mu.Lock()
		asked, moved := t.asked[name], t.moved
		begun := begun(t.written(name), id)
		why, over := t.over[request{name, id}]
		t.mu.Unlock()
		switch {
		case over:
			return why
		case asked.id == id && asked.taken || begun:
			return nil
		}
		select {
		case <-moved:
		case <-ctx.Done():
			return errors.Join(errNotTaken, context.Cause(ctx))
		}
	}
}

// errNotTaken says that nobody took a request on yet.
var errNotTaken = errors.New("nobody has taken it on yet")
