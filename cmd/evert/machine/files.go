package machine

import (
	"fmt"

	"github.com/evertdb/evert/pipeline"
)

// leastFiles is how many files a daemon needs open at one time: those of the
// embedded log or of a view's state, connections, and clients.
const leastFiles = 256

// EnoughFiles refuses a process that may not open as many files as a daemon needs:
// the log would fail in the middle of its work (O09).
func EnoughFiles() error { return enoughFiles(OpenFiles()) }

func enoughFiles(most int) error {
	if most == 0 || most >= leastFiles {
		return nil
	}
	return &pipeline.Refusal{Code: CodeFiles, Where: "this process", What: fmt.Sprintf("the system allows it %d open files, and it needs %d", most, leastFiles),
		Mend: "ulimit -n 1024   # in the shell that starts it; LimitNOFILE= in a unit of systemd"}
}

// LogFiles is how many files the embedded log may hold open: half of what is
// allowed beyond the least, and no more than it has use for.
func LogFiles() int { return logFiles(OpenFiles()) }

func logFiles(most int) int {
	const fewest, useful = 75, 500 // Pebble holds 64 tables and some more, whatever it is told
	if most == 0 {
		return useful
	}
	return min(useful, fewest+max(0, most-leastFiles)/2)
}
