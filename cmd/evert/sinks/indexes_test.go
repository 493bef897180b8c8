package sinks

import (
	"log/slog"
	"os"
	"path/filepath"
	"testing"

	"github.com/evertdb/evert/cmd/evert/outlets"
	"github.com/evertdb/evert/configs"
)

// The index of a sink that left the file goes, and no other.
func TestIndexesOfGoneSinks(t *testing.T) {
	c := &configs.Config{DataDir: t.TempDir(), Sinks: map[string]*configs.Sink{"kept": {Bleve: &configs.Bleve{}}, "changed": {Files: &configs.Files{}}}}
	logger := slog.New(slog.DiscardHandler)
	if err := SweepIndexes(c, logger); err != nil {
		t.Fatalf("there is no folder yet: %v", err)
	}
	for _, name := range []string{"kept", "changed", "gone"} {
		if err := os.MkdirAll(filepath.Join(outlets.IndexesDir(c), name, "b1"), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if err := SweepIndexes(c, logger); err != nil {
		t.Fatal(err)
	}
	left, err := os.ReadDir(outlets.IndexesDir(c))
	if err != nil || len(left) != 1 || left[0].Name() != "kept" {
		t.Errorf("left: %v, %v", left, err)
	}
}
