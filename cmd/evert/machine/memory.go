package machine

import (
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// allowed gives how much memory the system lets a process of this one have, and
// what says so; 0 if nothing does. Linux alone tells:
//
//	/sys/fs/cgroup/memory.max                     version 2, a number or max
//	/sys/fs/cgroup/memory/memory.limit_in_bytes   version 1, huge if there is none
//	/proc/meminfo                                 MemTotal: N kB
func (m *Machine) allowed() (limit int64, from string) {
	limit = math.MaxInt64
	take := func(n int64, ok bool, source string) {
		if ok && n > 0 && n < limit {
			limit, from = n, source
		}
	}
	n, ok := m.number("proc/meminfo")
	take(n<<10, ok, "all of the machine's memory")
	for _, path := range []string{"sys/fs/cgroup/memory.max", "sys/fs/cgroup/memory/memory.limit_in_bytes"} {
		n, ok := m.number(path)
		take(n, ok, "the limit of its cgroup")
	}
	if from == "" {
		return 0, ""
	}
	return limit, from
}

// number reads the first number of a file.
func (m *Machine) number(path string) (int64, bool) {
	root := m.System
	if root == "" {
		root = "/"
	}
	text, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(path)))
	if err != nil {
		return 0, false
	}
	words := strings.Fields(strings.TrimPrefix(string(text), "MemTotal:"))
	if len(words) == 0 {
		return 0, false
	}
	n, err := strconv.ParseInt(words[0], 10, 64)
	return n, err == nil
}
