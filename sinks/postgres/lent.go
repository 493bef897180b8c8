package postgres

import (
	"errors"
	"io"
	"sync"
)

// A lent reader is given to somebody who may go on reading when it is wanted back:
// pgconn reads in a goroutine of its own, which it does not wait for when the
// connection is lost.
//
//	CopyFrom starts a goroutine that reads, and waits for the server
//	the connection is lost; CopyFrom returns the error
//	the target empties its buffer for the next try — while the goroutine reads rows in it
type lent struct {
	mu   sync.Mutex
	from io.Reader // nil once it was taken back
}

var errTakenBack = errors.New("the rows were taken back")

// Read implements io.Reader.
func (l *lent) Read(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.from == nil {
		return 0, errTakenBack
	}
	return l.from.Read(p)
}

// takeBack returns when nobody reads and nobody will.
func (l *lent) takeBack() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.from = nil
}
