package mysql

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/evertdb/evert/pipeline"
)

// grants is what a user may do.
type grants struct {
	who  string // as the server's statements name it: 'evert'@'%'
	list string // what SHOW GRANTS prints, in upper case
	err  error  // why it is not known
}

func (g *grants) load(ctx context.Context, s *session) {
	rows, err := s.query(ctx, "SHOW GRANTS")
	g.err = err
	for i := range rows {
		g.list += strings.ToUpper(rows.text(i, 0)) + "\n"
	}
	who, err := s.query(ctx, "SELECT CURRENT_USER()")
	if err != nil {
		g.err = err
		return
	}
	g.who = account(who.text(0, 0))
}

// account quotes user@host, whose user may hold an @ of its own.
func account(text string) string {
	at := strings.LastIndexByte(text, '@')
	if at < 0 {
		return quoteText(text)
	}
	return quoteText(text[:at]) + "@" + quoteText(text[at+1:])
}

// statement gives the user a right.
func (g *grants) statement(right, on string) string {
	return "GRANT " + right + " ON " + on + " TO " + g.who + ";"
}

// all reports whether the user may do everything.
func (g *grants) all() bool { return strings.Contains(g.list, "ALL PRIVILEGES ON *.*") }

// seesActors reports whether the server shows the user every trigger, view and routine.
// MySQL lists the rights of whoever may do everything one by one.
func (g *grants) seesActors() bool {
	if g.all() {
		return true
	}
	for line := range strings.Lines(g.list) {
		if strings.Contains(line, " ON *.* ") && strings.Contains(line, "TRIGGER") && strings.Contains(line, "SHOW VIEW") {
			return strings.Contains(g.list, "SHOW_ROUTINE")
		}
	}
	return false
}

// monitors is the right to ask where the log ends, as each server prints it.
func monitors(mariaDB bool) string {
	if mariaDB {
		return "BINLOG MONITOR"
	}
	return "REPLICATION CLIENT"
}

// rights looks for what capturing needs besides SELECT (X04).
func (f *facts) rights() []error {
	if f.grants.err != nil || f.grants.all() {
		return nil
	}
	var out []error
	for _, right := range []string{"REPLICATION SLAVE", monitors(f.mariaDB)} {
		if !strings.Contains(f.grants.list, right) {
			out = append(out, &pipeline.Refusal{Code: CodeRight, What: "the user lacks the right " + right, Mend: f.grants.statement(right, "*.*")})
		}
	}
	return out
}

// Numbers of the server's refusals to read a table, or a column of it.
const (
	tableDenied  = 1142
	columnDenied = 1143
)

// readable looks whether the user may read every column of a table. One of which it
// has no right at all is not listed by the server, and so is told as missing.
func (f *facts) readable(ctx context.Context, s *session, t *tableInfo) *pipeline.Refusal {
	_, err := s.query(ctx, "SELECT * FROM "+t.sql()+" LIMIT 0")
	switch serverCode(err) {
	case tableDenied, columnDenied:
		return &pipeline.Refusal{Code: CodeRight, Where: t.String(), What: "the user may not read the table", Mend: f.grants.statement("SELECT", t.sql())}
	}
	return nil // other errors come again where they count
}

// A Grant is what a user needs to capture some tables, and no more (X04).
type Grant struct {
	User, Host string
	MariaDB    bool
	ByPosition bool        // its transactions have no GTIDs
	Databases  []string    // of which all tables are captured
	Tables     []TableName // captured tables of other databases
}

// SQL makes the user and gives it its rights, one statement a line, for an
// administrator. The password is left to them.
//
// Streaming needs the rights on *.*; copying the tables, and comparing them, needs
// SELECT, and LOCK TABLES where the log has no GTIDs.
func (g Grant) SQL() []string {
	who := quoteText(g.User) + "@" + quoteText(g.Host)
	out := []string{
		"CREATE USER " + who + " IDENTIFIED BY '…' REQUIRE SSL;",
		fmt.Sprintf("GRANT REPLICATION SLAVE, %s ON *.* TO %s;", monitors(g.MariaDB), who),
	}
	right := "SELECT"
	if g.ByPosition {
		right += ", LOCK TABLES" // of a database alone
	}
	for _, d := range g.Databases {
		out = append(out, fmt.Sprintf("GRANT %s ON %s.* TO %s;", right, grantedDatabase(d), who))
	}
	for _, t := range g.Tables {
		out = append(out, fmt.Sprintf("GRANT SELECT ON %s TO %s;", t.sql(), who))
	}
	for _, d := range databasesOf(g.Tables) {
		if g.ByPosition {
			out = append(out, fmt.Sprintf("GRANT LOCK TABLES ON %s.* TO %s;", grantedDatabase(d), who))
		}
	}
	return out
}

// databasesOf gives each database of some tables once, in their order.
func databasesOf(tables []TableName) (out []string) {
	for _, t := range tables {
		if !slices.Contains(out, t.Database) {
			out = append(out, t.Database)
		}
	}
	return out
}

// grantedDatabase quotes a database for GRANT, where _ and % are wildcards.
func grantedDatabase(name string) string {
	return quoteName(strings.NewReplacer(`\`, `\\`, "_", `\_`, "%", `\%`).Replace(name))
}
