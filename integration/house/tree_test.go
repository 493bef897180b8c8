package house

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

const (
	root   = "../.."
	module = "github.com/evertdb/evert"
)

// A source is one Go file of the module, whatever its build tags.
type source struct {
	path   string // from the root, with slashes
	folder string // of it; "." for the root
	test   bool
	lines  int
	ast    *ast.File
}

// imports gives import paths; our own are folders, as "./pipeline/log".
func (s source) imports(t *testing.T) (paths []string) {
	t.Helper()
	for _, spec := range s.ast.Imports {
		path, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			t.Fatal(err)
		}
		if own, ok := strings.CutPrefix(path, module); ok {
			path = "." + own
		}
		paths = append(paths, path)
	}
	return paths
}

// sources parses every Go file of the module.
func sources(t *testing.T) (list []source) {
	t.Helper()
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			return skipFolder(path, d.Name())
		}
		if !strings.HasSuffix(path, ".go") {
			return nil
		}
		s, err := read(path)
		list = append(list, s)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// skipFolder skips what the go command skips, and what is not ours to judge.
func skipFolder(path, name string) error {
	if path == root || (!strings.HasPrefix(name, ".") && !strings.HasPrefix(name, "_") && name != "testdata") {
		return nil
	}
	return fs.SkipDir
}

func read(path string) (source, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return source{}, err
	}
	file, err := parser.ParseFile(token.NewFileSet(), path, text, parser.SkipObjectResolution)
	if err != nil {
		return source{}, err
	}
	rel, err := filepath.Rel(root, path)
	if err != nil {
		return source{}, err
	}
	rel = filepath.ToSlash(rel)
	folder := filepath.ToSlash(filepath.Dir(rel))
	lines := strings.Count(string(text), "\n")
	return source{path: rel, folder: folder, test: strings.HasSuffix(rel, "_test.go"), lines: lines, ast: file}, nil
}

// below says whether a folder is one of those named, or in one.
func below(folder string, names ...string) bool {
	for _, name := range names {
		if folder == name || strings.HasPrefix(folder, name+"/") {
			return true
		}
	}
	return false
}
