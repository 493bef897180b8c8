//go:build linux

package faults

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/evertdb/evert/integration/harness"
	"github.com/evertdb/evert/sources/postgres/pgserver/pgtest"
)

// O08 a full disk: capture pauses and says so, keeps what is committed, keeps the
// server's connection, and goes on by itself when there is room.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	s := open(t, pgtest.Start(t, pgtest.Options{}), harness.Options{})
	s.Options.DataDir = harness.SmallDisk(t, filepath.Join(s.Dir, "disk"), 192<<20)
	d := s.Run()
	d.AwaitStatus("the stream", harness.Streaming(1))
	stop := s.Traffic()
	for round := range 2 {
		ballast := harness.Fill(t, s.Options.DataDir, 0)
		during(t, d, func() {
			d.AwaitStatus("saying that the disk is full", func(st harness.Status) bool { return st.Says("LOG_FULL") })
			s.AwaitTransactions(200)
			if err := os.Remove(ballast); err != nil {
				t.Fatal(err)
			}
			goesOn(s, d)
		})
		if t.Failed() {
			t.Fatalf("round %d", round)
		}
	}
	checkMemory(t, d)
	stop()
	s.MustEnd(d)
}
