package sql

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/evertdb/evert/pipeline/dataflow"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// TestPlans compares the plans of testdata/*.sql with what stands behind the
// query. A file is queries and plans in turn, each behind a line of dashes.
func TestPlans(t *testing.T) {
	files, err := filepath.Glob("testdata/*.sql")
	if err != nil || len(files) == 0 {
		t.Fatal("no golden files", err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			old, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			got := planned(string(old))
			if *update {
				if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if diff := cmp.Diff(string(old), got); diff != "" {
				t.Errorf("go test ./pipeline/sql -run TestPlans -update\n%s", diff)
			}
		})
	}
}

// planned writes the plans of a file anew.
func planned(file string) string {
	var b strings.Builder
	for i, part := range strings.Split(file, "\n----\n") {
		if i%2 != 0 {
			continue
		}
		if i > 0 {
			b.WriteString("\n----\n")
		}
		b.WriteString(part + "\n----\n")
		v, err := Compile(part, shop(), Options{})
		if err != nil {
			b.WriteString(err.Error())
			continue
		}
		b.WriteString(strings.TrimSuffix(explained(v.Plan), "\n"))
	}
	return strings.TrimSuffix(b.String(), "\n") + "\n"
}

// explained draws a plan.
func explained(p *dataflow.Plan) string {
	cols := p.Root.Columns()
	text := "view by (" + strings.Join(namesAt(cols, p.Key), ", ") + ")\n"
	for _, index := range p.Indexes {
		text += "also by (" + strings.Join(namesAt(cols, index), ", ") + ")\n"
	}
	for _, line := range Tree(Operators(p)) {
		text += line.Text + "\n"
	}
	return text
}
