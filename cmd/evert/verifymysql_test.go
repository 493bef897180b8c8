package main

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/evertdb/evert/cmd/evert/api"
	"github.com/evertdb/evert/sources/mysql/mysqlserver"
	"github.com/evertdb/evert/sources/mysql/mysqlserver/mysqltest"
)

// A mysqlShop is a database of accounts, and a file that captures it.
type mysqlShop struct {
	*testing.T
	server *mysqlserver.Server
	dir    string
}

const mysqlShopFile = `name: verifiedmy
data_dir: %[1]s/d
serve: {http: none}
logging: {level: error}
limits: {verify_bytes: 64KiB}
sources:
  shop: {mysql: {url: %[2]q, tables: [shop.*]}}
  some: {mysql: {url: %[2]q, tables: [some.*], snapshot: {where: {some.*: id %% 2 = 0}}}}
views:
  balances:
    key: [branch]
    sql: SELECT b.id AS branch, b.name COLLATE "C" AS name, count(a.id) AS accounts, coalesce(sum(a.balance), 0) AS balance FROM shop.shop.branch b LEFT JOIN shop.shop.account a ON a.branch = b.id GROUP BY b.id, b.name COLLATE "C"
sinks:
  search: {from: balances, bleve: {}}
`

func newMySQLShop(t *testing.T) *mysqlShop {
	t.Helper()
	s := &mysqlShop{t, mysqltest.Start(t, mysqltest.Options{}), t.TempDir()}
	s.sql("CREATE DATABASE shop", "CREATE DATABASE some", "CREATE TABLE some.chosen (id int PRIMARY KEY)", "INSERT INTO some.chosen VALUES (3), (4), (5)")
	var rows []string
	for i := range 2000 {
		rows = append(rows, fmt.Sprintf("(%d, %d, 100, repeat('n', %d), if(%d %% 3, NULL, x'00ff'))", i+1, i%7+1, i%40, i))
	}
	s.sql("CREATE TABLE shop.branch (id smallint unsigned PRIMARY KEY, name varchar(20) character set latin1 not null)",
		"INSERT INTO shop.branch SELECT seq, concat('Fil', char(0xe4 using latin1), 'le ', seq) FROM (SELECT 1 AS seq UNION SELECT 2 UNION SELECT 3 UNION SELECT 4 UNION SELECT 5 UNION SELECT 6 UNION SELECT 7) s",
		"CREATE TABLE shop.account (id int PRIMARY KEY, branch smallint unsigned not null, balance decimal(12,2) not null, note text, raw varbinary(8))",
		"INSERT INTO shop.account VALUES "+strings.Join(rows, ","),
		"CREATE TABLE shop.odd (a binary(4), at datetime(3), e enum('x','y'), b bit(9), y year, t time(2), v varchar(9), PRIMARY KEY (a, at))",
		"INSERT INTO shop.odd VALUES (x'01', '2024-02-29 23:59:59.999', 'y', b'101', 2155, '-838:59:59', NULL), (x'01000001', '1000-01-01', NULL, NULL, NULL, NULL, '')",
		"CREATE TABLE shop.old (id int PRIMARY KEY) ENGINE=MyISAM")
	text := fmt.Sprintf(mysqlShopFile, s.dir, s.server.URL("shop"))
	if err := os.WriteFile(s.file(), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return s
}

func (s *mysqlShop) file() string { return filepath.Join(s.dir, "evert.yaml") }

func (s *mysqlShop) sql(statements ...string) {
	s.Helper()
	if _, err := s.server.Exec(s.Context(), "", statements...); err != nil {
		s.Fatal(err)
	}
}

// verify compares, which has to end with a code.
func (s *mysqlShop) verify(name string, code int) (found api.Verified, said string) {
	s.Helper()
	out, said, got := ran(s.Context(), "verify", "-c", s.file(), name, "-o", "json")
	if got != code || code != 1 && json.Unmarshal([]byte(out), &found) != nil {
		s.Fatalf("verify %s: exit %d, want %d: %s", name, got, code, out+said)
	}
	return found, out + said
}

// tradePace lets an index that shares two cores with the database keep up.
const tradePace = 10 * time.Millisecond

// trade moves balances until ctx ends.
func (s *mysqlShop) trade(ctx context.Context, random *rand.Rand) {
	c, err := s.server.Connect(ctx, "shop")
	if err != nil {
		return // told to stop
	}
	defer c.Close()
	for ctx.Err() == nil {
		from, to := 1+random.IntN(2000), 1+random.IntN(2000)
		for _, sql := range []string{"BEGIN", fmt.Sprintf("UPDATE account SET balance = balance - 1.5, note = concat('m', %d) WHERE id = %d", to, from),
			fmt.Sprintf("DELETE FROM account WHERE id = %d AND %d %% 9 = 0", to, to), fmt.Sprintf("INSERT INTO account VALUES (%d, %d, 7, NULL, NULL) ON DUPLICATE KEY UPDATE balance = balance + 1.5", to, to%7+1),
			[]string{"COMMIT", "COMMIT", "COMMIT", "ROLLBACK"}[random.IntN(4)]} {
			if _, err := c.Execute(sql); err != nil && ctx.Err() == nil && !strings.Contains(err.Error(), "Deadlock") {
				s.Errorf("%s: %v", sql, err)
				return
			}
		}
		select {
		case <-time.After(tradePace):
		case <-ctx.Done():
		}
	}
}

// A table, a view and an index are compared while transactions commit and roll back:
// each time, at one exact position, all rows are equal. Rows that were changed past the
// log are found.
func TestVerifyMySQL(t *testing.T) {
	const seed, clients, rounds = 12, 2, 3
	s := newMySQLShop(t)
	ctx, stop := context.WithCancel(context.Background())
	var all sync.WaitGroup
	defer all.Wait()
	defer stop()
	all.Go(func() {
		if _, said, code := ran(ctx, "run", "-c", s.file()); code != 0 {
			t.Errorf("the daemon ended with %d: %s", code, said)
		}
	})
	awaitStreaming(t, filepath.Join(s.dir, "d"))
	trading, still := context.WithCancel(ctx)
	var traders sync.WaitGroup
	for n := range clients {
		traders.Go(func() { s.trade(trading, rand.New(rand.NewPCG(seed, uint64(n)))) })
	}
	for round := range rounds {
		for _, name := range []string{"shop.account", "balances"} {
			found, _ := s.verify(name, 0)
			if !found.Exact || found.Equal != found.Rows || found.Rows < 7 || found.Snapshot == "" {
				t.Fatalf("seed %d, round %d, %s: %+v", seed, round, name, found)
			}
		}
	}
	s.verify("search", 0)
	if found, _ := s.verify("shop.odd", 0); found.Equal != 2 {
		t.Errorf("%+v", found)
	}
	still()
	traders.Wait()
	t.Run("M11 rows that were changed past the log", func(t *testing.T) {
		s := &mysqlShop{t, s.server, s.dir}
		s.sql("INSERT IGNORE INTO shop.account VALUES (10, 1, 1, NULL, NULL), (11, 1, 1, NULL, NULL)")
		s.sql("SET SESSION sql_log_bin = 0", "UPDATE shop.account SET balance = balance + 1, note = 'rowcanary' WHERE id = 10", "DELETE FROM shop.account WHERE id = 11",
			"INSERT INTO shop.account VALUES (5000, 1, 1, 'rowcanary', NULL)")
		found, said := s.verify("shop.account", 4)
		if found.Differing != 1 || found.Surplus != 1 || found.Missing != 1 || fmt.Sprint(found.Keys) == "" || strings.Contains(said, "rowcanary") {
			t.Errorf("%s", said)
		}
		if found, _ := s.verify("balances", 4); found.Differing == 0 {
			t.Errorf("the view: %+v", found)
		}
		s.verify("search", 0) // it is what its topic says
		out, said, code := ran(t.Context(), "verify", "-c", s.file(), "shop.account", "--repair")
		if code != 0 || !strings.Contains(out, "3 were put right") {
			t.Fatalf("repair: exit %d: %s%s", code, out, said)
		}
		for _, name := range []string{"shop.account", "balances", "search"} {
			s.verify(name, 0)
		}
	})
	t.Run("rows that were chosen", func(t *testing.T) {
		out, said, code := ran(t.Context(), "tail", "-c", s.file(), "some.chosen", "--until-end", "-o", "json")
		if code != 0 || !strings.Contains(out, `"after":{"id":4}`) || strings.Contains(out, `"id":3`) {
			t.Errorf("tail: exit %d: %s%s", code, out, said)
		}
		s := &mysqlShop{t, s.server, s.dir}
		if _, said := s.verify("some.chosen", 1); !strings.Contains(said, "snapshot.where leaves rows of some.chosen out of its copy") {
			t.Error(said)
		}
	})
	t.Run("M12 MY_ENGINE a table of no one moment", func(t *testing.T) {
		s := &mysqlShop{t, s.server, s.dir}
		if _, said := s.verify("shop.old", 1); !strings.Contains(said, "MY_ENGINE") {
			t.Errorf("%s", said)
		}
	})
}
