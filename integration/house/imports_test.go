package house

import (
	"flag"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// graph gives for each folder what its non-test files import, without the
// standard library.
func graph(t *testing.T) map[string][]string {
	edges := map[string][]string{}
	for _, s := range sources(t) {
		if s.test {
			continue
		}
		edges[s.folder] = append(edges[s.folder], foreign(s.imports(t))...)
	}
	for folder, list := range edges {
		slices.Sort(list)
		edges[folder] = slices.Compact(list)
	}
	return edges
}

// foreign leaves out the standard library, whose first element has no dot.
func foreign(paths []string) []string {
	return slices.DeleteFunc(paths, func(p string) bool {
		first, _, _ := strings.Cut(p, "/")
		return !strings.Contains(first, ".")
	})
}

func TestImportsAreThoseReviewed(t *testing.T) {
	const golden = "testdata/imports.txt"
	var b strings.Builder
	b.WriteString("# What each package imports besides the standard library; ours begin with a dot.\n")
	b.WriteString("# Rewrite: go test ./integration/house -update\n")
	edges := graph(t)
	for _, folder := range slices.Sorted(maps.Keys(edges)) {
		b.WriteString(folder + "\n")
		for _, path := range edges[folder] {
			b.WriteString("\t" + path + "\n")
		}
	}
	if *update {
		if err := os.WriteFile(golden, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(b.String(), "\n")); diff != "" {
		t.Errorf("imports changed; if that is meant: go test ./integration/house -update\n%s", diff)
	}
}

// A library lives in its one place, so that it can be replaced there.
func TestLibrariesLiveInOnePlace(t *testing.T) {
	homes := []struct {
		client  string
		folders []string
	}{
		{"github.com/jackc/pglogrepl", []string{"sources/postgres"}},
		{"github.com/jackc/pgx", []string{"sources/postgres", "sinks/postgres", "cmd/evert"}},
		{"github.com/go-mysql-org/go-mysql", []string{"sources/mysql"}},
		{"github.com/cockroachdb/pebble", []string{"pipeline/log/embedded", "pipeline/state"}},
		{"github.com/hamba/avro", []string{"schema/avro"}},
		{"github.com/twmb/franz-go/pkg/kgo", []string{"pipeline/log/kafka"}},
		{"github.com/twmb/franz-go/pkg/kadm", []string{"pipeline/log/kafka"}},
		{"github.com/twmb/franz-go/pkg/kerr", []string{"pipeline/log/kafka", "pipeline/log/embedded"}},
		{"github.com/twmb/franz-go/pkg/kmsg", []string{"pipeline/log/kafka", "pipeline/log/embedded"}},
		{"github.com/twmb/franz-go/pkg/sr", []string{"schema/registry"}},
		{"github.com/twmb/franz-go/pkg/kfake", nil}, // tests alone
		{"github.com/blevesearch/bleve", []string{"sinks/bleve"}},
		{"github.com/spf13/cobra", []string{"cmd/evert"}},
		{"github.com/goccy/go-yaml", []string{"configs"}},
		{"github.com/coreos/go-systemd", []string{"cmd/evert/service"}},
		{"github.com/ulikunitz/xz", []string{"sources/postgres/pgserver"}},
	}
	edges := graph(t)
	for _, home := range homes {
		t.Run(home.client, func(t *testing.T) {
			for folder, list := range edges {
				if below(folder, append(home.folders, "integration")...) {
					continue
				}
				for _, path := range list {
					if below(path, home.client) {
						t.Errorf("%s imports %s, which lives in %v", folder, path, home.folders)
					}
				}
			}
		})
	}
}

// Knowledge flows one way: schema ← pipeline ← {pipeline/*, sources/*, sinks/*}
// ← cmd ← integration.
func TestImportsFlowOneWay(t *testing.T) {
	for folder, list := range graph(t) {
		allowed := mayImport(folder)
		for _, path := range list {
			own, ok := strings.CutPrefix(path, "./")
			if ok && !below(own, allowed...) {
				t.Errorf("%s imports %s; it may import %v", folder, own, allowed)
			}
		}
	}
}

func mayImport(folder string) []string {
	top, rest, _ := strings.Cut(folder, "/")
	switch top {
	case "schema":
		if rest == "" {
			return nil
		}
		return []string{"schema"}
	case "pipeline":
		if rest == "" {
			return []string{"schema"}
		}
		return []string{"schema", "pipeline"}
	case "sources", "sinks":
		connector, _, _ := strings.Cut(rest, "/")
		return []string{"schema", "pipeline", top + "/" + connector, top + "/" + strings.TrimSuffix(top, "s") + "test"}
	case "configs":
		return []string{"schema", "pipeline", "configs"}
	case "cmd":
		return []string{"schema", "pipeline", "sources", "sinks", "configs", "cmd"}
	default: // integration sees all
		return []string{"schema", "pipeline", "sources", "sinks", "configs", "cmd", "integration"}
	}
}
