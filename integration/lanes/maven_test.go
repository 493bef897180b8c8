package main

import (
	"archive/zip"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Of an artifact is unpacked what a server runs by, for every user, and nothing beside the
// folder; another file than the pinned one is refused.
func TestMavenServerIsUnpacked(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, "server.zip")
	file, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	w := zip.NewWriter(file)
	for _, entry := range []string{"bin/", "bin/mysqld", "bin/mysqld-debug", "bin/mysqldump", "docs/a", "lib/plugin/p.so", "lib/plugin/debug/p.so", "share/english/errmsg.sys"} {
		if _, err := w.Create(entry); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}
	s := mavenServer{
		file: "server.zip", sha256: strings.Repeat("0", 64), daemon: "bin/mysqld",
		parts: []string{"bin/mysqld", "lib/plugin/", "share/"}, without: []string{"bin/mysqld-debug", "bin/mysqldump", "lib/plugin/debug/"},
	}
	if err := s.check(name); err == nil || !strings.Contains(err.Error(), "server.zip has sha256") {
		t.Errorf("another file than the pinned one: %v", err)
	}
	if err := s.unpack(name, filepath.Join(dir, "tree")); err != nil {
		t.Fatal(err)
	}
	var got []string
	err = filepath.WalkDir(filepath.Join(dir, "tree"), func(path string, e os.DirEntry, err error) error {
		if err == nil && !e.IsDir() {
			info, _ := e.Info()
			got = append(got, info.Mode().String()+" "+strings.TrimPrefix(path, dir+"/tree/"))
		}
		return err
	})
	if want := "-rwxr-xr-x bin/mysqld, -rwxr-xr-x lib/plugin/p.so, -rwxr-xr-x share/english/errmsg.sys"; err != nil || strings.Join(got, ", ") != want {
		t.Errorf("%s, %v; want %s", strings.Join(got, ", "), err, want)
	}
}
