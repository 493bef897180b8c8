package postgres

import (
	"bytes"
	"errors"
)

// A copyReader takes the rows out of what COPY TO STDOUT sends, however it is cut
// into messages. A field is nil for NULL and points into what was given, valid
// until row returns.
type copyReader interface {
	// take gives each whole row in b to row, and what is left of b behind them.
	take(b []byte, row func(fields [][]byte) error) (rest []byte, err error)
}

var errCopyFormat = errors.New("COPY data is malformed")

// A binaryCopy reads the binary format
// (https://www.postgresql.org/docs/current/sql-copy.html):
//
//	header  = "PGCOPY\n\377\r\n\0" · flags int32 · length int32 · extension
//	row     = n int16 · n × ( length int32 · bytes | -1 )
//	trailer = -1 int16
type binaryCopy struct {
	columns int
	fields  [][]byte
	headed  bool
	ended   bool
}

const copySignature = "PGCOPY\n\xff\r\n\x00"

func (c *binaryCopy) take(b []byte, row func([][]byte) error) ([]byte, error) {
	if !c.headed {
		rest, ok, err := copyHeader(b)
		if err != nil || !ok {
			return b, err
		}
		b, c.headed = rest, true
	}
	for len(b) >= 2 {
		n := int(int16(be.Uint16(b)))
		switch {
		case c.ended:
			return b, errCopyFormat
		case n == -1:
			c.ended = true
			b = b[2:]
			continue
		case n != c.columns:
			return b, errCopyFormat
		}
		rest, ok, err := c.row(b[2:])
		if err != nil || !ok {
			return b, err
		}
		if err := row(c.fields); err != nil {
			return b, err
		}
		b = rest
	}
	return b, nil
}

func copyHeader(b []byte) (rest []byte, ok bool, err error) {
	n := min(len(b), len(copySignature))
	if string(b[:n]) != copySignature[:n] {
		return b, false, errCopyFormat
	}
	if len(b) < 19 {
		return b, false, nil
	}
	if be.Uint32(b[11:])>>16 != 0 { // a critical flag that we do not know
		return b, false, errCopyFormat
	}
	extension := int64(be.Uint32(b[15:]))
	if int64(len(b)-19) < extension {
		return b, false, nil
	}
	return b[19+extension:], true, nil
}

// row reads the fields of one row; ok is false if it is not all there yet.
func (c *binaryCopy) row(b []byte) (rest []byte, ok bool, err error) {
	c.fields = c.fields[:0]
	for range c.columns {
		if len(b) < 4 {
			return nil, false, nil
		}
		size := int64(int32(be.Uint32(b)))
		b = b[4:]
		switch {
		case size == -1:
			c.fields = append(c.fields, nil)
			continue
		case size < 0:
			return nil, false, errCopyFormat
		case size > int64(len(b)):
			return nil, false, nil
		}
		c.fields = append(c.fields, b[:size:size])
		b = b[size:]
	}
	return b, true, nil
}

// A textCopy reads the text format: fields divided by tabs, rows ended by a
// newline, \N for NULL, backslash escapes.
type textCopy struct {
	columns int
	fields  [][]byte
	plain   []byte // fields without their escapes
}

func (c *textCopy) take(b []byte, row func([][]byte) error) ([]byte, error) {
	for {
		end := bytes.IndexByte(b, '\n')
		if end < 0 {
			return b, nil
		}
		if err := c.split(b[:end]); err != nil {
			return b, err
		}
		if err := row(c.fields); err != nil {
			return b, err
		}
		b = b[end+1:]
	}
}

func (c *textCopy) split(line []byte) error {
	c.fields, c.plain = c.fields[:0], c.plain[:0]
	if cap(c.plain) < len(line) {
		c.plain = make([]byte, 0, 2*len(line)) // never moved while fields point into it
	}
	if c.columns == 0 && len(line) == 0 {
		return nil
	}
	for more := true; more; {
		var field []byte
		field, line, more = bytes.Cut(line, []byte{'\t'})
		f, err := c.unescape(field)
		if err != nil {
			return err
		}
		c.fields = append(c.fields, f)
	}
	if len(c.fields) != c.columns {
		return errCopyFormat
	}
	return nil
}

// unescape gives nil for \N, and never nil otherwise.
func (c *textCopy) unescape(f []byte) ([]byte, error) {
	i := bytes.IndexByte(f, '\\')
	if i < 0 {
		return f, nil
	}
	if len(f) == 2 && f[1] == 'N' {
		return nil, nil
	}
	begin := len(c.plain)
	for ; i >= 0; i = bytes.IndexByte(f, '\\') {
		if i+1 == len(f) {
			return nil, errCopyFormat
		}
		c.plain = append(append(c.plain, f[:i]...), unescaped(f[i+1]))
		f = f[i+2:]
	}
	c.plain = append(c.plain, f...)
	return c.plain[begin:len(c.plain):len(c.plain)], nil
}

// unescaped gives the byte that COPY wrote as a backslash and c.
func unescaped(c byte) byte {
	switch c {
	case 'b':
		return '\b'
	case 'f':
		return '\f'
	case 'n':
		return '\n'
	case 'r':
		return '\r'
	case 't':
		return '\t'
	case 'v':
		return '\v'
	}
	return c
}
