package postgres

import (
	"io"

	"github.com/jackc/pgx/v5/pgconn"
)

// A shortener lies between a connection and those who read its messages, and sees to
// it that none of them has a value that is too large for memory: of a message that is
// long it sets the large values aside while it reads it, and gives the message with
// their stand-ins. Everything else passes as it is, in place.
//
//	the server sends   D  200,000,031  2 columns  4 "0042"  200,000,000 "aaaaaaaaaa…"
//	who reads gets     D           69  2 columns  4 "0042"           48 "token·number"
//
// A read that ends with a time-out loses nothing. It belongs to whoever reads from the
// connection; what it is to look for is set between two commands.
type shortener struct {
	src   io.Reader
	store *asides
	seek  carried

	taken   int64  // bytes read from src so far
	left    int64  // of the message that passes
	inBlock bool   // between Stream Start and Stream Stop
	buf     []byte // read and not given: buf[lo:hi], of which ready may be
	lo, hi  int
	ready   int
	long    *long  // the message that is being made shorter
	out     []byte // what was made of one
	err     error  // why nothing more can be read
}

// shortenerKey is where a connection has its shortener.
const shortenerKey = "shortener"

func shortenerOf(conn *pgconn.PgConn) *shortener {
	s, _ := conn.CustomData()[shortenerKey].(*shortener)
	return s
}

// carried is what messages carry rows, and in which form.
type carried uint8

const (
	carriesNone    carried = iota
	carriesChanges         // CopyData: the replication protocol
	carriesBinary          // CopyData: COPY in binary format
	carriesText            // CopyData: COPY in text format
	carriesRows            // DataRow
)

const (
	headBytes    = 5                  // of a message: its kind and length
	changeBytes  = headBytes + 25 + 1 // and those of a change in the log, up to its kind
	shortenBytes = 128 << 10          // read at a time, for those who ask for less
)

// Read gives what comes next.
func (s *shortener) Read(p []byte) (int, error) {
	for {
		switch {
		case len(s.out) > 0:
			n := copy(p, s.out)
			s.out = s.out[n:]
			return n, nil
		case s.ready > 0:
			n := copy(p, s.buf[s.lo:s.lo+s.ready])
			s.lo, s.ready = s.lo+n, s.ready-n
			return n, nil
		}
		s.out = nil
		if s.further() {
			continue
		}
		if s.err != nil {
			return 0, s.err
		}
		if n, err := s.read(p); n > 0 || err != nil {
			return n, err
		}
	}
}

// further gets further with what is in buf, if that is enough.
func (s *shortener) further() bool {
	switch {
	case s.lo == s.hi:
		return false
	case s.long != nil:
		s.shorten()
	default:
		s.ready = s.scan(s.buf[s.lo:s.hi])
	}
	return s.err == nil && (s.ready > 0 || s.long != nil || len(s.out) > 0)
}

// read reads more: into p if that has room, behind what could not pass, and else into
// buf.
func (s *shortener) read(p []byte) (int, error) {
	if s.long != nil || len(p) < shortenBytes+changeBytes {
		return 0, s.fill()
	}
	kept := copy(p, s.buf[s.lo:s.hi])
	n, err := s.src.Read(p[kept:])
	s.taken += int64(n)
	if n == 0 {
		return 0, orNoProgress(err)
	}
	n += kept
	pass := s.scan(p[:n])
	if pass < n {
		s.makeRoom(n - pass)
	}
	s.lo, s.hi = 0, copy(s.buf, p[pass:n])
	return pass, nil
}

// fill reads behind what is in buf.
func (s *shortener) fill() error {
	s.makeRoom(shortenBytes)
	s.hi = copy(s.buf, s.buf[s.lo:s.hi])
	s.lo = 0
	n, err := s.src.Read(s.buf[s.hi:])
	s.hi, s.taken = s.hi+n, s.taken+int64(n)
	if n == 0 {
		return orNoProgress(err)
	}
	return nil
}

// makeRoom makes buf n bytes long, with what is in it.
func (s *shortener) makeRoom(n int) {
	if len(s.buf) < n {
		buf := make([]byte, max(n, shortenBytes))
		copy(buf, s.buf)
		s.buf = buf
	}
}

func orNoProgress(err error) error {
	if err == nil {
		return io.ErrNoProgress
	}
	return err
}

// scan says how many bytes of b may pass: up to a message that is to be made shorter,
// or to one of which too little is there to tell.
func (s *shortener) scan(b []byte) (pass int) {
	for {
		if n := int64(len(b) - pass); s.left >= n {
			s.left -= n
			return len(b)
		}
		pass += int(s.left)
		s.left = 0
		head := b[pass:]
		if len(head) < headBytes {
			return pass
		}
		size := 1 + int64(be.Uint32(head[1:]))
		if s.seek == carriesChanges && head[0] == 'd' && size >= changeBytes {
			if len(head) < changeBytes {
				return pass
			}
			s.track(head[headBytes:])
		}
		if s.isLong(head[0], size) {
			s.long = newLong(s, head[0], size)
			return pass
		}
		s.left = max(size, headBytes)
	}
}

// track follows the blocks of streamed transactions, in which changes carry a number
// more.
func (s *shortener) track(frame []byte) {
	if frame[0] != 'w' {
		return
	}
	switch frame[25] {
	case 'S':
		s.inBlock = true
	case 'E':
		s.inBlock = false
	}
}

func (s *shortener) isLong(kind byte, size int64) bool {
	carries := kind == 'd' && s.seek != carriesRows || kind == 'D' && s.seek == carriesRows
	return carries && s.seek != carriesNone && s.store != nil && s.store.dir != "" && size > int64(s.store.above) && size <= maxMessageBytes
}

// shorten takes what is in buf of the long message.
func (s *shortener) shorten() {
	n, err := s.long.take(s.buf[s.lo:s.hi])
	s.lo += n
	if err == nil && s.long.left == 0 {
		s.out, err = s.long.done()
		s.long = nil
	}
	s.err = err
}

// abandon lets go what was set aside for nobody: the connection is gone.
func (s *shortener) abandon() {
	if s == nil || s.store == nil {
		return
	}
	if s.long != nil && s.long.value != nil {
		_ = s.long.value.abandon() // its file is removed when the folder is opened again
	}
	s.long = nil
	s.store.forget(s)
}
