package embedded

import (
	"encoding/binary"
	"errors"
	"math"
	"time"

	"github.com/evertdb/evert/pipeline/log"
)

// Records lie in blocks of consecutive offsets of one partition, up to
// blockBytes of them, closed by a commit or a Flush. One Pebble entry for some
// hundred records instead of one for each is what makes storing cheap; see
// doc.go for the numbers.
//
//	block  = version:byte(1) time(µs):8 base:8 records:4 headers:4 { record }
//	record = gap key value headers:byte(n) { name value }
//	gap    = offsets left out since the record before (or since base)
//	key, value, header value = length+1, bytes; 0 is nil
//	name   = 1: evert-pos, 2: evert-part, 0: length, bytes
//
// All lengths and gap are uvarint. The time is when the block was begun, and
// never before the partition's block before it.
const (
	blockVersion = 1
	blockHeader  = 1 + 8 + 8 + 4 + 4
	blockBytes   = 32 << 10
)

var errBlock = errors.New("malformed block")

// builder makes the block that a partition is growing by.
type builder struct {
	buf     []byte
	base    int64
	next    int64 // the offset of the next record
	records uint32
	headers uint32
}

// begin starts an empty block at an offset.
func (b *builder) begin(base int64, at int64) {
	b.base, b.next, b.records, b.headers = base, base, 0, 0
	b.buf = append(b.buf[:0], blockVersion)
	b.buf = binary.BigEndian.AppendUint64(b.buf, uint64(at))
	b.buf = binary.BigEndian.AppendUint64(b.buf, uint64(base))
	b.buf = append(b.buf, 0, 0, 0, 0, 0, 0, 0, 0)
}

// add appends a record at an offset not below next.
func (b *builder) add(r *log.Record, offset int64) {
	buf := binary.AppendUvarint(b.buf, uint64(offset-b.next))
	buf = appendNullable(buf, r.Key)
	buf = appendNullable(buf, r.Value)
	buf = binary.AppendUvarint(buf, uint64(len(r.Headers)))
	for i := range r.Headers {
		buf = appendName(buf, r.Headers[i].Key)
		buf = appendNullable(buf, r.Headers[i].Value)
	}
	b.buf = buf
	b.records++
	b.headers += uint32(len(r.Headers))
	b.next = offset + 1
}

// finish completes the block, which is valid until begin.
func (b *builder) finish() []byte {
	binary.BigEndian.PutUint32(b.buf[17:], b.records)
	binary.BigEndian.PutUint32(b.buf[21:], b.headers)
	return b.buf
}

// letGo frees the memory that a single large record took, once its block was copied.
func (b *builder) letGo() {
	if cap(b.buf) > 4*blockBytes {
		b.buf = nil
	}
}

func appendNullable(dst, v []byte) []byte {
	if v == nil {
		return append(dst, 0)
	}
	return append(binary.AppendUvarint(dst, uint64(len(v))+1), v...)
}

func appendName(dst []byte, name string) []byte {
	switch name {
	case log.PosHeader:
		return append(dst, 1)
	case log.PartHeader:
		return append(dst, 2)
	}
	dst = binary.AppendUvarint(append(dst, 0), uint64(len(name)))
	return append(dst, name...)
}

// blockInfo is what a block's header says.
type blockInfo struct {
	at      int64 // µs
	base    int64
	records int
	headers int
}

func (i blockInfo) time() time.Time { return time.UnixMicro(i.at) }

// parseBlock reads the header and gives the records behind it.
func parseBlock(b []byte) (blockInfo, []byte, error) {
	if len(b) < blockHeader || b[0] != blockVersion {
		return blockInfo{}, nil, errBlock
	}
	info := blockInfo{
		at:      int64(binary.BigEndian.Uint64(b[1:])),
		base:    int64(binary.BigEndian.Uint64(b[9:])),
		records: int(binary.BigEndian.Uint32(b[17:])),
		headers: int(binary.BigEndian.Uint32(b[21:])),
	}
	rest := b[blockHeader:]
	// A record takes four bytes at least and a header two: more cannot be.
	if info.base < 0 || info.records > len(rest)/4 || info.headers > len(rest)/2 {
		return blockInfo{}, nil, errBlock
	}
	return info, rest, nil
}

// scanner reads the records of a block one after another. After a failure it is
// at the end, with failed set.
type scanner struct {
	rest   []byte
	next   int64
	left   int
	failed bool
}

func newScanner(info blockInfo, records []byte) scanner {
	return scanner{rest: records, next: info.base, left: info.records}
}

// record reads the next record into r, whose bytes lie in the block; headers go
// behind hs, of which r.Headers is the tail. It reports whether there was one.
func (s *scanner) record(r *log.Record, hs []log.Header) ([]log.Header, bool) {
	if s.left == 0 || s.failed {
		return hs, false
	}
	s.left--
	r.Offset = s.next + int64(s.uint()&math.MaxInt64)
	r.Key, r.Value = s.nullable(), s.nullable()
	first := len(hs)
	for n := s.uint(); n > 0 && !s.failed; n-- {
		name := s.name()
		hs = append(hs, log.Header{Key: name, Value: s.nullable()})
	}
	r.Headers = hs[first:len(hs):len(hs)]
	if s.failed || r.Offset < s.next || s.left == 0 && len(s.rest) > 0 {
		s.failed = true
		return hs[:first], false
	}
	s.next = r.Offset + 1
	return hs, true
}

func (s *scanner) uint() uint64 {
	v, n := binary.Uvarint(s.rest)
	if n <= 0 {
		s.rest, s.failed = nil, true
		return 0
	}
	s.rest = s.rest[n:]
	return v
}

func (s *scanner) bytes(n uint64) []byte {
	if n > uint64(len(s.rest)) {
		s.rest, s.failed = nil, true
		return nil
	}
	v := s.rest[:n:n]
	s.rest = s.rest[n:]
	return v
}

func (s *scanner) nullable() []byte {
	n := s.uint()
	if n == 0 {
		return nil
	}
	return s.bytes(n - 1)
}

func (s *scanner) name() string {
	switch s.uint() {
	case 0:
		return string(s.bytes(s.uint()))
	case 1:
		return log.PosHeader
	case 2:
		return log.PartHeader
	}
	s.failed = true
	return ""
}
