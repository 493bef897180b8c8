package mysql

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/evertdb/evert/pipeline"
)

// codesOf gives what a check finds, but for what is fine.
func codesOf(t *testing.T, c Config) (codes []string, found []pipeline.Finding) {
	t.Helper()
	checked, err := Check(t.Context(), c, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range checked.Findings {
		if f.Severity != pipeline.Fine {
			codes, found = append(codes, string(f.Refusal.Code)), append(found, f)
		}
	}
	return codes, found
}

// Every setting that will hurt later is warned of, with a statement that mends it; run,
// it does.
func TestWarnings(t *testing.T) {
	t.Parallel()
	d := startOwn(t, map[string]string{"sync-binlog": "1", "innodb-flush-log-at-trx-commit": "1", "sql-mode": "STRICT_TRANS_TABLES,NO_ZERO_DATE,NO_ZERO_IN_DATE"})
	if codes, found := codesOf(t, d.config("a")); len(codes) > 0 {
		t.Fatalf("a server as it should be: %v", found)
	}
	d.do("CREATE TABLE dated (id int primary key, at datetime not null)", "CREATE TABLE old (id int primary key) ENGINE=MyISAM")
	for _, c := range []struct {
		name, code, sql string
		tables          []string
		mariaDB         bool // it alone has the setting
	}{
		{"M04 the log is not written at each commit", "MY_SYNC_BINLOG", "SET GLOBAL sync_binlog = 0", []string{"a"}, false},
		{"M04 the engine's log is not", "MY_SYNC_BINLOG", "SET GLOBAL innodb_flush_log_at_trx_commit = 2", []string{"a"}, false},
		{"M01 the log is thrown away soon", "MY_RETENTION", "SET GLOBAL binlog_expire_logs_seconds = 600", []string{"a"}, false},
		{"M02 numbers that do not rise", "MY_GTID_STRICT", "SET GLOBAL gtid_strict_mode = OFF", []string{"a"}, true},
		{"M25 zero dates", "MY_ZERO_DATE", "SET GLOBAL sql_mode = 'STRICT_TRANS_TABLES'", []string{"a", "dated"}, false},
		{"M12 an engine without transactions", "MY_ENGINE", "SELECT 1", []string{"old"}, false},
		{"M11 a replica that filters", "MY_BINLOG_FILTER", "SET GLOBAL replicate_do_db = 'other'", []string{"a"}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := d.under(t)
			if c.mariaDB && !d.mariaDB() {
				return // MySQL has no such setting
			}
			d.do(c.sql)
			codes, found := codesOf(t, d.config(c.tables...))
			if len(codes) != 1 || codes[0] != c.code || found[0].Severity != pipeline.Warns {
				t.Fatalf("got %v; want a warning %s", found, c.code)
			}
			mend, _, _ := strings.Cut(found[0].Refusal.Mend, ";")
			if strings.HasPrefix(mend, "remove ") {
				mend = "SET GLOBAL replicate_do_db = ''"
			}
			d.do(mend)
			if codes, found := codesOf(t, d.config(c.tables...)); len(codes) > 0 {
				t.Errorf("after the mend: %v", found)
			}
		})
	}
	t.Run("M19 the server_id is the server's own", func(t *testing.T) {
		c := d.config("a")
		c.ServerID = 1
		if codes, found := codesOf(t, c); !slices.Equal(codes, []string{"MY_SERVER_ID"}) {
			t.Errorf("got %v", found)
		}
	})
}

// M07 A foreign key is found under whatever name, whether the server doubles the quotes in it
// or, as MariaDB 11.4, does not.
func TestForeignKeys(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"`od``d (x)`", "`od`d (x)`"} {
		found := foreignKeys("CREATE TABLE `c` (\n  `p` int(11),\n  CONSTRAINT " + name + " FOREIGN KEY (`p`) REFERENCES `parent` (`id`) ON UPDATE SET NULL,\n" +
			"  CONSTRAINT `ON DELETE CASCADE` FOREIGN KEY (`q`) REFERENCES `parent` (`id`)\n) ENGINE=InnoDB")
		if len(found) != 1 || found[0] != (foreignKey{"`od``d (x)`", "on update set null"}) {
			t.Errorf("of %s: %v", name, found)
		}
	}
}

// A foreign key that changes rows is found also by a user who may only read: the
// server shows such a user no constraints, but the table's definition.
func TestCascadesWithLeastRights(t *testing.T) {
	t.Parallel()
	d := newDB(t)
	d.do("CREATE TABLE parent (id int primary key, other int unique)",
		"CREATE TABLE kept (id int primary key, p int, CONSTRAINT `ON DELETE CASCADE` FOREIGN KEY (p) REFERENCES parent (id) ON DELETE RESTRICT)",
		"CREATE TABLE `odd name` (id int primary key, p int, q int, CONSTRAINT `od``d (x)` FOREIGN KEY (p) REFERENCES parent (id) ON UPDATE SET NULL, CONSTRAINT fine FOREIGN KEY (q) REFERENCES parent (other))")
	url := d.leastRights()
	for table, want := range map[string]string{"kept": "", "odd name": "`od``d (x)`"} {
		t.Run("M07 "+table, func(t *testing.T) {
			c := d.config(table)
			c.URL = url
			checked, err := Check(context.Background(), c, nil)
			if err != nil {
				t.Fatal(err)
			}
			r := pipeline.Failing(checked.Findings)
			if want == "" && r != nil || want != "" && (r == nil || r.Code != CodeCascade || !strings.Contains(r.Mend, "DROP FOREIGN KEY "+want+";")) {
				t.Errorf("got %v", r)
			}
		})
	}
}
