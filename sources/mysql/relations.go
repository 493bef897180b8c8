package mysql

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/schema"
	"github.com/evertdb/evert/sources/mysql/binlogvalue"
)

// relations are the captured tables, by the name that the log calls them.
type relations struct {
	byName     map[TableName]*relation
	databases  map[string]bool // that hold captured tables
	fold       bool            // the server takes names in any case
	collations *collations
}

// A relation is a captured table at the place that was read to.
type relation struct {
	TableName
	shape   *shape            // nil: made since the start, and not described yet
	current bool              // its description in the log was compared with shape since the last ALTER
	stale   bool              // it was altered, and not described since
	touched []string          // columns that were added or modified while it is stale
	gone    []string          // columns that were dropped since its rows were copied
	kept    bool              // its key is that of the configuration
	stopped *pipeline.Refusal // why it was given up; nil: it goes on
	silent  bool              // its changes are passed over until a copy of it begins, and nobody counts on them
	copying *copying          // nil: none
	windows []*chunk          // what its changes are compared with
}

// streams reports whether changes of the table are given.
func (r *relation) streams() bool { return r.stopped == nil && !r.silent }

// missed reports whether the table has rows that were passed over, and no copy of it is to come.
func (r *relation) missed() bool { return r.shape == nil && r.silent && r.copying == nil }

// described notes that what the table is was compared with its shape.
func (r *relation) described() { r.stale, r.touched = false, nil }

// redefined tells the windows of the table that its definition changed.
func (r *relation) redefined(by gtid) { r.note(note{by: by, ddl: true}) }

// note tells the windows of the table what a transaction did to it.
func (r *relation) note(n note) {
	for _, k := range r.windows {
		k.note(n)
	}
}

// noteRow tells them that it changed a row.
func (r *relation) noteRow(n note, before, after schema.Row) {
	if len(r.windows) == 0 {
		return
	}
	for _, row := range []schema.Row{before, after} {
		if row != nil {
			n.key = keyText(r.shape.table, row)
			r.note(n)
		}
	}
}

func newRelations(c *collations, fold bool) *relations {
	return &relations{byName: map[TableName]*relation{}, databases: map[string]bool{}, fold: fold, collations: c}
}

// folded is a name as tables are looked up by.
func (r *relations) folded(t TableName) TableName {
	if r.fold {
		return TableName{strings.ToLower(t.Database), strings.ToLower(t.Table)}
	}
	return t
}

func (r *relations) find(t TableName) *relation { return r.byName[r.folded(t)] }

func (r *relations) add(rel *relation) {
	r.byName[r.folded(rel.TableName)] = rel
	r.databases[r.folded(rel.TableName).Database] = true
}

// all gives the tables in a fixed order.
func (r *relations) all() []*relation {
	return slices.SortedFunc(maps.Values(r.byName), func(a, b *relation) int { return strings.Compare(a.String(), b.String()) })
}

// stops gives the tables that were given up, for a state.
func (r *relations) stops() (out []stop) {
	for _, rel := range r.all() {
		if rel.stopped != nil {
			out = append(out, stopOf(rel.TableName, rel.stopped))
		}
	}
	return out
}

// altered gives those that were, and not described since.
func (r *relations) altered() (out []keptAlter) {
	for _, rel := range r.all() {
		if rel.stale {
			out = append(out, keptAlter{rel.TableName, rel.touched})
		}
	}
	return out
}

// kept gives the tables for a state, in a fixed order.
func (r *relations) kept() []keptTable {
	var out []keptTable
	for _, rel := range r.all() {
		if rel.shape != nil {
			k := rel.shape.kept()
			k.Gone = rel.gone
			out = append(out, k)
		}
	}
	return out
}

// describes gives the shape of a table at a place of the log where it is described.
func (s *Source) describes(m *tableMap) (*shape, error) {
	rel := s.tables.find(TableName{m.database, m.table})
	if rel.shape == nil {
		return s.describesNew(rel, m)
	}
	if !m.full {
		if rel.stale || !rel.shape.sameImage(m) {
			return nil, &pipeline.Refusal{
				Code: CodeRowMetadata, Where: rel.String(), What: "it was altered, and the log does not name its columns (binlog_row_metadata)",
				Mend: s.config.again(rel.TableName, "SET GLOBAL binlog_row_metadata = 'FULL';"),
			}
		}
		return rel.shape, nil
	}
	rel.described()
	specials(m.columns, rel.shape.columns)
	if equalColumns(m.columns, rel.shape.columns) && (rel.kept || slices.Equal(namesOf(m, m.key), rel.shape.keyNames())) {
		return rel.shape, nil
	}
	return s.altered(rel, m)
}

// altered gives the shape of a table that is not what it was.
func (s *Source) altered(rel *relation, m *tableMap) (*shape, error) {
	added, why := rel.shape.follows(m.columns)
	if why != "" {
		return nil, s.changed(rel.TableName, why)
	}
	if one := common(added, rel.gone); one != "" {
		return nil, s.changed(rel.TableName, "column "+one+" was dropped and came again; what it is in earlier rows is not in the log")
	}
	if err := s.ask(func(ctx context.Context, side *session) error { return s.lookAtAdded(ctx, side, rel, m, added) }); err != nil {
		return nil, err
	}
	key := rel.shape.keyNames()
	if now := namesOf(m, m.key); !rel.kept && !slices.Equal(now, key) {
		return nil, s.changed(rel.TableName, "its primary key is ("+listed(now)+") and was ("+listed(key)+")")
	}
	sh, err := s.newShape(rel.TableName, m.columns, key)
	if err == nil {
		for _, c := range rel.shape.columns {
			if find(m.columns, c.Name) == nil && common([]string{c.Name}, rel.gone) == "" {
				rel.gone = append(rel.gone, c.Name)
			}
		}
		s.config.Log.Info("table has a new shape", "table", rel.String(), "version", sh.table.Version)
	}
	return sh, err
}

func namesOf(m *tableMap, columns []int) []string {
	var out []string
	for _, i := range columns {
		out = append(out, m.columns[i].Name)
	}
	return out
}

// lookAtAdded asks the server what the log does not say of columns that came: a default
// that earlier rows have, and MariaDB's own types. One that is gone again cannot be
// asked for.
func (s *Source) lookAtAdded(ctx context.Context, side *session, rel *relation, m *tableMap, added []string) error {
	if err := s.collations.need(ctx, side, m.columns); err != nil {
		return err
	}
	if len(added) == 0 {
		return nil
	}
	info := newTableInfo(rel.TableName)
	if err := info.describe(ctx, side, s.collations); err != nil {
		return err
	}
	defaults, err := side.query(ctx, fmt.Sprintf(
		"SELECT COLUMN_NAME, coalesce(COLUMN_DEFAULT, 'NULL'), EXTRA FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = %s AND TABLE_NAME = %s", quoteText(rel.Database), quoteText(rel.Table)))
	if err != nil {
		return err
	}
	for _, name := range added {
		i := slices.IndexFunc(defaults, func(row []string) bool { return row[0] == name })
		known := find(info.columns, name)
		switch {
		case i < 0 || known == nil:
			return s.changed(rel.TableName, "column "+name+" came and is gone again; what it was in earlier rows is not known")
		case defaults[i][1] != "NULL":
			return s.changed(rel.TableName, "column "+name+" came with a default, which earlier rows have without a word in the log")
		case strings.Contains(defaults[i][2], "GENERATED"):
			return s.changed(rel.TableName, "column "+name+" came and is generated, in earlier rows too")
		}
		find(m.columns, name).Special = known.Special
	}
	return nil
}

// describesNew gives the first shape of a table that was made after the start: the log
// has all its rows.
func (s *Source) describesNew(rel *relation, m *tableMap) (*shape, error) {
	key := s.config.keyOf(rel.TableName)
	rel.kept = len(key) > 0
	if !rel.kept {
		key = namesOf(m, m.key)
	}
	if !m.full || len(key) == 0 {
		why := &pipeline.Refusal{Code: CodeTableAdded, Where: rel.String(), What: "it was made after the snapshot, and has no primary key", Mend: "ALTER TABLE " + rel.sql() + " ADD PRIMARY KEY (…);"}
		if !m.full {
			why.What = "it was made after the snapshot, and the log does not name its columns (binlog_row_metadata)"
			why.Mend = s.config.again(rel.TableName, "SET GLOBAL binlog_row_metadata = 'FULL';")
		}
		s.leaveOut(why)
		rel.silent = true // what it has by now only a copy has
		return nil, nil
	}
	err := s.ask(func(ctx context.Context, side *session) error {
		if err := s.collations.need(ctx, side, m.columns); err != nil {
			return err
		}
		info := newTableInfo(rel.TableName)
		if err := info.describe(ctx, side, s.collations); err != nil {
			return err
		}
		specials(m.columns, info.columns)
		return nil
	})
	if err != nil {
		return nil, err
	}
	sh, err := s.newShape(rel.TableName, m.columns, key)
	var why *pipeline.Refusal
	if errors.As(err, &why) {
		s.leaveOut(why)
		rel.silent = true
		return nil, nil
	}
	s.config.Log.Info("table was made and is captured", "table", rel.String())
	return sh, err
}

// unknown gives up the tables that a statement names which is not known.
func (s *Source) unknown(database, text string) error {
	if !s.concerns(database, text) {
		return nil
	}
	return s.stopAll(func(rel *relation) *pipeline.Refusal {
		if !mentions(text, rel.isCalled) {
			return nil
		}
		return &pipeline.Refusal{Code: CodeEvent, Where: rel.String(), What: s.a.where() + " has a statement that is not known and names it", Mend: s.config.again(rel.TableName)}
	})
}

// dropAll gives up the tables of a database that was dropped.
func (s *Source) dropAll(database TableName) error {
	return s.stopAll(func(rel *relation) *pipeline.Refusal {
		if rel.shape == nil || s.tables.folded(rel.TableName).Database != s.tables.folded(database).Database {
			return nil
		}
		return s.changed(rel.TableName, "the database was dropped")
	})
}

// stopAll gives up the tables for which there is a reason.
func (s *Source) stopAll(why func(*relation) *pipeline.Refusal) error {
	for _, rel := range s.tables.all() {
		if !rel.streams() {
			continue
		}
		if r := why(rel); r != nil {
			if rel.shape == nil { // a copy has what the log does not say
				s.copies.add(rel.TableName)
				s.a.keepTables()
				continue
			}
			if err := s.a.stop(rel, r); err != nil {
				return err
			}
		}
	}
	return nil
}

// rowsAsText gives up the tables whose rows a statement changed that was logged as text
// (M06): those that it names, and where something may have changed others on its behalf,
// all of its database.
//
// Rows that a statement changes in another database by a trigger are not seen.
func (s *Source) rowsAsText(database, text string) error {
	if !s.concerns(database, text) {
		return nil
	}
	alone, err := s.actAlone(database)
	if err != nil {
		return err
	}
	here := s.tables.folded(TableName{Database: database}).Database
	return s.stopAll(func(rel *relation) *pipeline.Refusal {
		mine := s.tables.folded(rel.TableName).Database == here
		if !mentions(text, rel.isCalled) && (alone || !mine) {
			return nil
		}
		return &pipeline.Refusal{
			Code: CodeStatement, Where: rel.String(), What: s.a.where() + " changed rows with binlog_format=STATEMENT or MIXED, so that they are not in the log",
			Mend: s.config.again(rel.TableName, "SET GLOBAL binlog_format = 'ROW';"),
		}
	})
}

const actorsSQL = `SELECT (SELECT count(*) FROM information_schema.TRIGGERS WHERE TRIGGER_SCHEMA = %[1]s)
+ (SELECT count(*) FROM information_schema.VIEWS WHERE TABLE_SCHEMA = %[1]s) + (SELECT count(*) FROM information_schema.ROUTINES WHERE ROUTINE_SCHEMA = %[1]s)`

// actAlone reports whether statements change no other tables than those that they name:
// the database has no triggers, views and routines. Who may see them is another matter
// than who may read tables, so that it is only known to a user with all rights.
func (s *Source) actAlone(database string) (alone bool, err error) {
	if !s.facts.grants.seesActors() {
		return false, nil
	}
	err = s.ask(func(ctx context.Context, side *session) error {
		rows, err := side.query(ctx, fmt.Sprintf(actorsSQL, quoteText(database)))
		alone = err == nil && rows.int(0, 0) == 0
		return err
	})
	return alone, err
}

// concerns reports whether a statement ran in a database that holds captured tables, or
// names one.
func (s *Source) concerns(database, text string) bool {
	isDatabase := func(word string) bool { return s.tables.databases[s.tables.folded(TableName{Database: word}).Database] }
	return isDatabase(database) || mentions(text, isDatabase)
}

// isCalled reports whether a word is the name of the table, in any database.
func (r *relation) isCalled(word string) bool { return strings.EqualFold(r.Table, word) }

// leaveOut tells of a table that is not captured, once.
func (s *Source) leaveOut(r *pipeline.Refusal) {
	if s.stats.leaveOut(r) {
		s.config.Log.Warn("table is not captured", "table", r.Where, "code", string(r.Code), "why", r.What, "mend", r.Mend)
	}
}

// keyed reports which columns key a table: those of the configuration, or the primary
// key.
func (t *tableInfo) keyed(override []string) ([]string, *pipeline.Refusal) {
	if len(override) == 0 {
		if len(t.primary) > 0 {
			return t.primary, nil
		}
		return nil, &pipeline.Refusal{
			Code: CodeNoKey, Where: t.String(), What: "the table has no primary key, so that nothing says which row a change is of",
			Mend: "ALTER TABLE " + t.sql() + " ADD PRIMARY KEY (…);\nor name its unique, not null columns under overrides: " + t.String() + ": {key: […]}, or exclude the table",
		}
	}
	unique := false
	for _, columns := range t.uniques {
		unique = unique || sameSet(columns, override)
	}
	if !unique {
		return nil, &pipeline.Refusal{
			Code: CodeBadKey, Where: t.String(), What: "key: [" + listed(override) + "] has no unique index over just these columns",
			Mend: "CREATE UNIQUE INDEX evert_key ON " + t.sql() + " (" + quotedNames(override) + ");",
		}
	}
	for _, name := range override {
		if c := find(t.columns, name); c == nil || c.Nullable {
			return nil, &pipeline.Refusal{Code: CodeBadKey, Where: t.String(), What: "key column " + name + " may be NULL", Mend: "key: columns that are NOT NULL"}
		}
	}
	return slices.Clone(override), nil
}

func sameSet(a, b []string) bool {
	return len(a) == len(b) && !slices.ContainsFunc(a, func(s string) bool { return !slices.Contains(b, s) })
}

func quotedNames(names []string) string {
	var out []string
	for _, n := range names {
		out = append(out, quoteName(n))
	}
	return strings.Join(out, ", ")
}

// columnsOf is what a kept table's rows are read with.
func (k *keptTable) columnsOf() []binlogvalue.Column { return slices.Clone(k.Columns) }
