package postgres

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/evertdb/evert/pipeline/deliver"
	"github.com/evertdb/evert/schema"
)

// planFor prepares the table for rows of one shape, and says how they are written.
func (t *Target) planFor(ctx context.Context, s *schema.Table) (*plan, error) {
	if p := t.plans[s]; p != nil {
		return p, nil
	}
	if err := t.nameable(s); err != nil {
		return nil, err
	}
	types, err := t.typesOf(ctx, s)
	if err == nil && t.layout == nil {
		err = t.refresh(ctx) // it may have been altered since Open
	}
	if err == nil && t.active() == nil {
		err = t.create(ctx, s, types)
	}
	if err == nil {
		err = t.evolve(ctx, s, types)
	}
	if err != nil {
		return nil, err
	}
	t.newest = s
	p := t.layout.plan(s)
	t.plans[s] = p
	return p, nil
}

// nameable refuses columns that no table of Postgres can have.
func (t *Target) nameable(s *schema.Table) error {
	for _, c := range s.Columns {
		what := ""
		switch c.Name {
		case "tableoid", "ctid", "xmin", "xmax", "cmin", "cmax", partitionColumn, offsetColumn:
			what = "has a name that is taken in every table"
		}
		if len(c.Name) > maxName {
			what = "has a name longer than the 63 bytes that Postgres keeps"
		}
		if what != "" {
			return t.config.refuse(CodeShape, "column "+c.Name+" of the topic "+what, "transforms: [{rename: {"+strconv.Quote(c.Name)+": another_name}}]   # in the sink's section of the file")
		}
	}
	return nil
}

// refresh describes the table that readers see anew.
func (t *Target) refresh(ctx context.Context) error {
	r, err := loadRelation(ctx, t.conn, t.config.Table)
	if err != nil {
		return err
	}
	if t.merging() && r == nil || t.filling && t.target == nil && r != nil {
		return t.config.refuse(CodeBusy, "somebody made or dropped it a moment ago", "nothing has to be done here")
	}
	t.target = r
	return nil
}

// typesOf gives the wanted type of each column.
func (t *Target) typesOf(ctx context.Context, s *schema.Table) ([]string, error) {
	out := make([]string, len(s.Columns))
	for i := range s.Columns {
		var err error
		if out[i], err = t.types.of(ctx, &s.Columns[i].Type); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// create makes the table that rows go to: the fill, beside, or, where a topic
// without any row became whole before its shape was known, the table itself.
func (t *Target) create(ctx context.Context, s *schema.Table, types []string) (err error) {
	name := t.config.Table
	if t.filling {
		name = fillName(name)
	}
	if err := t.notCaptured(ctx); err != nil {
		return err
	}
	if err := t.usable(s); err != nil {
		return err
	}
	if err := t.asOwner(ctx, t.createSQL(name, s, types)); err != nil {
		return passing("make table "+name.String(), err)
	}
	r, err := loadRelation(ctx, t.conn, name)
	if err != nil {
		return err
	}
	if t.filling {
		t.fill = r
		return nil
	}
	t.target = r
	_, err = t.conn.Exec(ctx, "UPDATE "+t.config.Positions.sql()+" SET relation = $1, created = true WHERE sink = $2 AND epoch = $3", r.oid, t.config.Name, t.epoch)
	t.relation, t.created = r.oid, true
	return passing("record table "+name.String(), err)
}

// The columns of a fill that say where a row came from; only one that is merged
// has them.
const (
	partitionColumn = "__evert_partition"
	offsetColumn    = "__evert_offset"
)

// createSQL makes a table of the wanted types; a fill that will be merged has
// the types of the table that is there, as long as they are not ours to change.
func (t *Target) createSQL(name TableName, s *schema.Table, types []string) string {
	var columns []string
	nullable := false
	for i, c := range s.Columns {
		typ, notNull := types[i], s.IsKey(i) && !c.Nullable
		if has := t.has(c.Name); has != nil && !t.created {
			typ, notNull = has.typ, has.notNull && s.IsKey(i) // a row that the topic replaces later need not keep the table's rules
		}
		nullable = nullable || s.IsKey(i) && !notNull
		columns = append(columns, quoteIdent(c.Name)+" "+typ+notNullSQL(notNull))
	}
	if t.merging() {
		columns = append(columns, quoteIdent(partitionColumn)+" int", quoteIdent(offsetColumn)+" bigint")
	}
	key := quoteAll(keyNames(s))
	if !nullable {
		return fmt.Sprintf("CREATE TABLE %s (%s, PRIMARY KEY (%s))", name.sql(), strings.Join(columns, ", "), key)
	}
	return fmt.Sprintf("CREATE TABLE %s (%s); CREATE UNIQUE INDEX %s ON %s (%s) NULLS NOT DISTINCT",
		name.sql(), strings.Join(columns, ", "), quoteIdent(indexName(name, "key")), name.sql(), key)
}

func notNullSQL(notNull bool) string {
	if notNull {
		return " NOT NULL"
	}
	return ""
}

// indexName names an index of a table within what Postgres keeps of a name.
func indexName(n TableName, suffix string) string {
	base := n.Name
	if len(base)+1+len(suffix) > maxName {
		base = strings.ToValidUTF8(base[:maxName-len(suffix)-10], "") + "_" + hash([]byte(n.Name))[:8]
	}
	return base + "_" + suffix
}

// has is a column of the table that readers see; nil if there is no such column.
func (t *Target) has(name string) *relationColumn {
	if t.target == nil {
		return nil
	}
	return t.target.column(name)
}

// usable refuses a table that cannot be kept equal to the topic, whatever the rows.
func (t *Target) usable(s *schema.Table) error {
	r, c := t.target, &t.config
	if r == nil {
		return t.keyable(s)
	}
	switch {
	case r.kind != "r" && r.kind != "p":
		return c.refuse(CodeShape, "it is not a table", "name another table")
	case !r.logged:
		return c.refuse(CodeShape, "it is unlogged, and would be empty after a crash of the server", "ALTER TABLE "+r.sql()+" SET LOGGED;")
	case !r.uniqueOver(keyNames(s), false):
		return c.refuse(CodeKey, "no index makes the key of the topic unique in it", "ALTER TABLE "+r.sql()+" ADD UNIQUE ("+quoteAll(keyNames(s))+");")
	}
	for i, col := range s.Columns {
		has := r.column(col.Name)
		switch {
		case has == nil && !t.created:
			return c.refuse(CodeShape, "it has no column "+col.Name, "ALTER TABLE "+r.sql()+" ADD COLUMN "+quoteIdent(col.Name)+" text;   -- or the type that it should have")
		case has != nil && has.generated:
			return t.computed(col.Name)
		case has != nil && s.IsKey(i) && !has.notNull && !r.uniqueOver(keyNames(s), true):
			return c.nullableKey(r, col.Name)
		}
	}
	for _, has := range r.columns {
		if s.Column(has.name) < 0 && has.notNull && !has.filled && !has.generated {
			return c.refuse(CodeShape, "column "+has.name+" is NOT NULL without a default, and the topic has no such column", "ALTER TABLE "+r.sql()+" ALTER COLUMN "+quoteIdent(has.name)+" DROP NOT NULL;")
		}
	}
	return nil
}

func (t *Target) computed(column string) error {
	mend := "ALTER TABLE " + t.target.sql() + " ALTER COLUMN " + quoteIdent(column) + " DROP EXPRESSION;"
	if t.serverVersion() < 130000 {
		mend = "ALTER TABLE " + t.target.sql() + " DROP COLUMN " + quoteIdent(column) + ";   -- and add it again as an ordinary one"
	}
	return t.config.refuse(CodeShape, "column "+column+" is computed by the server, and the topic has one of that name", mend)
}

// keyable refuses a key that may be NULL where no index can tell NULL from NULL.
func (t *Target) keyable(s *schema.Table) error {
	for _, i := range s.Key {
		if s.Columns[i].Nullable && t.serverVersion() < nullsNotDistinctVersion {
			return t.config.refuse(CodeKey, "key column "+s.Columns[i].Name+" may be NULL, which takes a unique index NULLS NOT DISTINCT, of Postgres 15",
				"coalesce the column to a value in the view; or deliver to a server of version 15 or newer")
		}
	}
	return nil
}

// serverVersion is the server's, as in server_version_num.
func (t *Target) serverVersion() int {
	var major int
	_, _ = fmt.Sscanf(t.conn.PgConn().ParameterStatus("server_version"), "%d", &major)
	return major * 10000
}

func (c *Config) nullableKey(r *relation, column string) error {
	return c.refuse(CodeKey, "its key column "+column+" may be NULL, and its index takes each NULL for another",
		"ALTER TABLE "+r.sql()+" ALTER COLUMN "+quoteIdent(column)+" SET NOT NULL;")
}

// evolve brings the table that rows go to, and the layout, to a new shape. Each
// statement may be run again.
func (t *Target) evolve(ctx context.Context, s *schema.Table, types []string) error {
	if !t.filling {
		if err := t.usable(s); err != nil {
			return err
		}
	}
	r := t.active()
	var alter []string
	for i, c := range s.Columns {
		has := r.column(c.Name)
		switch {
		case has == nil && t.older(s): // dropped since
		case has == nil:
			alter = append(alter, "ADD COLUMN IF NOT EXISTS "+quoteIdent(c.Name)+" "+types[i])
		case !t.ours() || fits(has.typ, types[i]) || t.older(s):
		case widens(has.typ, types[i]):
			alter = append(alter, "ALTER COLUMN "+quoteIdent(c.Name)+" TYPE "+types[i])
		case t.filling:
			alter = append(alter, t.retype(ctx, c.Name, types[i]))
		default:
			return &deliver.Renewal{Why: t.config.where() + ": column " + c.Name + " became " + types[i]}
		}
	}
	alter = append(alter, t.shed(s)...)
	if alter != nil {
		change := "ALTER TABLE " + r.sql() + " " + strings.Join(alter, ", ")
		t.config.Log.Info("the columns of the table are changed as those of the topic were", "statement", change)
		if err := t.asOwner(ctx, change); err != nil {
			return passing("change table "+r.String(), err)
		}
		fresh, err := loadRelation(ctx, t.conn, r.TableName)
		if err != nil {
			return err
		}
		*r = *fresh
		if err := t.relearn(ctx); err != nil {
			return err
		}
	}
	return t.extend(ctx, s)
}

// relearn takes types that were altered into the layout, and into what is staged.
// Staged rows that do not fit are read again by a new target.
func (t *Target) relearn(ctx context.Context) error {
	if t.layout == nil {
		return nil
	}
	for i := range t.layout.columns {
		c := &t.layout.columns[i]
		has := t.active().column(c.name)
		if has == nil || has.typ == c.typ && has.notNull == c.notNull {
			continue
		}
		*c = t.layoutColumn(has)
		t.step.prepared = false
		if i < t.step.columns {
			sql := fmt.Sprintf("ALTER TABLE %s ALTER COLUMN c%d TYPE %s USING c%d::text::%s", t.stageTable(), i, c.typ, i, c.typ)
			if _, err := t.conn.Exec(ctx, sql); err != nil {
				return passing("change the temporary table", err)
			}
		}
	}
	return nil
}

// retype changes the type of a fill's column, whose topic holds rows of both. Where
// the older ones do not fit the new type it is text, which holds both.
func (t *Target) retype(ctx context.Context, column, typ string) string {
	name := quoteIdent(column)
	change := fmt.Sprintf("ALTER COLUMN %s TYPE %s USING %s::text::%s", name, typ, name, typ)
	if t.cannot(ctx, t.fill, change) {
		return "ALTER COLUMN " + name + " TYPE text"
	}
	return change
}

// ours reports whether the columns of the table that rows go to are ours to change.
func (t *Target) ours() bool { return t.filling && t.target == nil || t.created }

// older reports whether a shape came before the newest one that was seen: rows of
// both may be read in turn, from two partitions.
func (t *Target) older(s *schema.Table) bool { return t.newest != nil && s.Version < t.newest.Version }

// shed lets go of columns that a shape does not have any more: they may be NULL
// from now on, or are dropped if that is wanted. Columns of an older shape stay
// in the layout, and their rows are written with them.
func (t *Target) shed(s *schema.Table) (alter []string) {
	if t.newest == nil || t.older(s) || !t.ours() {
		return nil
	}
	for _, c := range t.newest.Columns {
		has := t.active().column(c.Name)
		if has == nil || s.Column(c.Name) >= 0 {
			continue
		}
		if t.config.DropColumns && !slices.Contains(t.shedding, c.Name) {
			t.shedding = append(t.shedding, c.Name)
		}
		if has.notNull {
			alter = append(alter, "ALTER COLUMN "+quoteIdent(c.Name)+" DROP NOT NULL")
		}
	}
	return alter
}

// extend takes new columns into the layout, and into what is staged.
func (t *Target) extend(ctx context.Context, s *schema.Table) error {
	if t.layout == nil {
		t.layout = &layout{key: keyNames(s)}
	}
	if !sameNames(t.layout.key, keyNames(s)) {
		return &deliver.Renewal{Why: t.config.where() + ": the topic has another key"}
	}
	grown := false
	for _, c := range s.Columns {
		if t.layout.column(c.Name) != nil {
			continue
		}
		has := t.active().column(c.Name)
		if has == nil {
			continue
		}
		t.layout.columns = append(t.layout.columns, t.layoutColumn(has))
		grown = true
	}
	if !grown {
		return nil
	}
	clear(t.plans)
	t.step.prepared = false
	return t.growStage(ctx)
}

func (t *Target) layoutColumn(has *relationColumn) layoutColumn {
	seen := t.has(has.name)
	return layoutColumn{
		name: has.name, typ: has.typ, cast: has.cast, key: slices.Contains(t.layout.key, has.name), notNull: has.notNull,
		always: has.always || seen != nil && seen.always,
	}
}
