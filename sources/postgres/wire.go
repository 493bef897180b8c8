package postgres

import (
	"encoding/binary"
	"fmt"
	"io"
	"time"
)

// The replication protocol inside CopyData messages
// (https://www.postgresql.org/docs/current/protocol-replication.html):
//
//	server  'w' XLogData    start uint64 · end uint64 · clock int64 · WAL payload
//	server  'k' keepalive   end uint64 · clock int64 · reply now byte
//	client  'r' status      written uint64 · flushed uint64 · applied uint64 · clock int64 · reply now byte
//
// Clocks are microseconds since 2000-01-01 UTC.

const microsTo2000 = 946_684_800_000_000

func pgTime(micros int64) time.Time { return time.UnixMicro(micros + microsTo2000).UTC() }

// A frame is one message of the server. Payload points into the reader's buffer
// and is valid until the next read.
type frame struct {
	kind     byte // 'w' or 'k'
	start    lsn
	end      lsn
	clock    int64
	replyNow bool
	payload  []byte
}

func parseFrame(b []byte) (frame, error) {
	switch {
	case len(b) >= 25 && b[0] == 'w':
		return frame{
			kind: 'w', start: lsn(be.Uint64(b[1:])), end: lsn(be.Uint64(b[9:])),
			clock: int64(be.Uint64(b[17:])), payload: b[25:],
		}, nil
	case len(b) == 18 && b[0] == 'k' && b[17] <= 1:
		return frame{kind: 'k', end: lsn(be.Uint64(b[1:])), clock: int64(be.Uint64(b[9:])), replyNow: b[17] == 1}, nil
	}
	return frame{}, fmt.Errorf("replication message of %d bytes is malformed", len(b))
}

var be = binary.BigEndian

// statusMessage is a whole CopyData message. All three places are the durable
// one: what is only received must not be told as written either, because the
// server takes the furthest of them (P06).
func statusMessage(durable durableLSN, now time.Time, replyNow bool) []byte {
	b := make([]byte, 0, 39)
	b = append(b, 'd')
	b = be.AppendUint32(b, 4+34)
	b = append(b, 'r')
	for range 3 {
		b = be.AppendUint64(b, uint64(durable))
	}
	b = be.AppendUint64(b, uint64(now.UnixMicro()-microsTo2000))
	if replyNow {
		return append(b, 1)
	}
	return append(b, 0)
}

const (
	messageBufferBytes = 256 << 10
	maxMessageBytes    = 1<<30 + 1<<20 // a row is at most 1 GB
)

// A messageReader takes backend messages off a connection. A read that ends with
// a time-out loses nothing: the next one goes on where it stopped.
type messageReader struct {
	src    io.Reader
	buf    []byte
	lo, hi int // buf[lo:hi] is read and not yet taken
}

// buffered says whether a whole message is at hand.
func (r *messageReader) buffered() bool {
	n, ok := r.size()
	return ok && r.hi-r.lo >= n
}

// size is the length of the message at the front, type and length included.
func (r *messageReader) size() (int, bool) {
	if r.hi-r.lo < 5 {
		return 5, false
	}
	return 1 + int(be.Uint32(r.buf[r.lo+1:])), true
}

// next gives one message, its body valid until the next call.
func (r *messageReader) next() (kind byte, body []byte, err error) {
	for {
		n, known := r.size()
		if known && (n < 5 || n > maxMessageBytes) {
			return 0, nil, fmt.Errorf("backend message says it has %d bytes", n)
		}
		if known && r.hi-r.lo >= n {
			msg := r.buf[r.lo : r.lo+n]
			r.lo += n
			return msg[0], msg[5:], nil
		}
		if err := r.fill(n); err != nil {
			return 0, nil, err
		}
	}
}

// fill reads more, with room for a message of n bytes. A buffer grown for one
// large message is given back when it is empty.
func (r *messageReader) fill(n int) error {
	if r.lo == r.hi {
		r.lo, r.hi = 0, 0
		if r.buf == nil || len(r.buf) > messageBufferBytes && n <= messageBufferBytes {
			r.buf = make([]byte, messageBufferBytes)
		}
	}
	if r.lo+n > len(r.buf) && (n <= len(r.buf) || r.hi == len(r.buf)) {
		r.makeRoom(n)
	}
	m, err := r.src.Read(r.buf[r.hi:])
	r.hi += m
	if m > 0 {
		return nil
	}
	if err == nil {
		err = io.ErrNoProgress
	}
	return err
}

// believedBytes is how much of a message has to be there until its length is
// believed: to double further would hold a large one one and a half times.
const believedBytes = 4 << 20

// makeRoom grows step by step at first, so that a length alone reserves no
// gigabyte.
func (r *messageReader) makeRoom(n int) {
	into := r.buf
	switch {
	case n > len(r.buf) && len(r.buf) >= believedBytes:
		into = make([]byte, n)
	case n > len(r.buf):
		into = make([]byte, min(n, max(2*len(r.buf), messageBufferBytes)))
	}
	r.hi = copy(into, r.buf[r.lo:r.hi])
	r.lo, r.buf = 0, into
}
