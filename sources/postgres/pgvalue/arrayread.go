package pgvalue

import (
	"bufio"
	"encoding/binary"
	"errors"
	"io"

	"github.com/evertdb/evert/schema"
)

// errBeyond ends the reading of an array that is too large.
var errBeyond = errors.New("the array is too large")

// ReadArray reads an array in the form that the server sent, element by element. ok is
// false if it takes more than most bytes however it is written: then no more of it than
// about that was in memory, and nothing of what follows was looked at.
func (r *Reader) ReadArray(c Codec, binaryForm bool, from io.Reader, most int) (v schema.Value, ok bool, err error) {
	a := &arrayRead{r: r, c: c, in: bufio.NewReaderSize(from, 64<<10), left: most, mostWord: most + 16}
	if c.Elem == Bytea && !binaryForm {
		a.mostWord *= 2 // hex digits
	}
	r.packed = nil // it may be as large as most
	defer func() { r.packed = nil }()
	if binaryForm {
		err = a.binary()
	} else {
		err = a.text()
	}
	switch {
	case err == errBeyond:
		return v, false, nil
	case err == io.EOF || err == io.ErrUnexpectedEOF:
		err = malformed(Array, a.count)
	}
	if err != nil {
		return v, false, err
	}
	head := binary.AppendUvarint(nil, uint64(a.count))
	packed := r.Arena.Alloc(len(head) + len(r.packed))
	copy(packed[copy(packed, head):], r.packed)
	return schema.Array(packed), true, nil
}

// An arrayRead is an array of which elements were read.
type arrayRead struct {
	r        *Reader
	c        Codec
	in       *bufio.Reader
	word     []byte // an element as it was sent
	mostWord int    // one with more bytes is too large by itself
	left     int    // of the bytes that it may take
	count    int
}

// add packs an element.
func (a *arrayRead) add(null bool, read func(*Reader) (schema.Value, error)) error {
	a.count++
	if null {
		a.r.packed = schema.AppendElement(a.r.packed, schema.Null())
		a.left--
	} else if err := a.r.pack(func(in *Reader) (schema.Value, error) {
		v, err := read(in)
		a.left -= leastBytes(v)
		return v, err
	}); err != nil {
		return err
	}
	if a.left < 0 {
		return errBeyond
	}
	return nil
}

// leastBytes is how many bytes an element takes at least, however it is written, with
// one that says that it is not NULL.
func leastBytes(v schema.Value) int {
	switch v.Kind() {
	case schema.KindText, schema.KindBytes, schema.KindJSON:
		return 1 + len(v.Ref())
	case schema.KindDecimal: // as a binary number
		return 1 + 2*len(v.Ref())/5
	}
	return 2
}

// binary reads what binaryArray does.
func (a *arrayRead) binary() error {
	var head [12]byte
	if _, err := io.ReadFull(a.in, head[:]); err != nil {
		return err
	}
	switch dims := be.Uint32(head[:]); {
	case dims > 1:
		return ShapeError{}
	case dims == 0:
		return a.end()
	}
	if _, err := io.ReadFull(a.in, head[:8]); err != nil {
		return err
	}
	if be.Uint32(head[4:]) != 1 {
		return ShapeError{}
	}
	for range be.Uint32(head[:]) {
		if err := a.binaryElement(); err != nil {
			return err
		}
	}
	return a.end()
}

func (a *arrayRead) binaryElement() error {
	var head [4]byte
	if _, err := io.ReadFull(a.in, head[:]); err != nil {
		return err
	}
	size := int(int32(be.Uint32(head[:])))
	switch {
	case size < -1:
		return malformed(Array, a.count)
	case size > a.mostWord:
		return errBeyond
	case size > cap(a.word):
		a.word = make([]byte, size)
	}
	a.word = a.word[:max(size, 0)]
	if _, err := io.ReadFull(a.in, a.word); err != nil {
		return err
	}
	return a.add(size == -1, func(in *Reader) (schema.Value, error) { return in.Binary(Codec{Op: a.c.Elem}, a.word) })
}

// end expects nothing more.
func (a *arrayRead) end() error {
	if _, err := a.in.ReadByte(); err != io.EOF {
		return errors.Join(malformed(Array, a.count), err)
	}
	return nil
}

// text reads what array does.
func (a *arrayRead) text() error {
	first, err := a.in.ReadByte()
	switch {
	case err != nil:
		return err
	case first == '[':
		return ShapeError{}
	case first != '{':
		return malformed(Array, a.count)
	}
	next, err := a.in.ReadByte()
	if err != nil {
		return err
	}
	if next == '}' {
		return a.end()
	}
	for {
		last, err := a.textElement(next)
		if err != nil {
			return err
		}
		if last {
			return a.end()
		}
		if next, err = a.in.ReadByte(); err != nil {
			return err
		}
	}
}

// textElement reads an element that begins with a byte, and what follows it.
func (a *arrayRead) textElement(first byte) (last bool, err error) {
	var after byte
	switch a.word = a.word[:0]; first {
	case '{':
		return false, ShapeError{}
	case '"':
		if err = a.quoted(); err == nil {
			after, err = a.in.ReadByte()
		}
	default:
		after, err = a.bare(first)
	}
	if err != nil {
		return false, err
	}
	if after != '}' && after != a.c.delim() {
		return false, malformed(Array, a.count)
	}
	null := first != '"' && string(a.word) == "NULL"
	return after == '}', a.add(null, func(in *Reader) (schema.Value, error) { return in.Text(Codec{Op: a.c.Elem}, a.word) })
}

// quoted reads up to the closing quote.
func (a *arrayRead) quoted() error {
	for {
		b, err := a.in.ReadByte()
		if err != nil {
			return err
		}
		switch b {
		case '"':
			return nil
		case '\\':
			if b, err = a.in.ReadByte(); err != nil {
				return err
			}
		}
		if a.word = append(a.word, b); len(a.word) > a.mostWord {
			return errBeyond
		}
	}
}

// bare reads an element without quotes and the byte behind it.
func (a *arrayRead) bare(b byte) (after byte, err error) {
	for ; b != a.c.delim() && b != '}'; b, err = a.in.ReadByte() {
		switch {
		case err != nil:
			return 0, err
		case b == '"' || b == '{' || b == '\\':
			return 0, malformed(Array, a.count)
		}
		if a.word = append(a.word, b); len(a.word) > a.mostWord {
			return 0, errBeyond
		}
	}
	if len(a.word) == 0 {
		return 0, malformed(Array, a.count)
	}
	return b, err
}
