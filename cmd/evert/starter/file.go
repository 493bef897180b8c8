package starter

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/evertdb/evert/cmd/evert/terminal"
	"github.com/evertdb/evert/configs"
	"github.com/evertdb/evert/sources/mysql"
	"github.com/evertdb/evert/sources/postgres/pgsql"
	"github.com/evertdb/evert/sources/postgres/preflight"
)

// Options say what stands in the file besides the tables.
type Options struct {
	URL      string // as given; it may hold a password
	Insecure bool   // its TLS mode is weaker than verify-full, to another machine
}

// postgresServer is what a Database's Server is of Postgres.
const postgresServer = "Postgres"

// A kind is what differs between the kinds of database in a file.
type kind struct {
	section  string // of the source
	topic    string // an example
	prefixes string // what a deployment's name is part of
	secure   string // the best TLS, as the URL writes it
	grants   func(b *strings.Builder, d Database)
}

func kindOf(server string) kind {
	if server == postgresServer {
		return kind{"postgres", "public.TABLE", "the slot, the publication and internal topics", "sslmode=verify-full", writeGrants}
	}
	return kind{"mysql", "DATABASE.TABLE", "internal topics", "tls=verify-full", writeMySQLGrants}
}

// File writes the text of a configuration file.
func File(d Database, o Options) string {
	name, k := Name(d.Name), kindOf(d.Server)
	var b strings.Builder
	fmt.Fprintf(&b, head, k.topic, name, k.prefixes, d.Name, d.Server, d.Version, name, k.section, k.section, scalar(o.URL))
	if o.Insecure {
		b.WriteString("      insecure: true              # the connection's TLS is weaker than verify-full; better: " + k.secure + "\n")
	}
	writeTables(&b, d)
	fmt.Fprintf(&b, tail, d.example("some_table"))
	k.grants(&b, d)
	return b.String()
}

// role is the one whose rights a starter file lists.
const role = "evert"

// writeGrants lists what a role needs and no more, to be run by a DBA (X03).
func writeGrants(b *strings.Builder, d Database) {
	name := Name(d.Name)
	g := preflight.Grant{Role: role, Database: d.Name, Publication: configs.SlotName(name, name), Before13: strings.HasPrefix(d.Version, "12."), Platform: d.Platform}
	for _, t := range d.Tables {
		if t.Usable() {
			g.Tables = append(g.Tables, pgsql.TableName{Schema: t.Schema, Name: t.Name})
			g.Secured = g.Secured || t.Secured
		}
	}
	b.WriteString("\n# A role that may do just this, and no more; for a DBA to run. With it in the url, no superuser is needed.\n#\n")
	for _, sql := range g.SQL() {
		fmt.Fprintf(b, "#   %s\n", strings.Map(oneLine, sql))
	}
	if d.Platform == preflight.OwnMachine {
		fmt.Fprintf(b, "#   pg_hba.conf: %s\n", strings.Map(oneLine, g.HBA()))
	}
	b.WriteString("#\n# Streaming needs LOGIN, REPLICATION, CONNECT, the publication and the line of pg_hba.conf; copying the tables needs\n" +
		"# USAGE and SELECT besides, and BYPASSRLS where row level security is on.\n")
	b.WriteString("# Never the keyword `replication` in pg_hba.conf: with it the role could copy the whole cluster.\n")
}

// writeMySQLGrants lists the same for MySQL and MariaDB (X04).
func writeMySQLGrants(b *strings.Builder, d Database) {
	g := mysql.Grant{User: role, Host: "%", MariaDB: d.Server == "MariaDB", ByPosition: d.ByPosition}
	whole := !slices.ContainsFunc(d.Tables, func(t Table) bool { return !t.Usable() })
	if whole {
		g.Databases = []string{d.Name}
	}
	for _, t := range d.Tables {
		if !whole && t.Usable() {
			g.Tables = append(g.Tables, mysql.TableName{Database: t.Schema, Table: t.Name})
		}
	}
	b.WriteString("\n# A user that may do just this, and no more; for an administrator to run. With it in the url, no other right is needed.\n#\n")
	for _, sql := range g.SQL() {
		fmt.Fprintf(b, "#   %s\n", strings.Map(oneLine, sql))
	}
	locks := "No lock is taken, and RELOAD is not needed."
	if d.ByPosition {
		locks = "Without GTIDs (gtid_mode) tables\n# are locked for a moment where a copy or a comparison begins, by LOCK TABLES; RELOAD is not needed."
	}
	b.WriteString("#\n# Streaming needs the rights on *.*; copying the tables and `evert verify` need SELECT. " + locks + "\n" +
		"# % lets the user in from any address: write the one that Evert connects from.\n")
}

// oneLine keeps a comment on its line, whatever stands in a name.
func oneLine(r rune) rune {
	if r < ' ' {
		return '?'
	}
	return r
}

const head = `# Evert captures this database into compacted topics.
#
#   evert check --connect      asks the server for all that would keep it from starting
#   evert run                  copies the tables, then follows every change
#   evert tail %-15s shows what is in a topic

name: %-28s # prefixes %s: choose it once
data_dir: ./data                   # the embedded log; a section kafka: {brokers: [...]} takes its place

sources:
  # Database %s, %s %s. Topics are named <source>.<schema>.<table>.
  %s:
    %s:
      # Better than a password in here: url without it, and beside it password: "${file:/run/secrets/%s}".
      url: %s
`

const tail = `      snapshot:
        workers: 2                 # connections that copy at one time
        # max_rate: 50MiB/s        # spares the server while the tables are copied
    # envelope: debezium           # before, after, source, op; row is the row alone
    # overrides:
    #   %s:
    #     key: [some_column]       # instead of the primary key; unique and not null

serve:
  http: 127.0.0.1:8380             # /healthz /readyz /metrics /v1/status; none turns it off
`

// estimate tells how many rows a table has, if the server has counted any.
func estimate(t Table) string {
	if t.Rows == 0 && t.Bytes > 0 {
		return "rows not counted yet"
	}
	return "~" + terminal.Count(t.Rows) + " rows"
}

// writeTables writes the patterns, with what they match, and what is left out.
func writeTables(b *strings.Builder, d Database) {
	tables := d.Tables
	b.WriteString("      tables:\n")
	if len(schemas(tables)) == 0 {
		fmt.Fprintf(b, "        - %-22s # there is no table yet that can be captured\n", scalar(pattern(d.schema())))
	}
	for _, schema := range schemas(tables) {
		fmt.Fprintf(b, "        - %s\n", scalar(pattern(schema)))
		for _, t := range tables {
			if t.Schema == schema && t.Usable() {
				fmt.Fprintf(b, "          #   %-36s %19s  %10s\n", configs.TableName(t.Schema, t.Name), estimate(t), terminal.Bytes(t.Bytes))
			}
		}
	}
	left := slices.DeleteFunc(slices.Clone(tables), func(t Table) bool { return t.Usable() || !slices.Contains(schemas(tables), t.Schema) })
	if len(left) == 0 {
		fmt.Fprintf(b, "      # exclude_tables: [%s]\n", d.example("audit_*"))
		return
	}
	b.WriteString("      exclude_tables:              # to capture one, mend what its comment says and remove its line\n")
	for _, t := range left {
		fmt.Fprintf(b, "        - %s   # %s\n", scalar(configs.TableName(t.Schema, t.Name).String()), strings.Map(oneLine, t.Left))
	}
}

// schemas gives those that hold a table that can be captured.
func schemas(tables []Table) []string {
	var out []string
	for _, t := range tables {
		if t.Usable() && !slices.Contains(out, t.Schema) {
			out = append(out, t.Schema)
		}
	}
	return out
}

// pattern matches all tables of a schema.
func pattern(schema string) string {
	exact := configs.TableName(schema, "x").String()
	return strings.TrimSuffix(exact, "x") + "*"
}

// schema is the one that examples name.
func (d Database) schema() string {
	if d.Server == postgresServer {
		return "public"
	}
	return d.Name
}

// example is a table of the schema, for a comment.
func (d Database) example(table string) string {
	return strings.Map(oneLine, strings.TrimSuffix(pattern(d.schema()), "*")) + table
}

// scalar writes text as YAML, in quotes where it needs them; ${ is no reference.
func scalar(text string) string {
	text = strings.ReplaceAll(text, "${", "$${")
	plain := func(r rune) bool {
		return r == '_' || r == '.' || r >= 'a' && r <= 'z' || r >= '0' && r <= '9'
	}
	name := strings.TrimSuffix(text, ".*")
	if name != "" && name[0] >= 'a' && strings.IndexFunc(name, func(r rune) bool { return !plain(r) }) < 0 && strings.Contains(text, ".") {
		return text
	}
	quoted, _ := json.Marshal(text) // a JSON string is a YAML one
	return strings.NewReplacer(`\u0026`, "&", `\u003c`, "<", `\u003e`, ">").Replace(string(quoted))
}

// Name makes a deployment's name of a database's.
func Name(database string) string {
	name := strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9', r == '_', r == '-':
			return r
		case r >= 'A' && r <= 'Z':
			return r + 'a' - 'A'
		}
		return '_'
	}, database)
	if name == "" || name[0] < 'a' || name[0] > 'z' {
		name = "db_" + name
	}
	return name[:min(len(name), 40)]
}
