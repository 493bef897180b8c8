//go:build linux

package faults

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/evertdb/evert/integration/harness"
	"github.com/evertdb/evert/sources/postgres/pgserver/pgtest"
)

// O08 a full disk: capture pauses and says so, keeps what is committed, keeps the
// server's connection, and goes on by itself when there is room.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	s := open(t, pgtest.Start(t, pgtest.Options{}), harness.Options{})
	s.Options.DataDir = smallDisk(t, filepath.Join(s.Dir, "disk"), 192<<20)
	d := s.Run()
	d.AwaitStatus("the stream", harness.Streaming(1))
	stop := s.Traffic()
	for round := range 2 {
		ballast := fill(t, s.Options.DataDir)
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

// smallDisk mounts a tmpfs of so many bytes.
func smallDisk(t *testing.T, dir string, bytes int) string {
	t.Helper()
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount("evert-test", dir, "tmpfs", 0, fmt.Sprintf("size=%d,mode=0700", bytes)); err != nil {
		t.Skipf("SKIPPED: a small disk needs the right to mount one: %v\n  mend: run the tests as root, in a container with --cap-add SYS_ADMIN", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Errorf("unmount %s: %v", dir, err)
		}
	})
	return filepath.Join(dir, "data")
}

// fill leaves next to nothing free on the disk that holds dir.
func fill(t *testing.T, dir string) (ballast string) {
	t.Helper()
	ballast = filepath.Join(filepath.Dir(dir), "ballast")
	f, err := os.Create(ballast)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	block := make([]byte, 1<<20)
	for err == nil {
		_, err = f.Write(block)
	}
	return ballast
}
