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
		{Schema: "public", Name: "orders", Key: true, Rows: 1200, Bytes: 5 << 20},
		{Schema: "public", Name: "Odd.Name", Key: true},
		{Schema: "public", Name: "log lines"},
		{Schema: `we"ird`, Name: "t", Key: true},
		{Schema: "UPPER", Name: "t", Key: true, Unlogged: true},
	}
	for _, c := range []struct {
		story string
		d     Database
		o     Options
	}{
		{"a plain one", Database{Name: "shop", Version: "15.1", Tables: tables}, Options{URL: "postgres://u@localhost/shop"}},
		{"no tables", Database{Name: "empty"}, Options{URL: "postgres://localhost/empty"}},
		{"a name that is no deployment's", Database{Name: "0 Ünsere Datenbank mit einem sehr langen Namen!", Tables: tables}, Options{URL: "postgres://localhost/x"}},
		{"a password like a reference", Database{Name: "shop", Tables: tables}, Options{URL: "postgres://u:$%7BHOME%7D'&@localhost/x"}},
		{"weak TLS elsewhere", Database{Name: "shop", Tables: tables}, Options{URL: "postgres://u@db.example.com/x?sslmode=require", Insecure: true}},
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
	if text := File(Database{Name: "shop", Tables: tables}, Options{URL: "postgres://localhost/x"}); !strings.Contains(text, "no primary key") {
		t.Error("a table that is left out is not explained")
	}
}
