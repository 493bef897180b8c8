package machine

import (
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/evertdb/evert/pipeline"
)

// find gives the findings with a code.
func find(m *Machine, code pipeline.Code) (out []pipeline.Finding) {
	for _, f := range m.Look() {
		if f.Code == code {
			out = append(out, f)
		}
	}
	return out
}

func TestDisk(t *testing.T) {
	m := &Machine{DataDir: filepath.Join(t.TempDir(), "not", "yet", "there"), Room: 1}
	if got := find(m, CodeDisk); len(got) > 0 {
		t.Errorf("a byte is free: %v", got)
	}
	m.Room = math.MaxInt64
	if got := find(m, CodeDisk); len(got) != 1 || got[0].Severity != pipeline.Warns {
		t.Errorf("got %v", got)
	}
}

func TestMemory(t *testing.T) {
	for _, c := range []struct {
		story, path, text string
		warns             string // part of the sentence; empty: all is well
	}{
		{"the machine has enough", "proc/meminfo", "MemTotal:       16384000 kB\nMemFree: 1 kB\n", ""},
		{"the machine is small", "proc/meminfo", "MemTotal:       131072 kB\n", "all of the machine's memory"},
		{"a container of version 2", "sys/fs/cgroup/memory.max", "134217728\n", "limit of its cgroup"},
		{"one of version 2 without a limit", "sys/fs/cgroup/memory.max", "max\n", ""},
		{"a container of version 1", "sys/fs/cgroup/memory/memory.limit_in_bytes", "134217728\n", "limit of its cgroup"},
		{"nobody says", "elsewhere", "", ""},
	} {
		t.Run(c.story, func(t *testing.T) {
			m := &Machine{DataDir: t.TempDir(), Memory: 160 << 20, System: t.TempDir()}
			path := filepath.Join(m.System, c.path)
			if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, []byte(c.text), 0o644); err != nil {
				t.Fatal(err)
			}
			got := find(m, CodeMemory)
			if (len(got) == 1) != (c.warns != "") || len(got) == 1 && (!strings.Contains(got[0].What, c.warns) || !strings.Contains(got[0].Mend, "memory: 106MiB")) {
				t.Errorf("got %v", got)
			}
		})
	}
}

// X13: what other users may read is told, and the mend, as printed, mends it.
func TestModes(t *testing.T) {
	if runtime.GOOS == "windows" {
		return // it has no such bits
	}
	m := &Machine{DataDir: filepath.Join(t.TempDir(), "it's data"), KeyFiles: []string{"", filepath.Join(t.TempDir(), "key.pem")}}
	if err := os.Mkdir(m.DataDir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(m.KeyFiles[1], nil, 0o640); err != nil {
		t.Fatal(err)
	}
	t.Run("X13 a key for its group, and a folder for its owner", func(t *testing.T) {
		if got := find(m, CodeMode); len(got) > 0 {
			t.Errorf("got %v", got)
		}
	})
	t.Run("X13 a key and a folder for everybody", func(t *testing.T) {
		for path, mode := range map[string]os.FileMode{m.DataDir: 0o755, m.KeyFiles[1]: 0o644} {
			if err := os.Chmod(path, mode); err != nil {
				t.Fatal(err)
			}
		}
		got := find(m, CodeMode)
		if len(got) != 2 {
			t.Fatalf("got %v", got)
		}
		for _, f := range got {
			if out, err := exec.Command("sh", "-c", f.Mend).CombinedOutput(); err != nil {
				t.Fatalf("%s: %s", f.Mend, out)
			}
		}
		if left := find(m, CodeMode); len(left) > 0 {
			t.Errorf("not mended: %v", left)
		}
	})
}
