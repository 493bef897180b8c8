package mysql

import (
	"fmt"
	"strings"
	"testing"
)

func (s statement) String() string {
	names := map[kindOf]string{stOther: "other", stBegin: "begin", stCommit: "commit", stRollback: "rollback", stPart: "part", stXA: "xa", stXACommit: "xa commit", stXARoll: "xa rollback",
		stRows: "rows", stCreate: "create", stReplace: "replace", stAlter: "alter", stRewrite: "rewrite", stExchange: "exchange", stRename: "rename", stDrop: "drop", stDropAll: "drop database", stTruncate: "truncate", stUnknown: "unknown"}
	out := names[s.kind]
	for _, t := range s.tables {
		out += " " + t.Database + "." + t.Table
	}
	if s.why != "" {
		out += " (" + s.why + ")"
	}
	return out
}

// What a statement of the log is taken for.
func TestStatementsOfTheLog(t *testing.T) {
	for _, c := range []struct{ sql, want string }{
		{"BEGIN", "begin"},
		{"COMMIT", "commit"},
		{"ROLLBACK", "rollback"},
		{"ROLLBACK TO `s`", "part"},
		{"SAVEPOINT `s`", "part"},
		{"XA START X'78',X'79',3", "xa"},
		{"XA COMMIT X'78',X'79',3", "xa commit"},
		{"insert into t values (1)", "rows"},
		{"/* app */ UPDATE t SET a = 1", "rows"},
		{"-- note\nDELETE FROM t", "rows"},
		{"# note\nreplace into t values (1)", "rows"},
		{"CREATE TABLE t (i int)", "create .t"},
		{"create table if not exists `a b`.`c``d` (i int)", "create a b.c`d (it may have existed before)"},
		{"CREATE TABLE t SELECT 1", "create .t (its first rows are not in the log)"},
		{"CREATE OR REPLACE TABLE d.t (i int)", "replace d.t"},
		{"CREATE TEMPORARY TABLE t (i int)", "other"},
		{"CREATE TABLE t LIKE u", "create .t"},
		{"CREATE TABLE `k` (\n `id` int) START TRANSACTION", "create .k"},
		{"/*!40000 CREATE TABLE */ /*!50001 x (i int) */", "create .x"},
		{"/*M!100100 create*/ table x(i int)", "create .x"},
		{"CREATE UNIQUE INDEX i ON t (a)", "other"},
		{"CREATE DEFINER=`root`@`localhost` TRIGGER x BEFORE INSERT ON t FOR EACH ROW SET NEW.a = 1", "other"},
		{"CREATE PROCEDURE p() BEGIN DROP TABLE t; END", "other"},
		{"CREATE SEQUENCE s", "other"},
		{"CREATE ALGORITHM=UNDEFINED DEFINER=`a`@`b` SQL SECURITY DEFINER VIEW `v` AS select 1", "other"},
		{"ALTER TABLE t ADD COLUMN a int", "alter .t"},
		{"ALTER ONLINE TABLE d.t ADD a int", "alter d.t"},
		{"ALTER ONLINE IGNORE TABLE d.t ADD a int", "rewrite d.t (ignore)"},
		{"ALTER TABLE t WAIT 5 DROP PARTITION p0", "rewrite .t (drop partition)"},
		{"ALTER TABLE t ADD COLUMN (a int, b int DEFAULT NULL), CHANGE a b int", "rewrite .t (a column was renamed)"},
		{"ALTER TABLE t ADD COLUMN (a int, b int DEFAULT (1 + 2))", "rewrite .t (a column came with a default, which earlier rows have)"},
		{"ALTER TABLE t ADD IF NOT EXISTS a int AS (b) STORED", "rewrite .t (a column came that is generated, in earlier rows too)"},
		{"ALTER TABLE t CHANGE a `a` int, MODIFY COLUMN b int", "alter .t"},
		{"ALTER TABLE t MODIFY b int AS (id*3) STORED", "rewrite .t (a column became generated)"},
		{"ALTER IGNORE TABLE t ADD UNIQUE (a), RENAME = u", "rename .t .u (ignore)"},
		{"SET STATEMENT lock_wait_timeout=5 FOR ALTER TABLE t DROP PARTITION p0", "rewrite .t (drop partition)"},
		{"SET STATEMENT a=(SELECT 1 FROM x FOR UPDATE), b=2 FOR TRUNCATE t", "truncate .t"},
		{"SET STATEMENT lock_wait_timeout=5", "unknown"},
		{"SET PASSWORD FOR u = 'x'", "other"},
		{"ANALYZE FORMAT=JSON UPDATE t SET a = 1", "rows"},
		{"SELECT `d`.`f`()", "rows"},
		{"ALTER TABLE t DROP PARTITION p0", "rewrite .t (drop partition)"},
		{"ALTER TABLE t TRUNCATE PARTITION p0", "rewrite .t (truncate partition)"},
		{"alter table t exchange partition p0 with table u", "exchange .t .u (exchange partition)"},
		{"ALTER TABLE t DISCARD TABLESPACE", "rewrite .t (discard tablespace)"},
		{"ALTER TABLE t CONVERT PARTITION p0 TO TABLE u", "exchange .t .u (convert partition)"},
		{"ALTER TABLE t CONVERT TABLE u TO PARTITION p0 VALUES LESS THAN (5)", "exchange .t .u (convert table)"},
		{"ALTER TABLE t CONVERT TO CHARACTER SET utf8mb4", "alter .t"},
		{"ALTER TABLE t ADD PARTITION (PARTITION p1 VALUES LESS THAN (9))", "alter .t"},
		{"ALTER TABLE t COMMENT 'DROP PARTITION p0'", "alter .t"},
		{"ALTER TABLE t ADD `DROP` int, ADD `PARTITION` int", "alter .t"},
		{"ALTER TABLE t ENGINE=BLACKHOLE", "rewrite .t (its engine became BLACKHOLE, which keeps no row)"},
		{"ALTER TABLE t COMMENT 'x' engine 'Blackhole'", "rewrite .t (its engine became BLACKHOLE, which keeps no row)"},
		{"ALTER TABLE t ADD a int, ENGINE = `blackhole`, RENAME u", "rename .t .u (its engine became BLACKHOLE, which keeps no row)"},
		{"ALTER TABLE t ENGINE=InnoDB COMMENT='ENGINE=BLACKHOLE'", "alter .t"},
		{"ALTER TABLE t ADD `ENGINE` int, ADD blackhole int", "alter .t"},
		{"ALTER TABLE t DROP SYSTEM VERSIONING", "rewrite .t (drop system versioning)"},
		{"ALTER TABLE t RENAME TO u", "rename .t .u"},
		{"ALTER TABLE t RENAME d.u", "rename .t d.u"},
		{"ALTER TABLE t RENAME COLUMN a TO b, RENAME INDEX i TO j", "rewrite .t (a column was renamed)"},
		{"ALTER TABLE t RENAME INDEX i TO j", "alter .t"},
		{"RENAME TABLE a TO b, d.c TO `e`", "rename .a .b d.c .e"},
		{"RENAME TABLE IF EXISTS a WAIT 5 TO b", "rename .a .b"},
		{"DROP TABLE IF EXISTS a, d.b CASCADE", "drop .a d.b"},
		{"DROP TABLE `a` /* generated by server */", "drop .a"},
		{"DROP TEMPORARY TABLE a", "other"},
		{"DROP DATABASE IF EXISTS `d`", "drop database d."},
		{"DROP VIEW v", "other"},
		{"TRUNCATE t", "truncate .t"},
		{"TRUNCATE TABLE `d`.`t`", "truncate d.t"},
		{"GRANT SELECT ON t TO u", "other"},
		{"ANALYZE TABLE t", "other"},
		{"FROBNICATE TABLE t", "unknown"},
		{"", "other"},
	} {
		t.Run("M36 M06 M08 M10 "+c.sql, func(t *testing.T) {
			if got := parseStatement(c.sql, false).String(); got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
	t.Run("M36 ANSI_QUOTES", func(t *testing.T) {
		if got := parseStatement(`ALTER TABLE "d"."t" ADD a int`, true).String(); got != "alter d.t" {
			t.Errorf("got %s", got)
		}
		if got := parseStatement(`ALTER TABLE t COMMENT "RENAME TO u"`, false).String(); got != "alter .t" {
			t.Errorf("got %s", got)
		}
	})
}

// Whatever comes is taken for something, in a time that its length bounds.
func FuzzStatement(f *testing.F) {
	f.Add("ALTER TABLE `a`.b DROP PARTITION p /* x")
	f.Add("RENAME TABLE a TO b, c TO")
	f.Fuzz(func(t *testing.T, text string) {
		s := parseStatement(text, len(text)%2 == 0)
		if len(s.tables) > len(text) {
			t.Fatalf("%d tables in %d bytes", len(s.tables), len(text))
		}
	})
}

// Places of both servers, as text and back, and which contains which.
func TestPlaces(t *testing.T) {
	const a, b = "3e11fa47-71ca-11e1-9e33-c80aa9429562", "4e11fa47-71ca-11e1-9e33-c80aa9429562"
	for _, c := range []struct{ have, want, answer string }{
		{"0-1-13", "0-1-13", "yes"}, {"0-1-13", "0-1-12", "yes"}, {"0-1-13", "0-2-12", "yes"}, {"0-1-13", "0-1-14", "no"},
		{"0-1-13", "0-1-5,1-1-1", "no"}, {"0-1-13,1-7-2", "1-7-2", "yes"}, {"0-1-13", "none", "yes"}, {"none", "0-1-1", "no"}, {"none", "none", "yes"},
		{"0-1-100", "0-1-99", "yes"}, // M22: not by their bytes
		{a + ":1-100", a + ":1-99", "yes"}, {a + ":1-5", a + ":1-5," + b + ":1", "no"}, {a + ":1-3:5-7", a + ":4", "no"}, {a + ":1-5", "0-1-1", "no"}, {"0-1-1", a + ":1", "no"},
		{"nonsense", "0-1-1", "error"}, {"0-1-1", "0-1", "error"}, {"0-1-x", "0-1-1", "error"}, {a + ":x", a + ":1", "error"}, {"", "0-1-1", "no"},
	} {
		t.Run(fmt.Sprintf("M02 M22 %s behind %s", c.have, c.want), func(t *testing.T) {
			ok, err := reached(c.have, c.want)
			got := map[bool]string{true: "yes", false: "no"}[ok]
			if err != nil {
				got = "error"
			}
			if got != c.answer {
				t.Errorf("got %s (%v), want %s", got, err, c.answer)
			}
		})
	}
	p, q := mustPlace(t, "0-1-5,1-1-9"), mustPlace(t, "0-2-7,1-1-3,2-1-1")
	if got := p.meet(q).String() + " " + p.join(q).String(); got != "0-1-5,1-1-3 0-2-7,1-1-9,2-1-1" {
		t.Errorf("meet and join are %s", got)
	}
	if text := strings.Repeat("0-1-1,", 3) + "3-1-1"; mustPlace(t, text).String() != "0-1-1,3-1-1" {
		t.Error("a domain stands twice")
	}
}

func mustPlace(t *testing.T, text string) place {
	t.Helper()
	p, err := parsePlace(text)
	if err != nil {
		t.Fatal(err)
	}
	return p
}
