package postgres

import (
	"bytes"
	"errors"
)

// A long message is made shorter as it comes, piece by piece. It reads what is short
// into out, and values that are large into files, with a stand-in in out.
type long struct {
	of   *shortener
	left int64 // of the message
	out  []byte

	// What comes next: need bytes, which then takes; or a value of which more bytes are
	// left; or text of COPY, if line is set.
	need  int
	have  []byte
	then  func(b []byte)
	maybe bool // or the message ends
	more  int64
	after func() // the value

	value *asideWriter // the large value that is read; nil: it is a short one
	line  *line
	err   error
}

var errLong = errors.New("a long message is malformed")

// newLong begins a message of a kind and a size, its head included.
func newLong(s *shortener, kind byte, size int64) *long {
	l := &long{of: s, left: size}
	l.want(headBytes, func([]byte) {
		switch s.seek {
		case carriesChanges:
			l.change()
		case carriesBinary:
			l.copied()
		case carriesText:
			l.line = &line{l: l}
		case carriesRows:
			l.want(2, func(b []byte) { l.fields(int(int16(be.Uint16(b))), l.end) })
		}
	})
	return l
}

// want has the next n bytes gathered, kept in out, and given to then.
func (l *long) want(n int, then func(b []byte)) { l.need, l.then, l.maybe = n, then, false }

// wantMaybe is want, unless the message ends here.
func (l *long) wantMaybe(n int, then func(b []byte)) {
	l.want(n, then)
	l.maybe = true
}

// end expects nothing more.
func (l *long) end() { l.then = nil }

// take takes what it needs of b, and says how much that was.
func (l *long) take(b []byte) (n int, err error) {
	b = b[:min(int64(len(b)), l.left)]
	for n < len(b) && l.err == nil {
		switch {
		case l.line != nil:
			n += l.line.take(b[n:])
		case l.more > 0:
			n += l.pour(b[n:])
		case l.then != nil:
			n += l.gather(b[n:])
		default:
			l.err = errLong
		}
	}
	return n, l.err
}

func (l *long) gather(b []byte) int {
	n := min(l.need-len(l.have), len(b))
	l.left -= int64(n)
	if l.have = append(l.have, b[:n]...); len(l.have) < l.need {
		return n
	}
	have, then := l.have, l.then
	l.have, l.then = nil, nil
	l.out = append(l.out, have...)
	then(have)
	return n
}

// done gives the message, made shorter.
func (l *long) done() ([]byte, error) {
	cut := l.then != nil && (!l.maybe || len(l.have) > 0) || l.more > 0 || l.line != nil && !l.line.isWhole()
	if cut {
		return nil, errLong
	}
	be.PutUint32(l.out[1:], uint32(len(l.out)-1))
	return l.out, nil
}

// sized reads a value of n bytes, whose length comes before it, and then goes on.
func (l *long) sized(n int64, then func()) {
	if n < 0 || n > l.left {
		l.err = errLong
		return
	}
	if n > int64(l.of.store.above) {
		if l.value, l.err = l.of.store.begin(l.of); l.err != nil {
			return
		}
		l.out = be.AppendUint32(l.out[:len(l.out)-4], standBytes)
	}
	if l.more = n; n == 0 {
		then()
		return
	}
	l.after = then
}

// pour takes bytes of the value.
func (l *long) pour(b []byte) int {
	n := int(min(l.more, int64(len(b))))
	l.left -= int64(n)
	if l.value == nil {
		l.out = append(l.out, b[:n]...)
	} else if _, l.err = l.value.Write(b[:n]); l.err != nil {
		return n
	}
	if l.more -= int64(n); l.more > 0 {
		return n
	}
	l.endValue()
	if l.err == nil {
		l.after()
	}
	return n
}

// endValue puts the stand-in of a large value into its place.
func (l *long) endValue() {
	if l.value == nil {
		return
	}
	l.out = append(l.out, l.value.stand()...)
	l.err = l.value.end()
	l.value = nil
}

// fields reads n fields, each behind its length, -1 for NULL.
func (l *long) fields(n int, then func()) {
	if n == 0 {
		then()
		return
	}
	next := func() { l.fields(n-1, then) }
	l.want(4, func(b []byte) {
		if size := int32(be.Uint32(b)); size == -1 {
			next()
		} else {
			l.sized(int64(size), next)
		}
	})
}

// copied reads COPY in binary format: rows, before the first one the header.
func (l *long) copied() {
	l.wantMaybe(2, func(b []byte) {
		switch n := int(int16(be.Uint16(b))); {
		case string(b) == copySignature[:2]: // no row has as many columns
			l.want(17, func(b []byte) {
				l.want(int(min(be.Uint32(b[13:]), leastAside)), func([]byte) { l.copied() })
			})
		case n == -1: // the trailer
			l.end()
		default:
			l.fields(n, l.copied)
		}
	})
}

// change reads a change of the log: the frame, the kind, in a block the transaction,
// and the relation; then tuples, each behind its mark.
func (l *long) change() {
	n := 25 + 1 + 4
	if l.of.inBlock {
		n += 4
	}
	l.want(n, func(b []byte) {
		switch b[25] {
		case 'I', 'U', 'D':
			l.tuple()
		default: // holds no values
			l.more, l.after = l.left, l.end
		}
	})
}

func (l *long) tuple() {
	l.wantMaybe(1+2, func(b []byte) { l.columns(int(be.Uint16(b[1:]))) })
}

func (l *long) columns(n int) {
	if n == 0 {
		l.tuple()
		return
	}
	l.want(1, func(b []byte) {
		switch b[0] {
		case 't', 'b':
			l.want(4, func(b []byte) { l.sized(int64(be.Uint32(b)), func() { l.columns(n - 1) }) })
		default:
			l.columns(n - 1)
		}
	})
}

// A line is rows of COPY in text format. A large field is read without its escapes.
type line struct {
	l       *long
	begin   int  // where the field begins in out
	started bool // begin is set
	escape  bool // a backslash was read, of a large value
}

func (n *line) isWhole() bool { return n.l.value == nil && n.begin == len(n.l.out) }

func (n *line) take(b []byte) int {
	l := n.l
	if !n.started {
		n.begin, n.started = len(l.out), true
	}
	end := bytes.IndexAny(b, "\t\n")
	field := b
	if end >= 0 {
		field = b[:end]
	}
	l.left -= int64(len(field))
	n.add(field)
	if end < 0 || l.err != nil {
		return len(field)
	}
	l.left--
	l.endValue()
	l.out = append(l.out, b[end])
	n.begin = len(l.out)
	return end + 1
}

func (n *line) add(b []byte) {
	l := n.l
	if l.value == nil && len(l.out)-n.begin+len(b) <= l.of.store.above {
		l.out = append(l.out, b...)
		return
	}
	if l.value == nil {
		if l.value, l.err = l.of.store.begin(l.of); l.err != nil {
			return
		}
		before := bytes.Clone(l.out[n.begin:])
		l.out, n.escape = l.out[:n.begin], false
		n.write(before)
	}
	n.write(b)
}

// write appends to the large value what b is without its escapes.
func (n *line) write(b []byte) {
	for len(b) > 0 && n.l.err == nil {
		if n.escape {
			n.escape = false
			n.put([]byte{unescaped(b[0])})
			b = b[1:]
			continue
		}
		i := bytes.IndexByte(b, '\\')
		if i < 0 {
			n.put(b)
			return
		}
		n.put(b[:i])
		n.escape, b = true, b[i+1:]
	}
}

func (n *line) put(b []byte) {
	if len(b) > 0 && n.l.err == nil {
		_, n.l.err = n.l.value.Write(b)
	}
}
