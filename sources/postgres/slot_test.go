package postgres

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/sources/postgres/pgserver"
	"github.com/evertdb/evert/sources/postgres/pgserver/pgtest"
	"github.com/evertdb/evert/sources/postgres/preflight"
)

// O16 a server whose log ends before what was captured was put back: what it commits until
// it has caught up would be taken for what was read.
func TestServerPutBack(t *testing.T) {
	t.Parallel()
	d := newDB(t)
	from := copied(t, d, d.config())
	open(t, d.config(), from).close() // it is the server's own place
	from.At.Native = "7FFFFFFF/0"
	_, err := tryOpen(t, d.config(), from)
	if got := wantCode(t, err, CodeAhead); !strings.Contains(got.What, "older backup") || !strings.Contains(got.What, "7FFFFFFF/0") {
		t.Errorf("got %v", got)
	}
}

// copied opens a source over one table t, reads its snapshot and closes it.
func copied(t *testing.T, d *db, c Config) pipeline.Resume {
	t.Helper()
	d.do("CREATE TABLE t (id int PRIMARY KEY, s text)")
	r := open(t, c, pipeline.Resume{})
	r.snapshot()
	d.do("INSERT INTO t VALUES (0, 'first')")
	r.sync(d)
	return r.close()
}

// freeSlot waits until a walsender that was left has let go of the slot: the server
// learns of the end of a connection later than who ended it.
func (d *db) freeSlot(name string) {
	d.t.Helper()
	eventually(d.t, "the slot to be free", func() bool {
		return d.get("SELECT active FROM pg_replication_slots WHERE slot_name = '%s'", name) == "f"
	})
}

func (d *db) dropSlot(name string) {
	d.t.Helper()
	d.freeSlot(name)
	d.do("SELECT pg_drop_replication_slot('%s')", name)
}

// eventually waits for a condition that the server or the source brings about.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for !ok() {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain for %s", what)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func TestSlotAndPosition(t *testing.T) {
	t.Parallel()
	t.Run("P02 slot dropped and made again", func(t *testing.T) {
		d := newDB(t)
		c := d.config()
		from := copied(t, d, c)
		d.dropSlot(c.Slot)
		refusedWith(t, c, from, CodeSlotMissing)
		d.do("INSERT INTO t VALUES (1)")
		d.do("SELECT pg_create_logical_replication_slot('%s', 'pgoutput')", c.Slot)
		refusedWith(t, c, from, CodeGap)
	})
	t.Run("P03 slot moved by somebody else", func(t *testing.T) {
		d := newDB(t)
		c := d.config()
		from := copied(t, d, c)
		d.do("INSERT INTO t VALUES (1)")
		d.freeSlot(c.Slot)
		d.do("SELECT pg_replication_slot_advance('%s', pg_current_wal_lsn())", c.Slot)
		refusal := refusedWith(t, c, from, CodeGap)
		if !strings.Contains(refusal.What, from.At.Native) {
			t.Errorf("does not name both places: %s", refusal.What)
		}
	})
	t.Run("P33 slot held by another process", func(t *testing.T) {
		d := newDB(t)
		c := d.config()
		from := copied(t, d, c)
		first := open(t, c, from)
		first.sync(d)
		c.Name, c.SlotWait = "second", 300*time.Millisecond
		second, err := tryOpen(t, c, first.resume)
		if err == nil {
			err = second.fails()
		}
		refusal := wantCode(t, err, CodeSlotActive)
		if !strings.Contains(refusal.What, `"evert shop"`) {
			t.Errorf("does not name the holder: %s", refusal.What)
		}
		c.SlotWait = patience
		third := open(t, c, first.resume)
		eventually(t, "the wait to be told", func() bool { return strings.Contains(third.source.Stats().WaitingFor, "evert shop") })
		first.close()
		d.do("INSERT INTO t VALUES (1)")
		wantLines(t, third.sync(d), "c t 1|NULL")
	})
	t.Run("P39 another server, timeline or database", func(t *testing.T) {
		d := newDB(t)
		c := d.config()
		from := copied(t, d, c)
		for _, edit := range [][2]string{{`"system":"`, `"system":"1`}, {`"timeline":1`, `"timeline":2`}, {`"database":"`, `"database":"x`}} {
			other := from
			other.State = []byte(strings.Replace(string(from.State), edit[0], edit[1], 1))
			refusedWith(t, c, other, CodeOtherServer)
		}
	})
	t.Run("a slot that nobody stored a word about", func(t *testing.T) {
		d := newDB(t)
		d.do("CREATE TABLE t (id int PRIMARY KEY)")
		c := d.config()
		d.do("SELECT pg_create_logical_replication_slot('%s', 'pgoutput')", c.Slot)
		mended(t, d, c, refusedWith(t, c, pipeline.Resume{}, CodeSlotExists))
	})
}

func TestAcknowledgement(t *testing.T) {
	t.Parallel()
	t.Run("P06 the slot never passes what is durable", func(t *testing.T) {
		d := newDB(t)
		c := d.config()
		d.do("ALTER DATABASE %s SET wal_sender_timeout = '300ms'", d.get("SELECT current_database()"))
		from := copied(t, d, c)
		r := open(t, c, from)
		r.ack = false
		for i := range 5 {
			d.do("INSERT INTO t VALUES (%d)", i+1)
			r.sync(d)
		}
		told := func() string { return r.source.Stats().Confirmed }
		eventually(t, "a status", func() bool { return told() != "" })
		confirmed := d.get("SELECT confirmed_flush_lsn FROM pg_replication_slots WHERE slot_name = '%s'", c.Slot)
		if ok, err := reached(from.At.Native, confirmed); !ok || err != nil || told() != from.At.Native {
			t.Errorf("confirmed %s, told %s, durable %s", confirmed, told(), from.At.Native)
		}
		if err := r.source.Ack(t.Context(), r.resume.At); err != nil {
			t.Fatal(err)
		}
		eventually(t, "the slot to follow", func() bool {
			return d.get("SELECT confirmed_flush_lsn FROM pg_replication_slots WHERE slot_name = '%s'", c.Slot) == r.resume.At.Native
		})
	})
	t.Run("P04 an idle source moves on beside a busy database", func(t *testing.T) {
		d := newDB(t)
		c := d.config()
		from := copied(t, d, c)
		r := open(t, c, from)
		neighbour := newDB(t)
		neighbour.do("CREATE TABLE noise (s text)")
		for range 5 {
			neighbour.do("INSERT INTO noise SELECT repeat('x', 1000) FROM generate_series(1, 1000)")
		}
		if lines := r.to(neighbour.get("SELECT pg_current_wal_lsn()")); len(lines) > 0 {
			t.Errorf("changes: %v", lines)
		}
		if r.resume.At.Seq != from.At.Seq {
			t.Errorf("an idle position took number %d", r.resume.At.Seq)
		}
		eventually(t, "the slot to follow", func() bool {
			ok, _ := reached(d.get("SELECT confirmed_flush_lsn FROM pg_replication_slots WHERE slot_name = '%s'", c.Slot), r.resume.At.Native)
			return ok
		})
		if d.major() >= 13 { // older servers have no wal_status
			eventually(t, "statistics of the slot", func() bool { return r.source.Stats().SlotStatus == "reserved" })
		}
		// Killed here, the idle position is stored and not behind the slot.
		open(t, c, r.close()).sync(d)
	})
	t.Run("P05 retained log is known", func(t *testing.T) {
		d := newDB(t)
		c := d.config()
		from := copied(t, d, c)
		r := open(t, c, from)
		r.ack = false
		d.do("INSERT INTO t SELECT g, repeat('x', 1000) FROM generate_series(1, 2000) g")
		r.sync(d)
		eventually(t, "retained log above 2 MB", func() bool { return r.source.Stats().RetainedWAL > 2<<20 })
		if lag := r.source.Stats().LagBytes; lag < 2<<20 {
			t.Errorf("lag %d bytes", lag)
		}
	})
}

func TestConnectionIsKept(t *testing.T) {
	t.Parallel()
	t.Run("P31 a consumer that does not read for longer than the time-out", func(t *testing.T) {
		d := newDB(t)
		c := d.config()
		c.BatchRows, c.QueueBatches = 10, 2
		from := copied(t, d, c)
		d.do("ALTER DATABASE %s SET wal_sender_timeout = '2s'", d.get("SELECT current_database()"))
		d.reconnect() // with the new setting
		r := open(t, c, from)
		d.do("INSERT INTO t SELECT g, repeat('x', 1000) FROM generate_series(1, 8000) g")
		eventually(t, "a full queue", func() bool { return r.source.Stats().QueueBatches == 2 })
		sender := "SELECT pid FROM pg_stat_replication WHERE pid = (SELECT active_pid FROM pg_replication_slots WHERE slot_name = '%s')"
		pid, full := d.get(sender, c.Slot), d.get("SELECT clock_timestamp()")
		eventually(t, "an answer after twice the time-out, in which nobody called Next", func() bool {
			return d.get("SELECT count(*) FROM pg_stat_replication WHERE pid = %s AND reply_time > '%s'::timestamptz + '4s'", pid, full) == "1" ||
				r.source.Stats().Reconnects != 0
		})
		if now := d.get(sender, c.Slot); now != pid || r.source.Stats().Reconnects != 0 {
			t.Errorf("walsender was %s and is %s; %d reconnects", pid, now, r.source.Stats().Reconnects)
		}
		if n := len(r.sync(d)); n != 8000 {
			t.Errorf("%d rows", n)
		}
	})
	t.Run("P31 the walsender is ended while nobody reads and the queue is full", func(t *testing.T) {
		d := newDB(t)
		c := d.config()
		c.BatchRows, c.QueueBatches = 10, 2
		from := copied(t, d, c)
		d.do("ALTER DATABASE %s SET wal_sender_timeout = '300ms'", d.get("SELECT current_database()"))
		d.reconnect() // with the new setting
		r := open(t, c, from)
		d.do("DO $$ BEGIN FOR i IN 1..200 LOOP INSERT INTO t VALUES (i); COMMIT; END LOOP; END $$")
		eventually(t, "a full queue", func() bool { return r.source.Stats().QueueBatches == 2 })
		d.do("SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE slot_name = '%s'", c.Slot)
		eventually(t, "the loss to be seen", func() bool { return !r.source.Stats().Connected })
		var want []string
		for i := range 200 {
			want = append(want, fmt.Sprintf("c t %d|NULL", i+1))
		}
		wantLines(t, r.sync(d), want...)
		if r.resume.At.Seq != from.At.Seq+200 {
			t.Errorf("position %s, want 200 behind %s", r.resume.At, from.At)
		}
	})
	t.Run("P32 a connection that dies silently", func(t *testing.T) {
		d := newDB(t)
		c := d.config()
		from := copied(t, d, c)
		d.do("ALTER DATABASE %s SET wal_sender_timeout = '600ms'", d.get("SELECT current_database()"))
		p := newProxy(t, d.url)
		c.URL = func(context.Context) (string, error) { return p.url, nil }
		r := open(t, c, from)
		d.do("INSERT INTO t VALUES (1)")
		wantLines(t, r.sync(d), "c t 1|NULL")
		p.freeze.Store(true)
		d.do("INSERT INTO t VALUES (2)")
		eventually(t, "the loss to be seen", func() bool { return r.source.Stats().Reconnects > 0 })
		p.thaw()
		wantLines(t, r.sync(d), "c t 2|NULL")
	})
	t.Run("P32 a connection that dies in the first message", func(t *testing.T) {
		d := newDB(t)
		c := d.config()
		from := copied(t, d, c)
		d.do("ALTER DATABASE %s SET wal_sender_timeout = '600ms'", d.get("SELECT current_database()"))
		p := newProxy(t, d.url)
		p.split.Store(true)
		c.URL = func(context.Context) (string, error) { return p.url, nil }
		r := open(t, c, from)
		d.do("INSERT INTO t VALUES (1)")
		eventually(t, "the loss to be seen", func() bool { return r.source.Stats().Reconnects > 0 })
		if p.split.Load() {
			t.Error("the first message was not split")
		}
		wantLines(t, r.sync(d), "c t 1|NULL")
	})
	t.Run("a connection cut inside a large transaction", func(t *testing.T) {
		d := newDB(t)
		c := d.config()
		c.BatchRows, c.QueueBatches = 10, 2
		from := copied(t, d, c)
		p := newProxy(t, d.url)
		c.URL = func(context.Context) (string, error) { return p.url, nil }
		r := open(t, c, from)
		d.do("INSERT INTO t SELECT g, repeat('x', 1000) FROM generate_series(1, 8000) g")
		for range 10 {
			if _, err := r.next(); err != nil {
				t.Fatal(err)
			}
		}
		rows := int(r.resume.Rows)
		p.cut()
		if rest := r.sync(d); len(rest)+rows != 8000 {
			t.Errorf("%d rows before the cut and %d after", rows, len(rest))
		}
		if r.source.Stats().Reconnects == 0 {
			t.Error("the connection was not cut")
		}
	})
}

// A proxy stands between source and server; it can fall silent and cut.
type proxy struct {
	url    string
	target string
	freeze atomic.Bool // set in mu where it lets go
	split  atomic.Bool // the next stream falls silent in the midst of its first message
	mu     sync.Mutex
	conns  []net.Conn
}

func newProxy(t *testing.T, to string) *proxy {
	t.Helper()
	u, err := url.Parse(to)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{target: u.Host}
	u.Host = l.Addr().String()
	p.url = u.String()
	go p.accept(l)
	t.Cleanup(func() { _ = l.Close(); p.cut() })
	return p
}

func (p *proxy) accept(l net.Listener) {
	for {
		in, err := l.Accept()
		if err != nil {
			return
		}
		out, err := net.Dial("tcp", p.target)
		if err != nil {
			_ = in.Close()
			continue
		}
		p.mu.Lock()
		p.conns = append(p.conns, in, out)
		p.mu.Unlock()
		go p.pump(in, out)
		go p.pump(out, in)
	}
}

// pump copies until the connection ends; what comes while frozen, or behind the split, is
// swallowed.
func (p *proxy) pump(to, from net.Conn) {
	buf, split := make([]byte, 32<<10), false
	for {
		n, err := from.Read(buf)
		if err != nil {
			if !split && !p.freeze.Load() {
				_ = to.Close()
			}
			return
		}
		if split || p.freeze.Load() {
			continue
		}
		if bytes.Contains(buf[:n], []byte(streamBegins)) && p.split.CompareAndSwap(true, false) {
			readSome(from, buf[n:])
			split = true
			n = bytes.Index(buf, []byte(streamBegins)) + len(streamBegins) + 10
		}
		if _, err := to.Write(buf[:n]); err != nil {
			return
		}
	}
}

// streamBegins is the answer to START_REPLICATION, CopyBothResponse.
const streamBegins = "W\x00\x00\x00\x07\x00\x00\x00"

// readSome reads ten bytes at least, of what follows.
func readSome(from net.Conn, buf []byte) { _, _ = io.ReadAtLeast(from, buf, 10) }

func (p *proxy) cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closeAll()
}

func (p *proxy) closeAll() {
	for _, c := range p.conns {
		_ = c.Close()
	}
	p.conns = nil
}

// thaw lets new connections through; those that were frozen are gone. None comes
// between the two: it would have lost what it sent first.
func (p *proxy) thaw() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closeAll()
	p.freeze.Store(false)
}

func TestServerOfItsOwn(t *testing.T) {
	t.Parallel()
	settings := map[string]string{"max_wal_size": "8MB", "min_wal_size": "2MB", "max_replication_slots": "3"}
	gives := pgtest.Binaries(t).Major >= 13 // older servers give up no slot
	if gives {
		settings["max_slot_wal_keep_size"], settings["wal_keep_size"] = "8MB", "0"
	}
	server := pgtest.Start(t, pgtest.Options{Initdb: []string{"--wal-segsize=1"}, Settings: settings})
	d := dbAt(t, server.URL("postgres"))

	t.Run("P07 server restarted with -m immediate", func(t *testing.T) {
		c := d.config()
		from := copied(t, d, c)
		r := open(t, c, from)
		next := 1
		for range 3 {
			var want []string
			for range 20 {
				d.do("INSERT INTO t VALUES (%d)", next)
				want = append(want, fmt.Sprintf("c t %d|NULL", next))
				next++
			}
			if err := server.Restart(t.Context(), pgserver.Immediate); err != nil {
				t.Fatal(err)
			}
			d.reconnect()
			wantLines(t, r.sync(d), want...)
		}
		if at := r.resume.At.Seq; at != from.At.Seq+60 {
			t.Errorf("position is number %d, want %d", at, from.At.Seq+60)
		}
		r.close()
		d.dropSlot(c.Slot)
		d.do("DROP TABLE t; DROP PUBLICATION evert_pub")
	})
	t.Run("no free slot", func(t *testing.T) {
		d.do("CREATE TABLE t (id int PRIMARY KEY)")
		d.do("SELECT pg_create_physical_replication_slot('x1'), pg_create_physical_replication_slot('x2'), pg_create_physical_replication_slot('x3')")
		refusedWith(t, d.config(), pipeline.Resume{}, preflight.CodeNoFreeSlot)
		d.do("SELECT pg_drop_replication_slot('x1'), pg_drop_replication_slot('x2'), pg_drop_replication_slot('x3')")
		d.do("DROP TABLE t")
	})
	if !gives {
		return
	}
	t.Run("P01 slot given up by the server", func(t *testing.T) {
		c := d.config()
		from := copied(t, d, c)
		d.do("CREATE TABLE noise (s text)")
		for range 6 {
			d.do("INSERT INTO noise SELECT repeat('x', 1000) FROM generate_series(1, 4000)")
			d.do("CHECKPOINT")
		}
		eventually(t, "the slot to be lost", func() bool {
			return d.get("SELECT wal_status FROM pg_replication_slots WHERE slot_name = '%s'", c.Slot) == "lost"
		})
		refusedWith(t, c, from, CodeSlotLost)
	})
}
