//go:build linux

package pgserver_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/evertdb/evert/sources/postgres/pgserver"
)

// plant puts a fake Postgres of a version into a folder.
func plant(t *testing.T, dir, version string) string {
	t.Helper()
	must(t, os.MkdirAll(dir, 0o755))
	script := "#!/bin/sh\necho 'postgres (PostgreSQL) " + version + "'\n"
	for _, name := range []string{"postgres", "initdb"} {
		must(t, os.WriteFile(filepath.Join(dir, name), []byte(script), 0o755))
	}
	return dir
}

func TestFindOrder(t *testing.T) {
	root := t.TempDir()
	debian := func(v string) string { return filepath.Join(root, "usr/lib/postgresql", v, "bin") }
	find := func(path string) pgserver.Binaries {
		t.Helper()
		b, err := pgserver.Finder{Root: root, Path: path}.Find()
		must(t, err)
		return b
	}

	plant(t, filepath.Join(root, "usr/pgsql-18/bin"), "18.1")
	if b := find(""); b.Version != "18.1" {
		t.Errorf("alone: found %+v", b)
	}
	plant(t, debian("9.6"), "9.6.24")
	plant(t, debian("15"), "15.18 (Debian 15.18-0+deb12u1)")
	if b := find(""); b.Dir != debian("15") || b.Major != 15 || b.Version != "15.18" {
		t.Errorf("Debian before Red Hat, old ones passed over: found %+v", b)
	}
	plant(t, debian("17"), "17beta1")
	if b := find(""); b.Dir != debian("17") || b.Major != 17 {
		t.Errorf("newest first: found %+v", b)
	}
	onPath := plant(t, filepath.Join(root, "opt/pg/bin"), "13.4")
	links := filepath.Join(root, "links")
	must(t, os.MkdirAll(links, 0o755))
	must(t, os.Symlink(filepath.Join(onPath, "postgres"), filepath.Join(links, "postgres")))
	if b := find("/nowhere:" + links); b.Dir != onPath {
		t.Errorf("PATH first, links followed: found %+v", b)
	}
}

func TestFindNothing(t *testing.T) {
	root := t.TempDir()
	if _, err := (pgserver.Finder{Root: root}).Find(); !errors.Is(err, pgserver.ErrNotFound) {
		t.Errorf("empty machine: %v", err)
	}
	plant(t, filepath.Join(root, "usr/lib/postgresql/11/bin"), "11.22")
	_, err := pgserver.Finder{Root: root}.Find()
	if !errors.Is(err, pgserver.ErrNotFound) || !strings.Contains(err.Error(), "11.22, which is older than 12") {
		t.Errorf("only an old one: %v", err)
	}
}
