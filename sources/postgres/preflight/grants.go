package preflight

import (
	"fmt"
	"slices"
	"strings"

	"github.com/evertdb/evert/sources/postgres/pgsql"
)

// A Grant is what a role needs to capture some tables, and no more (X03).
type Grant struct {
	Role        string
	Database    string
	Publication string
	Tables      []pgsql.TableName
	Secured     bool // row level security is on for some of them
	Before13    bool // the server is older than Postgres 13
	Platform    Platform
}

// SQL makes the role and gives it its rights, one statement a line, for whoever
// owns the database and the tables. The password is left to them.
//
// Streaming needs LOGIN, REPLICATION, CONNECT and the publication; the copy of
// the tables needs USAGE and SELECT besides. Evert uses one role for both.
func (g Grant) SQL() []string {
	attributes := "LOGIN"
	if !g.Platform.isAmazon() {
		attributes += " REPLICATION"
	}
	if g.Secured {
		attributes += " BYPASSRLS" // or the copy would not hold what the stream does
	}
	role := pgsql.QuoteIdent(g.Role)
	sql := []string{fmt.Sprintf("CREATE ROLE %s %s PASSWORD '…';", role, attributes)}
	if g.Platform.isAmazon() {
		sql = append(sql, g.Platform.replicate(role))
	}
	sql = append(sql, fmt.Sprintf("GRANT CONNECT ON DATABASE %s TO %s;", pgsql.QuoteIdent(g.Database), role))
	var schemas, tables []string
	for _, t := range g.Tables {
		if s := pgsql.QuoteIdent(t.Schema); !slices.Contains(schemas, s) {
			schemas = append(schemas, s)
		}
		tables = append(tables, t.SQL())
	}
	if tables == nil {
		return sql
	}
	list, options := strings.Join(tables, ", "), " WITH (publish_via_partition_root = true)"
	if g.Before13 {
		options = ""
	}
	return append(sql,
		fmt.Sprintf("GRANT USAGE ON SCHEMA %s TO %s;", strings.Join(schemas, ", "), role),
		fmt.Sprintf("GRANT SELECT ON %s TO %s;", list, role),
		fmt.Sprintf("CREATE PUBLICATION %s FOR TABLE %s%s;", pgsql.QuoteIdent(g.Publication), list, options))
}

// HBA is the line of pg_hba.conf that lets the role in. It names the database:
// the keyword `replication` would allow a copy of the whole cluster (X05).
func (g Grant) HBA() string {
	return fmt.Sprintf("hostssl %s %s ADDRESS/32 scram-sha-256", hbaName(g.Database), hbaName(g.Role))
}
