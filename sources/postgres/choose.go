package postgres

import (
	"context"
	"slices"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/sources/postgres/pgsql"
	"github.com/evertdb/evert/sources/postgres/preflight"
)

// chosen is which tables are captured, and why others are not.
type chosen struct {
	tables   []*tableInfo // captured, described
	denied   []*tableInfo // that would be, had the user the rights
	keys     map[uint32][]string
	refusals []error             // concerning tables that were named
	skipped  []*pipeline.Refusal // tables that only matched a pattern and cannot be captured
	keyless  []string            // tables of the whole database without a replica identity
}

// choose applies the configuration to the tables of the database. A table that
// was named must be capturable; one that a pattern matched is left out, and told.
func choose(ctx context.Context, c *Config, s *side, f *facts) (*chosen, error) {
	ch := &chosen{keys: map[uint32][]string{}}
	viaRoot := f.viaRoot()
	var wanted []*tableInfo
	for _, t := range f.tables {
		is, named := c.wants(t.TableName)
		switch hidden := t.hidden(viaRoot); {
		case is && !hidden:
			wanted = append(wanted, t)
		case named:
			ch.refusals = append(ch.refusals, t.otherName(c))
		}
	}
	if err := describe(ctx, s, f.tables); err != nil {
		return nil, err
	}
	ch.keyless = keylessTables(f.tables)
	for _, t := range wanted {
		ch.consider(c, t)
	}
	ch.missing(c, f)
	if len(ch.tables) == 0 && len(ch.refusals) == 0 {
		ch.refusals = append(ch.refusals, &pipeline.Refusal{
			Code: CodeNoTables, Where: f.Database, What: "no table matches that can be captured", Mend: "tables: patterns such as public.*",
		})
	}
	return ch, nil
}

// hidden reports whether the changes of t arrive under another name: those of a
// partition under the root's, or those of a root under the partitions'.
func (t *tableInfo) hidden(viaRoot bool) bool {
	if viaRoot {
		return t.partition
	}
	return t.kind == "p"
}

// otherName refuses a table that was named, and whose changes arrive under
// another name.
func (t *tableInfo) otherName(c *Config) *pipeline.Refusal {
	if t.partition {
		return t.refuse(CodePartition, "it is a partition, and its changes arrive under the name of "+t.root, "tables: ["+t.root+"], which holds all of its partitions")
	}
	return t.refuse(CodePartition, "it is partitioned, and the publication sends its changes under the names of its partitions",
		"ALTER PUBLICATION "+pgsql.QuoteIdent(c.Publication)+" SET (publish_via_partition_root = true);")
}

func (ch *chosen) consider(c *Config, t *tableInfo) {
	_, named := c.wants(t.TableName)
	key, refusal := t.capturable(c)
	switch {
	case refusal == nil:
		ch.tables = append(ch.tables, t)
		ch.keys[t.oid] = key
	case named || refusal.Code != CodeNoKey && refusal.Code != CodeUnlogged:
		ch.refusals = append(ch.refusals, refusal)
		if refusal.Code == preflight.CodeRight {
			ch.denied = append(ch.denied, t)
		}
	default:
		ch.skipped = append(ch.skipped, refusal)
	}
}

// capturable gives the key, or why the table cannot be captured.
func (t *tableInfo) capturable(c *Config) ([]string, *pipeline.Refusal) {
	if t.unlogged {
		return nil, t.refuse(CodeUnlogged, "the table is unlogged or temporary, so that its changes are not in the log", "ALTER TABLE "+t.SQL()+" SET LOGGED;")
	}
	key, refusal := t.key(c.keyOf(t.TableName))
	if refusal != nil {
		return nil, refusal
	}
	for _, k := range key {
		if !slices.Contains(t.columnNames(), k) {
			return nil, t.refuse(CodeBadKey, "key column "+k+" is generated or not published", "choose another key under overrides, or publish the column")
		}
	}
	return key, t.readable(c)
}

func (t *tableInfo) readable(c *Config) *pipeline.Refusal {
	switch {
	case !t.canUse:
		return t.refuse(preflight.CodeRight, "the user may not use schema "+t.Schema, "GRANT USAGE ON SCHEMA "+pgsql.QuoteIdent(t.Schema)+" TO "+userOf(c)+";")
	case !t.canSelect:
		return t.refuse(preflight.CodeRight, "the user may not read the table", "GRANT SELECT ON "+t.SQL()+" TO "+userOf(c)+";")
	case t.secured: // a policy would hide rows from the copy that the stream has
		return t.refuse(preflight.CodeRight, "row level security hides rows of the table from the user, and the stream would have them", "ALTER ROLE "+userOf(c)+" BYPASSRLS;")
	}
	return nil
}

// missing refuses tables that are named and do not exist.
func (ch *chosen) missing(c *Config, f *facts) {
	for _, n := range c.Named {
		if slices.ContainsFunc(f.tables, func(t *tableInfo) bool { return t.TableName == n }) {
			continue
		}
		ch.refusals = append(ch.refusals, &pipeline.Refusal{
			Code: CodeTableMissing, Where: n.Schema + "." + n.Name, What: "the table does not exist in database " + f.Database,
			Mend: "correct its name, in the catalog's exact case, or create it",
		})
	}
}

// keylessTables names the tables on which a publication FOR ALL TABLES makes
// UPDATE and DELETE fail (P16).
func keylessTables(tables []*tableInfo) []string {
	var out []string
	for _, t := range tables {
		primary := t.index(func(x indexInfo) bool { return x.primary })
		if t.identity == "n" || t.identity == "d" && primary == nil && !t.unlogged {
			out = append(out, t.Schema+"."+t.Name)
		}
	}
	return out
}
