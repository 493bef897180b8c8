package main

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
)

// tracked gives the sources that a build reads: Go files and what they embed.
func tracked(t *testing.T) fs.FS {
	t.Helper()
	out := fstest.MapFS{}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || path == root {
			return err
		}
		if d.IsDir() && (strings.HasPrefix(d.Name(), ".") || d.Name() == "testdata" || d.Name() == "results") {
			return fs.SkipDir
		}
		name := d.Name()
		reads := strings.HasSuffix(name, ".go") || strings.HasSuffix(name, ".json") || name == "go.mod" || name == "go.sum"
		if d.IsDir() || !reads {
			return nil
		}
		rel, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		data, err := os.ReadFile(path)
		out[filepath.ToSlash(rel)] = &fstest.MapFile{Data: data, Mode: 0o644}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}
