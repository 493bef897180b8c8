package mysql

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/handover"
	"github.com/evertdb/evert/sources/mysql/mysqlserver"
)

// waits reads until the source says that it waits for something.
func (r *reader) waits(why string) {
	r.Helper()
	for until := time.Now().Add(patience); !strings.Contains(r.source.Stats().WaitingFor, why); {
		if time.Now().After(until) {
			r.Fatalf("it waits for %q; want %q", r.source.Stats().WaitingFor, why)
		}
		ctx, cancel := context.WithTimeout(r.Context(), 10*time.Millisecond)
		_, err := r.source.Next(ctx)
		cancel()
		if err != nil && ctx.Err() == nil {
			r.Fatal(err)
		}
	}
}

// comesTo waits until something is so.
func (d *db) comesTo(what string, is func() bool) {
	d.Helper()
	for until := time.Now().Add(patience); !is(); time.Sleep(time.Millisecond) {
		if time.Now().After(until) {
			d.Fatalf("%s did not come", what)
		}
	}
}

// Chunks are read in their part of the day, and while the server has time for them.
func TestCopiesPause(t *testing.T) {
	t.Parallel()
	d := startOwn(t, map[string]string{"server-id": "2", "log-slave-updates": "ON"})
	d.do("INSERT INTO a SELECT seq.n, 'y' FROM (WITH RECURSIVE c (n) AS (SELECT 2 UNION ALL SELECT n + 1 FROM c WHERE n < 100) SELECT n FROM c) AS seq")
	base := d.config("a")
	base.ChunkRows, base.PausePoll = 10, 10*time.Millisecond
	first := d.open(base, pipeline.Resume{}).copied()
	first.close()
	// held opens a source whose copy has to pause, lets it wait, and lets it go on.
	held := func(t *testing.T, set func(*Config), why string, goOn func(*db)) {
		t.Helper()
		d := d.under(t)
		c := base
		set(&c)
		r := d.open(c, first.place)
		r.copy("again", "a")
		r.until("a begins again").waits(why)
		if n := r.reads["a"]; n != 0 {
			t.Errorf("%d rows were copied nevertheless", n)
		}
		goOn(d)
		r.until("a is done again").caught().equal("a")
		if w := r.source.Stats().WaitingFor; w != "" {
			t.Errorf("it still waits for %q", w)
		}
		r.close() // the server ends the older of two readers of one server_id
	}
	t.Run("outside of their time", func(t *testing.T) {
		noon := time.Date(2026, 1, 1, 12, 0, 0, 0, time.Local)
		var later atomic.Int64
		held(t, func(c *Config) {
			c.SnapshotDaytimes = handover.Daytimes{From: 22 * time.Hour, To: 23 * time.Hour}
			c.Now = func() time.Time { return noon.Add(time.Duration(later.Load())) }
		}, "the copy of tables goes on at 22:00", func(*db) { later.Store(int64(10*time.Hour + 30*time.Minute)) })
	})
	t.Run("while many statements run", func(t *testing.T) {
		const many = 40
		var stop []func()
		for range many {
			conn, err := d.server.Connect(t.Context(), "")
			if err != nil {
				t.Fatal(err)
			}
			stop = append(stop, func() { _, _ = d.server.Exec(context.Background(), "", fmt.Sprintf("KILL %d", conn.GetConnectionID())) })
			go func() { _, _ = conn.Execute("SELECT SLEEP(3600)") }()
		}
		mine := d.under(t)
		mine.comesTo("many statements", func() bool {
			return mine.get("SELECT count(*) FROM information_schema.processlist WHERE info LIKE 'SELECT SLEEP%'") == fmt.Sprint(many)
		})
		held(t, func(c *Config) { c.Pause.ThreadsRunning = many - 5 }, "statements run on the server", func(*db) {
			for _, s := range stop {
				s()
			}
		})
	})
	t.Run("while an old state is read", func(t *testing.T) {
		old, err := d.server.Connect(t.Context(), "d")
		if err != nil {
			t.Fatal(err)
		}
		defer old.Close()
		if _, err := old.Execute("START TRANSACTION WITH CONSISTENT SNAPSHOT"); err != nil {
			t.Fatal(err)
		}
		var updates []string
		for n := range 600 {
			updates = append(updates, fmt.Sprintf("UPDATE a SET v = 'w%d' WHERE id = %d", n, 1+n%100))
		}
		d.under(t).do(updates...)
		held(t, func(c *Config) { c.Pause.HistoryList = 300 }, "who read an old state", func(d *db) {
			if _, err := old.Execute("COMMIT"); err != nil {
				d.Fatal(err)
			}
			if !d.mariaDB() {
				d.do("SET GLOBAL innodb_purge_rseg_truncate_frequency = 1") // else the list is shortened now and then
			}
			d.do("INSERT INTO a VALUES (101, 'for purge')", "DELETE FROM a WHERE id = 101")
		})
	})
	t.Run("M39 while the replica that is read lags", func(t *testing.T) { pauseForReplica(t, d, held) })
}

// pauseForReplica makes the server of d a replica of another, which does not come further
// than a locked row.
func pauseForReplica(t *testing.T, d *db, held func(*testing.T, func(*Config), string, func(*db))) {
	primary := startOwn(t, map[string]string{"server-id": "3"})
	if d.mariaDB() {
		primary.do("SET GLOBAL gtid_domain_id = 3")
	}
	d = d.under(t)
	d.do(primary.replicate(), "START REPLICA")
	defer func() { d.do("STOP REPLICA", "RESET REPLICA ALL") }()
	lock := d.begun("UPDATE a SET v = 'locked' WHERE id = 1")
	primary.do("SET timestamp = unix_timestamp() - 3600", "UPDATE a SET v = 'of the primary' WHERE id = 1")
	side := d.session()
	d.comesTo("a lag", func() bool {
		lag, _, err := side.replicaLag(d.Context())
		return err == nil && lag > time.Minute
	})
	lag := func(c *Config) { c.Pause.ReplicaLag = time.Minute }
	held(t, lag, "behind its primary", func(d *db) {
		if _, err := lock.Execute("ROLLBACK"); err != nil {
			d.Fatal(err)
		}
	})
	d.do("STOP REPLICA SQL_THREAD")
	held(t, lag, "does not replicate at the moment", func(d *db) { d.do("START REPLICA SQL_THREAD") })
	c := d.config("a")
	c = c.withDefaults()
	c.URL = d.leastRights()
	least, err := c.dial(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer least.close()
	why, err := least.paused(t.Context(), Pause{ReplicaLag: time.Minute})
	if said := strings.Contains(why, "SLAVE MONITOR"); said != d.mariaDB() || err != nil {
		t.Errorf("a user who may not see the lag is told %q, %v", why, err)
	}
}

// replicate is the statement that makes another server a replica of this one, from now on.
func (d *db) replicate() string {
	d.Helper()
	file, position := d.status()
	host, port, _ := strings.Cut(d.server.Address(), ":")
	text := fmt.Sprintf("SOURCE_HOST = '%s', SOURCE_PORT = %s, SOURCE_USER = '%s', SOURCE_PASSWORD = '%s', SOURCE_LOG_FILE = '%s', SOURCE_LOG_POS = %d",
		host, port, mysqlserver.User, d.server.Password(), file, position)
	if d.mariaDB() {
		return "CHANGE MASTER TO " + strings.ReplaceAll(text, "SOURCE_", "MASTER_") + ", MASTER_USE_GTID = no"
	}
	return "CHANGE REPLICATION SOURCE TO " + text + ", GET_SOURCE_PUBLIC_KEY = 1"
}
