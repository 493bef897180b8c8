//go:build unix

package mysqlroad

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
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

var (
	suite harness.Suite
	maria mysqltest.Shared // of the tests that do not kill it
)

func TestMain(m *testing.M) {
	code := maria.Run(m)
	suite.Close()
	os.Exit(code)
}

// A bank is a database with money in it, and a deployment that captures it.
type bank struct{ *capture }

var bankTables = []string{"accounts", "branches", "history"}

const accounts, branches = 20_000, 10

func newBank(t *testing.T, server *mysqlserver.Server) *bank {
	b := &bank{newCapture(t, server, "bank")}
	b.source = "      snapshot: {chunks_above: 1KiB}\n"
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
	return b
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

func says(message string) func(line string) bool {
	return func(line string) bool { return strings.Contains(line, `"msg":"`+message+`"`) }
}

// traffic · copy · kill -9 in the copy · copy · kill -9 in the stream · go on · a large
// transaction · traffic ends · catch up → the topics equal the tables
func TestBank(t *testing.T) {
	t.Run("M17 M18 M23 copied and followed under traffic, killed in copy and stream", func(t *testing.T) {
		b := newBank(t, maria.Server(t))
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
		last := b.catchUp()
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
