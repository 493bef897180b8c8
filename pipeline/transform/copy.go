package transform

import (
	"maps"
	"slices"
	"strings"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/schema"
)

// codeCopy says that a table cannot be copied again by itself.
const codeCopy pipeline.Code = "TRANSFORM_COPY"

// Becomes gives the tables that rows of a table of the source go to, as far as they
// are known.
func (ch *Chain) Becomes(t *schema.Table) []*schema.Table { return ch.became(ch.of(t)) }

// Copied gives the tables that a copy of a table of the source is one of: all that
// its rows go to, which are its own. also says of others whether an earlier run may
// have sent rows of it there. It is refused where rows of other tables go there too:
// those would be taken for rows that are gone. Every table of the source has to be
// known, by Apply.
func (ch *Chain) Copied(t *schema.Table) (all []*schema.Table, also func(schema, table string) bool, err error) {
	to := ch.of(t)
	all, also = ch.became(to), ch.mayReach(t)
	for _, other := range ch.others(t) {
		if name, meets := ch.meets(all, also, other); meets {
			return nil, nil, &pipeline.Refusal{Code: codeCopy, Where: "table " + t.String(),
				What: "its rows go to " + name + ", where rows of table " + other.String() + " go too: a copy of one of them would take the other's rows for gone",
				Mend: "route them to tables of their own; or copy all tables of the source: " + ch.config.Again}
		}
	}
	return all, also, nil
}

// others are the other tables of the source, one version of each.
func (ch *Chain) others(t *schema.Table) (all []*schema.Table) {
	seen := map[string]bool{t.String(): true}
	for other := range ch.tables {
		if !seen[other.String()] {
			seen[other.String()] = true
			all = append(all, other)
		}
	}
	slices.SortFunc(all, func(a, b *schema.Table) int { return strings.Compare(a.String(), b.String()) })
	return all
}

// meets reports whether rows of another table may go to one of these, or to one that
// also names.
func (ch *Chain) meets(all []*schema.Table, also func(schema, table string) bool, other *schema.Table) (where string, meets bool) {
	theirs, theirAlso := ch.became(ch.tables[other]), ch.mayReach(other)
	for _, t := range all {
		if slices.ContainsFunc(theirs, func(o *schema.Table) bool { return o.String() == t.String() }) || theirAlso != nil && theirAlso(t.Schema, t.Name) {
			return "table " + t.String(), true
		}
	}
	for _, o := range theirs {
		if also != nil && also(o.Schema, o.Name) {
			return "table " + o.String(), true
		}
	}
	return "tables that rows name", also != nil && theirAlso != nil
}

// copies passes on which tables' copies begin or are done.
func (ch *Chain) copies(copies []pipeline.TableCopy) (passed []pipeline.TableCopy) {
	for _, c := range copies {
		if c.Done {
			passed = append(passed, ch.doneCopy(c)...)
		} else {
			passed = append(passed, ch.beginCopy(c)...)
		}
	}
	return passed
}

// beginCopy is the begin of a copy for all that a table's rows go to. Where rows of
// other tables go too, it adds to them; where those have stopped they stay so.
func (ch *Chain) beginCopy(c pipeline.TableCopy) []pipeline.TableCopy {
	_, _, err := ch.Copied(c.Table)
	if err == nil {
		ch.revive(c.Table)
	}
	if ch.gone[c.Table.String()] {
		return nil
	}
	ch.copying[c.Table.String()] = begun{c.Table, ch.mayReachOf(c.Table, maps.Clone(ch.owners))}
	c.Adds = err != nil
	return each(c, ch.became(ch.of(c.Table)), ch.mayReach(c.Table))
}

// doneCopy is the end of a copy, also for tables that rows of others came to
// meanwhile. One that rows of another copy may go to is done when that one is.
func (ch *Chain) doneCopy(c pipeline.TableCopy) []pipeline.TableCopy {
	also := ch.mayReach(c.Table)
	if begin, ok := ch.copying[c.Table.String()]; ok {
		also = begin.also
	}
	delete(ch.copying, c.Table.String())
	var others []func(schema, table string) bool
	for _, o := range ch.copying {
		others = append(others, ch.reach(o.table))
	}
	all := slices.DeleteFunc(ch.became(ch.of(c.Table)), func(t *schema.Table) bool { return matches(others, t.Schema, t.Name) })
	if also == nil {
		return each(c, all, nil)
	}
	return each(c, all, func(schema, table string) bool { return also(schema, table) && !matches(others, schema, table) })
}

// A begun is a copy that began, and which tables beside those that are known had rows
// of its table alone then.
type begun struct {
	table *schema.Table
	also  func(schema, table string) bool
}

// reach reports whether rows of a table of the source may go to one of a name.
func (ch *Chain) reach(t *schema.Table) func(schema, table string) bool {
	all, also := ch.became(ch.of(t)), ch.mayReach(t)
	return func(space, name string) bool {
		return slices.ContainsFunc(all, func(t *schema.Table) bool { return t.Schema == space && t.Name == name }) || also != nil && also(space, name)
	}
}

// each is a copy for each of some tables; the first one has also. Where rows name all of
// them, and none is known, the table of the source stands for them.
func each(c pipeline.TableCopy, all []*schema.Table, also func(schema, table string) bool) (out []pipeline.TableCopy) {
	c.Origin = c.Table
	if len(all) == 0 && also != nil {
		c.Routed, c.Also = true, also
		return []pipeline.TableCopy{c}
	}
	for _, t := range all {
		c.Table, c.Also = t, also
		out, also = append(out, c), nil
	}
	return out
}

// revive binds the steps anew for a table that was given up. It may be given up
// again.
func (ch *Chain) revive(t *schema.Table) {
	if !ch.gone[t.String()] {
		return
	}
	delete(ch.gone, t.String())
	for known := range ch.tables {
		if known.String() == t.String() {
			delete(ch.tables, known)
		}
	}
	for _, p := range ch.passes {
		p.last, p.is = nil, nil
	}
	ch.last, ch.coming = nil, nil
	ch.of(t)
}

// give gives up tables that the source has given up, with all that they became.
func (ch *Chain) give(stops []pipeline.TableStop) {
	for _, s := range stops {
		before := len(ch.stopped)
		if to := ch.of(s.Table); !to.stopped || s.Copy != "" {
			ch.stop(to, s.Why)
		}
		for i := range ch.stopped[before:] {
			ch.stopped[before+i].Copy = s.Copy
		}
	}
}
