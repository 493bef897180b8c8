package codes

import (
	"encoding/json"
	"errors"
	"go/ast"
	"go/constant"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/evertdb/evert/pipeline"
)

// module is the path of this module; codeType the full name of the type.
const (
	module   = "github.com/evertdb/evert"
	codeType = module + "/pipeline.Code"
)

// listed is what `go list` says of a package.
type listed struct {
	ImportPath, Dir, Export string
	GoFiles                 []string
}

// packages gives the module's packages and the export data of all they import.
func packages(t *testing.T) (own []listed, exports map[string]string) {
	t.Helper()
	cmd := exec.Command("go", "list", "-e", "-export", "-deps", "-json=ImportPath,Dir,Export,GoFiles", module+"/...")
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	exports = map[string]string{}
	for d := json.NewDecoder(out); ; {
		var p listed
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		exports[p.ImportPath] = p.Export
		if strings.HasPrefix(p.ImportPath, module) {
			own = append(own, p)
		}
	}
	return own, exports
}

// used gives every constant of type pipeline.Code in the module, and where it
// stands first.
func used(t *testing.T) map[pipeline.Code]string {
	own, exports := packages(t)
	fset := token.NewFileSet()
	from := importer.ForCompiler(fset, "gc", func(path string) (io.ReadCloser, error) { return os.Open(exports[path]) })
	all := map[pipeline.Code]string{}
	for _, p := range own {
		if strings.HasSuffix(p.ImportPath, "test") {
			continue // suites and their fakes refuse nothing that a user could meet
		}
		var files []*ast.File
		for _, name := range p.GoFiles {
			f, err := parser.ParseFile(fset, filepath.Join(p.Dir, name), nil, parser.SkipObjectResolution)
			if err != nil {
				t.Fatal(err)
			}
			files = append(files, f)
		}
		info := &types.Info{Types: map[ast.Expr]types.TypeAndValue{}}
		checking := types.Config{Importer: from, Error: func(err error) { t.Log(err) }}
		_, _ = checking.Check(p.ImportPath, fset, files, info)
		for e, tv := range info.Types {
			if tv.Value == nil || types.Unalias(tv.Type).String() != codeType {
				continue
			}
			if code := pipeline.Code(constant.StringVal(tv.Value)); code != "" {
				all[code] = fset.Position(e.Pos()).String()
			}
		}
	}
	return all
}

func TestEveryCodeIsExplained(t *testing.T) {
	if testing.Short() {
		t.Skip("reads the whole module")
	}
	spoken := used(t)
	if len(spoken) < 20 {
		t.Fatalf("only %d codes were found in the module: the search is broken", len(spoken))
	}
	var missing []string
	for code, where := range spoken {
		if _, ok := Find(code); !ok {
			missing = append(missing, string(code)+" used at "+where)
		}
	}
	slices.Sort(missing)
	for _, m := range missing {
		t.Errorf("no explanation of %s", m)
	}
	for _, e := range All() {
		if _, ok := spoken[e.Code]; !ok {
			t.Errorf("%s is explained and never used", e.Code)
		}
		if len(e.Text) < 30 || e.Mend == "" {
			t.Errorf("%s: the explanation is too short, or there is no mend", e.Code)
		}
	}
}
