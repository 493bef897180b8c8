//go:build unix

package harness

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// tick is the unit of processor time in /proc on every architecture of Linux:
// USER_HZ is 100 there.
const tick = 10 * time.Millisecond

// Processor gives the time that a process, its children and those of them that have
// ended have had of processors. Linux only; elsewhere it is an error.
func Processor(pid int) (time.Duration, error) {
	all, err := stats()
	if err != nil {
		return 0, err
	}
	me, ok := all[pid]
	if !ok {
		return 0, fmt.Errorf("process %d: %w", pid, os.ErrProcessDone)
	}
	total := me.own + me.ended
	for _, s := range all {
		if s.parent == pid {
			total += s.own + s.ended
		}
	}
	return total, nil
}

// A stat is what /proc/PID/stat says of a process.
type stat struct {
	parent     int
	own, ended time.Duration // of the process, and of children that were waited for
}

func stats() (map[int]stat, error) {
	files, err := filepath.Glob("/proc/[0-9]*/stat")
	if err == nil && len(files) == 0 {
		err = fmt.Errorf("/proc: %w", os.ErrNotExist)
	}
	all := map[int]stat{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			continue // it has ended
		}
		pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(file)))
		all[pid] = parseStat(string(text))
	}
	return all, err
}

// parseStat reads the fields behind the name of the program, which may hold spaces and
// brackets: see proc_pid_stat(5).
func parseStat(text string) stat {
	f := strings.Fields(text[strings.LastIndexByte(text, ')')+1:])
	ticks := func(field int) time.Duration {
		n, _ := strconv.ParseInt(f[field-3], 10, 64)
		return time.Duration(n) * tick
	}
	parent, _ := strconv.Atoi(f[4-3])
	return stat{parent: parent, own: ticks(14) + ticks(15), ended: ticks(16) + ticks(17)}
}
