//go:build unix

package faults

import (
	"fmt"
	"testing"

	"github.com/evertdb/evert/integration/harness"
	"github.com/evertdb/evert/sources/postgres/pgserver/pgtest"
)

// Sizes of values, and the bound of them.
const (
	hugeBytes  = 200 << 20
	largeBytes = 60 << 20
	hugeLimits = "limits: {value_bytes: 4MiB, record_bytes: 4MiB}\n"
)

// hugePolicies are what becomes of rows that are too large, by the table that they are
// in.
var hugePolicies = map[string]string{"huge_stop": "stop_table", "huge_cut": "truncate", "huge_moved": "offload", "huge_dead": "dead_letter"}

// Values of 200 MB come by the snapshot and by the stream, and follow what is chosen for
// their table. None is held in memory (I9), and the other tables go on.
func TestHugeValue(t *testing.T) {
	t.Parallel()
	source := "commit_interval: 10ms\nidle_interval: 100ms\nreconnect_max: 1s\noverrides: {"
	for table, policy := range hugePolicies {
		source += fmt.Sprintf("public.%s: {on_oversize: %s}, ", table, policy)
	}
	source += "}\n"
	s := open(t, pgtest.Start(t, pgtest.Options{}), harness.Options{Source: source, More: hugeLimits})
	for table := range hugePolicies {
		s.SQL(s.Database, "CREATE TABLE "+table+" (id int PRIMARY KEY, n int, v text)", "ALTER TABLE "+table+" OWNER TO capture")
	}
	huge := func(id int, table string, size int) string {
		return fmt.Sprintf("INSERT INTO %s VALUES (%d, 0, repeat('sixteen letters.', %d))", table, id, size/16)
	}
	s.SQL(s.Database, huge(1, "huge_cut", largeBytes), huge(1, "huge_moved", hugeBytes))
	d := s.Run()
	d.AwaitStatus("the stream", harness.Streaming(1))
	checkMemory(t, d)
	s.SQL(s.Database, huge(2, "huge_stop", largeBytes), huge(2, "huge_dead", hugeBytes), "UPDATE huge_moved SET n = 1", "UPDATE huge_cut SET n = 1")
	goesOn(s, d)
	checkMemory(t, d)
	d.AwaitStatus("the table's end", func(st harness.Status) bool { return st.Says("RECORD_TOO_LARGE") })
	stop := s.Traffic()
	s.AwaitTransactions(20)
	stop()
	goesOn(s, d)
	d.Terminate()
}
