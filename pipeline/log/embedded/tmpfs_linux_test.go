package embedded_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/evertdb/evert/pipeline/log"
	"github.com/evertdb/evert/pipeline/log/embedded"
)

// TestTmpfs writes into a real file system of 24 MB until it is full, with a
// foreign file taking the reserve, makes room, and goes on.
func TestTmpfs(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mount("evert", dir, "tmpfs", 0, "size=24m"); err != nil {
		t.Skipf("SKIPPED: this user cannot mount a small tmpfs: %v", err)
	}
	defer syscall.Unmount(dir, syscall.MNT_DETACH)
	for _, reserve := range []int64{8 << 20, -1} {
		t.Run(fmt.Sprintf("O08 reserve %d", reserve), func(t *testing.T) { fillTmpfs(t, dir, reserve) })
	}
}

func fillTmpfs(t *testing.T, dir string, reserve int64) {
	ballast := filepath.Join(dir, "ballast")
	if err := os.WriteFile(ballast, make([]byte, 20<<20-max(reserve, 0)), 0o600); err != nil {
		t.Fatal(err)
	}
	full := make(chan bool, 100)
	cfg := embedded.Config{
		Dir: filepath.Join(dir, "log"), MemTable: 1 << 20, Reserve: reserve, DiskPoll: 2 * time.Millisecond,
		Events: embedded.Events{Full: func(is bool) { full <- is }, Failed: func(err error) { t.Error(err) }},
	}
	l := open(t, cfg)
	put(t, l, "first")
	w, err := l.Writer(context.Background(), "w")
	if err != nil {
		t.Fatal(err)
	}
	const rows = 6000
	done := make(chan error)
	go func() {
		var err error
		for i := 0; i < rows && err == nil; i++ {
			err = w.Append(context.Background(), log.Record{TopicPartition: log.TopicPartition{Topic: "t"}, Key: fmt.Append(nil, i), Value: make([]byte, 1000)})
			if i%500 == 499 {
				err = errors.Join(err, w.Commit(context.Background(), nil))
			}
		}
		done <- err
	}()
	select {
	case <-full:
	case err := <-done:
		t.Fatalf("the disk never was full: %v", err)
	}
	if got := values(t, l); len(got) < len("first") {
		t.Fatal("on the full disk the committed rows cannot be read")
	}
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	want := len("first") + rows*1001
	if got := len(values(t, l)); got != want {
		t.Fatalf("%d bytes are there, want %d", got, want)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	l = open(t, cfg)
	if got := len(values(t, l)); got != want {
		t.Fatalf("after a restart %d bytes are there, want %d", got, want)
	}
	if err := l.Close(); err != nil { // Pebble still looks at its files
		t.Fatal(err)
	}
	if err := os.RemoveAll(cfg.Dir); err != nil {
		t.Fatal(err)
	}
}
