//go:build unix

package rights

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/sources/mysql/mysqlserver"
	"github.com/evertdb/evert/sources/mysql/mysqlserver/mysqltest"
)

// A guardedMySQL is a MariaDB or MySQL as it should be, with two tables that can be
// captured and one that cannot.
type guardedMySQL struct {
	*testing.T
	server *mysqlserver.Server
}

func (g *guardedMySQL) dba(sql ...string) {
	g.Helper()
	if _, err := g.server.Exec(g.Context(), "", sql...); err != nil {
		g.Fatal(err)
	}
}

// grant makes the user as the comments of a file of `evert init` say. Only what they
// leave open is put in: the password; and REQUIRE SSL goes, because this server has no
// TLS.
func (g *guardedMySQL) grant(file string) {
	g.Helper()
	statements := regexp.MustCompile(`(?m)^#   ((?:CREATE|GRANT) .*;)$`).FindAllStringSubmatch(file, -1)
	if len(statements) != 4 {
		g.Fatalf("%d statements in:\n%s", len(statements), file)
	}
	for _, m := range statements {
		g.dba(strings.NewReplacer("…", password, " REQUIRE SSL", "").Replace(m[1]))
	}
}

// TestLeastPrivilegeOfMySQL gives a user what is documented, and takes each of it away.
func TestLeastPrivilegeOfMySQL(t *testing.T) {
	t.Parallel()
	settings := map[string]string{"sync-binlog": "1", "innodb-flush-log-at-trx-commit": "1"}
	g := &guardedMySQL{t, mysqltest.Start(t, mysqltest.Options{Settings: settings})}
	g.dba("CREATE DATABASE least", "CREATE TABLE least.customers (id int PRIMARY KEY, name text)", "INSERT INTO least.customers VALUES (1, 'one'), (2, 'two')",
		"CREATE TABLE least.orders (id int PRIMARY KEY, total decimal(9,2))", "INSERT INTO least.orders VALUES (1, 1.50)", "CREATE TABLE least.log (line text)")
	starter := newDeployment(t, "")
	if err := os.Remove(filepath.Join(starter.dir, "evert.yaml")); err != nil {
		t.Fatal(err)
	}
	file := starter.works("init", g.server.URL("least"), "--out", "-")
	if !strings.Contains(file, "least.log") || !strings.Contains(file, "no primary key") {
		t.Errorf("the table without a key is not told of:\n%s", file)
	}
	g.grant(file)
	url := strings.NewReplacer(mysqlserver.User+":"+g.server.Password(), role+":"+password).Replace(g.server.URL("least"))
	d := newDeployment(t, "name: leastmy\nsources: {app: {mysql: {url: \""+url+"\", tables: [least.customers, least.orders]}}}\nserve: {http: none}\n")
	t.Run("X04 everything works with the documented rights", func(t *testing.T) {
		d := &deployment{t, d.dir}
		if found := d.check(); len(found) > 0 {
			t.Errorf("a check finds:\n%s", show(found))
		}
		d.works("run", "--until-caught-up")
		g.dba("UPDATE least.customers SET name = 'changed'", "DELETE FROM least.orders")
		d.works("run", "--until-caught-up")
		if out := d.works("tail", "least.customers", "--until-end", "-o", "json"); !strings.Contains(out, "changed") {
			t.Errorf("the change is not in the topic:\n%s", out)
		}
		d.works("reset", "app", "--resnapshot", "--yes")
		d.works("run", "--until-caught-up")
		if found := d.check(); len(found) > 0 {
			t.Errorf("a check of what has run finds:\n%s", show(found))
		}
	})
	who := "'evert'@'%'"
	monitor := "REPLICATION CLIENT"
	if g.server.Binaries().MariaDB() {
		monitor = "BINLOG MONITOR"
	}
	for _, r := range []mysqlRight{
		{"REPLICATION SLAVE", "REVOKE REPLICATION SLAVE ON *.* FROM " + who, "MY_RIGHT", "GRANT REPLICATION SLAVE ON *.* TO " + who + ";"},
		{monitor, "REVOKE " + monitor + " ON *.* FROM " + who, "MY_RIGHT", "GRANT " + monitor + " ON *.* TO " + who + ";"},
		{"SELECT on a table", "REVOKE SELECT ON least.customers FROM " + who, "MY_TABLE_MISSING", "GRANT SELECT ON `least`.`customers` TO " + who + ";"},
		{"SELECT on another table, but with another right", "GRANT INSERT ON least.orders TO " + who + "; REVOKE SELECT ON least.orders FROM " + who, "MY_RIGHT", "GRANT SELECT ON `least`.`orders` TO " + who + ";"},
	} {
		t.Run("X04 without "+r.what, func(t *testing.T) { r.prove(&deployment{t, d.dir}, &guardedMySQL{t, g.server}) })
	}
}

// A mysqlRight is one of those that the user has.
type mysqlRight struct {
	what, take string
	code       pipeline.Code
	mend       string // what gives it back
}

// prove takes the right from a deployment that has not begun, sees it named by check and
// by run, and gives it back as printed.
func (r *mysqlRight) prove(d *deployment, g *guardedMySQL) {
	d.works("reset", "app", "--yes")
	g.dba(strings.Split(r.take, "; ")...)
	found := errorsOf(d.check())
	if !mentions(found, r.code, r.mend) {
		d.Errorf("check does not say %s with %s, but:\n%s", r.code, r.mend, show(found))
	}
	for _, args := range [][]string{{"run", "--fail-fast"}, {"run", "--until-caught-up"}} {
		out, exit := d.evert(args...)
		if exit != 3 || !strings.Contains(out, "["+string(r.code)+"]") || !strings.Contains(out, r.mend) {
			d.Errorf("evert %v: exit code %d, want 3, %s and %s:\n%s", args, exit, r.code, r.mend, out)
		}
	}
	for _, f := range found {
		mend, _, _ := strings.Cut(f.Mend, "\n")
		g.dba(mend)
	}
	if left := d.check(); len(left) > 0 {
		d.Errorf("not mended:\n%s", show(left))
	}
	d.works("run", "--until-caught-up")
}
