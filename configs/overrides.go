package configs

import (
	"cmp"
	"maps"
	"slices"
	"strings"
)

// Captures reports whether a table is one of tables and none of exclude.
func Captures(tables, exclude []TablePattern, schema, table string) bool {
	match := func(p TablePattern) bool { return p.Match(schema, table) }
	return slices.ContainsFunc(tables, match) && !slices.ContainsFunc(exclude, match)
}

// Patterns gives the source's tables and exclude_tables, and the section of the
// file that they stand in.
func (s *Source) Patterns() (section string, tables, exclude []TablePattern) {
	switch {
	case s.Postgres != nil:
		return "postgres", s.Postgres.Tables, s.Postgres.ExcludeTables
	case s.MySQL != nil:
		return "mysql", s.MySQL.Tables, s.MySQL.ExcludeTables
	}
	return "", nil, nil
}

// Writes reports whether the source may have a topic for a table: it captures it,
// or a step of its transforms may send rows there.
func (s *Source) Writes(schema, table string) bool {
	_, tables, exclude := s.Patterns()
	return Captures(tables, exclude, schema, table) || s.sends(schema, table)
}

func (s *Source) sends(schema, table string) bool {
	return slices.ContainsFunc(s.Transforms, func(t Transform) bool {
		events, isEvent := strings.CutPrefix(table, "event.")
		switch {
		case t.Route != nil:
			return Captures(t.Route.Topics, nil, schema, table)
		case t.Outbox != nil && schema == "outbox" && isEvent:
			return len(t.Outbox.Topics) == 0 || slices.Contains(t.Outbox.Topics, events)
		}
		return false
	})
}

// For gives what holds for one table: the source's policies, and over them every
// override that matches, field by field, the more exact pattern last. An exact
// part is more exact than any pattern, and a pattern with more literal text than
// one with less; among equals the one later in the alphabet wins.
func (s *Source) For(schema, table string) Override {
	out := Override{Arrays: s.Handling.Arrays, OnTableError: s.OnTableError, OnOversize: s.OnOversize, OnTruncate: s.OnTruncate}
	var hits []TablePattern
	for p := range s.Overrides {
		if p.Match(schema, table) {
			hits = append(hits, p)
		}
	}
	slices.SortFunc(hits, func(a, b TablePattern) int {
		return cmp.Or(cmp.Compare(a.exactness(), b.exactness()), strings.Compare(a.String(), b.String()))
	})
	own := Override{}
	for _, p := range hits {
		own.over(s.Overrides[p])
	}
	out.over(&own)
	if out.IsAppendOnly() && own.OnTableError == "" && out.OnTableError == Resnapshot {
		out.OnTableError = StopTable // a copy does not bring back the changes that were missed
	}
	return out
}

// Rank gives a table's place in the order of copies; those that are not named come last.
func (s *Snapshot) Rank(schema, table string) int { return rank(s.Order, schema, table) }

// Rank is the same for MySQL.
func (s *MySQLSnapshot) Rank(database, table string) int { return rank(s.Order, database, table) }

func rank(order []TablePattern, schema, table string) int {
	i := slices.IndexFunc(order, func(p TablePattern) bool { return p.Match(schema, table) })
	if i < 0 {
		return len(order)
	}
	return i
}

// Copies reports whether tables are copied when their capture begins.
func (s *Source) Copies() bool {
	switch {
	case s.Postgres != nil:
		return s.Postgres.Snapshot.Mode != Never
	case s.MySQL != nil:
		return s.MySQL.Snapshot.Mode != Never
	}
	return true
}

// Conditions gives those of snapshot.where, of either kind of database.
func (s *Source) Conditions() map[TablePattern]Text {
	switch {
	case s.Postgres != nil:
		return s.Postgres.Snapshot.Where
	case s.MySQL != nil:
		return s.MySQL.Snapshot.Where
	}
	return nil
}

// Chooses gives the condition of the rows of a table that are copied; its text is empty
// where all are. Of several the most exact one holds, and among equals the one later in
// the alphabet.
func (s *Source) Chooses(schema, table string) Text {
	all := s.Conditions()
	matching := slices.DeleteFunc(slices.Collect(maps.Keys(all)), func(p TablePattern) bool { return !p.Match(schema, table) })
	if len(matching) == 0 {
		return Text{}
	}
	return all[slices.MaxFunc(matching, func(a, b TablePattern) int {
		return cmp.Or(cmp.Compare(a.exactness(), b.exactness()), strings.Compare(a.String(), b.String()))
	})]
}

// over lays what o sets over out. Maps are merged into new ones.
func (out *Override) over(o *Override) {
	if o.Key != nil {
		out.Key = o.Key
	}
	out.Columns = merged(out.Columns, o.Columns)
	out.Topic.Config = merged(out.Topic.Config, o.Topic.Config)
	out.Topic.Partitions = cmp.Or(o.Topic.Partitions, out.Topic.Partitions)
	out.Topic.Cleanup = cmp.Or(o.Topic.Cleanup, out.Topic.Cleanup)
	out.Arrays = cmp.Or(o.Arrays, out.Arrays)
	out.OnTableError = cmp.Or(o.OnTableError, out.OnTableError)
	out.OnOversize = cmp.Or(o.OnOversize, out.OnOversize)
	out.OnTruncate = cmp.Or(o.OnTruncate, out.OnTruncate)
}

func merged[V any](below, above map[string]V) map[string]V {
	if len(above) == 0 {
		return below
	}
	out := maps.Clone(below)
	if out == nil {
		out = map[string]V{}
	}
	maps.Copy(out, above)
	return out
}

// NamesColumn reports whether an override of this very table, and not only of a
// pattern, says something of a column.
func (s *Source) NamesColumn(schema, table, column string) bool {
	for p, o := range s.Overrides {
		if _, _, exact := p.Exact(); exact && p.Match(schema, table) && o.Columns[column] != nil {
			return true
		}
	}
	return false
}
