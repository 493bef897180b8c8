//go:build unix

package mysqlroad

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/go-mysql-org/go-mysql/client"
	"github.com/go-mysql-org/go-mysql/mysql"

	"github.com/evertdb/evert/integration/harness"
	"github.com/evertdb/evert/sources/mysql/mysqlserver"
	"github.com/evertdb/evert/sources/mysql/mysqlserver/mysqltest"
)

var suite harness.Suite

func TestMain(m *testing.M) { os.Exit(suite.Main(m)) }

// A bank is a database with money in it, and a deployment that captures it.
type bank struct {
	*testing.T
	server *mysqlserver.Server
	dir    string
	seed   uint64
}

const password = "canary-password-77ab"

var bankTables = []string{"accounts", "branches", "history"}

const accounts, branches = 20_000, 10

func newBank(t *testing.T, server *mysqlserver.Server) *bank {
	dir, err := os.MkdirTemp("", "evert-mysqlroad-") // short: it holds a unix socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	b := &bank{t, server, dir, harness.Seed(t)}
	who := "capture@'127.0.0.1'"
	b.sql("", "CREATE DATABASE bank", "CREATE USER "+who+" IDENTIFIED BY '"+password+"'", "GRANT SELECT ON bank.* TO "+who, "GRANT REPLICATION SLAVE, REPLICATION CLIENT ON *.* TO "+who)
	b.sql("bank",
		"CREATE TABLE branches (id int primary key, balance bigint not null, name varchar(40) character set latin1)",
		"CREATE TABLE accounts (id int primary key, branch int not null, balance decimal(12,2) not null, note text)",
		"CREATE TABLE history (id bigint unsigned primary key auto_increment, account int not null, delta int not null, at datetime not null, kind enum('in','out') not null)",
	)
	var rows []string
	for i := range branches {
		rows = append(rows, fmt.Sprintf("(%d, 0, 'Fil%cale %d')", i+1, 'ä', i))
	}
	b.sql("bank", "INSERT INTO branches VALUES "+strings.Join(rows, ","))
	rows = nil
	for i := range accounts {
		rows = append(rows, fmt.Sprintf("(%d, %d, 0, repeat('n', %d))", i+1, i%branches+1, i%200))
	}
	b.sql("bank", "INSERT INTO accounts VALUES "+strings.Join(rows, ","))
	text := fmt.Sprintf("name: road\ndata_dir: %s\nlogging: {format: json}\nsources:\n  db:\n    mysql:\n      url: mysql://capture:%s@%s/bank?tls=disable\n      tables: [bank.*]\n      snapshot: {chunks_above: 1KiB}\nserve: {http: none}\n",
		filepath.Join(dir, "data"), password, server.Address())
	if err := os.WriteFile(b.file(), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return b
}

func (b *bank) file() string { return filepath.Join(b.dir, "evert.yaml") }

func (b *bank) sql(database string, sql ...string) {
	b.Helper()
	if _, err := b.server.Exec(b.Context(), database, sql...); err != nil {
		b.Fatal(err)
	}
}

// traffic moves money on four connections until it is stopped.
func (b *bank) traffic() (stop func()) {
	end := make(chan struct{})
	var group sync.WaitGroup
	for w := range 4 {
		group.Add(1)
		go func() {
			defer group.Done()
			conn, err := b.server.Connect(b.Context(), "bank")
			if err != nil {
				b.Error(err)
				return
			}
			defer conn.Close()
			random := rand.New(rand.NewPCG(b.seed, uint64(w)))
			pace := time.NewTicker(5 * time.Millisecond) // what the bank does, not what the machine can
			defer pace.Stop()
			for {
				select {
				case <-end:
					return
				case <-pace.C:
				}
				if err := do(conn, transaction(random)); err != nil {
					b.Errorf("%v (seed %d)", err, b.seed)
					return
				}
			}
		}()
	}
	stop = sync.OnceFunc(func() { close(end); group.Wait() })
	b.Cleanup(stop) // also when the test has failed
	return stop
}

// do runs a transaction. One that the server rolled back, because two stood in each
// other's way, has moved nothing.
func do(conn *client.Conn, sql []string) error {
	for _, text := range sql {
		_, err := conn.Execute(text)
		var said *mysql.MyError
		if errors.As(err, &said) && said.Code == mysql.ER_LOCK_DEADLOCK {
			return nil
		}
		if err != nil {
			return fmt.Errorf("%s: %w", text, err)
		}
	}
	return nil
}

func transaction(random *rand.Rand) []string {
	account, delta := 1+random.IntN(accounts), random.IntN(1000)-500
	kind := "in"
	if delta < 0 {
		kind = "out"
	}
	out := []string{
		"BEGIN",
		fmt.Sprintf("UPDATE accounts SET balance = balance + %d WHERE id = %d", delta, account),
		fmt.Sprintf("UPDATE branches SET balance = balance + %d WHERE id = (SELECT branch FROM accounts WHERE id = %d)", delta, account),
		fmt.Sprintf("INSERT INTO history (account, delta, at, kind) VALUES (%d, %d, now(), '%s')", account, delta, kind),
	}
	if random.IntN(20) == 0 {
		out = append(out, "DELETE FROM history ORDER BY id LIMIT 3")
	}
	return append(out, "COMMIT")
}

// run starts the daemon.
func (b *bank) run(args ...string) *harness.Process {
	return harness.Start(b, harness.Launch{Path: suite.Evert(b), Args: append([]string{"run", "-c", b.file()}, args...)})
}

func says(message string) func(line string) bool {
	return func(line string) bool { return strings.Contains(line, `"msg":"`+message+`"`) }
}

// traffic · copy · kill -9 in the copy · copy · kill -9 in the stream · go on · a large
// transaction · traffic ends · catch up → the topics equal the tables
func TestBank(t *testing.T) {
	server := mysqltest.Start(t, mysqltest.Options{})
	t.Run("M17 M18 M23 copied and followed under traffic, killed in copy and stream", func(t *testing.T) {
		b := newBank(t, server)
		stop := b.traffic()
		first := b.run()
		first.Await(t, "the copy", says("snapshot begins"))
		first.Kill()
		second := b.run()
		second.Await(t, "the stream", says("every table is in its topic"))
		b.moved(400)
		second.Kill()
		third := b.run()
		third.Await(t, "the stream again", says("streaming"))
		b.sql("bank", "UPDATE accounts SET note = concat(note, '!')") // one transaction of 20,000 rows
		third.Signal(syscall.SIGTERM)
		if code := third.Wait(t, harness.Patience); code != 0 {
			t.Errorf("SIGTERM: exit code %d:\n%s", code, third.Last(12))
		}
		stop()
		last := b.run("--until-caught-up")
		if code := last.Wait(t, harness.Patience); code != 0 {
			t.Fatalf("exit code %d:\n%s", code, last.Last(12))
		}
		for _, table := range bankTables {
			b.equal(table)
		}
		for _, p := range []*harness.Process{first, second, third, last} {
			if n := p.Count(func(line string) bool { return strings.Contains(line, password) }); n > 0 {
				t.Errorf("the password stands in %d lines of a log", n)
			}
		}
	})
}

// moved waits until the bank has made so many transactions more.
func (b *bank) moved(n int64) {
	b.Helper()
	count := func() (most int64) {
		r, err := b.server.Exec(b.Context(), "bank", "SELECT coalesce(max(id), 0) FROM history")
		if err != nil {
			b.Fatal(err)
		}
		most, _ = r.GetInt(0, 0)
		return most
	}
	for until := count() + n; count() < until; {
		if b.Context().Err() != nil {
			b.Fatal("the traffic does not move")
		}
	}
}

// equal folds a table's topic by key and compares it with the table; no record is there
// twice, and none out of order.
func (b *bank) equal(table string) {
	b.Helper()
	rows := b.fold(table)
	r, err := b.server.Exec(b.Context(), "bank", "SELECT * FROM "+table)
	if err != nil {
		b.Fatal(err)
	}
	if len(rows) != r.RowNumber() {
		b.Errorf("%s: the topic has %d rows, the table %d (seed %d)", table, len(rows), r.RowNumber(), b.seed)
	}
	for i := range r.RowNumber() {
		id, _ := r.GetString(i, 0)
		for j, f := range r.Fields {
			want, _ := r.GetString(i, j)
			if got := fmt.Sprint(rows[id][string(f.Name)]); got != want {
				b.Fatalf("%s: row %s has %s %q in the topic, %q in the table (seed %d)", table, id, f.Name, got, want, b.seed)
			}
		}
	}
	b.Logf("%s: %d rows equal", table, len(rows))
}

func (b *bank) fold(table string) map[string]map[string]any {
	b.Helper()
	out, said, code := harness.Run(b, suite.Evert(b), "tail", "-c", b.file(), "bank."+table, "--until-end", "-o", "json")
	if code != 0 {
		b.Fatalf("evert tail: exit code %d: %s", code, said)
	}
	rows := map[string]map[string]any{}
	seen := map[string]bool{}
	for line := range strings.Lines(out) {
		var record struct {
			Key      map[string]any
			Op       *string
			After    map[string]any
			Position struct {
				Incarnation string
				Seq, Row    uint64
			}
		}
		d := json.NewDecoder(strings.NewReader(line))
		d.UseNumber()
		if err := d.Decode(&record); err != nil {
			b.Fatal(err)
		}
		id := fmt.Sprint(record.Key["id"])
		if record.Op == nil {
			delete(rows, id)
			continue
		}
		place := fmt.Sprint(record.Position)
		if seen[place] && record.Position.Seq > 0 {
			b.Errorf("%s: place %s is there twice", table, place)
		}
		seen[place] = true
		if record.After != nil {
			rows[id] = record.After
		} else {
			delete(rows, id)
		}
	}
	return rows
}
