//go:build unix

package deliver

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"net/url"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/evertdb/evert/integration/harness"
	"github.com/evertdb/evert/sources/postgres/pgserver/pgtest"
)

// TestBleveKill keeps a full-text index over a view of nested documents, under
// load, while the daemon is killed at random moments. Whoever searches sees
// documents that are whole, and never goes back; at rest every document is the
// view's row, none is missing and none left over: S09 R16 I7 I10. So it is after the
// data directory was lost, and after bytes of the index were changed. A second index
// has a document for each line of the histories, by unnest.
func TestBleveKill(t *testing.T) {
	t.Parallel()
	b := newBleveShop(t)
	stop := b.traffic()
	looks := b.reader()
	for n := range harness.Number(t, "EVERT_CRASH_RUNS", 3) {
		b.kill(n)
	}
	d := b.Run()
	stop()
	b.equal(d, "at rest")
	b.finds(d)
	d.Terminate()
	if n := looks(); n == 0 {
		t.Error("the reader was never answered")
	}

	b.lose()
	d = b.Run()
	b.equal(d, "after the data directory was lost")
	d.Terminate()

	b.damage()
	d = b.Run()
	b.equal(d, "after bytes of the index were changed")
	d.Await(t, "S09 the damaged index being put aside", func(line string) bool { return strings.Contains(line, "put aside") })
	d.Terminate()
}

// documentsSQL is the view, and what Postgres answers to it.
const documentsSQL = `SELECT p.id, p.name, p.city, count(o.id) AS orders, coalesce(sum(o.total), 0) AS spent,
             jsonb_agg(jsonb_build_object('id', o.id, 'total', o.total, 'note', o.note) ORDER BY o.id) FILTER (WHERE o.id IS NOT NULL) AS history
      FROM %[1]speople p LEFT JOIN %[1]sorders o ON o.person_id = p.id
      GROUP BY p.id, p.name, p.city`

const blevePeople = 150

// A bleveShop is a source, and an index over a view of it.
type bleveShop struct {
	*harness.World
	seed uint64
	rng  *rand.Rand
}

func newBleveShop(t *testing.T) *bleveShop {
	t.Helper()
	seed := harness.Seed(t)
	server := pgtest.Start(t, pgtest.Options{})
	b := &bleveShop{World: suite.NewWorld(t, server, fmt.Sprintf("bleve_%x", seed&0xffffff)), seed: seed, rng: rand.New(rand.NewPCG(seed, 1))}
	b.SQL(b.Database, "CREATE TABLE people (id bigint PRIMARY KEY, name text NOT NULL, city text)",
		"CREATE TABLE orders (id bigserial PRIMARY KEY, person_id bigint NOT NULL REFERENCES people ON DELETE CASCADE, total numeric(20,2) NOT NULL, note text)",
		"CREATE INDEX ON orders (person_id)",
		fmt.Sprintf("INSERT INTO people SELECT n, 'person ' || n, 'Berlin' FROM generate_series(1, %d) n", blevePeople),
		fmt.Sprintf("INSERT INTO orders (person_id, total, note) SELECT 1 + n %% %d, n, 'opening order' FROM generate_series(1, 400) n", blevePeople),
		"ALTER TABLE people OWNER TO capture; ALTER TABLE orders OWNER TO capture")
	b.Options.Source = "commit_interval: 10ms\nidle_interval: 100ms\n"
	b.Options.More = fmt.Sprintf(`views:
  documents:
    key: [id]
    epoch_interval: 10ms
    sql: |
      %s
sinks:
  people_index: {from: documents, commit_interval: 10ms, bleve: {}}
  lines_index: {from: documents, commit_interval: 10ms, transforms: [{unnest: {column: history, as: line, ordinal: place}}], bleve: {}}
`, fmt.Sprintf(documentsSQL, "db.public."))
	return b
}

func (b *bleveShop) dial() *pgx.Conn {
	b.Helper()
	conn, err := pgx.Connect(context.Background(), b.Postgres.URL(b.Database))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = conn.Close(context.Background()) })
	return conn
}

// trafficEvery is the pace of each of two clients: load that a busy machine can
// follow, so that the end is reached after many kills.
const trafficEvery = 5 * time.Millisecond

// traffic changes people and their orders until it is stopped.
func (b *bleveShop) traffic() (stop func()) {
	end := make(chan struct{})
	var wg sync.WaitGroup
	for n := range uint64(2) {
		conn, rng := b.dial(), rand.New(rand.NewPCG(b.seed, 10+n))
		wg.Go(func() {
			pace := time.NewTicker(trafficEvery)
			defer pace.Stop()
			for {
				select {
				case <-end:
					return
				case <-pace.C:
				}
				if _, err := conn.PgConn().Exec(context.Background(), purchase(rng)).ReadAll(); err != nil && !strings.Contains(err.Error(), "40P01") && !strings.Contains(err.Error(), "23503") { // a deadlock, or the person went
					b.Errorf("seed %d: the traffic failed: %v", b.seed, err)
					return
				}
			}
		})
	}
	stop = sync.OnceFunc(func() { close(end); wg.Wait() })
	b.Cleanup(stop) // also when the test has failed
	return stop
}

// purchase is one transaction.
func purchase(rng *rand.Rand) string {
	id := 1 + rng.IntN(blevePeople)
	switch rng.IntN(6) {
	case 0:
		return fmt.Sprintf("DELETE FROM people WHERE id = %d", id)
	case 1:
		return fmt.Sprintf("UPDATE people SET city = (ARRAY['Berlin','Łódź',NULL,'%d'])[1 + %d], name = name || '.' WHERE id = %d AND length(name) < 40", id, rng.IntN(4), id)
	case 2:
		return fmt.Sprintf("DELETE FROM orders WHERE person_id = %d", id)
	}
	return fmt.Sprintf(`INSERT INTO people VALUES (%[1]d, 'person %[1]d', 'Lyon') ON CONFLICT DO NOTHING;
		INSERT INTO orders (person_id, total, note) SELECT %[1]d, 9007199254740993.25 + n, 'gold "%[1]d"' FROM generate_series(1, %[2]d) n`, id, 1+rng.IntN(4))
}

// found is an answer to a search.
type found struct {
	Hits []struct {
		ID       string
		Document json.RawMessage
	}
	Total    int
	Position string
	Code     string
}

// search asks the daemon over its socket; status is 0 if there is none.
func (b *bleveShop) search(door *harness.Door, params url.Values) (f found, status int) {
	return b.searchIn(door, "people_index", params)
}

func (b *bleveShop) searchIn(door *harness.Door, index string, params url.Values) (f found, status int) {
	answer, err := door.Get(context.Background(), "/v1/indexes/"+index+"/search?"+params.Encode())
	if err != nil {
		return f, 0
	}
	if err := answer.Decode(&f); err != nil {
		b.Errorf("seed %d: %d %s: %v", b.seed, answer.Status, answer.Body, err)
	}
	return f, answer.Status
}

// reader searches all the time, and sends back the position that it was given.
func (b *bleveShop) reader() (stop func() int) {
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	looks, last := 0, ""
	door := harness.NewDoor(b.Data())
	wg.Go(func() {
		defer door.Close()
		for ctx.Err() == nil {
			params := url.Values{"q": {"gold"}, "limit": {"50"}, "timeout": {"20s"}}
			if last != "" {
				params.Set("wait_for", last)
			}
			f, status := b.search(door, params)
			if status != 200 {
				<-time.After(5 * time.Millisecond) // the period of asking a daemon that is not there
				continue
			}
			looks++
			if harness.LSN(strings.TrimPrefix(f.Position, "db:")) < harness.LSN(strings.TrimPrefix(last, "db:")) {
				b.Errorf("seed %d: R21 a reader that was at %s goes back to %s", b.seed, last, f.Position)
			}
			last = f.Position
			for _, hit := range f.Hits {
				b.whole(hit.Document)
			}
		}
	})
	var once sync.Once
	stop = func() int {
		once.Do(func() { cancel(); wg.Wait() })
		return looks
	}
	b.Cleanup(func() { stop() })
	return stop
}

// whole reports a document that is not of one moment: it counts its own history.
func (b *bleveShop) whole(document []byte) {
	var d struct {
		ID      int64
		Orders  int
		History []json.RawMessage
	}
	if err := json.Unmarshal(document, &d); err != nil || d.Orders != len(d.History) {
		b.Errorf("seed %d: a document of %d orders has a history of %d: %v", b.seed, d.Orders, len(d.History), err)
	}
}

// kill starts the daemon and kills it when its index has moved some times, or at
// once.
func (b *bleveShop) kill(n int) {
	b.Helper()
	d := b.Run()
	door := harness.NewDoor(b.Data())
	defer door.Close()
	if n%4 != 3 {
		times, last := 1+b.rng.IntN(15), ""
		b.await("the index moves on", d, func() bool {
			if f, status := b.search(door, url.Values{"limit": {"1"}}); status == 200 && f.Position != last {
				times, last = times-1, f.Position
			}
			return times < 0
		})
	}
	d.KillSoon(b, time.Duration(b.rng.Int64N(int64(20*time.Millisecond))))
}

func (b *bleveShop) await(what string, d *harness.Daemon, is func() bool) {
	b.Helper()
	limit, look := time.After(harness.Patience), time.NewTicker(5*time.Millisecond)
	defer look.Stop()
	for !is() {
		select {
		case <-look.C: // the period of looking
		case <-d.Exited():
			b.Fatalf("seed %d: waiting until %s: the daemon ended by itself; its last lines:\n%s", b.seed, what, d.Last(12))
		case <-limit:
			b.Fatalf("seed %d: waiting until %s: in vain; the daemon's last lines:\n%s", b.seed, what, d.Last(20))
		}
	}
}

// now is a position behind everything that is committed.
func (b *bleveShop) now() string {
	b.Helper()
	var lsn string
	if err := b.dial().QueryRow(context.Background(), "SELECT pg_current_wal_flush_lsn()").Scan(&lsn); err != nil {
		b.Fatal(err)
	}
	return "db:" + lsn
}

// equal searches for everything, at the end of the log of now, and compares each
// document with what Postgres answers to the view's SQL.
func (b *bleveShop) equal(d *harness.Daemon, when string) {
	b.Helper()
	door, at := harness.NewDoor(b.Data()), b.now()
	defer door.Close()
	var f found
	b.await("the index answers "+when, d, func() bool {
		var status int
		f, status = b.search(door, url.Values{"limit": {"10000"}, "wait_for": {at}, "timeout": {"30s"}})
		return status == 200
	})
	got, want := map[string]any{}, map[string]any{}
	for _, hit := range f.Hits {
		got[hit.ID] = exact(b, hit.Document)
	}
	for _, row := range all(b.dial(), "SELECT row_to_json(d)::text FROM ("+fmt.Sprintf(documentsSQL, "")+") AS d") {
		doc := exact(b, []byte(row))
		want[doc.(map[string]any)["id"].(json.Number).String()] = doc
	}
	if len(want) == 0 || len(f.Hits) != f.Total {
		b.Fatalf("seed %d, %s: Postgres has %d rows; %d documents of %d", b.seed, when, len(want), len(f.Hits), f.Total)
	}
	for id, doc := range want {
		if !reflect.DeepEqual(got[id], doc) {
			b.Errorf("seed %d, %s: document %s is\n%v, want\n%v", b.seed, when, id, got[id], doc)
		}
	}
	for id := range got {
		if want[id] == nil {
			b.Errorf("seed %d, %s: document %s is left over", b.seed, when, id)
		}
	}
	b.lines(d, door, at, when)
}

// lines compares the documents of the lines with those that Postgres takes apart, at
// a position.
func (b *bleveShop) lines(d *harness.Daemon, door *harness.Door, at, when string) {
	b.Helper()
	var f found
	b.await("the index of lines answers "+when, d, func() bool {
		var status int
		f, status = b.searchIn(door, "lines_index", url.Values{"limit": {"10000"}, "wait_for": {at}, "timeout": {"30s"}})
		return status == 200
	})
	var got []string
	for _, hit := range f.Hits {
		var line struct {
			ID, Place json.Number
			Line      struct{ ID json.Number }
		}
		if err := json.Unmarshal(hit.Document, &line); err != nil {
			b.Fatalf("seed %d, %s: %s: %v", b.seed, when, hit.Document, err)
		}
		got = append(got, fmt.Sprint(line.ID, "/", line.Place, " ", line.Line.ID))
	}
	want := all(b.dial(), "SELECT id || '/' || n || ' ' || (line->>'id') FROM ("+fmt.Sprintf(documentsSQL, "")+") AS d, jsonb_array_elements(history) WITH ORDINALITY AS l(line, n)")
	if missing, surplus := except(want, got), except(got, want); len(missing)+len(surplus) > 0 || len(want) == 0 || len(got) != len(want) {
		b.Errorf("seed %d, %s: %d lines of %d; missing %q, left over %q", b.seed, when, len(got), len(want), missing, surplus)
	}
}

// exact decodes JSON with its numbers as they are written.
func exact(t testing.TB, text []byte) (v any) {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	if err := d.Decode(&v); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return v
}

// finds inserts a row and searches it at once, by the verb.
func (b *bleveShop) finds(d *harness.Daemon) {
	b.Helper()
	b.SQL(b.Database, "INSERT INTO people VALUES (1001, 'Ann Lee', 'Berlin')")
	out, said, exit := harness.Run(b, b.Evert(b), "search", "people_index", "ann berlin", "--limit", "1", "--wait-for", b.now(), "-o", "json", "-c", filepath.Join(b.Dir, "evert.yaml"))
	var f found
	if err := json.Unmarshal([]byte(out), &f); err != nil || exit != 0 || len(f.Hits) != 1 || f.Hits[0].ID != "1001" {
		b.Errorf("seed %d: the row of a moment ago is not found: exit code %d, %v\n%s%s\n%s", b.seed, exit, err, out, said, d.Last(5))
	}
	b.equal(d, "with the row of a moment ago")
	out, said, exit = harness.Run(b, b.Evert(b), "verify", "people_index", "-c", filepath.Join(b.Dir, "evert.yaml"))
	if exit != 0 || !strings.Contains(out+said, "equal") {
		b.Errorf("seed %d: S14 verify of the index: exit code %d\n%s%s", b.seed, exit, out, said)
	}
}

// lose deletes the data directory, as after a disk was lost, and what the source
// kept at its server for it.
func (b *bleveShop) lose() {
	b.Helper()
	if err := os.RemoveAll(b.Data()); err != nil {
		b.Fatal(err)
	}
	b.SQL(b.Database, "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE database = current_database()")
}

// damage changes a byte in the middle of each segment of the index.
func (b *bleveShop) damage() {
	b.Helper()
	changed := 0
	err := filepath.WalkDir(filepath.Join(b.Data(), "indexes"), func(path string, e fs.DirEntry, err error) error {
		if err != nil || filepath.Ext(path) != ".zap" {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		text[len(text)/2] ^= 0x10
		changed++
		return os.WriteFile(path, text, 0o600)
	})
	if err != nil || changed == 0 {
		b.Fatalf("seed %d: %d segments were changed: %v", b.seed, changed, err)
	}
}
