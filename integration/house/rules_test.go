package house

import (
	"go/ast"
	"os"
	"slices"
	"strings"
	"testing"
)

func TestNoInit(t *testing.T) {
	for _, s := range sources(t) {
		for _, d := range s.ast.Decls {
			if f, ok := d.(*ast.FuncDecl); ok && f.Recv == nil && f.Name.Name == "init" {
				t.Errorf("%s has an init(): wire it in cmd/evert instead", s.path)
			}
		}
	}
}

func TestFilesAreOfReadableLength(t *testing.T) {
	for _, s := range sources(t) {
		limit := 500
		if s.test {
			limit = 800
		}
		if s.lines > limit {
			t.Errorf("%s has %d lines; at %d it is time for a second noun in a second file", s.path, s.lines, limit)
		}
	}
}

func TestTopLevelFoldersAreFixed(t *testing.T) {
	fixed := []string{"sources", "sinks", "schema", "pipeline", "cmd", "configs", "integration", ".ci", ".git"}
	ignored, err := os.ReadFile(root + "/.gitignore")
	if err != nil {
		t.Fatal(err)
	}
	list, err := os.ReadDir(root)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range list {
		own := !strings.Contains(string(ignored), "/"+d.Name()+"/")
		if d.IsDir() && own && !slices.Contains(fixed, d.Name()) {
			t.Errorf("folder %s at the top; there are %v", d.Name(), fixed)
		}
	}
}
