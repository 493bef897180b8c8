//go:build unix

package machine

import (
	"math"

	"golang.org/x/sys/unix"
)

// OpenFiles is how many files this process may have open at one time; 0 if that is
// not known or not bounded. Go's runtime has raised it to the hard limit.
func OpenFiles() int {
	var l unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &l); err != nil || uint64(l.Cur) > math.MaxInt32 {
		return 0
	}
	return int(l.Cur)
}
