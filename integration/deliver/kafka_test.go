//go:build unix

package deliver

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/evertdb/evert/integration/harness"
	"github.com/evertdb/evert/pipeline/log"
	"github.com/evertdb/evert/pipeline/log/kafka/kafkaserver"
	"github.com/evertdb/evert/pipeline/log/kafka/kafkaserver/kafkatest"
)

// takeoverTime bounds the time from the end of a sink's owner to the first commit
// of the daemon that stood by: the session's timeout of 2 s, a rebalance, and the
// same again for the source, whose owner it may have been too.
const takeoverTime = 15 * time.Second

// TestKafkaTwoDaemons shares three sinks out between two daemons of one file over
// Apache Kafka, under traffic. The owner is killed twice, and the one that stood by
// takes over (R08): from the place in a table, in a manifest, and in the log. Whoever
// reads the table sees whole transactions of the source (I7), a file has each place
// once (I2), and an endpoint that leaves out what came again has the rows.
// It runs alone: it measures time, and its broker is gone before the neighbours start.
func TestKafkaTwoDaemons(t *testing.T) {
	p := newBankPair(t)
	p.run(0)
	p.run(1)
	p.has("all sinks are filled", 0, 1)
	read, stop := p.readers(total), p.traffic()
	for range 2 {
		n := p.owner()
		p.await("the sink moves on", p.daemons[n], p.moves(10))
		p.takeOver(n)
		p.run(n)
	}
	n := p.owner()
	stop()
	p.equal("at rest")
	p.exceptBothWays()
	want := all(p.dial(p.Postgres.URL(p.Database)), "SELECT id || ' ' || balance FROM accounts ORDER BY id")
	p.await("the endpoint has the rows", p.daemons[n], func() bool { return slices.Equal(p.hook.balances(), want) })
	p.await("the files have the rows", p.daemons[n], func() bool {
		events, err := p.archived()
		return err == nil && slices.Equal(balances(events), want)
	})
	p.daemons[1-n].Terminate()
	p.has("one has all sinks", n)
	p.daemons[n].Terminate()
	p.checkFiles(want)
	looks := read()
	if looks == 0 {
		t.Error("nobody saw the target")
	}
	p.hook.mu.Lock()
	defer p.hook.mu.Unlock()
	t.Logf("a reader looked %d times; the endpoint got %d events, %d of them again", looks, p.hook.events, p.hook.again)
}

var bankSinks = []string{"mirror", "archive", "hook"}

// A bankPair is a bank whose sinks two daemons of one file share.
type bankPair struct {
	*postgresBank
	daemons [2]*harness.Daemon
	hook    *hook
	folder  string // of the sink archive
}

func newBankPair(t *testing.T) *bankPair {
	t.Helper()
	cluster := kafkatest.Start(t, kafkaserver.Options{})
	p := &bankPair{postgresBank: newPostgresBank(t), hook: newHook(t)}
	p.folder = filepath.Join(p.Dir, "archive")
	more := p.Options.More + fmt.Sprintf(`  archive:
    from: db.public.accounts
    commit_interval: 10ms
    files: {path: %q, rotate_bytes: 64KiB}
  hook:
    from: db.public.accounts
    commit_interval: 10ms
    webhook: {url: %q}
`, p.folder, p.hook.url)
	source := p.Options.Source
	p.Options = harness.OnKafka(cluster)
	p.Options.Source, p.Options.More, p.Options.DataRef, p.Options.HTTP = source, more, "${NODE_DIR}", "${NODE_HTTP}"
	return p
}

func (p *bankPair) dirOf(n int) string { return filepath.Join(p.Dir, fmt.Sprintf("node-%d", n)) }

func (p *bankPair) run(n int) {
	p.Helper()
	p.Options.DataDir = p.dirOf(n)
	p.Options.Env = []string{"NODE_DIR=" + p.dirOf(n), "NODE_HTTP=127.0.0.1:0"}
	p.daemons[n] = p.Run()
}

// states gives how a daemon's sinks are; none if it does not answer yet.
func (p *bankPair) states(n int) map[string]string {
	door := harness.NewDoor(p.dirOf(n))
	defer door.Close()
	answer, err := door.Get(p.Context(), "/v1/status")
	var status struct {
		Sinks []struct{ Name, State string }
	}
	if err != nil || answer.Decode(&status) != nil {
		return nil
	}
	states := map[string]string{}
	for _, s := range status.Sinks {
		states[s.Name] = s.State
	}
	return states
}

// has waits until each sink is delivered by one of the daemons.
func (p *bankPair) has(what string, nodes ...int) {
	p.Helper()
	p.await(what, p.daemons[nodes[0]], func() bool {
		count := 0
		for _, n := range nodes {
			for _, state := range p.states(n) {
				if state == "streaming" {
					count++
				}
			}
		}
		return count == len(bankSinks)
	})
}

// owner waits until one has the table's sink and the other stands by, and gives the
// one that has it.
func (p *bankPair) owner() (n int) {
	p.Helper()
	p.await("one has the sink and the other stands by", p.daemons[0], func() bool {
		both := []string{p.states(0)["mirror"], p.states(1)["mirror"]}
		n = slices.Index(both, "streaming")
		return n >= 0 && both[1-n] == "standby"
	})
	return n
}

// takeOver kills a daemon. The other has all sinks in time, and moves on.
func (p *bankPair) takeOver(from int) {
	p.Helper()
	began := time.Now()
	p.daemons[from].Kill()
	p.has("the other has all sinks", 1-from)
	p.await("it moves on", p.daemons[1-from], p.moves(1))
	took := time.Since(began)
	if harness.Full() && took > takeoverTime { // machines of other runs may be busy
		p.Errorf("R08, seed %d: the other daemon took over after %v, want %v at most; its last lines:\n%s", p.seed, took, takeoverTime, p.daemons[1-from].Last(20))
	}
	p.Logf("node %d took over after %v", 1-from, took.Round(time.Millisecond))
}

// exceptBothWays lets the target's own server compare the tables.
func (p *bankPair) exceptBothWays() {
	p.Helper()
	ctx, columns := context.Background(), "(id, balance, note, seen)"
	from, to := p.dial(p.Postgres.URL(p.Database)), p.dial(p.Postgres.URL(p.target))
	var rows bytes.Buffer
	_, err := from.PgConn().CopyTo(ctx, &rows, "COPY accounts "+columns+" TO STDOUT")
	if err == nil {
		_, err = to.Exec(ctx, "CREATE TEMP TABLE source (id int, balance numeric(12,2), note text, seen timestamptz)")
	}
	var copied pgconn.CommandTag
	if err == nil {
		copied, err = to.PgConn().CopyFrom(ctx, &rows, "COPY source "+columns+" FROM STDIN")
	}
	missing, surplus := 0, 0
	if err == nil {
		const sql = `SELECT (SELECT count(*) FROM (SELECT id, balance, note, seen FROM source EXCEPT ALL SELECT id, balance, note, seen FROM accounts) x),
			(SELECT count(*) FROM (SELECT id, balance, note, seen FROM accounts EXCEPT ALL SELECT id, balance, note, seen FROM source) x)`
		err = to.QueryRow(ctx, sql).Scan(&missing, &surplus)
	}
	if err != nil || missing+surplus > 0 || copied.RowsAffected() == 0 {
		p.Errorf("seed %d: of %d rows of the source %d are not in the target, which has %d that are not in the source: %v", p.seed, copied.RowsAffected(), missing, surplus, err)
	}
}

// checkFiles reads all that the manifest shows: each record of the topic is there
// once, and the newest events of the keys are the rows.
func (p *bankPair) checkFiles(want []string) {
	p.Helper()
	events, err := p.archived()
	if err != nil {
		p.Fatalf("seed %d: %v", p.seed, err)
	}
	if got := balances(events); !slices.Equal(got, want) {
		p.Errorf("seed %d: only in the source: %q; only in the files: %q", p.seed, except(want, got), except(got, want))
	}
	times := map[log.TopicPartition]map[int64]int{}
	for _, e := range events {
		tp := log.TopicPartition{Topic: e.Place.Topic, Partition: e.Place.Partition}
		if times[tp] == nil {
			times[tp] = map[int64]int{}
		}
		if times[tp][e.Place.Offset]++; times[tp][e.Place.Offset] > 1 {
			p.Errorf("I2, seed %d: the files have offset %d of %s again", p.seed, e.Place.Offset, tp)
		}
		if e.Incarnation != events[0].Incarnation {
			p.Errorf("seed %d: the files have two incarnations of the topic", p.seed)
		}
	}
	p.eachRecord(func(tp log.TopicPartition, offset int64) {
		if times[tp][offset] == 0 {
			p.Errorf("seed %d: the files do not have offset %d of %s", p.seed, offset, tp)
		}
	})
	p.Logf("%d events in the files", len(events))
}

// eachRecord calls f for each committed record of the table's topic, but for the
// tombstones behind its deletes.
func (p *bankPair) eachRecord(f func(log.TopicPartition, int64)) {
	p.Helper()
	opened, closeLog, err := p.OpenLog()
	if err != nil {
		p.Fatal(err)
	}
	defer closeLog()
	topic := harness.Topic("accounts")
	infos, err := opened.Admin().Topics(p.Context(), topic)
	if err != nil || len(infos) != 1 {
		p.Fatalf("topic %s: %v, %v", topic, infos, err)
	}
	for n, ends := range infos[0].Ends {
		tp := log.TopicPartition{Topic: topic, Partition: int32(n)}
		if err := log.Scan(p.Context(), opened, tp, ends, func(r *log.Record) error {
			if r.Value != nil {
				f(tp, r.Offset)
			}
			return nil
		}); err != nil {
			p.Fatal(err)
		}
	}
}

// archived reads what the manifest shows of the sink archive, in order.
func (p *bankPair) archived() (events []bankEvent, err error) {
	text, err := os.ReadFile(filepath.Join(p.folder, "manifest.json"))
	if err != nil {
		return nil, err
	}
	type file struct {
		Name  string
		Bytes int64
	}
	var manifest struct {
		Seen     string
		Finished []file
		Open     *file
	}
	if err := json.Unmarshal(text, &manifest); err != nil {
		return nil, err
	}
	names, err := filepath.Glob(filepath.Join(p.folder, manifest.Seen, "*.jsonl"))
	if err != nil {
		return nil, err
	}
	slices.Sort(names)
	var lines []byte
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			return nil, err
		}
		lines = append(lines, text...)
	}
	if open := manifest.Open; open != nil {
		text, err := os.ReadFile(filepath.Join(p.folder, manifest.Seen, open.Name+".open"))
		if err != nil || int64(len(text)) < open.Bytes {
			return nil, fmt.Errorf("%s has %d bytes, the manifest says %d: %w", open.Name, len(text), open.Bytes, errors.Join(err, errShort))
		}
		lines = append(lines, text[:open.Bytes]...)
	}
	for line := range bytes.Lines(lines) {
		var e bankEvent
		if err := json.Unmarshal(line, &e); err != nil {
			return nil, fmt.Errorf("a line of the files: %w", err)
		}
		events = append(events, e)
	}
	return events, nil
}

var errShort = errors.New("the file is short")

// A bankEvent is what an endpoint or a line is told.
type bankEvent struct {
	Key struct{ ID int }
	Row *struct{ Balance json.RawMessage }

	Place struct {
		Topic     string
		Partition int32
		Offset    int64
	}
	Incarnation string
	Filling     bool
}

// balances are those of the rows that events make, in order, by id.
func balances(events []bankEvent) (all []string) {
	rows := map[int]string{}
	for _, e := range events {
		delete(rows, e.Key.ID)
		if e.Row != nil {
			rows[e.Key.ID] = strings.Trim(string(e.Row.Balance), `"`)
		}
	}
	for id := range bankAccounts + 1 {
		if balance, there := rows[id]; there {
			all = append(all, fmt.Sprintf("%d %s", id, balance))
		}
	}
	return all
}

// A hook is an endpoint that leaves out what is not above the places it has.
type hook struct {
	url string

	mu     sync.Mutex
	high   map[int32]int64 // the offset behind the highest of each partition
	filled bool            // an event came that is not of the first fill
	fresh  []bankEvent
	events int
	again  int
}

func newHook(t *testing.T) *hook {
	h := &hook{high: map[int32]int64{}}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var events []bankEvent
		if err := json.NewDecoder(r.Body).Decode(&events); err != nil {
			http.Error(w, "half a request", http.StatusServiceUnavailable) // of a daemon that was killed
			return
		}
		for _, e := range events {
			if !h.take(e) {
				t.Errorf("a row of the first fill came again at offset %d: the place was lost", e.Place.Offset)
			}
		}
	}))
	t.Cleanup(server.Close)
	h.url = server.URL
	return h
}

// take reports whether the event may come: rows of the fill come before its commit,
// and everything else behind it.
func (h *hook) take(e bankEvent) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.events++
	well := !e.Filling || !h.filled
	h.filled = h.filled || !e.Filling
	if e.Place.Offset < h.high[e.Place.Partition] {
		h.again++
		return well
	}
	h.high[e.Place.Partition] = e.Place.Offset + 1
	h.fresh = append(h.fresh, e)
	return well
}

func (h *hook) balances() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return balances(h.fresh)
}
