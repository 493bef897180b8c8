package views

import (
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"testing"

	"github.com/evertdb/evert/configs"
)

// A file without views has no states left either.
func TestTheLastViewsStateIsRemoved(t *testing.T) {
	dir := t.TempDir()
	state := filepath.Join(dir, "views", "totals")
	if err := os.MkdirAll(filepath.Join(state, "v1"), 0o700); err != nil {
		t.Fatal(err)
	}
	c := Config{File: &configs.Config{Name: "till", DataDir: dir}, Log: slog.New(slog.DiscardHandler)}
	for range 2 { // the second time nothing is there
		if _, err := Open(c); err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stat(state); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("the state of a view that is not in the file stays: %v", err)
		}
	}
}
