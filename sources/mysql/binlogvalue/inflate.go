package binlogvalue

import (
	"bytes"
	"compress/flate"
	"encoding/binary"
	"errors"
	"hash/adler32"
	"io"
	"sync"

	"github.com/evertdb/evert/schema/arena"
)

var (
	errInflate = errors.New("a compressed column that cannot be unpacked")
	errRoom    = errors.New("a compressed column that there is no room for")
)

// inflatedAtOnce is the memory that a length is believed for; more comes as bytes do.
const inflatedAtOnce = 1 << 20

// inflate unpacks a value of a MariaDB column that is COMPRESSED, if a has room for it.
//
//	0x00 | the bytes as they are
//	1000 rlll | l bytes of the unpacked length, the highest first | zlib, or with r raw deflate
func inflate(b []byte, a *arena.Bytes) ([]byte, error) {
	if len(b) == 0 || b[0] == 0 {
		return b[min(1, len(b)):], nil
	}
	size, raw := int(b[0]&7), b[0]&8 != 0
	if b[0]>>4 != 8 || size > 4 || len(b) < 1+size {
		return nil, errInflate
	}
	length, packed := big(b[1:1+size]), b[1+size:]
	if !raw && !isZlib(packed) {
		return nil, errInflate
	}
	if length > uint64(a.Room()) {
		return nil, errRoom
	}
	if !raw {
		packed = packed[zlibHead:]
	}
	i := inflaters.Get().(*inflater)
	defer inflaters.Put(i)
	out, rest, err := i.unpack(packed, length, a)
	if err != nil || !raw && (len(rest) < adler32.Size || adler32.Checksum(out) != binary.BigEndian.Uint32(rest)) {
		return nil, errInflate
	}
	return out, nil
}

// zlibHead is the bytes before the deflated ones: the method and the window, then flags.
const zlibHead = 2

// isZlib reports whether b begins as zlib does, without a dictionary of somebody's own.
func isZlib(b []byte) bool {
	return len(b) >= zlibHead && b[0]&0x0f == 8 && b[0]>>4 <= 7 && binary.BigEndian.Uint16(b)%31 == 0 && b[1]&0x20 == 0
}

// An inflater keeps the memory of its reader. It is used by one goroutine at a time.
type inflater struct {
	packed bytes.Reader
	reader io.Reader // flate's, which reads packed by the byte and so never too far
	beyond [1]byte
}

var inflaters = sync.Pool{New: func() any { return &inflater{reader: flate.NewReader(bytes.NewReader(nil))} }}

// unpack gives so many unpacked bytes, no more and no less, and what follows them in b.
func (i *inflater) unpack(b []byte, length uint64, a *arena.Bytes) (out, rest []byte, err error) {
	i.packed.Reset(b)
	if err := i.reader.(flate.Resetter).Reset(&i.packed, nil); err != nil {
		return nil, nil, err
	}
	if length > inflatedAtOnce {
		out, err = i.grow(int(length))
		a.Adopt(out)
	} else {
		out = a.Alloc(int(length))
		_, err = io.ReadFull(i.reader, out)
	}
	if err != nil {
		return nil, nil, err
	}
	if n, err := i.reader.Read(i.beyond[:]); n > 0 || err != io.EOF {
		return nil, nil, errInflate
	}
	return out, b[len(b)-i.packed.Len():], nil
}

// grow gives so many unpacked bytes, in memory that grows up to them while they come.
func (i *inflater) grow(length int) (out []byte, err error) {
	for n := inflatedAtOnce; err == nil && len(out) < length; n *= 2 {
		was := len(out)
		out = append(make([]byte, 0, min(n, length)), out...)
		out = out[:cap(out)]
		_, err = io.ReadFull(i.reader, out[was:])
	}
	return out, err
}
