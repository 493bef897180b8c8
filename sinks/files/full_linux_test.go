package files_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/sinks/files"
	"github.com/evertdb/evert/sinks/sinktest"
)

// TestFull fills a real file system, makes room, and goes on where it was.
func TestFull(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mount("evert", dir, "tmpfs", 0, "size=1m"); err != nil {
		t.Skipf("SKIPPED: this user cannot mount a small tmpfs: %v", err)
	}
	defer syscall.Unmount(dir, syscall.MNT_DETACH)
	for _, format := range []files.Format{files.JSONL, files.Avro} {
		t.Run("O08 a full disk loses nothing, "+string(format), func(t *testing.T) {
			f := newFolder(t, files.Config{Format: format, Block: 4 << 10})
			f.config.Path = filepath.Join(dir, string(format))
			defer os.RemoveAll(f.config.Path)
			ballast := filepath.Join(dir, "ballast")
			if err := os.WriteFile(ballast, make([]byte, 700<<10), 0o600); err != nil {
				t.Fatal(err)
			}
			seq, full := fill(t, f, 0)
			if pipeline.CodeOf(full) != files.CodeFull {
				t.Fatalf("after %d commits: %v", seq, full)
			}
			if got := f.Rows(t); len(got) != int(seq) {
				t.Errorf("on the full disk %d rows are there after %d commits", len(got), seq)
			}
			if err := os.Remove(ballast); err != nil {
				t.Fatal(err)
			}
			if last, err := fill(t, f, seq+20); err != nil || len(f.Rows(t)) != int(last) {
				t.Errorf("with room again %d rows are there after %d commits: %v", len(f.Rows(t)), last, err)
			}
		})
	}
}

// fill commits rows of 4 KB from where the folder is, until there are so many (0:
// for ever) or something fails, and gives how many there are.
func fill(t *testing.T, f *folder, end uint64) (uint64, error) {
	target := files.New(f.config)
	defer target.Close()
	from, err := target.Open(t.Context())
	if err != nil {
		return 0, err
	}
	seq := from.At.Seq
	for ; end == 0 || seq < end; seq++ {
		b := sinktest.Batch(sinktest.Put(int64(seq), strings.Repeat(fmt.Sprint(seq%10), 4<<10)))
		if err := target.Write(t.Context(), b); err != nil {
			return seq, err
		}
		if err := target.Commit(t.Context(), at(seq+1)); err != nil {
			return seq, err
		}
	}
	return seq, nil
}
