package mysql

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/go-mysql-org/go-mysql/mysql"
	"github.com/go-mysql-org/go-mysql/replication"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/handover"
	"github.com/evertdb/evert/sources/mysql/binlogvalue"
	"github.com/evertdb/evert/sources/mysql/mysqlserver/mysqltest"
)

var (
	record = flag.Bool("record", false, "record the log of the server at hand (EVERT_TEST_MYSQL) anew, then its text")
	update = flag.Bool("update", false, "write the text of the recorded logs anew")
)

// A recording is a file of a server's binary log, and what the source asks a server
// besides it.
//
//	testdata/recorded/<server>/binlog       as the server wrote it
//	testdata/recorded/<server>/server.json  this
//	testdata/recorded/<server>/text         what is read from it, reviewed
type recording struct {
	Server     string
	Collations map[uint64]recordedCollation
	Tables     []keptTable // as they were in the end: what the log does not say of columns
}

type recordedCollation struct {
	Name, Charset string
	MaxLen        int
}

const recordings = "testdata/recorded"

// What other servers wrote is read without them: M09 M10 M13 M14 M16 M26 M29 M31 M32.
func TestRecorded(t *testing.T) {
	if *record {
		recordLog(t)
	}
	dirs, err := filepath.Glob(filepath.Join(recordings, "*", "binlog"))
	if err != nil || len(dirs) < 3 {
		t.Fatalf("%d recordings, %v", len(dirs), err)
	}
	for _, path := range dirs {
		dir := filepath.Dir(path)
		t.Run("M09 M10 M13 M14 M16 M26 M29 M31 M32 "+filepath.Base(dir), func(t *testing.T) {
			got := readRecording(t, dir, Config{Name: "recorded"})
			golden := filepath.Join(dir, "text")
			if *update || *record {
				if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			sameText(t, got, strings.TrimSuffix(string(want), "\n"))
		})
	}
}

// One byte that is not what the server wrote is noticed.
func TestRecordedChecksum(t *testing.T) {
	paths, err := filepath.Glob(filepath.Join(recordings, "*", "binlog"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range paths {
		t.Run("M15 "+filepath.Base(filepath.Dir(path)), func(t *testing.T) {
			log, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			log[len(log)/2] ^= 1
			damaged := filepath.Join(t.TempDir(), "binlog")
			if err := os.WriteFile(damaged, log, 0o644); err != nil {
				t.Fatal(err)
			}
			rec := loadRecording(t, filepath.Dir(path))
			err = rec.parser().ParseFile(damaged, 0, func(*replication.BinlogEvent) error { return nil })
			s := New(Config{})
			s.a = &assembler{}
			if err == nil || pipeline.CodeOf(s.explain(err)) != CodeEvent {
				t.Errorf("a byte was changed: %v", err)
			}
		})
	}
}

func (rec *recording) mariaDB() bool { return strings.HasPrefix(rec.Server, "MariaDB") }

func (rec *recording) parser() *replication.BinlogParser {
	p := replication.NewBinlogParser()
	p.SetFlavor(mysql.MySQLFlavor)
	if rec.mariaDB() {
		p.SetFlavor(mysql.MariaDBFlavor)
	}
	p.SetVerifyChecksum(true)
	p.SetRowsEventDecodeFunc(leaveRows)
	p.SetTableMapOptionalMetaDecodeFunc(func([]byte) error { return nil })
	return p
}

func loadRecording(t *testing.T, dir string) *recording {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, "server.json"))
	if err != nil {
		t.Fatal(err)
	}
	rec := &recording{}
	if err := json.Unmarshal(text, rec); err != nil {
		t.Fatal(err)
	}
	return rec
}

// A replay reads a recording with the assembler that reads a server's log.
type replay struct {
	*testing.T
	rec    *recording
	source *Source
	text   strings.Builder
}

func readRecording(t *testing.T, dir string, c Config) string {
	t.Helper()
	p := &replay{T: t, rec: loadRecording(t, dir), source: New(c)}
	all := &collations{byID: map[uint64]collation{}, byName: map[string]collation{}, mariaDB: p.rec.mariaDB(), charsets: binlogvalue.NewCharsets(), unheard: map[string]bool{}}
	for id, c := range p.rec.Collations {
		all.byID[id] = collation{c.Name, c.Charset, c.MaxLen}
		all.byName[c.Name] = all.byID[id]
	}
	s := p.source
	s.collations, s.tables = all, newRelations(all, false)
	s.a = &assembler{config: &s.config, tables: s.tables, fresh: s.queue.Get, emit: p.emit, shape: p.shape, said: p.said, decoders: newDecoders(&s.config, always)}
	defer s.a.xa.drop()
	defer s.a.decoders.close()
	var events []*replication.BinlogEvent
	err := p.rec.parser().ParseFile(filepath.Join(dir, "binlog"), 0, func(e *replication.BinlogEvent) error {
		events = append(events, e)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	s.a.decoders.look(s.a.framing, events)
	for _, e := range events {
		if err = s.a.event(e); err == nil && !s.a.open {
			err = s.a.flush()
		}
		if err != nil {
			break
		}
	}
	var refusal *pipeline.Refusal
	switch {
	case errors.As(err, &refusal):
		fmt.Fprintf(&p.text, "ends with %s: %s\n", refusal.Code, refusal.What)
	case err != nil:
		t.Fatal(err)
	}
	return fmt.Sprintf("%s\n%s", p.rec.Server, strings.TrimSuffix(p.text.String(), "\n"))
}

// said tells of a statement, and begins to capture what is made.
func (p *replay) said(st statement, database, _ string) (emptied []*relation, err error) {
	for _, name := range st.tables {
		if name.Database == "" {
			name.Database = database
		}
		rel := p.source.tables.find(name)
		switch {
		case rel == nil && name.Database == "recorded" && st.kind != stDropAll:
			p.source.tables.add(&relation{TableName: name})
		case rel != nil && rel.shape != nil && st.kind == stTruncate:
			emptied = append(emptied, rel)
		case rel != nil:
			rel.current = false
		}
	}
	fmt.Fprintln(&p.text, st)
	return emptied, nil
}

// shape takes the definition that the log gives, as for a table that is new.
func (p *replay) shape(m *tableMap) (*shape, error) {
	rel := p.source.tables.find(TableName{m.database, m.table})
	for _, k := range p.rec.Tables {
		if k.TableName == rel.TableName {
			specials(m.columns, k.Columns)
		}
	}
	if rel.shape != nil && equalColumns(m.columns, rel.shape.columns) {
		return rel.shape, nil
	}
	return p.source.newShape(rel.TableName, m.columns, namesOf(m, m.key))
}

func (p *replay) emit(b *handover.Batch) error {
	for _, t := range b.Tables {
		var columns []string
		for _, c := range t.Columns {
			columns = append(columns, c.Name+" "+c.Type.Name)
		}
		fmt.Fprintf(&p.text, "table %s, version %d: %s\n", t.Name, t.Version, strings.Join(columns, ", "))
	}
	for _, s := range b.Stopped {
		fmt.Fprintf(&p.text, "%s stops with %s: %s\n", s.Table.Name, s.Why.Code, s.Why.What)
	}
	for i := range b.Changes {
		c := &b.Changes[i]
		fmt.Fprintf(&p.text, "%s %d.%d %s %s", c.Tx.Name, c.Tx.Position.Seq, c.Row, c.Op, c.Table.Name)
		if c.Before != nil {
			fmt.Fprintf(&p.text, " before %s", printRow(c.Table, c.Before))
		}
		if c.After != nil {
			fmt.Fprintf(&p.text, " after %s", printRow(c.Table, c.After))
		}
		p.text.WriteByte('\n')
	}
	return nil
}

// recordLog has the server at hand write a log, and keeps it.
func recordLog(t *testing.T) {
	server := mysqltest.Start(t, mysqltest.Options{})
	if _, err := server.Exec(t.Context(), "", "CREATE DATABASE recorded", "FLUSH BINARY LOGS"); err != nil {
		t.Fatal(err)
	}
	d := &db{T: t, server: server, name: "recorded"}
	log := filepath.Join(server.Dir(), "data", d.lastLog())
	maria := d.mariaDB()
	for _, step := range recorded() {
		if step.only == "" || (step.only == "maria") == maria {
			d.do(append([]string{"SET time_zone = '+00:00', names utf8mb4, sql_mode = ''"}, step.sql...)...)
		}
	}
	rec := &recording{Server: "MySQL " + server.Binaries().Version, Collations: map[uint64]recordedCollation{}}
	if maria {
		rec.Server = "MariaDB " + server.Binaries().Version
	}
	all, err := loadCollations(t.Context(), d.session())
	if err != nil {
		t.Fatal(err)
	}
	for id, c := range all.byID {
		if c.name == "binary" || c.name == "utf8mb4_bin" || c.name == d.get("SELECT @@collation_database") {
			rec.Collations[id] = recordedCollation{c.name, c.charset, c.maxLen}
		}
	}
	for _, name := range []string{"numbers", "words", "own"} {
		info := newTableInfo(TableName{"recorded", name})
		if err := info.describe(t.Context(), d.session(), all); err != nil {
			t.Fatal(err)
		}
		rec.Tables = append(rec.Tables, keptTable{TableName: info.TableName, Columns: slices.Clone(info.columns)})
	}
	d.do("FLUSH BINARY LOGS")
	keepRecording(t, rec, log)
}

func keepRecording(t *testing.T, rec *recording, log string) {
	t.Helper()
	parts := strings.Split(strings.ReplaceAll(strings.ToLower(rec.Server), " ", "-"), ".")
	dir := filepath.Join(recordings, strings.Join(parts[:2], "."))
	text, err := json.MarshalIndent(rec, "", " ")
	bytes, readErr := os.ReadFile(log)
	if err := errors.Join(err, readErr, os.MkdirAll(dir, 0o755)); err != nil {
		t.Fatal(err)
	}
	err = errors.Join(os.WriteFile(filepath.Join(dir, "binlog"), bytes, 0o644), os.WriteFile(filepath.Join(dir, "server.json"), append(text, '\n'), 0o644))
	if err != nil {
		t.Fatal(err)
	}
}

// A recordedStep is statements that one session makes.
type recordedStep struct {
	only string // a server: maria or mysql
	sql  []string
}

func recorded() []recordedStep {
	large := "repeat('squeeze ', 12)"
	return []recordedStep{
		{"", []string{
			"CREATE TABLE numbers (id int PRIMARY KEY, y year, u bigint unsigned, d decimal(30,10), f float, g double, b bit(9), t time(3), dt datetime(6), ts timestamp(2) NULL, da date)",
			"INSERT INTO numbers VALUES (1, 0, 18446744073709551615, -123456789.0000000001, 0.1, -5e-324, b'100000001', '-838:59:59', '1000-01-01 00:00:00.000001', '2024-03-31 02:30:00.65', '0000-00-00')",
			"INSERT INTO numbers (id) VALUES (2)", "UPDATE numbers SET id = 3, y = 2155 WHERE id = 2", "DELETE FROM numbers WHERE id = 1"}},
		{"", []string{
			"CREATE TABLE words (id varchar(20) PRIMARY KEY, c char(5), e enum('a','é'), s set('x','y','z'), bi binary(6), vb varbinary(6), tx text, bl blob)",
			"INSERT INTO words VALUES ('ä', 'pad  ', 'é', 'x,z', x'6100', x'6100', '日本 €', x'00ff'), ('z', '', 1, '', '', '', '', '')",
			"REPLACE INTO words (id, c) VALUES ('z', 'again')"}},
		{"maria", []string{
			"CREATE TABLE own (id int PRIMARY KEY, u uuid, i4 inet4, i6 inet6, j json)",
			"INSERT INTO own VALUES (1, '123e4567-e89b-12d3-a456-426655440000', '255.1.0.0', '2001:db8::', '{\"a\": [1, 2.50]}'), (2, 'ffffffff-ffff-ffff-ffff-ffffffffff00', '0.0.0.0', '::', NULL)"}},
		{"mysql", []string{
			"CREATE TABLE own (id int PRIMARY KEY, j json)",
			"INSERT INTO own VALUES (1, '{\"b\": 1, \"a\": [1, 2.50, null, true, \"é\"]}'), (2, json_array(cast('12.340' as decimal(10,3)), cast('2024-02-29' as date)))"}},
		{"", []string{ // definitions
			"CREATE TABLE shop (id int PRIMARY KEY, v varchar(10))", "INSERT INTO shop VALUES (1, 'one')",
			"ALTER TABLE shop ADD COLUMN first int NULL FIRST, DROP COLUMN v", "INSERT INTO shop VALUES (7, 2)", "TRUNCATE TABLE shop", "INSERT INTO shop VALUES (8, 3)",
			"CREATE TABLE _shop_gho LIKE shop", "INSERT INTO _shop_gho VALUES (9, 3)", "RENAME TABLE shop TO _shop_del, _shop_gho TO shop", "DROP TABLE _shop_del",
			"CREATE TABLE made (id int PRIMARY KEY) SELECT id FROM shop", "ALTER TABLE made PARTITION BY HASH (id) PARTITIONS 2", "ALTER TABLE made REMOVE PARTITIONING"}},
		{"", []string{ // prepared transactions, of which one is taken back
			"XA START 'a','b',7", "INSERT INTO shop VALUES (20, 20)", "XA END 'a','b',7", "XA PREPARE 'a','b',7", "XA COMMIT 'a','b',7",
			"XA START 'c'", "INSERT INTO shop VALUES (21, 21)", "XA END 'c'", "XA PREPARE 'c'", "XA ROLLBACK 'c'", "INSERT INTO shop VALUES (22, 22)"}},
		{"maria", []string{ // compressed events
			"SET GLOBAL log_bin_compress_min_len = 10", "SET GLOBAL log_bin_compress = ON", "INSERT INTO words (id, tx) VALUES ('packed', " + large + ")", "DELETE FROM words WHERE id = 'packed'", "SET GLOBAL log_bin_compress = OFF"}},
		{"mysql", []string{ // a compressed transaction
			"SET SESSION binlog_transaction_compression = ON", "BEGIN", "INSERT INTO words (id, tx) VALUES ('packed', " + large + ")", "DELETE FROM words WHERE id = 'packed'", "COMMIT", "SET SESSION binlog_transaction_compression = OFF"}},
		{"", []string{"SET SESSION binlog_row_image = 'MINIMAL'", "UPDATE words SET c = 'part' WHERE id = 'z'"}},
		{"mysql", []string{ // a part of a document is refused
			"SET SESSION binlog_row_value_options = 'PARTIAL_JSON'", "UPDATE own SET j = json_set(j, '$.b', 2) WHERE id = 1"}},
		{"", []string{"INSERT INTO shop VALUES (99, 99)"}},
	}
}
