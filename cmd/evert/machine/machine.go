package machine

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/evertdb/evert/cmd/evert/terminal"
	"github.com/evertdb/evert/pipeline"
)

// The codes of what is found.
const (
	CodeDisk   pipeline.Code = "DISK_LOW"
	CodeMemory pipeline.Code = "MEMORY_LIMIT"
	CodeMode   pipeline.Code = "FILE_MODE"
	CodeFiles  pipeline.Code = "OPEN_FILES"
)

// A Machine is what a deployment needs of the one it runs on.
type Machine struct {
	DataDir  string
	Room     int64    // bytes that should be free where DataDir lies, or will
	Memory   int64    // bytes that the process aims to stay below
	KeyFiles []string // private keys that the file names; empty ones are left out

	System string // where /proc and /sys lie; empty: the root
}

// Look gives what is found, fine or not. A DataDir that is not there yet is
// looked for where it will be made.
func (m *Machine) Look() (all []pipeline.Finding) {
	return append(append(m.disk(), m.memory()...), m.modes()...)
}

func warn(code pipeline.Code, where, what, mend string) []pipeline.Finding {
	return []pipeline.Finding{pipeline.Found(pipeline.Warns, pipeline.Refusal{Code: code, Where: where, What: what, Mend: mend})}
}

func (m *Machine) where() string { return "data directory " + m.DataDir }

func (m *Machine) disk() []pipeline.Finding {
	dir := existing(m.DataDir)
	left, err := free(dir)
	if err != nil {
		return nil // a file system that does not tell; it will say when it is full
	}
	if left < m.Room {
		return warn(CodeDisk, m.where(), fmt.Sprintf("%s are free on its disk, and %s should be", terminal.Bytes(left), terminal.Bytes(m.Room)),
			"free some space there, or move data_dir to a larger disk while the daemon is stopped")
	}
	return []pipeline.Finding{pipeline.Good(m.where(), terminal.Bytes(left)+" are free on its disk")}
}

// existing is path, or the nearest folder above it that is there.
func existing(path string) string {
	path, err := filepath.Abs(path)
	if err != nil {
		return "."
	}
	for {
		if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) || path == filepath.Dir(path) {
			return path
		}
		path = filepath.Dir(path)
	}
}

// headroom is what the process needs beside what the garbage collector counts,
// and between two of its runs.
const headroom = 5 // 1/5 of the aim

func (m *Machine) memory() []pipeline.Finding {
	limit, from := m.allowed()
	if limit == 0 {
		return nil
	}
	if aim := m.Memory + m.Memory/headroom; aim > limit {
		return warn(CodeMemory, "limits.memory", fmt.Sprintf("it is %s, and the system ends a process above %s (%s); it needs a fifth more than its aim",
			terminal.Bytes(m.Memory), terminal.Bytes(limit), from), fmt.Sprintf("limits: {memory: %dMiB}, or allow the process %s", max(limit*headroom/(headroom+1)>>20, 64), terminal.Bytes(aim)))
	}
	return []pipeline.Finding{pipeline.Good("limits.memory", fmt.Sprintf("%s of %s (%s)", terminal.Bytes(m.Memory), terminal.Bytes(limit), from))}
}

// modes tells of files that other users may read (X13). Windows has no such bits.
func (m *Machine) modes() (all []pipeline.Finding) {
	if runtime.GOOS == "windows" {
		return nil
	}
	look := func(path string, others fs.FileMode, mode string, what string) {
		info, err := os.Stat(path)
		if path == "" || err != nil || info.Mode().Perm()&others == 0 {
			return
		}
		all = append(all, warn(CodeMode, path, fmt.Sprintf("other users may use %s (mode %04o)", what, info.Mode().Perm()), "chmod "+mode+" '"+strings.ReplaceAll(path, "'", `'\''`)+"'")...)
	}
	look(m.DataDir, 0o077, "700", "the rows of the database that lie in it")
	for _, key := range m.KeyFiles {
		look(key, 0o007, "600", "this private key")
	}
	if all == nil {
		return []pipeline.Finding{pipeline.Good(m.where(), "no other user may read it, nor the private keys of the file")}
	}
	return all
}
