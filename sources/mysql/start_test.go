package mysql

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/sources/mysql/mysqlserver"
	"github.com/evertdb/evert/sources/mysql/mysqlserver/mysqltest"
)

// startOwn gives a test a server of its own, with database d and table a in it.
func startOwn(t *testing.T, settings map[string]string) *db {
	t.Helper()
	server := mysqltest.Start(t, mysqlserver.Options{Settings: settings})
	d := &db{T: t, server: server, name: ""}
	d.do("CREATE DATABASE d")
	d.name = "d"
	d.do("CREATE TABLE a (id int primary key, v varchar(20))", "INSERT INTO a VALUES (1, 'x')")
	return d
}

// Every setting that keeps changes or their meaning out of the log is refused at
// start, with a statement that mends it; run, it does.
func TestSettings(t *testing.T) {
	t.Parallel()
	d := startOwn(t, nil)
	for _, c := range []struct{ name, code, sql string }{
		{"M06 statements in the log", "MY_BINLOG_FORMAT", "SET GLOBAL binlog_format = 'MIXED'"},
		{"M05 partial row images", "MY_ROW_IMAGE", "SET GLOBAL binlog_row_image = 'MINIMAL'"},
		{"M09 rows without names", "MY_ROW_METADATA", "SET GLOBAL binlog_row_metadata = 'MINIMAL'"},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := d.under(t)
			d.do(c.sql)
			r := d.refused(d.config("a"), pipeline.Resume{})
			if string(r.Code) != c.code {
				t.Fatalf("got %v", r)
			}
			mend, _, _ := strings.Cut(r.Mend, ";")
			d.do(mend)
			d.open(d.config("a"), pipeline.Resume{}).copied().close()
		})
	}
	d.do("CREATE TABLE keyless (v int)", "CREATE TABLE parent (id int primary key)", "CREATE TABLE child (id int primary key, p int, FOREIGN KEY fk (p) REFERENCES parent (id) ON DELETE CASCADE)",
		"CREATE TABLE nullable (a int, unique key (a))")
	withKey := func(c Config, key ...string) Config {
		c.Keys = func(string, string) []string { return key }
		return c
	}
	for _, c := range []struct {
		name, code string
		config     Config
	}{
		{"M33 a table without a key", "MY_NO_KEY", d.config("keyless")},
		{"M33 a key of the configuration that is not unique", "MY_BAD_KEY", withKey(d.config("a"), "v")},
		{"M33 a key of the configuration that may be NULL", "MY_BAD_KEY", withKey(d.config("nullable"), "a")},
		{"M07 a foreign key that cascades", "MY_CASCADE", d.config("child")},
		{"a table that is not there", "MY_TABLE_MISSING", d.config("nowhere")},
		{"no table", "MY_NO_TABLES", d.config()},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := d.under(t)
			if r := d.refused(c.config, pipeline.Resume{}); string(r.Code) != c.code || r.Mend == "" {
				t.Errorf("got %v; want %s", r, c.code)
			}
		})
	}
	t.Run("M39 a replica that does not log what it replicates", func(t *testing.T) {
		d := d.under(t)
		if !d.mariaDB() {
			return // MySQL does not tell what it has replicated apart
		}
		strict := d.get("SELECT @@gtid_strict_mode")
		d.do("SET GLOBAL gtid_strict_mode = OFF", "SET GLOBAL gtid_slave_pos = '9-9-9'")
		defer d.do("SET GLOBAL gtid_slave_pos = ''", "SET GLOBAL gtid_strict_mode = "+strict)
		if r := d.refused(d.config("a"), pipeline.Resume{}); r.Code != CodeReplica || !strings.Contains(r.Mend, "log_slave_updates") {
			t.Errorf("got %v", r)
		}
	})
	t.Run("X04 MY_RIGHT a user without rights", func(t *testing.T) {
		d := d.under(t)
		c := d.config("a")
		d.do("CREATE USER nobody@'127.0.0.1' IDENTIFIED BY 'n'", "GRANT SELECT ON d.* TO nobody@'127.0.0.1'")
		url := strings.Replace(strings.Replace(d.server.URL(d.name), mysqlserver.User+":", "nobody:", 1), d.server.Password(), "n", 1)
		c.URL = func(context.Context) (string, error) { return url, nil }
		r := d.refused(c, pipeline.Resume{})
		if r.Code != CodeRight {
			t.Fatalf("got %v", r)
		}
		for range 2 {
			d.do(strings.TrimSuffix(r.Mend, ";"))
			s := New(c)
			err := s.Open(t.Context(), pipeline.Resume{})
			_ = s.Close()
			if err == nil {
				return
			}
			if r = d.refused(c, pipeline.Resume{}); r.Code != CodeRight {
				t.Fatalf("got %v", r)
			}
		}
		t.Errorf("it is still refused: %v", r)
	})
}

// The log is gone, of another server, behind, or damaged.
func TestGaps(t *testing.T) {
	t.Parallel()
	d := startOwn(t, nil)
	flush := "FLUSH BINARY LOGS"
	t.Run("M01 the log was thrown away", func(t *testing.T) {
		d := d.under(t)
		r := d.open(d.config("a"), pipeline.Resume{}).copied()
		from := r.place
		r.close()
		d.do("INSERT INTO a VALUES (2, 'lost')", flush, flush, flush)
		for first := ""; first != d.lastLog(); first = d.firstLog() { // one that is still read stays
			d.do("PURGE BINARY LOGS TO '" + d.lastLog() + "'")
		}
		again := New(d.config("a"))
		defer again.Close()
		err := again.Open(t.Context(), from)
		if err == nil {
			err = (&reader{db: d, source: again, place: from, rows: map[string]map[string]string{}}).stopped()
		}
		if pipeline.CodeOf(err) != CodePurged {
			t.Errorf("got %v", err)
		}
	})
	t.Run("M22 a log of many small files, and a server that is killed", func(t *testing.T) {
		d := d.under(t)
		r := d.open(d.config("a"), pipeline.Resume{}).copied()
		for i := range 12 {
			d.do(fmt.Sprintf("INSERT INTO a VALUES (%d, 'f')", 100+i), flush)
		}
		r.caught()
		d.server.Kill()
		if err := d.server.Restart(t.Context(), nil); err != nil {
			t.Fatal(err)
		}
		d.do("INSERT INTO a VALUES (777, 'after')")
		r.caught().equal("a")
	})
	t.Run("M03 the server is behind", func(t *testing.T) {
		d := d.under(t)
		r := d.open(d.config("a"), pipeline.Resume{}).copied()
		from := r.place
		r.close()
		if d.mariaDB() {
			from.At.Native = "0-1-999999"
		} else {
			from.At.Native = strings.Replace(from.At.Native, ":1-", ":1-99999", 1)
		}
		if r := d.refused(d.config("a"), from); r.Code != CodeOtherServer {
			t.Errorf("got %v", r)
		}
	})
	t.Run("a transaction that was read before the server had executed it", func(t *testing.T) {
		d := d.under(t)
		if d.mariaDB() || d.byPosition {
			return // nothing is read before it counts
		}
		r := d.open(d.config("a"), pipeline.Resume{}).copied()
		r.close()
		from := r.place
		all, _ := strings.CutSuffix(d.get("SELECT @@gtid_executed"), "\n")
		last, err := strconv.Atoi(all[strings.LastIndexAny(all, "-:")+1:])
		if err != nil {
			t.Fatal(err)
		}
		from.At.Native = strings.Replace(r.place.At.Native, fmt.Sprintf("-%d", last), fmt.Sprintf("-%d", last+1), 1)
		opened := make(chan error, 1)
		s := New(d.config("a"))
		defer s.Close()
		go func() { opened <- s.Open(t.Context(), from) }()
		for len(opened) == 0 && d.get("SELECT count(*) FROM information_schema.processlist WHERE info LIKE 'SELECT WAIT_FOR_EXECUTED%'") == "0" {
			time.Sleep(time.Millisecond)
		}
		d.do("INSERT INTO a VALUES (35, 'executed now')")
		if err := <-opened; err != nil {
			t.Errorf("it was not waited for: %v", err)
		}
	})
	t.Run("M04 a power cut made the server forget what was captured", func(t *testing.T) {
		d := d.under(t)
		r := d.open(d.config("a"), pipeline.Resume{}).copied()
		file := d.lastLog()
		path := filepath.Join(d.server.Dir(), "data", file)
		d.do("INSERT INTO a VALUES (40, 'kept')")
		kept, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		d.do("INSERT INTO a VALUES (41, 'forgotten')", "INSERT INTO a VALUES (42, 'forgotten')")
		from := r.caught().place
		d.server.Kill() // what was not written to disk by now is not there later
		if err := os.Truncate(path, kept.Size()); err != nil {
			t.Fatal(err)
		}
		if err := d.server.Restart(t.Context(), nil); err != nil {
			t.Fatal(err)
		}
		if !d.mariaDB() && d.get("SELECT count(*) FROM a WHERE id = 42") == "1" {
			// A busy machine: MySQL's engine had written its commits by then, and with them their
			// GTIDs. Nothing that was captured is forgotten, and the source goes on.
			d.do("INSERT INTO a VALUES (43, 'behind')")
			r.caught().equal("a")
			return
		}
		if err := r.stopped(); pipeline.CodeOf(err) != CodeOtherServer {
			t.Errorf("the source that runs says %v", err)
		}
		if r := d.refused(d.config("a"), from); r.Code != CodeOtherServer {
			t.Errorf("at a start: %v", r)
		}
	})
	t.Run("M19 another reader has our server_id", func(t *testing.T) {
		d := d.under(t)
		if !d.mariaDB() {
			return // MySQL tells readers apart by the UUID that each makes for itself
		}
		c := d.config("a")
		c.ServerIDWait = 300 * time.Millisecond
		first := d.open(c, pipeline.Resume{}).copied()
		d.do("INSERT INTO a VALUES (20, 'x')")
		first.caught()
		second := d.open(c, first.place)
		refused := make(chan pipeline.Code, 2)
		for _, r := range []*reader{first, second} { // which one the server prefers is its own affair
			go func() {
				for {
					if err := r.next(); err != nil {
						refused <- pipeline.CodeOf(err)
						return
					}
				}
			}()
		}
		if code := <-refused; code != CodeServerID {
			t.Errorf("got %s", code)
		}
	})
	t.Run("M15 an event that does not match its checksum", func(t *testing.T) {
		d := d.under(t)
		r := d.open(d.config("a"), pipeline.Resume{}).copied()
		from, file := r.place, d.lastLog()
		r.close()
		d.do("INSERT INTO a VALUES (31, 'damagedvalue')")
		if err := d.server.Stop(); err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(d.server.Dir(), "data", file)
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		at := bytes.LastIndex(b, []byte("damagedvalue"))
		if at < 0 {
			t.Fatal("the row is not in the log's last file")
		}
		b[at] = 'D'
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := d.server.Restart(t.Context(), nil); err != nil {
			t.Fatal(err)
		}
		again := d.open(d.config("a"), from)
		if r := again.stopped(); r.Code != CodeEvent || !strings.Contains(r.What, "checksum") {
			t.Errorf("got %v", r)
		}
	})
}

func (d *db) firstLog() string {
	d.Helper()
	return d.get("SHOW BINARY LOGS")
}

// lastLog is the file that the server writes now.
func (d *db) lastLog() string {
	d.Helper()
	r, err := d.server.Exec(d.Context(), "", "SHOW BINARY LOGS")
	if err != nil {
		d.Fatal(err)
	}
	name, _ := r.GetString(r.RowNumber()-1, 0)
	return strings.Clone(name)
}
