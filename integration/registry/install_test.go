//go:build unix

package registry

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// kafkajs is the version of @kafkajs/confluent-schema-registry.
const kafkajs = "3.9.0"

// python gives an interpreter that has what requirements.txt names.
func python(t *testing.T) string {
	t.Helper()
	need(t, "python3", "sudo apt-get install -y python3-venv")
	list, err := os.ReadFile("testdata/requirements.txt")
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(list)
	dir := installed(t, "python-"+hex.EncodeToString(sum[:6]), func(dir string) [][]string {
		return [][]string{
			{"python3", "-m", "venv", dir},
			{filepath.Join(dir, "bin", "pip"), "install", "--quiet", "--no-deps", "--disable-pip-version-check", "-r", absolute(t, "testdata/requirements.txt")},
		}
	})
	return filepath.Join(dir, "bin", "python")
}

// nodeModules gives a folder of modules with the client for JavaScript.
func nodeModules(t *testing.T) string {
	t.Helper()
	need(t, "node", "sudo apt-get install -y nodejs npm")
	need(t, "npm", "sudo apt-get install -y npm")
	dir := installed(t, "kafkajs-registry-"+kafkajs, func(dir string) [][]string {
		return [][]string{{"npm", "install", "--prefix", dir, "--ignore-scripts", "--no-audit", "--no-fund", "@kafkajs/confluent-schema-registry@" + kafkajs}}
	})
	return filepath.Join(dir, "node_modules")
}

// need skips the test where a program is missing; the lanes count that, and fail
// it with CI=true.
func need(t *testing.T, program, hint string) {
	t.Helper()
	if _, err := exec.LookPath(program); err != nil {
		t.Skipf("no %s\n  mend: %s", program, hint)
	}
}

// installed gives a folder of the user's cache, made by commands the first time: by one
// test, for which the others wait. A folder counts when its mark is there.
func installed(t *testing.T, name string, commands func(dir string) [][]string) string {
	t.Helper()
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(cache, "evert", "clients", name)
	defer lock(t, dir+".lock")()
	mark := filepath.Join(dir, ".complete")
	if _, err := os.Stat(mark); err == nil {
		return dir
	} else if !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	if err := errors.Join(os.RemoveAll(dir), os.MkdirAll(dir, 0o755)); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute)
	defer cancel()
	for _, c := range commands(dir) {
		if out, err := exec.CommandContext(ctx, c[0], c[1:]...).CombinedOutput(); err != nil {
			t.Skipf("%v: %v; it needs a package registry once\n%.2000s", c, err, out)
		}
	}
	if err := os.WriteFile(mark, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	return dir
}

// lock waits until no other test, of whatever process, holds the file.
func lock(t *testing.T, path string) (unlock func()) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	return func() { _ = f.Close() }
}

func absolute(t *testing.T, path string) string {
	t.Helper()
	abs, err := filepath.Abs(path)
	if err != nil {
		t.Fatal(err)
	}
	return abs
}
