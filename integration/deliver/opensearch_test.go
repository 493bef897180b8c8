//go:build unix

package deliver

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/evertdb/evert/integration/harness"
	"github.com/evertdb/evert/sinks/opensearch/opensearchserver"
	"github.com/evertdb/evert/sources/postgres/pgserver/pgtest"
)

// TestOpenSearchKill delivers a table and a nested view to a node of OpenSearch,
// under traffic, while the daemon and the node are killed at random moments. At
// rest every document is what the source says, none is missing and none left over:
// S03 S04 R16 I10. So it is after the data directory was lost, over the same
// indexes. EVERT_CRASH_RUNS is the number of kills of the daemon; of the node there
// is one in five.
func TestOpenSearchKill(t *testing.T) {
	t.Parallel()
	s := newSearchShop(t)
	stop := s.traffic()
	kills := harness.Number(t, "EVERT_CRASH_RUNS", 3)
	node := max(3, kills/5)
	for n := range max(kills, node) {
		if n < kills {
			s.kill()
		}
		if n < node {
			s.killNode()
		}
	}
	d := s.Run()
	stop()
	s.equal(d, "at rest")
	s.drift(d)
	d.Terminate()

	s.lose()
	stop = s.traffic()
	s.kill()
	d = s.Run()
	stop()
	s.equal(d, "after the data directory was lost")
	d.Terminate()
	s.indexes("orders", "customers")
}

const (
	shopCustomers = 60
	shopOrders    = 300
)

// A searchShop is a source with customers and their orders, and a node that has the
// orders as they are and the customers with theirs inside.
type searchShop struct {
	*harness.World
	seed uint64
	rng  *rand.Rand
	node *opensearchserver.Node
}

const nestedSQL = `SELECT c.id, c.name, c.since, count(o.id) AS orders, coalesce(sum(o.total), 0) AS spent,
	jsonb_agg(jsonb_build_object('id', o.id, 'total', o.total, 'note', o.note) ORDER BY o.id) FILTER (WHERE o.id IS NOT NULL) AS history
FROM %scustomers AS c LEFT JOIN %sorders AS o ON o.customer = c.id GROUP BY c.id, c.name, c.since`

func newSearchShop(t *testing.T) *searchShop {
	t.Helper()
	seed := harness.Seed(t)
	server := pgtest.Start(t, pgtest.Options{})
	s := &searchShop{World: suite.NewWorld(t, server, fmt.Sprintf("search_%x", seed&0xffffff)), seed: seed, rng: rand.New(rand.NewPCG(seed, 1)), node: searchNode(t)}
	s.SQL(s.Database,
		"CREATE TABLE customers (id int PRIMARY KEY, name text NOT NULL, since timestamptz NOT NULL DEFAULT now())",
		"CREATE TABLE orders (id int PRIMARY KEY, customer int NOT NULL, total numeric(12,2), note text)",
		fmt.Sprintf("INSERT INTO customers SELECT n, 'customer ' || n FROM generate_series(1, %d) n", shopCustomers),
		fmt.Sprintf("INSERT INTO orders SELECT n, 1 + n %% %d, n / 4.0, 'order ' || n FROM generate_series(1, %d) n", shopCustomers, shopOrders),
		"ALTER TABLE customers OWNER TO capture", "ALTER TABLE orders OWNER TO capture")
	s.Options.Source = "commit_interval: 10ms\nidle_interval: 100ms\n"
	s.Options.More = fmt.Sprintf(`views:
  customer_orders:
    key: [id]
    sql: |
%s
sinks:
  orders:
    from: db.public.orders
    commit_interval: 10ms
    retry_max: 200ms
    opensearch: {url: %q, index: orders}
  customers:
    from: customer_orders
    commit_interval: 10ms
    retry_max: 200ms
    opensearch:
      url: %q
      index: customers
      gzip: true
      mapping: {history: '{"type": "nested", "properties": {"id": {"type": "long"}, "total": {"type": "double"}, "note": {"type": "text"}}}'}
`, indent(viewSQL("db.public.", nestedSQL)), s.node.URL(), s.node.URL())
	return s
}

func searchNode(t *testing.T) *opensearchserver.Node {
	t.Helper()
	d, err := opensearchserver.Fetch(t.Context())
	if err != nil && os.Getenv("CI") == "" {
		t.Skipf("opt-in: %v\n%s", err, opensearchserver.InstallHint())
	}
	if err != nil {
		t.Fatalf("%v\n%s", err, opensearchserver.InstallHint())
	}
	n, err := opensearchserver.Start(t.Context(), d, opensearchserver.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = n.Close() })
	return n
}

func (s *searchShop) dial() *pgx.Conn {
	s.Helper()
	conn, err := pgx.Connect(context.Background(), s.Postgres.URL(s.Database))
	if err != nil {
		s.Fatal(err)
	}
	s.Cleanup(func() { _ = conn.Close(context.Background()) })
	return conn
}

// traffic places, changes, moves and deletes until it is stopped.
func (s *searchShop) traffic() (stop func()) {
	end := make(chan struct{})
	conn, rng := s.dial(), rand.New(rand.NewPCG(s.seed, 10))
	var wg sync.WaitGroup
	wg.Go(func() {
		pace := time.NewTicker(trafficEvery / 2)
		defer pace.Stop()
		for {
			select {
			case <-end:
				return
			case <-pace.C:
			}
			if _, err := conn.PgConn().Exec(context.Background(), shopping(rng)).ReadAll(); err != nil {
				s.Errorf("seed %d: the traffic failed: %v", s.seed, err)
				return
			}
		}
	})
	stop = sync.OnceFunc(func() { close(end); wg.Wait() })
	s.Cleanup(stop)
	return stop
}

func shopping(rng *rand.Rand) string {
	customer, order := 1+rng.IntN(shopCustomers), 1+rng.IntN(shopOrders)
	switch rng.IntN(8) {
	case 0:
		return fmt.Sprintf("BEGIN; DELETE FROM orders WHERE customer = %d; DELETE FROM customers WHERE id = %d; COMMIT", customer, customer)
	case 1, 2:
		return fmt.Sprintf("INSERT INTO customers VALUES (%d, 'customer again') ON CONFLICT (id) DO UPDATE SET name = 'renamed ' || %d", customer, rng.IntN(1000))
	case 3:
		return fmt.Sprintf("DELETE FROM orders WHERE id = %d", order)
	case 4:
		return fmt.Sprintf("UPDATE orders SET id = id + %d WHERE id = %d AND NOT EXISTS (SELECT FROM orders WHERE id = %d)", shopOrders, order, order+shopOrders)
	}
	return fmt.Sprintf("INSERT INTO orders VALUES (%d, %d, %d.50, NULL) ON CONFLICT (id) DO UPDATE SET customer = %d, total = excluded.total, note = repeat('x', %d)",
		order, customer, rng.IntN(1000), customer, rng.IntN(50))
}

// kill starts the daemon and kills it when a sink has moved on some commits, or at
// once.
func (s *searchShop) kill() {
	s.Helper()
	d := s.Run()
	if s.rng.IntN(4) > 0 {
		s.await("a sink moves on", d, s.moves([]string{"orders", "customers"}[s.rng.IntN(2)], 1+s.rng.IntN(15)))
	}
	s.jitter(d)
	d.Kill()
}

// killNode kills the node under a running daemon. The sinks go on by themselves.
func (s *searchShop) killNode() {
	s.Helper()
	d := s.Run()
	s.await("a sink moves on", d, s.moves("orders", 1+s.rng.IntN(10)))
	s.node.Kill()
	s.jitter(d)
	if err := s.node.Start(s.Context()); err != nil {
		s.Fatal(err)
	}
	for _, index := range []string{"orders", "customers"} {
		s.await("the sink of "+index+" goes on", d, s.moves(index, 1))
	}
	d.Terminate()
}

// jitter is part of a moment, and waits for nothing.
func (s *searchShop) jitter(d *harness.Daemon) {
	s.Helper()
	select {
	case <-d.Exited():
		s.Fatalf("seed %d: the daemon ended by itself; its last lines:\n%s", s.seed, d.Last(12))
	case <-time.After(time.Duration(s.rng.Int64N(int64(50 * time.Millisecond)))):
	}
}

// moves reports whether the position of an index was written so many times since it
// was first asked.
func (s *searchShop) moves(index string, times int) func() bool {
	first := int64(-1)
	return func() bool {
		var doc struct {
			Seq int64 `json:"_seq_no"`
		}
		if json.Unmarshal(s.get("/"+index+"-evert-position/_doc/position"), &doc) != nil {
			return false
		}
		if first < 0 {
			first = doc.Seq
		}
		return doc.Seq-first >= int64(times)
	}
}

// get gives what the node answers; nothing while it does not.
func (s *searchShop) get(path string) []byte {
	r, err := http.Get(s.node.URL() + path)
	if err != nil {
		return nil
	}
	defer r.Body.Close()
	text, err := io.ReadAll(r.Body)
	if err != nil || r.StatusCode != http.StatusOK {
		return nil
	}
	return text
}

func (s *searchShop) await(what string, d *harness.Daemon, is func() bool) {
	s.Helper()
	limit, look := time.After(harness.Patience), time.NewTicker(10*time.Millisecond)
	defer look.Stop()
	for !is() {
		select {
		case <-look.C: // the period of looking
		case <-d.Exited():
			s.Fatalf("seed %d: waiting until %s: the daemon ended by itself; its last lines:\n%s", s.seed, what, d.Last(12))
		case <-limit:
			s.Fatalf("seed %d: waiting until %s: in vain; the daemon's last lines:\n%s", s.seed, what, d.Last(20))
		}
	}
}

// equal waits until both indexes are what the source's own SQL answers.
func (s *searchShop) equal(d *harness.Daemon, when string) {
	s.Helper()
	conn := s.dial()
	for index, sql := range map[string]string{"orders": "SELECT * FROM orders", "customers": viewSQL("", nestedSQL)} {
		if _, err := conn.Exec(s.Context(), "SET timezone TO 'UTC'"); err != nil {
			s.Fatal(err)
		}
		var want []string
		for _, text := range all(conn, "SELECT to_jsonb(v)::text FROM ("+sql+") v") {
			want = append(want, canonical(s, []byte(text)))
		}
		slices.Sort(want)
		if len(want) == 0 {
			s.Fatalf("seed %d: nothing to compare", s.seed)
		}
		var got []string
		limit, look := time.After(harness.Patience), time.NewTicker(100*time.Millisecond)
		for got = s.documents(index); !slices.Equal(got, want); got = s.documents(index) {
			select {
			case <-look.C: // the period of looking
			case <-limit:
				s.Fatalf("seed %d, %s, index %s: only in the source: %q; only in the index: %q; the daemon's last lines:\n%s", s.seed, when, index, except(want, got), except(got, want), d.Last(20))
			}
		}
		look.Stop()
	}
}

// drift edits, deletes and adds documents by hand; `evert verify` finds each and puts
// it right: S14.
func (s *searchShop) drift(d *harness.Daemon) {
	s.Helper()
	ids := all(s.dial(), "SELECT id::text FROM orders ORDER BY id LIMIT 4")
	for _, id := range ids[:3] {
		s.send(http.MethodPut, "/orders/_doc/"+id, `{"id": `+id+`, "note": "by hand"}`)
	}
	s.send(http.MethodDelete, "/orders/_doc/"+ids[3], "")
	s.send(http.MethodPut, "/orders/_doc/foreign", `{"note": "by hand"}`)
	s.verify(4, "1 +only in the topic", "1 +only in its system", "3 +with other values", "surplus +\"?foreign")
	s.verify(0, "5 were put right", "--repair")
	s.verify(0, " equal")
	s.equal(d, "after evert verify --repair")
}

// verify runs the verb; it has to end so and to print these patterns. One that begins
// with a dash is an argument.
func (s *searchShop) verify(code int, patterns ...string) {
	s.Helper()
	args := []string{"verify", "-c", s.Write(), "orders"}
	for _, p := range patterns {
		if strings.HasPrefix(p, "-") {
			args = append(args, p)
		}
	}
	out, said, exit := harness.Run(s, suite.Evert(s), args...)
	if exit != code {
		s.Fatalf("seed %d: evert %s: exit code %d, want %d:\n%s%s", s.seed, strings.Join(args, " "), exit, code, out, said)
	}
	for _, p := range patterns {
		if !strings.HasPrefix(p, "-") && !regexp.MustCompile(p).MatchString(out) {
			s.Errorf("seed %d: evert %s does not print %q:\n%s", s.seed, strings.Join(args, " "), p, out)
		}
	}
}

func (s *searchShop) send(method, path, body string) {
	s.Helper()
	r, err := http.NewRequestWithContext(s.Context(), method, s.node.URL()+path, strings.NewReader(body))
	if err != nil {
		s.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	a, err := http.DefaultClient.Do(r)
	if err != nil {
		s.Fatal(err)
	}
	defer a.Body.Close()
	if a.StatusCode >= 300 {
		text, _ := io.ReadAll(a.Body)
		s.Fatalf("%s %s: %d %s", method, path, a.StatusCode, text)
	}
}

// documents gives every document of an index, in order.
func (s *searchShop) documents(index string) (list []string) {
	_ = s.get("/" + index + "/_refresh")
	var found struct {
		Hits struct {
			Hits []struct {
				Source json.RawMessage `json:"_source"`
			}
		}
	}
	if json.Unmarshal(s.get("/"+index+"/_search?size=10000"), &found) != nil {
		return nil
	}
	for _, h := range found.Hits.Hits {
		list = append(list, canonical(s, h.Source))
	}
	slices.Sort(list)
	return list
}

// canonical writes JSON with its names in order, and numbers as they are.
func canonical(t testing.TB, text []byte) string {
	t.Helper()
	var v any
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	if err := d.Decode(&v); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	out, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

// indexes fails if anything but an index behind each alias, and its position, is
// left.
func (s *searchShop) indexes(aliases ...string) {
	s.Helper()
	names := strings.Fields(string(s.get("/_cat/indices?h=index&expand_wildcards=all")))
	slices.Sort(names)
	for _, alias := range aliases {
		own := slices.DeleteFunc(slices.Clone(names), func(name string) bool { return !strings.HasPrefix(name, alias+"-") })
		if len(own) != 2 || !slices.Contains(own, alias+"-evert-position") {
			s.Errorf("seed %d: S08 the indexes of %s are %q", s.seed, alias, own)
		}
	}
}

// lose deletes the data directory, as after a disk was lost, and what the source
// kept at its server for it.
func (s *searchShop) lose() {
	s.Helper()
	if err := os.RemoveAll(s.Data()); err != nil {
		s.Fatal(err)
	}
	s.SQL(s.Database, "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE database = current_database()")
}
