package bleve_test

import (
	"context"
	"maps"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/deliver"
	"github.com/evertdb/evert/sinks/bleve"
)

// S09: a full disk keeps what is there, answers from it, and goes on when there is
// room.
func TestFullDisk(t *testing.T) {
	t.Run("S09 disk full", func(t *testing.T) {
		disk := t.TempDir()
		if err := syscall.Mount("evert-test", disk, "tmpfs", 0, "size=4194304,mode=0700"); err != nil {
			t.Skipf("SKIPPED: a small disk needs the right to mount one: %v\n  mend: run the tests as root, in a container with --cap-add SYS_ADMIN", err)
		}
		t.Cleanup(func() { must(syscall.Unmount(disk, syscall.MNT_DETACH)) })
		x := open(t, bleve.Config{Dir: filepath.Join(disk, "indexes"), Events: bleve.Events{Torn: func(_, why string) { t.Error(why) }}})
		n, err := deliverUntilFailure(t, x, 1, nil)
		if err != nil {
			t.Fatal(err)
		}
		ballast := filepath.Join(disk, "ballast")
		must(fill(ballast))
		if n, err = deliverUntilFailure(t, x, n, errFull); err != nil {
			t.Fatal(err)
		}
		s, err := x.State()
		if err != nil || !s.Live {
			t.Fatalf("with a full disk: %+v, %v", s, err)
		}
		if got := items(t, x); !maps.Equal(got, model(s.Resume.At.Seq)) {
			t.Errorf("with a full disk, at commit %d, a reader sees %v", s.Resume.At.Seq, got)
		}
		must(os.Remove(ballast))
		if _, err = deliverUntilFailure(t, x, n, nil); err != nil {
			t.Fatal(err)
		}
		if s, err = x.State(); err != nil {
			t.Fatal(err)
		}
		if got := items(t, x); !maps.Equal(got, model(s.Resume.At.Seq)) {
			t.Errorf("with room again, at commit %d, a reader sees %v", s.Resume.At.Seq, got)
		}
	})
}

var errFull = syscall.ENOSPC

// deliverUntilFailure makes 20 commits, or as many as it takes until one fails as
// it has to; each target goes on from where the index is.
func deliverUntilFailure(t *testing.T, x *bleve.Index, n uint64, until error) (uint64, error) {
	ctx := context.Background()
	target := x.Target(deliver.Stop{})
	defer target.Close()
	from, err := target.Open(ctx)
	if err != nil {
		return n, err
	}
	n = from.At.Seq + 1
	for end := n + 20; n < end || until != nil; n++ {
		if err = target.Write(ctx, pipeline.Batch{Changes: step(n)}); err == nil {
			err = target.Commit(ctx, place(n))
		}
		if err != nil {
			t.Logf("commit %d: %v", n, err)
			if until != nil {
				err = nil
			}
			return n, err
		}
	}
	return n, nil
}

func fill(path string) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer f.Close()
	for block := make([]byte, 4096); err == nil; {
		_, err = f.Write(block)
	}
	return nil
}
