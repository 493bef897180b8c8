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
		return &encoding{from: from, encode: hex.AppendEncode}
	case opBase64, opBase64URL:
		return &encoding{from: from, encode: cell.base64().AppendEncode}
	}
	return from
}

// An encoding reads bytes as the text that they are written as.
type encoding struct {
	from   io.Reader
	encode func(dst, src []byte) []byte
	bytes  [24 << 10]byte // whole groups of base64
	text   []byte
	ready  []byte // of text
	end    error
}

// Read implements io.Reader.
func (e *encoding) Read(p []byte) (int, error) {
	for len(e.ready) == 0 {
		if e.end != nil {
			return 0, e.end
		}
		var n int
		if n, e.end = io.ReadFull(e.from, e.bytes[:]); e.end == io.ErrUnexpectedEOF {
			e.end = io.EOF
		}
		e.text = e.encode(e.text[:0], e.bytes[:n])
		e.ready = e.text
	}
	n := copy(p, e.ready)
	e.ready = e.ready[n:]
	return n, nil
}

// arrayBlock is about how many bytes of elements a block of EncodedArray has.
const arrayBlock = 64 << 10

// EncodedArray reads an array as it is in a record, in as many blocks as it needs. An
// element has to be valid until the next is asked for. The caller closes it.
func (c *Codec) EncodedArray(column int, elements iter.Seq2[schema.Value, error]) io.ReadCloser {
	r := &encodedArray{codec: c, column: column}
	r.next, r.stop = iter.Pull2(elements)
	return r
}

// An encodedArray is written so:
//
//	array = ( count:long element* )* 0
type encodedArray struct {
	codec    *Codec
	column   int
	next     func() (schema.Value, error, bool)
	stop     func()
	elements []byte
	block    []byte
	ready    []byte // of block
	ended    bool
}

// Read implements io.Reader.
func (r *encodedArray) Read(p []byte) (int, error) {
	for len(r.ready) == 0 {
		if r.ended {
			return 0, io.EOF
		}
		if err := r.advance(); err != nil {
			return 0, err
		}
	}
	n := copy(p, r.ready)
	r.ready = r.ready[n:]
	return n, nil
}

// advance encodes the next block.
func (r *encodedArray) advance() error {
	count, err := r.gather()
	if err != nil {
		return err
	}
	r.block = r.block[:0]
	if count > 0 {
		r.block = append(appendLong(r.block, count), r.elements...)
	}
	if r.ended {
		r.block = append(r.block, 0)
	}
	r.ready = r.block
	return nil
}

// gather encodes the elements of a block.
func (r *encodedArray) gather() (count int64, err error) {
	elem := r.codec.cells[r.column].elem
	for r.elements = r.elements[:0]; len(r.elements) < arrayBlock; count++ {
		v, err, ok := r.next()
		if !ok {
			r.ended = true
			return count, nil
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
