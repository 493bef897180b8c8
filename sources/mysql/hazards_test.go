package mysql

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"log/slog"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-mysql-org/go-mysql/mysql"
	"github.com/go-mysql-org/go-mysql/replication"

	"github.com/evertdb/evert/integration/harness/proxy"
	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/handover"
	"github.com/evertdb/evert/sources/mysql/mysqlserver"
)

// fed is a source whose assembler is fed with events by the test.
func (d *db) fed(c Config, from pipeline.Resume) (*Source, *reader) {
	d.Helper()
	s := New(c)
	d.Cleanup(func() { _ = s.Close() })
	problems, was, err := s.problems(d.Context(), &from)
	if err != nil || len(problems) > 0 {
		d.Fatal(err, problems)
	}
	if err := s.assemble(from, was); err != nil {
		d.Fatal(err)
	}
	r := &reader{db: d, source: s, place: from, rows: map[string]map[string]string{}, reads: map[string]int{}}
	s.a.emit = func(b *handover.Batch) error {
		for i := range b.Changes {
			r.fold(&b.Changes[i])
		}
		if b.WholeEnd != nil {
			r.place = *b.WholeEnd
		}
		return nil
	}
	return s, r
}

// From MariaDB 11.4 on the events of a group say that they end at 0. Nothing but the
// provenance of a row is made of that.
func TestEventsThatEndNowhere(t *testing.T) {
	t.Parallel()
	t.Run("M16 end_log_pos is 0", func(t *testing.T) {
		d := newDB(t)
		if d.byPosition {
			return // of a position the end of an event is a part
		}
		d.do("CREATE TABLE a (id int primary key, v varchar(20))")
		r := d.open(d.config("a"), pipeline.Resume{}).copied()
		from := r.place
		d.do("INSERT INTO a VALUES (1, 'x'), (2, 'y')", "BEGIN", "UPDATE a SET v = 'z'", "DELETE FROM a WHERE id = 1", "COMMIT")
		want := r.caught().told()
		s, got := d.fed(d.config("a"), from)
		for _, e := range d.logged(from.At.Native) {
			e.Header.LogPos = 0
			if err := s.a.event(e); err != nil {
				t.Fatal(err)
			}
		}
		if err := s.a.flush(); err != nil {
			t.Fatal(err)
		}
		if err := s.a.moveOn(); err != nil { // beyond what other tests write, as the source did
			t.Fatal(err)
		}
		sameText(t, got.told(), want)
		if ok, err := s.Reached(got.place.At.Native, r.place.At.Native); !ok || err != nil {
			t.Errorf("it ends at %s, want %s", got.place.At, r.place.At)
		}
	})
}

// M17 M21 A connection that ends inside a transaction is followed by one that sends it from
// its beginning: what came of it is there once, wherever it was cut, in one batch or in parts.
func TestTransactionIsSentAgain(t *testing.T) {
	t.Parallel()
	for _, rows := range []int{2, 1000} {
		t.Run(fmt.Sprintf("in batches of %d rows", rows), func(t *testing.T) {
			d := newDB(t)
			if d.byPosition {
				return // events are looked for by GTID
			}
			d.do("CREATE TABLE a (id int primary key, v varchar(20))")
			r := d.open(d.config("a"), pipeline.Resume{}).copied()
			from := r.place
			for n := range 16 {
				d.do("BEGIN", "INSERT INTO a VALUES "+numbered(5, "(%d, 'new')"), "UPDATE a SET v = 'old'", fmt.Sprintf("UPDATE a SET v = 'of %d' WHERE id = 3", n), "DELETE FROM a", "COMMIT")
			}
			want := r.caught().told()
			c := d.config("a")
			c.BatchRows = rows
			s, got := d.fed(c, from)
			if cuts := cutEach(t, s.a, d.logged(from.At.Native)); cuts != 16 {
				t.Errorf("%d of 16 transactions were cut", cuts)
			}
			sameText(t, got.told(), want)
		})
	}
}

// cutEach gives events to a, and cuts each transaction with changes once, each a little
// further on than the one before.
func cutEach(t *testing.T, a *assembler, events []*replication.BinlogEvent) int {
	t.Helper()
	cut, inside, name := map[string]bool{}, 0, ""
	for i := 0; i < len(events); i++ {
		if err := a.event(events[i]); err != nil {
			t.Fatal(err)
		}
		if !a.open || a.tx == nil || cut[a.gtid.String()] {
			continue
		}
		if a.gtid.String() != name {
			name, inside = a.gtid.String(), 0
		}
		if inside++; inside <= len(cut)%7 {
			continue
		}
		cut[name], i = true, -1
		a.interrupt()
		if err := a.flush(); err != nil {
			t.Fatal(err)
		}
	}
	if err := a.flush(); err != nil {
		t.Fatal(err)
	}
	return len(cut)
}

// A server writes an INCIDENT when changes may be missing from its log.
func TestIncident(t *testing.T) {
	t.Parallel()
	t.Run("M40 INCIDENT", func(t *testing.T) {
		d := newDB(t)
		d.do("CREATE TABLE a (id int primary key)")
		r := d.open(d.config("a"), pipeline.Resume{}).copied()
		from := r.place
		r.close()
		// u32 time | u8 type | u32 server | u32 length | u32 end | u16 flags | u16 LOST_EVENTS | u8 length, message
		message := "mysqld startup"
		event := binary.LittleEndian.AppendUint32(nil, 1_700_000_000)
		event = append(event, byte(replication.INCIDENT_EVENT))
		event = binary.LittleEndian.AppendUint32(event, 1)
		event = binary.LittleEndian.AppendUint32(event, uint32(replication.EventHeaderSize+3+len(message)))
		event = append(event, 0, 0, 0, 0, 0, 0, 1, 0, byte(len(message)))
		e, err := replication.NewBinlogParser().Parse(append(event, message...))
		if err != nil {
			t.Fatal(err)
		}
		s, _ := d.fed(d.config("a"), from)
		err = s.a.event(e)
		if pipeline.CodeOf(err) != CodeEvent || !strings.Contains(err.Error(), "INCIDENT") || !final(err) {
			t.Errorf("got %v, want that the source ends", err)
		}
	})
}

// What a server says of an event that it cannot send has two causes, and the message
// names both. The error is the server's own, for a place inside an event.
func TestEventThatCannotBeSent(t *testing.T) {
	t.Parallel()
	t.Run("M20 max_allowed_packet", func(t *testing.T) {
		d := newDB(t)
		d.do("CREATE TABLE a (id int primary key, v varchar(200))", "FLUSH BINARY LOGS", "INSERT INTO a VALUES (1, repeat('x', 200)), (2, repeat('y', 200))")
		flavor := mysql.MySQLFlavor
		if d.mariaDB() {
			flavor = mysql.MariaDBFlavor
		}
		var port uint16
		_, _ = fmt.Sscanf(d.server.Address(), "127.0.0.1:%d", &port)
		syncer := replication.NewBinlogSyncer(replication.BinlogSyncerConfig{
			ServerID: replicaID(), Flavor: flavor, Host: "127.0.0.1", Port: port, User: mysqlserver.User, Password: d.server.Password(),
			DisableRetrySync: true, Logger: slog.New(slog.DiscardHandler),
		})
		defer syncer.Close()
		stream, err := syncer.StartSync(mysql.Position{Name: d.lastLog(), Pos: 300})
		for err == nil {
			_, err = stream.GetEvent(t.Context())
		}
		s := New(d.config("a"))
		s.a = &assembler{}
		why := s.explain(err)
		if pipeline.CodeOf(why) != CodeEvent || !strings.Contains(why.Error(), "damaged") || !strings.Contains(why.Error(), "SET GLOBAL max_allowed_packet") {
			t.Errorf("the server said %v, which is explained as %v", err, why)
		}
	})
}

// A server that hangs sends no heartbeats; the source sees it, and goes on when the
// server is back.
func TestServerThatHangs(t *testing.T) {
	t.Parallel()
	t.Run("M21 blackhole", func(t *testing.T) {
		d := newDB(t)
		d.do("CREATE TABLE a (id int primary key)")
		p := proxy.New(t, d.server.Address())
		c := d.config("a")
		c.URL = func(context.Context) (string, error) {
			return strings.Replace(d.server.URL(d.name), d.server.Address(), p.Address(), 1), nil
		}
		c.DeadAfter, c.BackoffMax = 300*time.Millisecond, 50*time.Millisecond
		var lost atomic.Bool
		c.Log = slog.New(slog.NewTextHandler(writerFunc(func(line []byte) {
			if bytes.Contains(line, []byte("said nothing")) {
				lost.Store(true)
			}
		}), nil))
		r := d.open(c, pipeline.Resume{}).copied()
		d.do("INSERT INTO a VALUES (1)")
		r.caught()
		lost.Store(false) // a machine that is slow looks like a server that hangs
		p.Blackhole()
		d.do("INSERT INTO a VALUES (2)")
		for !lost.Load() && t.Context().Err() == nil {
			runtime.Gosched()
		}
		p.Pass()
		r.caught().equal("a")
	})
}

type writerFunc func([]byte)

func (f writerFunc) Write(b []byte) (int, error) {
	f(b)
	return len(b), nil
}

// Nobody takes a batch for five minutes: the server is not taken for dead, and its
// connection stays.
func TestConsumerThatRests(t *testing.T) {
	t.Parallel()
	t.Run("M21 a slow reader", func(t *testing.T) {
		d := newDB(t)
		d.do("CREATE TABLE a (id int primary key)")
		var later atomic.Int64
		c := d.config("a")
		c.QueueBatches, c.BatchRows = 1, 1
		c.Now = func() time.Time { return time.Now().Add(time.Duration(later.Load())) }
		lost := make(chan string, 100)
		c.Log = slog.New(slog.NewTextHandler(writerFunc(func(line []byte) {
			if bytes.Contains(line, []byte("connection lost")) {
				lost <- string(line)
			}
		}), nil))
		r, blocked := d.openWatched(c)
		r.copied()
		for i := range 20 {
			d.do(fmt.Sprintf("INSERT INTO a VALUES (%d)", i))
		}
		for !blocked.Load() {
			runtime.Gosched()
		}
		later.Store(int64(5 * time.Minute))
		r.caught().equal("a")
		if len(lost) > 0 {
			t.Error(<-lost)
		}
	})
}
