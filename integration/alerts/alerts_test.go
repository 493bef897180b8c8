//go:build linux

package alerts

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/evertdb/evert/integration/harness"
	"github.com/evertdb/evert/integration/harness/scene"
	"github.com/evertdb/evert/sources/postgres/pgserver/pgtest"
)

var suite harness.Suite

func TestMain(m *testing.M) { os.Exit(suite.Main(m)) }

// A refusal stops the source; the server keeps its log until it keeps it no
// longer; at last the daemon is gone.
func TestComponentDownAndSlotAtRisk(t *testing.T) {
	t.Parallel()
	tool(t)
	pg := pgtest.Start(t, pgtest.Options{Initdb: []string{"--wal-segsize=1"}, Settings: map[string]string{"min_wal_size": "2MB", "max_wal_size": "16MB"}})
	s := scene.New(t, &suite, pg, harness.Seed(t), 200, harness.Options{})
	pgtest.Database(t, pg, "neighbour")
	s.SQL("neighbour", "CREATE TABLE busy (text text)", "ALTER SYSTEM SET max_slot_wal_keep_size = '400GB'", "SELECT pg_reload_conf()")
	stop := s.Traffic()
	d := s.Run()
	d.AwaitStatus("the stream", harness.Flowing(5))
	l := newTimeline(t, s.Data())
	l.await("the slot's status", status("reserved"))
	l.watch(6 * time.Minute)
	l.fires(butTheDisk)
	stop()

	s.SQL(s.Database, fmt.Sprintf("DROP PUBLICATION %q", "evert_"+strings.ReplaceAll(s.Deployment(), "-", "_")+"_db"), "UPDATE accounts SET balance = balance")
	d.AwaitStatus("refusing to go on", func(st harness.Status) bool { return st.State == "refused" })
	l.watch(4 * time.Minute)
	l.fires(ofStopped) // it may mend itself
	l.watch(2 * time.Minute)
	l.fires(ofStopped, sourceDown)

	s.SQL("neighbour", "INSERT INTO busy SELECT repeat('x', 1000) FROM generate_series(1, 40000)")
	kept := scene.Ask[int64](s, "SELECT (pg_current_wal_lsn() - restart_lsn)::bigint >> 20 FROM pg_replication_slots WHERE database = current_database()")
	s.SQL("neighbour", fmt.Sprintf("ALTER SYSTEM SET max_slot_wal_keep_size = '%dMB'", kept+5), "SELECT pg_reload_conf()")
	l.await("a slot near its limit", func(values map[string]float64) bool {
		retained, _ := value(values, "evert_source_retained_bytes")
		limit, ok := value(values, "evert_source_limit_bytes")
		return ok && retained > 4*limit
	})
	l.watch(2 * time.Minute)
	l.fires(ofStopped, sourceDown, slotAtRisk)

	s.SQL("neighbour", "INSERT INTO busy SELECT repeat('x', 1000) FROM generate_series(1, 20000)", "CHECKPOINT")
	l.await("a slot that is lost", status("lost"))
	l.watch(2 * time.Minute)
	l.fires(ofStopped, sourceDown, slotAtRisk)

	d.Kill()
	l.watch(4 * time.Minute)
	l.fires(butTheDisk)
	l.watch(2 * time.Minute)
	l.fires(butTheDisk, daemonDown)
}

// catchesUp waits until all that is committed now is in the topics.
func catchesUp(s *scene.Scene, d *harness.Daemon) {
	s.Helper()
	end := harness.LSN(scene.Ask[string](s, "SELECT pg_current_wal_insert_lsn()::text"))
	d.AwaitStatus("catching up", func(st harness.Status) bool { return harness.LSN(st.Position) >= end })
}

func status(want string) func(map[string]float64) bool {
	return func(values map[string]float64) bool {
		v, _ := value(values, `evert_source_slot_status{source="db",status="`+want+`"`)
		return v == 1
	}
}

// A disk fills, and is full: capture pauses while the database moves on. With
// room again all is well by itself.
func TestDiskFillingAndNoProgress(t *testing.T) {
	t.Parallel()
	tool(t)
	s := scene.New(t, &suite, pgtest.Start(t, pgtest.Options{}), harness.Seed(t), 200, harness.Options{})
	s.Workload.Pace = 20 * time.Millisecond
	s.Options.DataDir = harness.SmallDisk(t, filepath.Join(s.Dir, "disk"), 768<<20)
	stop := s.Traffic()
	d := s.Run()
	d.AwaitStatus("the stream", harness.Flowing(5))
	l := newTimeline(t, s.Data())
	l.await("the disk", func(values map[string]float64) bool {
		_, ok := value(values, "evert_data_dir_free_bytes")
		return ok
	})
	l.watch(6 * time.Minute)
	l.fires(allAlerts)

	most := harness.Fill(t, s.Data(), 170<<20)
	l.await("a disk that fills", func(values map[string]float64) bool {
		left, ok := value(values, "evert_data_dir_full_seconds")
		full, _ := value(values, "evert_log_full")
		free, _ := value(values, "evert_data_dir_free_bytes")
		return ok && left < 3600 && full == 0 && free <= 170<<20
	})
	l.watch(4 * time.Minute)
	l.fires(allAlerts) // it may have been a moment's work
	l.watch(2 * time.Minute)
	l.fires(allAlerts, diskFilling)

	rest := harness.Fill(t, s.Data(), 0)
	l.await("no progress", func(values map[string]float64) bool {
		age, _ := value(values, "evert_source_progress_age_seconds")
		ahead, _ := value(values, "evert_source_ahead")
		return age > 15 && ahead == 1
	})
	l.watch(3 * time.Minute)
	l.fires(allAlerts, diskFilling, noProgress)
	l.watch(3 * time.Minute)
	l.fires(allAlerts, diskFilling, noProgress, logDown)

	for _, ballast := range []string{most, rest} {
		if err := os.Remove(ballast); err != nil {
			t.Fatal(err)
		}
	}
	d.AwaitStatus("going on by itself", func(st harness.Status) bool { return st.Health == "ok" && st.Age < 5 })
	l.await("room", func(values map[string]float64) bool {
		free, _ := value(values, "evert_data_dir_free_bytes")
		return free > 400<<20
	})
	l.watch(30 * time.Second)
	l.fires(allAlerts)
	stop()
}

// A consumer group reads to the end, stops, falls behind, and comes back.
func TestReaderFallsBehind(t *testing.T) {
	t.Parallel()
	tool(t)
	k := suite.StartKafka(t)
	s := scene.New(t, &suite, pgtest.Start(t, pgtest.Options{}), harness.Seed(t), 200, harness.Options{Brokers: []string{k.Address}})
	stop := s.Traffic()
	d := s.Run()
	d.AwaitStatus("the stream", harness.Flowing(5))
	admin := dial(t, k.Address)
	topic := harness.Topic("accounts")
	keep(t, admin, topic, 20*time.Second)
	stop()
	catchesUp(s, d)
	readTo(t, admin, topic, true)
	l := newTimeline(t, s.Data())
	l.await("a group at the end", behind(func(seconds, unread float64) bool { return unread == 0 }))
	l.watch(6 * time.Minute)
	l.fires(butTheDisk)

	readTo(t, admin, topic, false)
	l.await("a group half of the retention behind", behind(func(seconds, unread float64) bool { return seconds > 10 && unread > 0 }))
	l.watch(6 * time.Minute)
	l.fires(butTheDisk, readerBehind)

	readTo(t, admin, topic, true)
	l.await("a group at the end again", behind(func(seconds, unread float64) bool { return seconds == 0 }))
	l.watch(30 * time.Second)
	l.fires(butTheDisk)

	readTo(t, admin, topic, false)
	keep(t, admin, topic, 7*24*time.Hour)
	d.Terminate()
	s.Run() // a daemon that has seen no change of the table yet
	l.await("a group that stopped before the daemon did", func(values map[string]float64) bool {
		seconds, _ := value(values, `evert_reader_lag_seconds{group="search"`)
		return seconds > 10
	})
}

// A row on which the query fails stops a view, which does not show what its
// sources commit; without it the view catches up by itself.
func TestViewBehind(t *testing.T) {
	t.Parallel()
	tool(t)
	w := suite.NewWorld(t, pgtest.Start(t, pgtest.Options{}), fmt.Sprintf("behind_%x", harness.Seed(t)&0xffffff))
	w.Options = harness.Options{Source: "commit_interval: 10ms\nidle_interval: 100ms\n", More: `views:
  shares:
    key: [id]
    sql: SELECT id, 100 / parts AS share FROM db.public.cakes
`}
	w.SQL(w.Database, "CREATE TABLE cakes (id int PRIMARY KEY, parts int NOT NULL)", "ALTER TABLE cakes OWNER TO capture", "INSERT INTO cakes VALUES (1, 4)")
	w.Run()
	l := newTimeline(t, w.Data())
	l.await("a view that follows", showing(1))
	l.watch(6 * time.Minute)
	l.fires(butTheDisk)

	w.SQL(w.Database, "INSERT INTO cakes VALUES (2, 0)")
	l.await("a view that has stopped and is behind", func(values map[string]float64) bool {
		up, _ := value(values, `evert_component_up{component="view shares"`)
		lag, _ := value(values, aged)
		return up == 0 && lag > 0
	})
	l.watch(4 * time.Minute)
	l.fires(butTheDisk) // it may mend itself
	l.watch(2 * time.Minute)
	l.fires(butTheDisk, viewDown)
	l.watch(5 * time.Minute) // it is old from the fifth minute on, and has been for five
	l.fires(butTheDisk, viewDown, viewBehind)

	w.SQL(w.Database, "UPDATE cakes SET parts = 5 WHERE id = 2")
	l.await("a view that has caught up", showing(2))
	l.watch(30 * time.Second)
	l.fires(butTheDisk)
}

// S07 A system that is away stops its sink, and nothing else; when it is back the
// sink catches up by itself.
func TestSinkBehind(t *testing.T) {
	t.Parallel()
	tool(t)
	w := suite.NewWorld(t, pgtest.Start(t, pgtest.Options{}), fmt.Sprintf("sink_%x", harness.Seed(t)&0xffffff))
	away := &endpoint{}
	server := httptest.NewServer(away)
	defer server.Close()
	w.Options = harness.Options{Source: "commit_interval: 10ms\nidle_interval: 100ms\n", More: `sinks:
  copy:
    from: db.public.cakes
    retry_max: 1s
    webhook: {url: "` + server.URL + `", retry_for: 1s}
`}
	w.SQL(w.Database, "CREATE TABLE cakes (id int PRIMARY KEY, parts int NOT NULL)", "ALTER TABLE cakes OWNER TO capture", "INSERT INTO cakes VALUES (1, 4)")
	w.Run()
	l := newTimeline(t, w.Data())
	l.await("a sink that follows", delivered(1))
	l.watch(6 * time.Minute)
	l.fires(butTheDisk)

	away.gone.Store(true)
	w.SQL(w.Database, "INSERT INTO cakes VALUES (2, 8)")
	l.await("a sink that is down and behind", func(values map[string]float64) bool {
		up, _ := value(values, `evert_component_up{component="sink copy"`)
		lag, _ := value(values, sinkAged)
		source, _ := value(values, `evert_component_up{component="source db"`)
		return up == 0 && lag > 0 && source == 1
	})
	l.watch(11 * time.Minute)
	l.fires(butTheDisk, sinkDown, sinkBehind)

	away.gone.Store(false)
	l.await("a sink that has caught up", delivered(2))
	l.watch(30 * time.Second)
	l.fires(butTheDisk)
}

// endpoint is a webhook's that can be away.
type endpoint struct{ gone atomic.Bool }

func (e *endpoint) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	if e.gone.Load() {
		w.WriteHeader(http.StatusServiceUnavailable)
	}
}

// delivered waits for a sink that runs, is not behind, and has delivered so many
// rows.
func delivered(rows float64) func(map[string]float64) bool {
	return func(values map[string]float64) bool {
		up, _ := value(values, `evert_component_up{component="sink copy"`)
		lag, known := value(values, sinkAged)
		out, _ := value(values, "evert_sink_rows_total{")
		return known && up == 1 && lag == 0 && out == rows
	}
}

// showing waits for a view that runs, is not behind, and has changed so many rows.
func showing(rows float64) func(map[string]float64) bool {
	return func(values map[string]float64) bool {
		up, _ := value(values, `evert_component_up{component="view shares"`)
		lag, known := value(values, aged)
		out, _ := value(values, "evert_view_rows_out_total{")
		return known && up == 1 && lag == 0 && out == rows
	}
}

// keep sets how long a topic keeps its tombstones.
func keep(t *testing.T, admin *kadm.Client, topic string, span time.Duration) {
	t.Helper()
	text := fmt.Sprint(span.Milliseconds())
	if _, err := admin.AlterTopicConfigs(t.Context(), []kadm.AlterConfig{{Name: "delete.retention.ms", Value: &text}}, topic); err != nil {
		t.Fatal(err)
	}
}

func dial(t *testing.T, broker string) *kadm.Client {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(broker))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return kadm.NewClient(client)
}

// readTo commits what a reader would that has read everything, or nothing.
func readTo(t *testing.T, admin *kadm.Client, topic string, everything bool) {
	t.Helper()
	ends, err := admin.ListCommittedOffsets(t.Context(), topic)
	if err != nil {
		t.Fatal(err)
	}
	offsets := ends.Offsets()
	if !everything {
		if ends, err = admin.ListStartOffsets(t.Context(), topic); err != nil {
			t.Fatal(err)
		}
		offsets = ends.Offsets()
	}
	if _, err := admin.CommitOffsets(t.Context(), "search", offsets); err != nil {
		t.Fatal(err)
	}
}

// behind looks at the group that reads, once its retention is the short one.
func behind(wish func(seconds, unread float64) bool) func(map[string]float64) bool {
	return func(values map[string]float64) bool {
		seconds, ok := value(values, `evert_reader_lag_seconds{group="search"`)
		unread, _ := value(values, `evert_reader_unread_records{group="search"`)
		retention, _ := value(values, `evert_reader_retention_seconds{group="search"`)
		return ok && retention == 20 && wish(seconds, unread)
	}
}
