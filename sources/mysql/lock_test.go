package mysql

import (
	"slices"
	"strings"
	"testing"

	"github.com/evertdb/evert/pipeline"
)

// X04 M02 What a server without GTIDs costs, and what it needs, is said before a source
// starts: no failover, and the right to lock tables.
func TestUnnumberedIsSaid(t *testing.T) {
	t.Parallel()
	f := &facts{byPosition: true, chosen: []*tableInfo{{TableName: TableName{"sh_op", "a"}, engine: "InnoDB"}}}
	f.grants.who, f.grants.list = "'evert'@'%'", "GRANT SELECT, REPLICATION SLAVE, REPLICATION CLIENT ON *.* TO `evert`@`%`"
	want := "GRANT LOCK TABLES ON *.* TO 'evert'@'%';"
	if found := f.locks(); len(found) != 1 || pipeline.CodeOf(found[0]) != CodeRight || !strings.Contains(found[0].Error(), want) {
		t.Errorf("got %v; want %s", found, want)
	}
	own := "GRANT LOCK TABLES ON `sh\\_op`.* TO 'evert'@'%';"
	if grants := (Grant{User: "evert", Host: "%", ByPosition: true, Tables: []TableName{{"sh_op", "a"}, {"sh_op", "b"}}}).SQL(); grants[len(grants)-1] != own {
		t.Errorf("the user is given %v; want %s as the last", grants, own)
	}
	f.grants.list += "\n" + want
	if found := f.locks(); len(found) > 0 {
		t.Errorf("with the right: %v", found)
	}
	c := Config{}.withDefaults()
	isOff := func(r *pipeline.Refusal) bool { return r.Code == CodeGTIDOff && strings.Contains(r.What, "failover") }
	if !slices.ContainsFunc(f.warnings(&c), isOff) {
		t.Errorf("it is not warned of: %v", f.warnings(&c))
	}
	if f.byPosition = false; slices.ContainsFunc(f.warnings(&c), isOff) || len(f.locks()) > 0 {
		t.Error("a server that has GTIDs is warned of, too")
	}
}

// The same on a server. MariaDB has GTIDs always.
func TestUnnumberedServerIsSaid(t *testing.T) {
	t.Parallel()
	d := newUnnumberedDB(t)
	if d.mariaDB() {
		return // it is not of this server
	}
	d.do("CREATE TABLE a (id int primary key)")
	c := d.config("a")
	c.URL = d.leastRights()
	c.byPosition = false // it is found out
	d.do("REVOKE LOCK TABLES ON " + d.name + ".* FROM least_" + d.name + "@'127.0.0.1'")
	r := d.refused(c, pipeline.Resume{})
	if r.Code != CodeRight || !strings.Contains(r.Mend, "LOCK TABLES") {
		t.Fatalf("got %v", r)
	}
	d.do(strings.TrimSuffix(r.Mend, ";"))
	d.open(c, pipeline.Resume{}).copied().caught().equal("a")
	if codes, found := codesOf(t, c); !slices.Contains(codes, string(CodeGTIDOff)) {
		t.Errorf("got %v", found)
	}
}
