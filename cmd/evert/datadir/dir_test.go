package datadir

import (
	"context"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/evertdb/evert/pipeline"
)

func TestO04OneOwner(t *testing.T) {
	ctx := context.Background()
	path := filepath.Join(t.TempDir(), "data")
	first, err := Take(ctx, path, "run", time.Second)
	if err != nil {
		t.Fatal(err)
	}
	t.Run("O04 the second is told who holds it", func(t *testing.T) {
		_, err := Take(ctx, path, "run", 0)
		if pipeline.CodeOf(err) != CodeTaken || !strings.Contains(err.Error(), "process "+strconv.Itoa(os.Getpid())) {
			t.Fatalf("got %v", err)
		}
	})
	t.Run("O04 a predecessor that ends is waited for", func(t *testing.T) {
		got := make(chan error)
		go func() {
			second, err := Take(ctx, path, "run", time.Minute)
			if err == nil {
				err = second.Close()
			}
			got <- err
		}()
		if err := first.Close(); err != nil {
			t.Fatal(err)
		}
		if err := <-got; err != nil {
			t.Fatal(err)
		}
	})
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o700 {
		t.Fatalf("mode of the folder: %v %v", info.Mode(), err)
	}
}

func TestNoAccess(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := Take(context.Background(), filepath.Join(file, "data"), "run", 0)
	if pipeline.CodeOf(err) != CodeAccess {
		t.Fatalf("got %v", err)
	}
}
