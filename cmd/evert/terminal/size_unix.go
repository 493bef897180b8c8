//go:build unix

package terminal

import (
	"os"

	"golang.org/x/sys/unix"
)

// size gives columns and rows of the terminal behind f, zeros if it is none.
func size(f *os.File) (columns, rows int) {
	ws, err := unix.IoctlGetWinsize(int(f.Fd()), unix.TIOCGWINSZ)
	if err != nil {
		return 0, 0
	}
	if ws.Col == 0 { // a terminal that does not know its size
		return 80, 24
	}
	return int(ws.Col), int(ws.Row)
}
