package postgres

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/sources/postgres/preflight"
)

func TestFormOfTheStream(t *testing.T) {
	t.Parallel()
	now := func(r *run) form {
		_ = r.source.Close() // the owner goroutine has ended
		return r.source.form
	}
	binary := formBinary
	t.Run("P50 a type comes that has no binary reader, and one whose OID is new", func(t *testing.T) {
		d := newDB(t)
		if d.major() < 14 {
			binary = formText
		}
		d.do("CREATE TYPE mood AS ENUM ('happy'); CREATE TABLE t (id int PRIMARY KEY, m mood, b bytea, i inet); INSERT INTO t VALUES (1, 'happy', '\\x01')")
		c := d.config()
		r := open(t, c, pipeline.Resume{})
		r.snapshot()
		d.do("ALTER TYPE mood ADD VALUE 'so so'")
		d.do("UPDATE t SET m = 'so so', i = '10.0.0.0/8'")
		wantLines(t, r.sync(d), `u t 1|so so|\x01|10.0.0.0/8`)
		d.do("ALTER TYPE mood RENAME VALUE 'so so' TO 'soso'")
		d.do("INSERT INTO t VALUES (2, 'soso', NULL, '::1')")
		wantLines(t, r.sync(d), `c t 2|soso|NULL|::1`)
		from := r.close()
		if got := now(r); got != binary {
			t.Errorf("the stream had form %d, want %d", got, binary)
		}
		r = open(t, c, from)
		d.do("BEGIN; INSERT INTO t VALUES (3); ALTER TABLE t ADD COLUMN r int4range; INSERT INTO t VALUES (4, NULL, '\\x02', NULL, '[1,5)'); COMMIT")
		wantLines(t, r.sync(d), "c t 3|NULL|NULL|NULL", `c t 4|NULL|\x02|NULL|[1,5)`)
		d.do("ALTER TABLE t DROP COLUMN r; CREATE TYPE odd AS (a int, b text); CREATE TABLE gone (x odd)") // of a table that is not captured
		d.do("DROP TABLE gone; DROP TYPE odd; CREATE TYPE odd AS (a int, b text); ALTER TABLE t ADD COLUMN o odd; INSERT INTO t VALUES (5, 'happy', NULL, NULL, '(1,\"x y\")')")
		wantLines(t, r.sync(d), `c t 5|happy|NULL|NULL|(1,"x y")`)
		if got := now(r); got != formText {
			t.Errorf("the stream ended in form %d, want text", got)
		}
	})
	t.Run("P49 arrays of any shape, as text", func(t *testing.T) {
		d := newDB(t)
		d.do("CREATE TABLE t (id int PRIMARY KEY, a int[]); INSERT INTO t VALUES (1, '[0:1]={1,NULL}'), (2, '{{1,2},{3,4}}'), (3, '{}')")
		c := d.config()
		c.TextArrays = func(_, table string) bool { return table == "t" }
		r := open(t, c, pipeline.Resume{})
		wantLines(t, r.snapshot(), "r t 1|[0:1]={1,NULL}", "r t 2|{{1,2},{3,4}}", "r t 3|{}")
		d.do("UPDATE t SET id = id")
		wantLines(t, r.sync(d), "u t 1|[0:1]={1,NULL}", "u t 2|{{1,2},{3,4}}", "u t 3|{}")
	})
	t.Run("an array of a type without a send function", func(t *testing.T) {
		d := newDB(t)
		if d.get("SELECT count(*) FROM pg_available_extensions WHERE name = 'isn'") == "0" {
			return // extension isn is not installed
		}
		d.do("CREATE EXTENSION isn; CREATE TABLE t (id int PRIMARY KEY, one isbn)")
		c := d.config()
		c.Match = func(_, table string) bool { return table == "t" } // the other one is published, and not captured
		r := open(t, c, pipeline.Resume{})
		r.snapshot()
		d.do("INSERT INTO t VALUES (1, '0-306-40615-2')")
		wantLines(t, r.sync(d), "c t 1|0-306-40615-2")
		d.do("CREATE TABLE other (id int PRIMARY KEY, many isbn[]); ALTER PUBLICATION evert_pub ADD TABLE other; INSERT INTO other VALUES (1, '{0-306-40615-2}')")
		d.do("INSERT INTO t VALUES (2)")
		wantLines(t, r.sync(d), "c t 2|NULL")
	})
	t.Run("P43 a value that cannot be printed comes in binary form", func(t *testing.T) {
		if os.Getenv("EVERT_FULL") != "1" {
			return // a row of 560 MB, in the crash lane
		}
		d := newDB(t)
		if d.major() < 14 {
			return // the first that sends binary values is 14
		}
		const size = 560 << 20
		d.do("CREATE TABLE t (id int PRIMARY KEY, b bytea, r int4range); ALTER TABLE t ALTER b SET STORAGE EXTERNAL")
		c := d.config()
		c.ValueBytes = 1 << 30 // all of it in memory
		r := open(t, c, pipeline.Resume{})
		r.snapshot()
		d.do("INSERT INTO t SELECT 1, decode(repeat('ab', %d), 'hex'), '[1,2)'", size/2)
		d.do("UPDATE t SET b = b || b")
		d.do("INSERT INTO t VALUES (2, '\\x01', 'empty')")
		var sizes []string
		d.do("SELECT pg_logical_emit_message(true, 'sync', '')")
		r.each(d.get("SELECT pg_current_wal_lsn()"), func(b pipeline.Batch) {
			for _, c := range b.Changes {
				sizes = append(sizes, fmt.Sprintf("%s %d %s", c.Op, len(c.After[1].Ref()), showValue(c.Table.Columns[2].Type, c.After[2])))
			}
		})
		wantLines(t, sizes, fmt.Sprintf("c %d [1,2)", size/2), fmt.Sprintf("u %d [1,2)", size), "c 1 empty")
		if got := now(r); got != formAsked {
			t.Errorf("the stream ended in form %d", got)
		}
	})
}

// P42: what the server says while it decodes passes as a rule; what it would say
// for ever ends the source.
func TestFaultsOfDecoding(t *testing.T) {
	for _, c := range []struct {
		state, message string
		code           pipeline.Code // at once; empty: after maxFaults, or never
		never          bool
	}{
		{"58P01", `could not open file "pg_replslot/s/xid-742-lsn-0-1000000.spill": No such file or directory`, "", false},
		{"58030", `could not read file "pg_logical/snapshots/0-15A2B8.snap": Stale file handle`, "", false},
		{"58P01", `could not rename file "pg_logical/snapshots/0-1.snap.1.tmp" to "pg_logical/snapshots/0-1.snap": No such file or directory`, "", false},
		{"XX000", "could not find pathkey item to sort", "", false},
		{"XX001", `could not read block 7 in file "base/5/16384": read only 0 of 8192 bytes`, "", false},
		{"XX000", "could not map filenumber \"base/5/16384\" to relation OID", "", false},
		{"XX000", "invalid memory alloc request size 1342177284", CodeTooLarge, false},
		{"54000", "out of memory: Cannot enlarge string buffer containing 1073741822 bytes by 2 more bytes", CodeTooLarge, false},
		{"22021", `invalid byte sequence for encoding "UTF8": 0xff`, preflight.CodeEncoding, false},
		{"22P05", `character with byte sequence 0x8f 0xa2 0xb7 in encoding "EUC_JP" has no equivalent in encoding "UTF8"`, preflight.CodeEncoding, false},
		{"53200", "out of memory", "", true},
		{"53100", "could not write to file: No space left on device", "", true},
		{"57P01", "terminating connection due to administrator command", "", true},
		{"57P03", "the database system is starting up", "", true},
		{"40001", "terminating connection due to conflict with recovery", "", true},
		{"08006", "connection failure", "", true},
	} {
		t.Run(c.state+" "+c.message[:min(20, len(c.message))], func(t *testing.T) {
			var f faults
			var err error
			for i := 1; i <= 3*maxFaults; i++ {
				err = f.add(fmt.Errorf("stream: %w", serverSays(c.state, c.message)), 7, &Config{ResetCommand: "reset"})
				if !final(err) {
					continue
				}
				if c.never || c.code == "" && i != maxFaults {
					t.Fatalf("ended after %d times: %v", i, err)
				}
				break
			}
			switch code := pipeline.CodeOf(err); {
			case c.never && code != "":
				t.Errorf("refused: %v", err)
			case c.code != "" && code != c.code, !c.never && c.code == "" && code != CodeDecoding:
				t.Errorf("ends with %v", err)
			case !c.never && strings.Contains(err.Error(), "DETAIL"):
				t.Errorf("says more than it may: %v", err)
			}
		})
	}
	t.Run("a place further on is a new beginning", func(t *testing.T) {
		var f faults
		for i := range 3 * maxFaults {
			if err := f.add(serverSays("58P01", "could not open file"), receivedLSN(i), &Config{}); final(err) {
				t.Fatal(err)
			}
		}
	})
}

// serverSays is an error of the server.
func serverSays(state, message string) error {
	return &pgconn.PgError{Severity: "ERROR", Code: state, Message: message, Detail: "DETAIL of a row"}
}
