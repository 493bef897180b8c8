//go:build unix

package mysqlroad

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/evertdb/evert/integration/harness"
	"github.com/evertdb/evert/sources/mysql/mysqlserver"
)

// A capture is a database and a deployment that captures it, whose one source is called
// db. The deployment bears the database's name.
type capture struct {
	*testing.T
	server   *mysqlserver.Server
	database string
	dir      string
	brokers  []string // a Kafka cluster; empty: the embedded log
	source   string   // further lines of the source's section mysql
	options  string   // further lines of the source
	more     string   // further lines at the top level
	seed     uint64
}

const password = "canary-password-77ab"

// newCapture makes a database of a name that no other test uses, and a user who may
// capture it.
func newCapture(t *testing.T, server *mysqlserver.Server, database string) *capture {
	t.Helper()
	dir, err := os.MkdirTemp("", "evert-mysqlroad-") // short: it holds a unix socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	c := &capture{T: t, server: server, database: database, dir: dir, seed: harness.Seed(t)}
	who := database + "@'127.0.0.1'"
	c.sql("", "CREATE DATABASE "+database, "CREATE USER "+who+" IDENTIFIED BY '"+password+"'", "GRANT SELECT ON "+database+".* TO "+who, "GRANT REPLICATION SLAVE, REPLICATION CLIENT ON *.* TO "+who)
	return c
}

func (c *capture) data() string { return filepath.Join(c.dir, "data") }

// file writes the deployment's file and gives its path.
func (c *capture) file() string {
	c.Helper()
	kafka := ""
	if len(c.brokers) > 0 {
		kafka = "kafka: {brokers: [" + strings.Join(c.brokers, ", ") + "], session_timeout: 2s, topics: {replication_factor: 1}}\n"
	}
	text := fmt.Sprintf("name: %[1]s\ndata_dir: %[2]s\nlogging: {format: json}\n%[3]ssources:\n  db:\n    mysql:\n      url: mysql://%[1]s:%[4]s@%[5]s/%[1]s?tls=disable\n      tables: [%[1]s.*]\n%[6]s%[7]sserve: {http: none}\n%[8]s",
		c.database, c.data(), kafka, password, c.server.Address(), c.source, c.options, c.more)
	path := filepath.Join(c.dir, "evert.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		c.Fatal(err)
	}
	return path
}

func (c *capture) sql(database string, sql ...string) {
	c.Helper()
	if _, err := c.server.Exec(c.Context(), database, sql...); err != nil {
		c.Fatal(err)
	}
}

// run starts the daemon.
func (c *capture) run(args ...string) *harness.Process {
	c.Helper()
	return harness.Start(c, harness.Launch{Path: suite.Evert(c), Args: append([]string{"run", "-c", c.file()}, args...)})
}

// catchUp runs the daemon until it has all that was committed.
func (c *capture) catchUp() *harness.Process {
	c.Helper()
	last := c.run("--until-caught-up")
	if code := last.Wait(c, harness.Patience); code != 0 {
		c.Fatalf("exit code %d:\n%s", code, last.Last(12))
	}
	return last
}

// records gives a table's topic in the order of its offsets.
func (c *capture) records(table string) (out []harness.Record) {
	c.Helper()
	text, errors, code := harness.Run(c, suite.Evert(c), "tail", "-c", c.file(), c.database+"."+table, "--until-end", "-o", "json")
	if code != 0 {
		c.Fatalf("evert tail: exit code %d: %s", code, errors)
	}
	for line := range strings.Lines(text) {
		var r harness.Record
		if err := json.Unmarshal([]byte(line), &r); err != nil {
			c.Fatalf("%v: %.300s", err, line)
		}
		out = append(out, r)
	}
	return out
}

// value is a column as the server prints it.
func value(v json.RawMessage) string {
	var text string
	if json.Unmarshal(v, &text) == nil {
		return text
	}
	return string(v)
}

// fold gives the rows of a table's topic by id; no record is there twice.
func (c *capture) fold(table string) map[string]map[string]json.RawMessage {
	c.Helper()
	rows := map[string]map[string]json.RawMessage{}
	seen := map[string]bool{}
	for _, r := range c.records(table) {
		id := value(r.Key["id"])
		if r.After == nil {
			delete(rows, id)
		} else {
			rows[id] = r.After
		}
		if r.Op == nil || r.Position.Seq == 0 {
			continue
		}
		place := fmt.Sprint(*r.Position, *r.Op) // a row whose key changes is deleted and made at one place
		if seen[place] {
			c.Errorf("%s: place %s is there twice (seed %d)", table, place, c.seed)
		}
		seen[place] = true
	}
	return rows
}

// equal folds a table's topic by key and compares it with the table.
func (c *capture) equal(table string) {
	c.Helper()
	rows := c.fold(table)
	r, err := c.server.Exec(c.Context(), c.database, "SELECT * FROM "+table)
	if err != nil {
		c.Fatal(err)
	}
	if len(rows) != r.RowNumber() {
		c.Errorf("%s: the topic has %d rows, the table %d (seed %d)", table, len(rows), r.RowNumber(), c.seed)
	}
	for i := range r.RowNumber() {
		id, _ := r.GetString(i, 0)
		for j, f := range r.Fields {
			want, _ := r.GetString(i, j)
			if got := value(rows[id][string(f.Name)]); got != want {
				c.Fatalf("%s: row %s has %s %q in the topic, %q in the table (seed %d)", table, id, f.Name, got, want, c.seed)
			}
		}
	}
	c.Logf("%s: %d rows equal", table, len(rows))
}
