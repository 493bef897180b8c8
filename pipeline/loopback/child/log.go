package child

import (
	"bytes"
	"io"
	"os"
	"slices"
)

// A log is what one run of a program prints: a file from where it ended before.
type log struct {
	path string
	from int64
}

// mostRead bounds how much of the end of a log is looked at.
const mostRead = 1 << 20

// read gives what the run has printed so far; nothing if it cannot be read.
func (l log) read() []byte {
	file, err := os.Open(l.path)
	if err != nil {
		return nil
	}
	defer file.Close()
	end, err := file.Seek(0, io.SeekEnd)
	if err != nil {
		return nil
	}
	from := max(l.from, end-mostRead)
	text, _ := io.ReadAll(io.NewSectionReader(file, from, end-from)) // as much as can be read
	return text
}

func (l log) tail() string { return Tail(l.read()) }

// tailLines is how many lines an error shows.
const tailLines = 20

// Tail gives the last lines of what a program printed, indented, on lines of their own,
// without those that say where in Java it happened.
func Tail(text []byte) string {
	lines := slices.DeleteFunc(bytes.Split(bytes.TrimSpace(text), []byte("\n")), func(line []byte) bool {
		return len(line) == 0 || bytes.HasPrefix(line, []byte("\tat "))
	})
	if len(lines) == 0 {
		return ""
	}
	lines = lines[max(0, len(lines)-tailLines):]
	return "\n    " + string(bytes.Join(lines, []byte("\n    ")))
}
