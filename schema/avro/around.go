package avro

import (
	"encoding/hex"
	"fmt"
	"io"
	"iter"
	"slices"

	"github.com/evertdb/evert/schema"
)

// Around encodes an event without the values of some columns of its new row, which are
// written apart (IsPiecewise):
//
//	parts[0] · value of columns[0] · parts[1] · … · parts[len(columns)]
//
// columns ascend. Their values are only asked for their kinds. Errors are those of
// AppendValue.
func (c *Codec) Around(e *Event, columns []int) (parts [][]byte, err error) {
	end := *e
	end.After = nil
	var head, tail []byte
	switch {
	case e.After == nil:
		return nil, fmt.Errorf("table %s: %w", c.table, errNoRow)
	case c.envelope == Debezium:
		if tail, err = c.appendEnvelope(nil, &end); err != nil { // before · 0 · tail
			return nil, err
		}
		if head, err = c.appendImage(nil, e.Before); err != nil {
			return nil, err
		}
		tail = tail[len(head)+1:]
		head = append(head, 2)
	}
	if parts, err = c.rowAround(head, e.After, columns); err != nil {
		return nil, err
	}
	last := &parts[len(parts)-1]
	*last = append(*last, tail...)
	return parts, nil
}

// rowAround is appendRow without the values of some columns.
func (c *Codec) rowAround(dst []byte, row schema.Row, columns []int) (parts [][]byte, err error) {
	if err := c.writable(row); err != nil {
		return nil, err
	}
	for i := range c.cells {
		cell := &c.cells[i]
		switch {
		case !slices.Contains(columns, i):
			dst, err = cell.append(dst, &row[i])
		case row[i].Kind() != cell.kind:
			err = cell.mismatch(row[i].Kind())
		default:
			parts = append(parts, cell.appendIndex(dst))
			dst = nil
		}
		if err != nil {
			return nil, columnError(c.table, i, err)
		}
	}
	return append(parts, dst), nil
}

// appendIndex writes that a value follows that is not null.
func (c *cell) appendIndex(dst []byte) []byte {
	if c.null == notNull {
		return dst
	}
	return appendLong(dst, int64(1-c.null))
}

// IsPiecewise reports whether a value of a column can be encoded piece by piece, by
// EncodedBytes or, if it is an array, by EncodedArray.
func (c *Codec) IsPiecewise(column int) bool {
	switch c.cells[column].op {
	case opString, opBytes, opHex, opBase64, opBase64URL, opArray:
		return true
	}
	return false
}

// EncodedLen is how many bytes EncodedBytes makes of n bytes. A long of it stands before
// them in a record.
func (c *Codec) EncodedLen(column int, n int64) int64 {
	switch cell := &c.cells[column]; cell.op {
	case opHex:
		return int64(hex.EncodedLen(int(n)))
	case opBase64, opBase64URL:
		return int64(cell.base64().EncodedLen(int(n)))
	}
	return n
}

// EncodedBytes reads the bytes of a text, a byte string or JSON as they are in a record.
func (c *Codec) EncodedBytes(column int, from io.Reader) io.Reader {
	switch cell := &c.cells[column]; cell.op {
	case opHex:
		return asText(from, hex.AppendEncode)
	case opBase64, opBase64URL:
		return asText(from, cell.base64().AppendEncode)
	}
	return from
}

// groups is how many bytes are encoded at once: whole groups of base64.
const groups = 24 << 10

// asText reads bytes as the text that they are written as.
func asText(from io.Reader, encode func(dst, src []byte) []byte) io.Reader {
	taken, text := make([]byte, groups), []byte(nil)
	return &blocks{next: func() ([]byte, error) {
		n, err := io.ReadFull(from, taken)
		if err == io.ErrUnexpectedEOF {
			err = io.EOF
		}
		text = encode(text[:0], taken[:n])
		return text, err
	}}
}

// blocks reads one block behind the other. next gives one, valid until it is called again;
// with an error it is the last, and the error comes behind it.
type blocks struct {
	next  func() ([]byte, error)
	ready []byte // of the block
	end   error
}

// Read implements io.Reader.
func (b *blocks) Read(p []byte) (int, error) {
	for len(b.ready) == 0 {
		if b.end != nil {
			return 0, b.end
		}
		b.ready, b.end = b.next()
	}
	n := copy(p, b.ready)
	b.ready = b.ready[n:]
	return n, nil
}

// arrayBlock is about how many bytes of elements a block of EncodedArray has.
const arrayBlock = 64 << 10

// EncodedArray reads an array as it is in a record, in as many blocks as it needs. An
// element has to be valid until the next is asked for. The caller closes it.
func (c *Codec) EncodedArray(column int, elements iter.Seq2[schema.Value, error]) io.ReadCloser {
	r := &encodedArray{codec: c, column: column}
	r.element, r.stop = iter.Pull2(elements)
	r.next = r.advance
	return r
}

// An encodedArray is written so:
//
//	array = ( count:long element* )* 0
type encodedArray struct {
	blocks
	codec    *Codec
	column   int
	element  func() (schema.Value, error, bool)
	stop     func()
	elements []byte
	block    []byte
}

// advance encodes the next block.
func (r *encodedArray) advance() ([]byte, error) {
	count, err := r.gather()
	if err != nil && err != io.EOF {
		return nil, err
	}
	r.block = r.block[:0]
	if count > 0 {
		r.block = append(appendLong(r.block, count), r.elements...)
	}
	if err == io.EOF {
		r.block = append(r.block, 0)
	}
	return r.block, err
}

// gather encodes the elements of a block, and gives io.EOF behind the last of all.
func (r *encodedArray) gather() (count int64, err error) {
	elem := r.codec.cells[r.column].elem
	for r.elements = r.elements[:0]; len(r.elements) < arrayBlock; count++ {
		v, err, ok := r.element()
		if !ok {
			return count, io.EOF
		}
		if err != nil {
			return count, err
		}
		if r.elements, err = elem.append(r.elements, &v); err != nil {
			return count, columnError(r.codec.table, r.column, err)
		}
	}
	return count, nil
}

// Close implements io.Closer.
func (r *encodedArray) Close() error {
	r.stop()
	return nil
}
