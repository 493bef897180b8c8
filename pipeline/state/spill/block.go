package spill

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
)

// blockBytes is when a block is full.
const blockBytes = 64 << 10

// headerBytes are checksum and size.
const headerBytes = 8

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// blockWriter appends blocks to a sorter's file.
type blockWriter struct {
	s    *Sorter
	from int64
	b    []byte // header and entries so far
	last []byte // key before
}

func (w *blockWriter) add(key, value []byte) error {
	if len(w.b) == 0 {
		w.b = append(w.b, make([]byte, headerBytes)...)
		w.last = w.last[:0]
	}
	shared := common(w.last, key)
	w.b = binary.AppendUvarint(w.b, uint64(shared))
	w.b = binary.AppendUvarint(w.b, uint64(len(key)-shared))
	w.b = binary.AppendUvarint(w.b, uint64(len(value)))
	w.b = append(append(w.b, key[shared:]...), value...)
	w.last = append(w.last[:shared], key[shared:]...)
	if len(w.b) < blockBytes {
		return nil
	}
	return w.flush()
}

// flush writes the block.
func (w *blockWriter) flush() error {
	if len(w.b) == 0 {
		return nil
	}
	p := w.s.pool
	if n := int64(len(w.b)); p.disk.Add(n) > p.opt.Disk {
		p.disk.Add(-n)
		return fmt.Errorf("%w: %d bytes are all that may be used", ErrFull, p.opt.Disk)
	}
	binary.LittleEndian.PutUint32(w.b, crc32.Checksum(w.b[headerBytes:], castagnoli))
	binary.LittleEndian.PutUint32(w.b[4:], uint32(len(w.b)-headerBytes))
	n, err := w.s.file.WriteAt(w.b, w.s.end)
	w.s.end += int64(len(w.b)) // what is accounted for
	if err == nil && n < len(w.b) {
		err = io.ErrShortWrite
	}
	if err != nil {
		return full(err)
	}
	w.b = w.b[:0]
	return nil
}

// blockReader goes over the entries of a run.
type blockReader struct {
	s     *Sorter
	at    int64 // of the next block
	to    int64
	block []byte
	rest  []byte // entries of the block that are to come
	key   []byte
	value []byte
	err   error
}

// next reads one entry.
func (r *blockReader) next() bool {
	if r.err != nil {
		return false
	}
	if len(r.rest) == 0 {
		if r.at >= r.to || !r.read() {
			return false
		}
	}
	shared, n := binary.Uvarint(r.rest)
	fresh, m := binary.Uvarint(r.rest[max(n, 0):])
	if n <= 0 || m <= 0 {
		return r.damaged()
	}
	value, l := binary.Uvarint(r.rest[n+m:])
	if l <= 0 {
		return r.damaged()
	}
	b := r.rest[n+m+l:]
	if shared > uint64(len(r.key)) || fresh > uint64(len(b)) || value > uint64(len(b))-fresh {
		return r.damaged()
	}
	r.key = append(r.key[:shared], b[:fresh]...)
	r.value = b[fresh : fresh+value : fresh+value]
	r.rest = b[fresh+value:]
	return true
}

// read reads the next block.
func (r *blockReader) read() bool {
	var header [headerBytes]byte
	if _, err := r.s.file.ReadAt(header[:], r.at); err != nil {
		return r.failed(err)
	}
	n := int64(binary.LittleEndian.Uint32(header[4:]))
	if n == 0 || n > r.to-r.at-headerBytes {
		return r.damaged()
	}
	if int64(cap(r.block)) < n {
		r.block = make([]byte, n, max(n, blockBytes+blockBytes/8))
	}
	r.block = r.block[:n]
	if _, err := r.s.file.ReadAt(r.block, r.at+headerBytes); err != nil {
		return r.failed(err)
	}
	if crc32.Checksum(r.block, castagnoli) != binary.LittleEndian.Uint32(header[:]) {
		return r.damaged()
	}
	r.at += headerBytes + n
	r.rest, r.key = r.block, r.key[:0]
	return true
}

func (r *blockReader) damaged() bool {
	r.err = fmt.Errorf("%s: %w", r.s.path, ErrDamaged)
	return false
}

func (r *blockReader) failed(err error) bool {
	if errors.Is(err, io.EOF) {
		return r.damaged()
	}
	r.err = fmt.Errorf("read what was sorted: %w", err)
	return false
}
