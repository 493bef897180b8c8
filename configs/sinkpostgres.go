package configs

import (
	"fmt"
	"strings"
	"time"
)

// PostgresSink is a table that holds what a table topic or view holds; or several in
// one schema, which are written in the same transactions.
type PostgresSink struct {
	// As for a source.
	URL Secret `yaml:"url" required:"true"`
	// The password, instead of one inside url; it needs no percent-encoding.
	Password Secret `yaml:"password"`
	// Allows an sslmode weaker than verify-full to a server that is not on this machine.
	Insecure bool `yaml:"insecure"`
	// The table, as schema.table. It is made if it is not there.
	Table TablePattern `yaml:"table"`
	// Instead of table: the schema in which each table of from has one of its own name. It has to be there.
	Schema string `yaml:"schema" format:"text"`
	// The table that holds where each sink stands, as schema.table; evert_sinks beside the table if left out.
	Positions TablePattern `yaml:"positions"`
	// Takes over a table that holds rows of somebody else: all of them are replaced.
	Adopt bool `yaml:"adopt"`
	// What happens to a column that is gone from the topic: it is kept, and NULL in rows written from then on, or dropped. Of a table that Evert did not make every column is kept.
	OnColumnGone string `yaml:"on_column_gone" enum:"keep,drop" default:"keep"`
	// Rows of a step that are held in memory; what a larger transaction has beyond goes to a temporary table at the server.
	BufferBytes Size `yaml:"buffer_bytes" default:"16MiB" min:"64KiB" max:"1GiB"`
	// How long a lock is waited for, before the step is tried again.
	LockWait time.Duration `yaml:"lock_wait" default:"10s" min:"10ms" max:"10m"`
}

// Targets gives the table of the sink's database for each that it delivers, in the
// order of from.
func (s *Sink) Targets() (all []TablePattern) {
	if s.Postgres.Schema == "" {
		return []TablePattern{s.Postgres.Table}
	}
	_, tables, _ := s.Tables()
	for _, t := range tables {
		_, name, _ := t.Exact()
		all = append(all, TableName(s.Postgres.Schema, name))
	}
	return all
}

// checkPostgresSink finds out that each table has one to go to.
func (d *decoder) checkPostgresSink(name string, s *Sink) {
	p, path := s.Postgres, []string{"sinks", name, "postgres"}
	wrong := func(what, mend string) { d.add(d.at(path...), conflict, strings.Join(path, ".")+what, mend) }
	d.checkExact(p.Table, append(path, "table")...)
	d.checkExact(p.Positions, append(path, "positions")...)
	_, _, tables := s.Tables()
	switch {
	case !p.Table.IsZero() && p.Schema != "":
		wrong(" has both table and schema", "keep one of them")
	case p.Table.IsZero() && p.Schema == "":
		d.add(d.at(path...), missingKey, strings.Join(path, ".")+" has no table", "add table: public.orders; or, for several tables, schema: public")
	case p.Schema == "" && s.Several():
		wrong(" has one table, and from names "+fmt.Sprint(len(s.From)), "write schema: public instead of table; each table has one of its own name there")
	case p.Schema != "" && !tables:
		wrong(" has a schema, and a view has no table of its own name", "write table: public.orders instead of schema")
	}
	named := map[string]bool{}
	for _, t := range s.Targets() {
		if named[t.String()] {
			wrong(": two tables of from have the name "+t.String()+" there", "write a sink for one of them, with table: schema.table")
		}
		named[t.String()] = true
	}
}

// checkExact refuses a pattern where one table has to be named.
func (d *decoder) checkExact(p TablePattern, path ...string) {
	if _, _, ok := p.Exact(); !ok {
		d.add(d.at(path...), badTable, strings.Join(path, ".")+" is a pattern, and one table has to be named", "name one table, as schema.table")
	}
}
