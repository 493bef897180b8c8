//go:build unix

package kafkaserver

import (
	"bytes"
	"os"
	"slices"
	"sync"
)

// logConfig keeps what tells of a node's life and of what goes wrong.
const logConfig = `status=error
rootLogger.level=info
rootLogger.appenderRefs=out
rootLogger.appenderRef.out.ref=out
appender.out.type=Console
appender.out.name=out
appender.out.layout.type=PatternLayout
appender.out.layout.pattern=%d{HH:mm:ss.SSS} %p %m (%c{1})%n
logger.config.name=org.apache.kafka.common.config
logger.config.level=warn
logger.raft.name=org.apache.kafka.raft
logger.raft.level=warn
logger.metadata.name=org.apache.kafka.image
logger.metadata.level=warn
logger.server.name=kafka.server.KafkaConfig
logger.server.level=warn
logger.clients.name=org.apache.kafka.clients
logger.clients.level=error
`

// hasStarted is what a node says when it takes requests, portTaken when it cannot
// listen.
const hasStarted, portTaken = "Kafka Server started", "Address already in use"

// A logFile takes what a node writes and notes that it has started.
type logFile struct {
	file    *os.File
	started chan struct{} // closed when the node says so

	mu     sync.Mutex
	newest []byte // the end of what it wrote
	starts bool
	cannot bool
}

func openLog(path string) (*logFile, error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	return &logFile{file: file, started: make(chan struct{})}, err
}

func (l *logFile) Write(b []byte) (int, error) {
	l.look(b)
	return l.file.Write(b)
}

// newestBytes is how much of the log is kept for an error's text.
const newestBytes = 16 << 10

// look searches the end of what came; a mark may lie over two writes.
func (l *logFile) look(b []byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.newest = append(l.newest, b...)
	window := l.newest[max(0, len(l.newest)-len(b)-len(portTaken)):]
	l.cannot = l.cannot || bytes.Contains(window, []byte(portTaken))
	if !l.starts && bytes.Contains(window, []byte(hasStarted)) {
		l.starts = true
		close(l.started)
	}
	if len(l.newest) > 2*newestBytes {
		l.newest = append(l.newest[:0], l.newest[len(l.newest)-newestBytes:]...)
	}
}

// taken reports whether somebody else listens where the node wanted to.
func (l *logFile) taken() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.cannot
}

// tail gives the last lines, indented, on lines of their own.
func (l *logFile) tail() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return lastLines(l.newest, 20)
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
