package mysql

import (
	"regexp"
	"slices"
	"strings"
)

// helperTable is the name of a table that gh-ost or pt-online-schema-change works with:
// _orders_gho, _orders_ghc, _orders_del (with a time before del, if so configured),
// _orders_new and _orders_old (with more underscores, if that is taken).
var helperTable = regexp.MustCompile(`^_+.+_(?:gho|ghc|del|new|old)$`)

// isHelper reports whether a table is one of those. Patterns do not match them (M10).
func (t TableName) isHelper() bool { return helperTable.MatchString(t.Table) }

// isGhostOf reports whether t is the table in which one of these tools prepares another.
func (t TableName) isGhostOf(other TableName) bool {
	rest := strings.TrimLeft(t.Table, "_")
	return t.Database == other.Database && rest != t.Table && (rest == other.Table+"_gho" || rest == other.Table+"_new")
}

// A renaming is what a statement that renames tables does in the end.
//
//	RENAME TABLE a TO _a_del, _a_gho TO a     a: _a_gho, _a_del: a
type renaming map[TableName]TableName // by each name, the table that had another name before

// renamed works a statement out: pairs of an old and a new name, one after the other.
func renamed(pairs []TableName) renaming {
	now := renaming{}
	for i := 0; i+1 < len(pairs); i += 2 {
		from, to := pairs[i], pairs[i+1]
		was, ok := now[from]
		if !ok {
			was = from
		}
		delete(now, from)
		now[to] = was
	}
	return now
}

// renames does what a statement that renames tables means; why says how it changed the
// rows besides, if it did. A table that one of the tools puts in another's place is
// copied: it may have other rows, because the tools can filter them or drop duplicates,
// and what is done to it before is in no log of the other's. Whatever else is put in the
// place of a table stops it.
func (s *Source) renames(pairs []TableName, why string) error {
	now := renamed(pairs)
	for _, name := range pairs {
		rel := s.tables.find(name)
		if rel == nil {
			continue
		}
		if rel.redefined(s.a.gtid); rel.shape == nil {
			continue
		}
		if err := s.isRenamed(rel, now, why); err != nil {
			return err
		}
	}
	for name := range now {
		if rel := s.tables.find(name); rel == nil || rel.shape == nil {
			s.isMade(name, "it was renamed") // its earlier rows were never captured
		}
	}
	return nil
}

// isRenamed does what a renaming means for a captured table.
func (s *Source) isRenamed(rel *relation, now renaming, why string) error {
	name := rel.TableName
	was, isThere := now[name]
	switch {
	case isThere && was == name && why != "":
		return s.rewritten(rel, why)
	case isThere && was == name:
		s.isAltered(rel)
		return nil
	case isThere && was.isGhostOf(name) && now.isPutAside(name) && !s.config.NoSnapshot:
		s.config.Log.Info("table was replaced by an online schema change", "table", name.String(), "by", was.String())
		s.copies.swapped(rel)
		return nil
	case isThere:
		return s.a.stop(rel, s.changed(name, "table "+was.String()+" was put in its place"))
	}
	return s.a.stop(rel, s.changed(name, "it was renamed"))
}

// swapped lets a table be copied that another was put in the place of. Its changes go on
// meanwhile, as far as earlier rows follow.
func (c *copies) swapped(rel *relation) {
	if rel.stopped != nil && rel.copying == nil {
		return // whoever mends that asks for a copy
	}
	c.source.isAltered(rel)
	id := ""
	if rel.copying != nil {
		id = rel.copying.ID // it begins again
	}
	c.start(rel, keptCopy{ID: id})
	c.source.a.keepTables()
}

// isPutAside reports whether a table's rows are kept under a name of the tools.
func (r renaming) isPutAside(name TableName) bool {
	for now, was := range r {
		if was == name && now.isHelper() {
			return true
		}
	}
	return false
}

// cascading reports whether a definition has a foreign key that changes rows of its
// table by itself: ON DELETE or ON UPDATE, and CASCADE, SET NULL or SET DEFAULT.
func cascading(text string, ansiQuotes bool) bool {
	w := words{text: text, ansi: ansiQuotes}
	var last [3]string
	for word := w.next(); word != ""; word = w.next() {
		last = [3]string{last[1], last[2], word}
		if last[0] == "ON" && (last[1] == "DELETE" || last[1] == "UPDATE") && slices.Contains([]string{"CASCADE", "SET"}, last[2]) {
			return true
		}
	}
	return false
}
