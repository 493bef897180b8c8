package starter

import (
	"strings"
	"testing"

	"github.com/evertdb/evert/configs"
)

// TestFileLoads writes starter files for odd databases; each has to load, and to
// capture what can be captured.
func TestFileLoads(t *testing.T) {
	tables := []Table{
		{Schema: "public", Name: "orders", Rows: 1200, Bytes: 5 << 20},
		{Schema: "public", Name: "Odd.Name"},
		{Schema: "public", Name: "log lines", Left: noKey},
		{Schema: `we"ird`, Name: "t"},
		{Schema: "UPPER", Name: "t", Left: unlogged},
	}
	for _, c := range []struct {
		story string
		d     Database
		o     Options
	}{
		{"a plain one", Database{Server: "Postgres", Name: "shop", Version: "15.1", Tables: tables}, Options{URL: "postgres://u@localhost/shop"}},
		{"no tables", Database{Server: "Postgres", Name: "empty"}, Options{URL: "postgres://localhost/empty"}},
		{"a name that is no deployment's", Database{Server: "Postgres", Name: "0 Ünsere Datenbank mit einem sehr langen Namen!", Tables: tables}, Options{URL: "postgres://localhost/x"}},
		{"a password like a reference", Database{Server: "Postgres", Name: "shop", Tables: tables}, Options{URL: "postgres://u:$%7BHOME%7D'&@localhost/x"}},
		{"weak TLS elsewhere", Database{Server: "Postgres", Name: "shop", Tables: tables}, Options{URL: "postgres://u@db.example.com/x?sslmode=require", Insecure: true}},
	} {
		t.Run(c.story, func(t *testing.T) {
			text := File(c.d, c.o)
			config, err := configs.Parse("evert.yaml", []byte(text), func(string) (string, bool) { return "", false })
			if err != nil {
				t.Fatalf("%v\n%s", err, text)
			}
			pg := config.Sources[Name(c.d.Name)].Postgres
			if url, err := pg.URL.Reveal(); err != nil || url != c.o.URL {
				t.Errorf("the URL became %q: %v", url, err)
			}
			for _, table := range c.d.Tables {
				if got := configs.Captures(pg.Tables, pg.ExcludeTables, table.Schema, table.Name); got != table.Usable() {
					t.Errorf("%s.%s is captured: %v\n%s", table.Schema, table.Name, got, text)
				}
			}
		})
	}
	if text := File(Database{Server: "Postgres", Name: "shop", Tables: tables}, Options{URL: "postgres://localhost/x"}); !strings.Contains(text, "no primary key") {
		t.Error("a table that is left out is not explained")
	}
}

// TestMySQLFileLoads does the same for MySQL and MariaDB.
func TestMySQLFileLoads(t *testing.T) {
	tables := []Table{{Schema: "shop", Name: "orders", Rows: 1200, Bytes: 5 << 20}, {Schema: "shop", Name: "odd name"}}
	left := append(tables[:2:2], Table{Schema: "shop", Name: "log", Left: "no primary key\nADD PRIMARY KEY"})
	for _, c := range []struct {
		story, want string
		d           Database
		o           Options
	}{
		{"a plain one", "#   GRANT SELECT ON `sh\\_op`.* TO 'evert'@'%';", Database{Server: "MariaDB", Name: "sh_op", Version: "10.11.6", Tables: tables}, Options{URL: "mysql://u@localhost/shop"}},
		{"a table that is left out", "#   GRANT SELECT ON `shop`.`orders` TO 'evert'@'%';", Database{Server: "MySQL", Name: "shop", Tables: left}, Options{URL: "mysql://u@localhost/shop"}},
		{"no tables", "- empty.*", Database{Server: "MySQL", Name: "empty"}, Options{URL: "mysql://u@localhost/empty"}},
		{"MySQL's rights", "#   GRANT REPLICATION SLAVE, REPLICATION CLIENT ON *.* TO 'evert'@'%';", Database{Server: "MySQL", Name: "empty"}, Options{URL: "mysql://u@localhost/empty"}},
		{"MariaDB's rights", "#   GRANT REPLICATION SLAVE, BINLOG MONITOR ON *.* TO 'evert'@'%';", Database{Server: "MariaDB", Name: "empty"}, Options{URL: "mysql://u@localhost/empty"}},
		{"weak TLS elsewhere", "insecure: true", Database{Server: "MySQL", Name: "shop", Tables: tables}, Options{URL: "mysql://u:p@db.example.com/shop?tls=disable", Insecure: true}},
	} {
		t.Run(c.story, func(t *testing.T) {
			text := File(c.d, c.o)
			config, err := configs.Parse("evert.yaml", []byte(text), func(string) (string, bool) { return "", false })
			if err != nil {
				t.Fatalf("%v\n%s", err, text)
			}
			my := config.Sources[Name(c.d.Name)].MySQL
			if url, err := my.URL.Reveal(); err != nil || url != c.o.URL {
				t.Errorf("the URL became %q: %v", url, err)
			}
			for _, table := range c.d.Tables {
				if got := configs.Captures(my.Tables, my.ExcludeTables, table.Schema, table.Name); got != table.Usable() {
					t.Errorf("%s.%s is captured: %v\n%s", table.Schema, table.Name, got, text)
				}
			}
			if !strings.Contains(text, c.want) {
				t.Errorf("no %q in\n%s", c.want, text)
			}
		})
	}
}
