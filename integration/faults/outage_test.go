//go:build unix

package faults

import (
	"fmt"
	"testing"
	"time"

	"github.com/evertdb/evert/integration/harness"
	"github.com/evertdb/evert/integration/harness/scene"
	"github.com/evertdb/evert/sources/postgres/pgserver/pgtest"
)

// backlog commits as often as it is told, some rows each time.
const backlog = `CREATE PROCEDURE backlog(many int) LANGUAGE plpgsql AS $$
BEGIN
	FOR n IN 1 .. many LOOP
		INSERT INTO missed SELECT n, g, repeat('x', 200) FROM generate_series(1, 10) g;
		COMMIT;
	END LOOP;
END $$`

// O18 a long outage: what was committed meanwhile, thousands of transactions and one
// of 50 MB, is caught up from the log in the memory of every day. O09 with as
// few open files as are taken, and 64 MiB for data.
func TestLongOutage(t *testing.T) {
	t.Parallel()
	s := open(t, pgtest.Start(t, pgtest.Options{}), harness.Options{Shell: "ulimit -n 256", More: "limits: {memory: 64MiB, value_bytes: 4MiB}\n", Source: "idle_interval: 100ms\n"})
	s.SQL(s.Database, "CREATE TABLE missed (n int, g int, v text, PRIMARY KEY (n, g))", "ALTER TABLE missed OWNER TO capture", backlog)
	d := s.Run()
	d.AwaitStatus("the stream", harness.Streaming(1))
	d.Terminate()
	began := time.Now()
	s.SQL(s.Database, "CALL backlog(5000)")
	live := time.Since(began)
	s.SQL(s.Database, "INSERT INTO missed SELECT 0, g, repeat('x', 1000) FROM generate_series(1, 50000) g")
	began = time.Now()
	d = s.Run()
	goesOn(s, d)
	t.Logf("O18: 5,000 transactions of 10 rows, made in %s, and one of 50,000 rows of a kilobyte were caught up in %s", live.Round(time.Millisecond), time.Since(began).Round(time.Millisecond))
	checkMemory(t, d)
	d.Terminate()
	if got, want := rowsOf(t, s, "missed"), scene.Ask[int](s, "SELECT count(*) FROM missed"); got != want || want != 100_000 {
		t.Errorf("O18: the topic holds %d rows, the table %d", got, want)
	}
}

// rowsOf counts the rows of a table that its topic holds. No daemon may be running.
func rowsOf(t *testing.T, s *scene.Scene, table string) int {
	t.Helper()
	keys := map[string]bool{}
	err := s.Tail(harness.Topic(table), func(r harness.Record) error {
		keys[fmt.Sprint(r.Key)] = true
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return len(keys)
}
