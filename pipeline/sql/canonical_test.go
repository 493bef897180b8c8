package sql

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestHashesStay compares the hashes of the queries of testdata/*.sql with what
// they were. Where one differs, every state of such a view is built anew when
// people go to this version: change them when rows or states change, and not for
// the looks of anything. R15.
func TestHashesStay(t *testing.T) {
	files, err := filepath.Glob("testdata/*.sql")
	if err != nil || len(files) == 0 {
		t.Fatal("no queries", err)
	}
	var b strings.Builder
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for i, query := range strings.Split(string(text), "\n----\n") {
			if v, err := Compile(query, shop(), Options{}); i%2 == 0 && err == nil {
				fmt.Fprintf(&b, "%x  %s\n", v.Hash[:8], strings.Join(strings.Fields(query), " "))
			}
		}
	}
	const golden = "testdata/hashes"
	if *update {
		if err := os.WriteFile(golden, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	old, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(old), b.String()); diff != "" {
		t.Errorf("states of views would be built anew; if they have to be: go test ./pipeline/sql -run TestHashesStay -update\n%s", diff)
	}
}

// TestHashOfPlans gives another hash to every other plan, and the same one to a
// key that is found anyway.
func TestHashOfPlans(t *testing.T) {
	const query = "SELECT o.state, count(*) AS n, sum(o.total) AS sum FROM shop.public.orders o WHERE o.total > 5 GROUP BY o.state"
	hash := func(query string, o Options) [32]byte {
		t.Helper()
		v, err := Compile(query, shop(), o)
		if err != nil {
			t.Fatal(err)
		}
		return v.Hash
	}
	first := hash(query, Options{})
	if hash(query, Options{Key: []string{"state"}}) != first {
		t.Error("the key that is found anyway gives another hash when it is written")
	}
	seen := map[[32]byte]string{first: "the query itself"}
	for name, change := range map[string][2]string{
		"R15 another function": {"sum(o.total)", "avg(o.total)"},
		"R15 another name":     {"AS n", "AS m"},
		"R15 DISTINCT":         {"sum(o.total)", "sum(DISTINCT o.total)"},
		"R15 FILTER":           {"count(*)", "count(*) FILTER (WHERE o.id > 3)"},
		"R15 HAVING":           {"GROUP BY o.state", "GROUP BY o.state HAVING count(*) > 1"},
	} {
		other := hash(strings.Replace(query, change[0], change[1], 1), Options{})
		if before := seen[other]; before != "" {
			t.Errorf("%s has the hash of %s", name, before)
		}
		seen[other] = name
	}
}
