//go:build unix

package opensearchserver

import (
	"bytes"
	"os"
	"slices"
	"sync"
)

const logConfig = `status = error
appender.console.type = Console
appender.console.name = console
appender.console.layout.type = PatternLayout
appender.console.layout.pattern = %d{HH:mm:ss.SSS} %p %m (%c{1})%n
rootLogger.level = info
rootLogger.appenderRef.console.ref = console
logger.deprecation.name = deprecation
logger.deprecation.level = error
`

// hasStarted is what a node says when it takes requests, portTaken when it cannot
// listen.
const hasStarted, portTaken = "INFO started (Node)", "Address already in use"

// A logFile takes what a node writes and notes that it has started.
type logFile struct {
	file    *os.File
	started chan struct{} // closed when the node says so

	mu     sync.Mutex
	text   []byte // what this run wrote first
	starts bool
}

func openLog(path string) (*logFile, error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	return &logFile{file: file, started: make(chan struct{})}, err
}

func (l *logFile) Write(b []byte) (int, error) {
	l.look(b)
	return l.file.Write(b)
}

// mostKept bytes of the log are kept for looking and for an error's text: those of
// the start.
const mostKept = 64 << 10

func (l *logFile) look(b []byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.text) > mostKept {
		return
	}
	l.text = append(l.text, b...)
	if !l.starts && bytes.Contains(l.text, []byte(hasStarted)) {
		l.starts = true
		close(l.started)
	}
}

// said reports whether a text stands in what the run wrote first.
func (l *logFile) said(text string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return bytes.Contains(l.text, []byte(text))
}

// tail gives the last lines, indented, on lines of their own.
func (l *logFile) tail() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return lastLines(l.text, 20)
}

// lastLines leaves out where in Java it happened.
func lastLines(text []byte, n int) string {
	lines := slices.DeleteFunc(bytes.Split(bytes.TrimSpace(text), []byte("\n")), func(line []byte) bool {
		return len(line) == 0 || bytes.HasPrefix(line, []byte("\tat "))
	})
	if len(lines) == 0 {
		return ""
	}
	lines = lines[max(0, len(lines)-n):]
	return "\n    " + string(bytes.Join(lines, []byte("\n    ")))
}
