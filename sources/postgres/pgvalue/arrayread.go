package pgvalue

import (
	"bufio"
	"encoding/binary"
	"errors"
	"io"
	"iter"
	"math"

	"github.com/evertdb/evert/schema"
)

// errBeyond ends the reading of an array that is too large.
var errBeyond = errors.New("the array is too large")

// ReadArray reads an array in the form that the server sent, element by element. ok is
// false if it takes more than most bytes however it is written: then no more of it than
// about that was in memory, and nothing of what follows was looked at.
func (r *Reader) ReadArray(c Codec, binaryForm bool, from io.Reader, most int) (v schema.Value, ok bool, err error) {
	a := newArrayRead(r, c, from, most+16)
	if c.Elem == Bytea && !binaryForm {
		a.mostWord *= 2 // hex digits
	}
	r.packed = nil // it may be as large as most
	defer func() { r.packed = nil }()
	a.take = func(e schema.Value) error {
		if most -= leastBytes(e); most < 0 {
			return errBeyond
		}
		r.packed = schema.AppendElement(r.packed, e)
		return nil
	}
	if err := a.read(binaryForm); err == errBeyond {
		return v, false, nil
	} else if err != nil {
		return v, false, err
	}
	head := binary.AppendUvarint(nil, uint64(a.count))
	packed := r.Arena.Alloc(len(head) + len(r.packed))
	copy(packed[copy(packed, head):], r.packed)
	return schema.Array(packed), true, nil
}

// Elements gives the elements of an array in the form that the server sent, each valid
// until the next one, or an error at last. No more than one is in memory. r is in use
// until the end.
func (r *Reader) Elements(c Codec, binaryForm bool, from io.Reader) iter.Seq2[schema.Value, error] {
	return func(yield func(schema.Value, error) bool) {
		a := newArrayRead(r, c, from, math.MaxInt32)
		a.take = func(e schema.Value) error {
			if !yield(e, nil) {
				return errBeyond
			}
			return nil
		}
		if err := a.read(binaryForm); err != nil && err != errBeyond {
			yield(schema.Value{}, err)
		}
	}
}

// An arrayRead is an array of which elements were read.
type arrayRead struct {
	elem     Reader // of one element: its bytes live until the next
	c        Codec
	in       *bufio.Reader
	word     []byte // an element as it was sent
	mostWord int    // one with more bytes is too large by itself
	count    int
	take     func(element schema.Value) error // which is valid until the next one
}

func newArrayRead(r *Reader, c Codec, from io.Reader, mostWord int) *arrayRead {
	return &arrayRead{elem: Reader{Arena: &r.elems, Invalid: r.Invalid}, c: c, in: bufio.NewReaderSize(from, 64<<10), mostWord: mostWord}
}

// read goes over all elements.
func (a *arrayRead) read(binaryForm bool) (err error) {
	if binaryForm {
		err = a.binary()
	} else {
		err = a.text()
	}
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		return malformed(Array, a.count)
	}
	return err
}

// add takes an element.
func (a *arrayRead) add(null bool, read func(*Reader) (schema.Value, error)) error {
	a.count++
	if null {
		return a.take(schema.Null())
	}
	a.elem.Arena.Reset()
	v, err := read(&a.elem)
	if err != nil {
		return err
	}
	return a.take(v)
}

// leastBytes is how many bytes an element takes at least, however it is written, with
// one that says that it is not NULL.
func leastBytes(v schema.Value) int {
	switch v.Kind() {
	case schema.KindNull:
		return 1
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
