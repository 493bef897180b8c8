//go:build unix

package postgres

import (
	"os"
	"strconv"
	"syscall"
	"testing"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/sources/postgres/pgserver"
	"github.com/evertdb/evert/sources/postgres/pgserver/pgtest"
)

// A snapshot shows commits that nobody has flushed. After a crash the table never had
// them, and what comes in their place of the log is something else.
func TestChunkOfCommitsThatACrashUndoes(t *testing.T) {
	t.Parallel()
	server := pgtest.Start(t, pgtest.Options{Settings: map[string]string{"autovacuum": "off"}}) // which flushes
	pgtest.Database(t, server, "undone")
	d := dbAt(t, server.URL("undone"))
	d.do("SET synchronous_commit = on; CREATE TABLE t (id int PRIMARY KEY, ver int); INSERT INTO t SELECT g, 0 FROM generate_series(1, 10) g; CREATE TABLE u (id int)")
	d.do("ALTER SYSTEM SET synchronous_commit = off")
	d.do("SELECT pg_reload_conf()")
	eventually(t, "the setting", func() bool { return dbAt(t, d.url).get("SHOW synchronous_commit") == "off" })
	writer := d.holdWALWriter()
	// Nobody flushes the log but who is told to. ours reports whether a connection of
	// the source is in such a state.
	ours := func(state string) func() bool {
		return func() bool {
			return d.get("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'evert shop' AND "+state) != "0"
		}
	}
	c := d.config()
	c.Match = func(_, table string) bool { return table == "t" }
	r := open(t, c, pipeline.Resume{})
	f := newFold(t, r)
	r.each("0/1", f.take)
	other := dbAt(t, d.url)
	other.do("INSERT INTO u VALUES (1)") // not flushed: the copy waits for that before its first chunk
	r.copyIt("one")
	eventually(t, "the table to be described", ours("query LIKE '%txid_current()%'"))
	other.do("BEGIN; LOCK TABLE t IN ACCESS EXCLUSIVE MODE; UPDATE t SET ver = 77")
	d.do("INSERT INTO u VALUES (2)") // flushed
	eventually(t, "a chunk", ours("wait_event_type = 'Lock' AND query LIKE '%ACCESS SHARE%'"))
	other.do("COMMIT")
	eventually(t, "the chunk to be read", ours("state = 'idle' AND query LIKE 'ROLLBACK; SELECT%'"))
	d.do("ALTER SYSTEM RESET ALL")
	if err := writer.Kill(); err != nil { // or it would be waited for
		t.Fatal(err)
	}
	if err := server.Restart(t.Context(), pgserver.Immediate); err != nil {
		t.Fatal(err)
	}
	d.reconnect()
	d.do("INSERT INTO u SELECT g FROM generate_series(1, 100) g") // over the place of the chunk
	f.until(1)
	f.sync(d)
	f.is(d, r.tables[0], "SELECT id || '|' || ver FROM t")
	if ver := d.get("SELECT max(ver) FROM t"); ver != "0" {
		t.Errorf("the log was flushed before the crash: there is version %s", ver)
	}
}

// holdWALWriter stops the process that flushes the log of commits which nobody waits
// for, in its sleep, where it holds no lock.
func (d *db) holdWALWriter() *os.Process {
	d.t.Helper()
	pid, err := strconv.Atoi(d.get("SELECT pid FROM pg_stat_activity WHERE backend_type = 'walwriter'"))
	if err != nil {
		d.t.Fatal(err)
	}
	writer, err := os.FindProcess(pid)
	if err != nil {
		d.t.Fatal(err)
	}
	d.t.Cleanup(func() { _ = writer.Signal(syscall.SIGCONT) })
	eventually(d.t, "the WAL writer to sleep", func() bool {
		if err := writer.Signal(syscall.SIGSTOP); err != nil {
			d.t.Fatal(err)
		}
		if d.get("SELECT wait_event FROM pg_stat_activity WHERE pid = %d", pid) == "WalWriterMain" {
			return true
		}
		return writer.Signal(syscall.SIGCONT) != nil
	})
	return writer
}
