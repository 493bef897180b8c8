package main

import (
	"bytes"
	"debug/buildinfo"
	"flag"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "rewrite the golden list")

const root = "../.."

// X15 every module of the binary has a licence that everybody may build upon;
// those of the tests alone may ask for their own files back (MPL). A new module
// shows in the golden list, and a reviewer decides.
func TestLicences(t *testing.T) {
	binary, err := licencesOf(t.Context(), root, "./cmd/evert")
	if err != nil {
		t.Fatal(err)
	}
	all, err := licencesOf(t.Context(), root, "-test", "./...")
	if err != nil {
		t.Fatal(err)
	}
	permissive := []string{"Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "ISC", "MIT"}
	var b strings.Builder
	b.WriteString("# Every module, with its licence. Rewrite: go test ./integration/supply -run TestLicences -update\n")
	for _, path := range slices.Sorted(maps.Keys(all)) {
		note := ""
		if binary[path] == "" {
			note = " (tests alone)"
		}
		if !slices.Contains(permissive, all[path]) && (note == "" || all[path] != "MPL-2.0") {
			t.Errorf("X15 %s is under %s", path, all[path])
		}
		fmt.Fprintf(&b, "%s %s%s\n", path, all[path], note)
	}
	const golden = "testdata/licences.txt"
	if *update {
		if err := os.WriteFile(golden, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil || string(want) != b.String() {
		t.Errorf("X15 the modules are not those of %s (%v); look at the new ones, then run: make golden", golden, err)
	}
}

func TestClassify(t *testing.T) {
	for text, want := range map[string]string{
		"GNU GENERAL PUBLIC LICENSE Version 3": "GPL", "Server Side Public License": "source-available",
		"Apache License\n   Version 2.0": "Apache-2.0", "Permission is hereby\ngranted, free of charge": "MIT",
		"Commons Clause … Apache License Version 2.0": "source-available", "All rights reserved.": "",
	} {
		if got, err := classify(text); got != want || (err == nil) != (want != "") {
			t.Errorf("%q: %s %v", text, got, err)
		}
	}
}

// build makes the binary as releases are made, from a copy of the tree that lies
// somewhere else.
func build(t *testing.T, from string, env ...string) string {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "evert")
	cmd := exec.Command("go", "build", "-trimpath", "-buildvcs=false", "-o", binary, "./cmd/evert")
	cmd.Dir = from
	cmd.Env = append(append(os.Environ(), "CGO_ENABLED=0"), env...)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return binary
}

// X15 two builds are equal: in another place, and, with EVERT_FULL=1, from
// nothing but sources. The bill tells of all that is in them.
func TestTwoBuildsAreEqual(t *testing.T) {
	t.Parallel()
	first := build(t, root)
	elsewhere := filepath.Join(t.TempDir(), "a", "longer", "path")
	if err := os.CopyFS(elsewhere, tracked(t)); err != nil {
		t.Fatal(err)
	}
	var env []string
	if os.Getenv("EVERT_FULL") == "1" {
		env = []string{"GOCACHE=" + t.TempDir()}
	}
	second := build(t, elsewhere, env...)
	if a, b := read(t, first), read(t, second); !bytes.Equal(a, b) {
		t.Errorf("X15 two builds of the same sources differ: %d and %d bytes", len(a), len(b))
	}
	here, err := filepath.Abs(root)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(read(t, first), []byte(here+"/")) {
		t.Errorf("X15 the binary names the folder that it was built in")
	}
	checkBill(t, first)
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// checkBill compares the bill of a binary with the module's own list.
func checkBill(t *testing.T, binary string) {
	t.Helper()
	info, err := buildinfo.ReadFile(binary)
	if err != nil {
		t.Fatal(err)
	}
	licences, err := licencesOf(t.Context(), root, "./cmd/evert")
	if err != nil {
		t.Fatal(err)
	}
	b := billOf(info, licences)
	sums := string(read(t, filepath.Join(root, "go.sum")))
	for _, c := range b.Components {
		if len(c.Licences) != 1 || len(c.Properties) != 1 || !strings.Contains(sums, c.Name+" "+c.Version+" "+c.Properties[0].Value+"\n") {
			t.Errorf("X15 the bill does not tell licence and sum of %+v", c)
		}
	}
	if len(b.Components) < 20 || b.Metadata.Component.Name != "github.com/evertdb/evert" {
		t.Errorf("X15 the bill has %d modules, of %s", len(b.Components), b.Metadata.Component.Name)
	}
}
