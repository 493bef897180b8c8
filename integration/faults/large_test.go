//go:build unix

package faults

import (
	"testing"

	"github.com/evertdb/evert/integration/harness"
	"github.com/evertdb/evert/sources/postgres/pgserver/pgtest"
)

// beyond is what message and value of a row of 64 MiB take above limits.memory.
const beyond = 16 << 20

// A value of 64 MiB, four times what a record may be: its table stops, the others
// go on, and of the row no more is held than the message that brought it and the
// value taken out of it (I9).
func TestHugeValue(t *testing.T) {
	t.Parallel()
	s := open(t, pgtest.Start(t, pgtest.Options{}), harness.Options{})
	s.SQL(s.Database, "CREATE TABLE huge (id int PRIMARY KEY, v text)", "ALTER TABLE huge OWNER TO capture")
	d := s.Run()
	d.AwaitStatus("the stream", harness.Streaming(1))
	s.SQL(s.Database, "INSERT INTO huge VALUES (1, 'small'), (2, repeat('sixteen letters.', 4 << 20))")
	goesOn(s, d)
	checkMemoryBelow(t, d, mostMemory+beyond)
	d.AwaitStatus("the table's end", func(st harness.Status) bool { return st.Says("RECORD_TOO_LARGE") })
	stop := s.Traffic()
	s.AwaitTransactions(20)
	stop()
	goesOn(s, d)
	d.Terminate()
}
