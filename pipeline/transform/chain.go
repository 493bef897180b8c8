package transform

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/schema"
)

// A Config says what a chain does, and where it stands.
type Config struct {
	Specs []Spec

	// Again is the command behind every mend of a table that has stopped, as
	// `evert reset SOURCE --resnapshot --yes`; may be empty.
	Again string

	// AgainOne is that of one table, where a copy of it alone mends it, as
	// `evert snapshot SOURCE.SCHEMA.TABLE`; nil: Again is.
	AgainOne func(t *schema.Table) string

	// Fault decides what becomes of a change that cannot be transformed: nil, and
	// it is left out, and what an earlier change made of its row is taken away. Without Fault its table stops, and nothing else (I8). With it,
	// steps that do not fit a table are an error of Apply.
	Fault func(ctx context.Context, c *pipeline.Change, why *pipeline.Refusal) error

	// Split makes of each change of key a delete and a create, for those who take
	// changes of single keys.
	Split bool
}

// A Chain applies steps one after the other. It implements pipeline.Transform.
type Chain struct {
	config  Config
	passes  []*pass
	tables  map[*schema.Table]*coming // by the table of the source
	owners  map[string]string         // tables of the source by the tables that they become
	gone    map[string]bool           // tables of the source that were given up
	shared  map[string]bool           // tables that several tables of the source become
	copying map[string]begun          // tables of the source whose copy has begun
	first   map[string]*schema.Table  // the newest version of each table that comes out
	changes []pipeline.Change
	stopped []pipeline.TableStop
	news    []*schema.Table // that come out from now on
	routes  []pipeline.Route
	given   []pipeline.Change
	values  arena[schema.Value]
	bytes   arena[byte]
	whole   pipeline.Change // one that was filled
	keep    bool
	last    *schema.Table
	coming  *coming
	shaper  *Chain
}

// coming is what a table of the source becomes.
type coming struct {
	origin  *schema.Table
	out     []*schema.Table
	stopped bool
	broken  error // why nothing can go on, where a table is all there is
}

// A pass is one step at its place in the chain.
type pass struct {
	Spec
	bound map[*schema.Table]Bound
	last  *schema.Table
	is    Bound
	out   Out
}

// New makes a chain; it compiles nothing before it sees a table.
func New(c Config) *Chain {
	ch := &Chain{config: c, tables: map[*schema.Table]*coming{}, owners: map[string]string{}, gone: map[string]bool{}, shared: map[string]bool{}, copying: map[string]begun{}, first: map[string]*schema.Table{}}
	for i, s := range c.Specs {
		p := &pass{Spec: s, bound: map[*schema.Table]Bound{}}
		p.out = Out{chain: ch, next: i + 1}
		ch.passes = append(ch.passes, p)
	}
	return ch
}

// Apply implements pipeline.Transform. What it gives is valid until the next
// call, and no longer than b.
func (ch *Chain) Apply(ctx context.Context, b pipeline.Batch) (pipeline.Batch, error) {
	ch.values.reset()
	ch.bytes.reset()
	ch.changes, ch.stopped, ch.news, ch.routes, ch.given = ch.changes[:0], nil, nil, nil, b.Changes
	for _, t := range b.Tables {
		if err := ch.of(t).broken; err != nil {
			return pipeline.Batch{}, err
		}
	}
	ch.give(b.Stopped)
	b.Copies = ch.copies(b.Copies)
	for i := range b.Changes {
		if err := ch.one(ctx, &b.Changes[i]); err != nil {
			return pipeline.Batch{}, err
		}
	}
	b.Tables, b.Routes, b.Changes, b.Stopped = ch.news, ch.routes, ch.changes, ch.stopped
	return b, nil
}

// Tables gives what a table of the source becomes, and why it cannot.
func (ch *Chain) Tables(t *schema.Table) ([]*schema.Table, error) {
	to := &coming{origin: t}
	if err := ch.bind(0, t, to); err != nil {
		return nil, err
	}
	return to.out, nil
}

// Touches reports whether a step is for a table of the source.
func (ch *Chain) Touches(schema, table string) bool {
	return slices.ContainsFunc(ch.config.Specs, func(s Spec) bool { return s.For == nil || s.For(schema, table) })
}

// one transforms a change, wholly or not at all.
func (ch *Chain) one(ctx context.Context, c *pipeline.Change) error {
	to := ch.coming
	if c.Table != ch.last {
		to = ch.of(c.Table)
		ch.last, ch.coming = c.Table, to
	}
	if to.stopped {
		return to.broken
	}
	from := len(ch.changes)
	err := ch.pass(0, ch.filled(c))
	if err == nil {
		return nil
	}
	ch.changes = ch.changes[:from]
	why := ch.why(to.origin, err)
	if why == nil {
		return err
	}
	if ch.config.Fault != nil {
		if err := ch.config.Fault(ctx, c, why); err != nil || c.After == nil {
			return err
		}
		return ch.withdraw(to.origin, c)
	}
	ch.stop(to, why)
	return nil
}

// withdraw deletes what was made of the row of a change that is left out, as far as
// that is known: it would say what the row does not.
func (ch *Chain) withdraw(origin *schema.Table, c *pipeline.Change) error {
	from, gone := len(ch.changes), *c
	gone.Op, gone.After = pipeline.Delete, nil
	if gone.Before == nil {
		gone.Before = ch.keyOf(c)
	}
	err := ch.pass(0, &gone)
	if err != nil && ch.why(origin, err) != nil {
		ch.changes, err = ch.changes[:from], nil
	}
	return err
}

// keyOf is the row of a change of which the key alone is known.
func (ch *Chain) keyOf(c *pipeline.Change) schema.Row {
	row := schema.Row(ch.values.make(len(c.After)))
	for i := range row {
		if row[i] = schema.Unknown(); c.Table.IsKey(i) {
			row[i] = c.After[i]
		}
	}
	return row
}

// why gives the refusal of a change that cannot be transformed; nil if it is no
// such error.
func (ch *Chain) why(origin *schema.Table, err error) *pipeline.Refusal {
	var f *rowFault
	var r *pipeline.Refusal
	switch {
	case errors.As(err, &f):
		return f.refusal(origin, ch.again(origin))
	case errors.As(err, &r): // of a table that a row is the first of
		return ch.unbound(origin, err)
	}
	return nil
}

// filled gives a change whose new row has the old row's values where the source
// sent none: they did not change.
func (ch *Chain) filled(c *pipeline.Change) *pipeline.Change {
	if c.After.Known() || c.Before == nil {
		return c
	}
	row := schema.Row(ch.values.make(len(c.After)))
	copy(row, c.After)
	for i := range row {
		if !row[i].IsKnown() {
			row[i] = c.Before[i]
		}
	}
	ch.whole = *c
	ch.whole.After = row
	return &ch.whole
}

// pass hands a change to a step, or behind the last one to whoever asked.
func (ch *Chain) pass(i int, c *pipeline.Change) error {
	if i == len(ch.passes) {
		return ch.done(c)
	}
	p := ch.passes[i]
	if c.Table != p.last {
		p.last, p.is = c.Table, p.bound[c.Table]
	}
	if p.is == nil { // not for this table
		return ch.pass(i+1, c)
	}
	if err := p.refuse(c); err != nil {
		return err
	}
	return p.is.Apply(c, &p.out)
}

func (ch *Chain) done(c *pipeline.Change) error {
	switch {
	case c.Op == pipeline.Truncate && ch.shared[c.Table.String()]:
		return &rowFault{code: codeTruncate, what: "it was truncated, and table " + c.Table.String() + ", which its rows go to, has those of other tables too",
			mend: "route the table to one of its own"}
	case ch.config.Split && c.KeyChanged():
		old, next := *c, *c
		old.Op, old.After = pipeline.Delete, nil
		next.Op, next.Before = pipeline.Create, nil
		ch.changes = append(ch.changes, old, next)
	default:
		ch.changes = append(ch.changes, *c)
	}
	return nil
}

// of binds the steps for a table of the source, on first sight.
func (ch *Chain) of(t *schema.Table) *coming {
	if known := ch.tables[t]; known != nil {
		return known
	}
	to := &coming{origin: t, stopped: ch.gone[t.String()]}
	ch.tables[t] = to
	if to.stopped { // in an earlier version: rows are missing
		return to
	}
	if err := ch.bind(0, t, to); err != nil {
		why := ch.unbound(t, err)
		if ch.config.Fault != nil {
			to.stopped, to.broken = true, why
			return to
		}
		ch.stop(to, why)
	}
	return to
}

// bind compiles the steps from one on for a table, and for all that it becomes.
func (ch *Chain) bind(i int, t *schema.Table, to *coming) error {
	if i == len(ch.passes) {
		return ch.announce(t, to)
	}
	p := ch.passes[i]
	if p.For != nil && !p.For(to.origin.Schema, to.origin.Name) {
		return ch.bind(i+1, t, to)
	}
	b, err := p.Step.Bind(t)
	if err != nil {
		return err
	}
	p.bound[t] = b
	for _, out := range b.Tables() {
		if err := ch.bind(i+1, out, to); err != nil {
			return err
		}
	}
	return nil
}

// announce notes a table that comes out.
func (ch *Chain) announce(t *schema.Table, to *coming) error {
	name, origin := t.String(), to.origin.String()
	to.out = append(to.out, t)
	if owner, ok := ch.owners[name]; ok && owner != origin {
		if older := ch.first[name]; !alike(older, t) {
			return &pipeline.Refusal{Code: codeMerged, Where: "tables " + owner + " and " + origin, What: "both become table " + name + ", and their columns differ",
				Mend: "project the same columns of both, in one order and with one key; or route one of them elsewhere"}
		}
		ch.shared[name] = true
	}
	ch.owners[name], ch.first[name] = origin, t
	ch.news = append(ch.news, t)
	if also := ch.mayReach(to.origin); also != nil {
		ch.routes = append(ch.routes, pipeline.Route{Table: t, Origin: to.origin, Also: also})
	}
	return nil
}

// stop gives a table up, with all that it became and may have become.
func (ch *Chain) stop(to *coming, why *pipeline.Refusal) {
	origin := to.origin.String()
	to.stopped, ch.gone[origin] = true, true
	delete(ch.copying, origin)
	for known, c := range ch.tables {
		if known.String() != origin {
			continue
		}
		for _, t := range c.out {
			ch.changes = without(ch.changes, t)
			ch.news = withoutTable(ch.news, t)
		}
	}
	all, also, routed := ch.became(to), ch.mayReach(to.origin), false
	if len(all) == 0 {
		all, routed = []*schema.Table{to.origin}, also != nil
	}
	for _, t := range all {
		ch.stopped = append(ch.stopped, pipeline.TableStop{Table: t, Why: why, Routed: routed, Also: also})
		also = nil
	}
}

// became gives the tables that rows of a table go to, each once: those of this
// version, those of other versions by name, and those that steps name, which one
// that does not fit may not have come to.
func (ch *Chain) became(to *coming) []*schema.Table {
	all, seen := slices.Clone(to.out), map[string]bool{}
	for _, t := range all {
		seen[t.String()] = true
	}
	add := func(t *schema.Table) {
		if !seen[t.String()] {
			seen[t.String()] = true
			all = append(all, t)
		}
	}
	var older []*schema.Table
	for t, c := range ch.tables {
		if t.String() == to.origin.String() {
			older = append(older, c.out...)
		}
	}
	slices.SortFunc(older, func(a, b *schema.Table) int { return strings.Compare(a.String(), b.String()) })
	for _, t := range older {
		add(t)
	}
	for _, r := range ch.reachers(to.origin) {
		names, _ := r.reaches()
		for _, n := range names {
			t := *to.origin
			t.Schema, t.Name = n.Schema, n.Table
			add(&t)
		}
	}
	return all
}

// mayReach says which other tables steps may have made of a table's rows in an
// earlier run; nil: none. Those of other tables of the source are not among them.
func (ch *Chain) mayReach(origin *schema.Table) func(schema, table string) bool {
	return ch.mayReachOf(origin, ch.owners)
}

// mayReachOf is mayReach where tables have these owners.
func (ch *Chain) mayReachOf(origin *schema.Table, owners map[string]string) func(schema, table string) bool {
	var patterns []func(schema, table string) bool
	for _, r := range ch.reachers(origin) {
		if _, others := r.reaches(); others != nil {
			patterns = append(patterns, others)
		}
	}
	if patterns == nil {
		return nil
	}
	return func(space, name string) bool {
		owner, owned := owners[(&schema.Table{Schema: space, Name: name}).String()]
		if owned && owner != origin.String() {
			return false
		}
		return matches(patterns, space, name)
	}
}

// matches reports whether one of some patterns says so.
func matches(patterns []func(schema, table string) bool, space, name string) bool {
	return slices.ContainsFunc(patterns, func(p func(string, string) bool) bool { return p(space, name) })
}

// A reacher is a step that sends rows to tables of other names: some that it
// names, and others of a kind.
type reacher interface {
	reaches() (named []Name, others func(schema, table string) bool)
}

// reachers are those for a table of the source.
func (ch *Chain) reachers(origin *schema.Table) (all []reacher) {
	for _, s := range ch.config.Specs {
		if r, ok := s.Step.(reacher); ok && (s.For == nil || s.For(origin.Schema, origin.Name)) {
			all = append(all, r)
		}
	}
	return all
}

// unbound is the refusal of a table that a step does not fit.
func (ch *Chain) unbound(t *schema.Table, err error) *pipeline.Refusal {
	var r *pipeline.Refusal
	if !errors.As(err, &r) {
		r = &pipeline.Refusal{Code: codeColumn, What: err.Error()}
	}
	r = &pipeline.Refusal{Code: r.Code, Where: r.Where + ", table " + t.String(), What: r.What, Mend: r.Mend, Err: r.Err}
	if again := ch.again(t); again != "" {
		r.Mend += "\n" + again
	}
	return r
}

// again is the command behind the mend of a table.
func (ch *Chain) again(t *schema.Table) string {
	if ch.config.AgainOne == nil {
		return ch.config.Again
	}
	if _, _, err := ch.Copied(t); err != nil {
		return ch.config.Again
	}
	return ch.config.AgainOne(t)
}

func without(all []pipeline.Change, t *schema.Table) []pipeline.Change {
	kept := all[:0]
	for i := range all {
		if all[i].Table != t {
			kept = append(kept, all[i])
		}
	}
	return kept
}

func withoutTable(all []*schema.Table, t *schema.Table) []*schema.Table {
	kept := all[:0]
	for _, have := range all {
		if have != t {
			kept = append(kept, have)
		}
	}
	return kept
}
