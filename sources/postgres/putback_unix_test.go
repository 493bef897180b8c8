//go:build unix

package postgres

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/evertdb/evert/sources/postgres/pgserver"
	"github.com/evertdb/evert/sources/postgres/pgserver/pgtest"
)

// A backup is the files of a server at one time.
type backup struct {
	t           *testing.T
	server      *pgserver.Server
	data, files string
}

func (b *backup) copy(from, to string) {
	b.t.Helper()
	if said, err := exec.CommandContext(b.t.Context(), "sh", "-c", `rm -rf "$2" && cp -a "$1" "$2"`, "sh", from, to).CombinedOutput(); err != nil {
		b.t.Fatalf("copy %s: %v: %s", from, err, said)
	}
}

// take copies the files of a server that ends for that in a mode.
func (b *backup) take(mode pgserver.Mode) {
	b.t.Helper()
	if err := b.server.Stop(mode); err != nil {
		b.t.Fatal(err)
	}
	b.copy(b.data, b.files)
	b.start()
}

// put puts the copy in the place of the files.
func (b *backup) put() {
	b.t.Helper()
	if err := b.server.Stop(pgserver.Fast); err != nil {
		b.t.Fatal(err)
	}
	b.copy(b.files, b.data)
	b.start()
}

func (b *backup) start() {
	b.t.Helper()
	if err := b.server.Restart(b.t.Context(), pgserver.Fast); err != nil {
		b.t.Fatal(err)
	}
}

// O16, P39: a server that was put back to a copy of its files, and has written beyond the
// place again, is told from one that goes on, whatever was captured since and is there now.
func TestServerPutBackHasWrittenOn(t *testing.T) {
	t.Parallel()
	server := pgtest.Start(t, pgtest.Options{})
	const rows = "INSERT INTO t VALUES (2, 'b'); INSERT INTO t VALUES (3, 'c')"
	for n, c := range []struct {
		what   string
		mode   pgserver.Mode // in which the server ends for the copy
		since  string        // what is captured behind the copy
		undone bool          // the copy is put back
		again  string        // what is written then
		says   string
	}{
		{"other rows", pgserver.Fast, rows, true, "INSERT INTO t SELECT g, 'x' FROM generate_series(10, 900) g", "was captured with transaction"},
		{"the same rows", pgserver.Fast, rows, true, rows, "was captured with transaction"},
		{"the same rows, from files as a crash leaves them", pgserver.Immediate, rows, true, rows, "was captured with transaction"},
		{"none of the tables'", pgserver.Fast, rows, true, "", "was captured with transaction"},
		{"rows where there was none", pgserver.Fast, "CREATE TABLE n.o AS SELECT generate_series(1, 2000)", true, rows, "was captured without transaction"},
		{"a large transaction where there was none", pgserver.Fast, "CREATE TABLE n.o AS SELECT generate_series(1, 9000)", true, "INSERT INTO t SELECT g, repeat('x', 50) FROM generate_series(10, 2000) g", "was captured without transaction"},
		{"it ended, and goes on", pgserver.Fast, rows, false, "INSERT INTO t VALUES (4, 'd')", ""},
		{"it crashed, and goes on", pgserver.Immediate, rows, false, "INSERT INTO t VALUES (4, 'd')", ""},
	} {
		if testing.Short() && n%3 != 1 {
			continue
		}
		t.Run(c.what, func(t *testing.T) {
			first := dbAt(t, server.URL("postgres"))
			name := fmt.Sprintf("putback_%d", n)
			first.do("CREATE DATABASE %s", name)
			d := dbAt(t, server.URL(name))
			d.do("CREATE SCHEMA n")
			d.decodeEarly()
			r := open(t, d.config(), copied(t, d, d.config()))
			b := &backup{t: t, server: server, data: filepath.Join(server.Dir(), "data"), files: filepath.Join(server.Dir(), name)}
			from := r.close()
			b.take(c.mode)
			d.reconnect()
			r = open(t, d.config(), from)
			for sql := range strings.SplitSeq(c.since, ";") {
				d.do("%s", sql)
			}
			r.sync(d)
			from = r.close()
			if c.undone {
				b.put()
			} else if err := server.Restart(t.Context(), c.mode); err != nil {
				t.Fatal(err)
			}
			d.reconnect()
			for sql := range strings.SplitSeq(c.again, ";") {
				d.do("%s", sql)
			}
			for d.get("SELECT pg_current_wal_lsn() <= '%s'", from.At.Native) == "t" {
				d.do("CREATE TABLE n.p AS SELECT generate_series(1, 1000); DROP TABLE n.p")
			}
			r = open(t, d.config(), from)
			if c.says == "" {
				wantLines(t, r.sync(d), "c t 4|d")
				r.close()
				return
			}
			err := r.fails()
			if got := wantCode(t, err, CodeAhead); !strings.Contains(got.What, c.says) || got.Mend == "" {
				t.Errorf("got %v", got)
			}
			r = open(t, d.config(), from) // the slot did not move: it is found again
			wantCode(t, r.fails(), CodeAhead)
		})
	}
}

// P07, O16: what was not confirmed when a process was killed is sent again, recognised, and
// handed over once.
func TestLastTransactionIsRecognised(t *testing.T) {
	t.Parallel()
	d := newDB(t)
	d.decodeEarly()
	from := copied(t, d, d.config())
	for n, sql := range []string{"INSERT INTO t VALUES (1, 'a')", "INSERT INTO t SELECT g, repeat('x', 50) FROM generate_series(10, 2000) g", "TRUNCATE t"} {
		r := open(t, d.config(), from)
		r.ack = false
		d.do("%s", sql)
		if lines := r.sync(d); len(lines) == 0 {
			t.Fatalf("nothing came of %s", sql)
		}
		from = r.close()
		r = open(t, d.config(), from)
		wantLines(t, r.sync(d))
		if r.source.a.skipped == 0 {
			t.Errorf("%s was not sent again", sql)
		}
		d.do("INSERT INTO t VALUES (%d, 'next')", 5000+n)
		wantLines(t, r.sync(d), fmt.Sprintf("c t %d|next", 5000+n))
		from = r.close()
	}
}
