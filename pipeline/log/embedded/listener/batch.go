package listener

import (
	"encoding/binary"
	"hash/crc32"
	"math/bits"

	"github.com/evertdb/evert/pipeline/log"
	"github.com/evertdb/evert/pipeline/log/embedded"
)

// A block of the log becomes one record batch of version 2
// (https://kafka.apache.org/documentation/#recordbatch):
//
//	base offset:8 | length:4 | leader epoch:4 = -1 | magic:1 = 2 | crc32c:4 | what it covers:
//	  attributes:2 | last offset delta:4 | base time:8 max time:8 (ms)
//	  producer id:8 epoch:2 sequence:4 = -1 | records:4 { record }
//
//	record = length attributes:1 time delta, offset delta, key, value, headers { name value }
//
// where lengths and deltas are zigzag varints and -1 is null. Batches are not
// compressed. What compaction took away leaves gaps: inside a block in the
// offset deltas, between blocks in the base offsets.
const (
	batchHeader = 61
	lengthAt    = 8
	crcAt       = 17
	coveredAt   = 21
	countAt     = 57

	logAppendTime = 1 << 3
	transactional = 1 << 4
	control       = 1 << 5

	noTime = -1
)

type batcher struct{ castagnoli *crc32.Table }

func newBatcher() batcher { return batcher{crc32.MakeTable(crc32.Castagnoli)} }

// appendBlock writes a block as a batch behind dst. A block that is damaged is
// cut short; whoever reads it says so.
func (e batcher) appendBlock(dst []byte, b *embedded.Block) (out []byte, records int) {
	begin := len(dst)
	dst = appendBatchHeader(dst, b.First, int32(b.Last-b.First), logAppendTime, b.Time.UnixMilli())
	var r log.Record
	for b.Next(&r) {
		dst = appendRecord(dst, &r, b.First)
		records++
	}
	e.finish(dst[begin:], records)
	return dst, records
}

// appendMarker writes a control batch at an offset: the end of a transaction of
// nobody. Consumers skip it and go on behind it, as they do on every cluster
// with transactions.
func (e batcher) appendMarker(dst []byte, offset int64) []byte {
	begin := len(dst)
	dst = appendBatchHeader(dst, offset, 0, transactional|control, noTime)
	r := log.Record{
		Offset: offset,
		Key:    []byte{0, 0, 0, 1},       // version, type: commit
		Value:  []byte{0, 0, 0, 0, 0, 0}, // version, epoch of the coordinator
	}
	dst = appendRecord(dst, &r, offset)
	e.finish(dst[begin:], 1)
	return dst
}

func appendBatchHeader(dst []byte, base int64, lastDelta int32, attributes uint16, ms int64) []byte {
	dst = binary.BigEndian.AppendUint64(dst, uint64(base))
	dst = append(dst, 0, 0, 0, 0) // length
	dst = append(dst, 0xff, 0xff, 0xff, 0xff, 2)
	dst = append(dst, 0, 0, 0, 0) // crc
	dst = binary.BigEndian.AppendUint16(dst, attributes)
	dst = binary.BigEndian.AppendUint32(dst, uint32(lastDelta))
	dst = binary.BigEndian.AppendUint64(dst, uint64(ms))
	dst = binary.BigEndian.AppendUint64(dst, uint64(ms))
	for range 14 {
		dst = append(dst, 0xff) // producer
	}
	return append(dst, 0, 0, 0, 0) // records
}

// finish fills in what is known at the end of a batch.
func (e batcher) finish(batch []byte, records int) {
	binary.BigEndian.PutUint32(batch[lengthAt:], uint32(len(batch)-lengthAt-4))
	binary.BigEndian.PutUint32(batch[countAt:], uint32(records))
	binary.BigEndian.PutUint32(batch[crcAt:], crc32.Checksum(batch[coveredAt:], e.castagnoli))
}

func appendRecord(dst []byte, r *log.Record, base int64) []byte {
	delta := r.Offset - base
	size := 2 + varintSize(delta) + bytesSize(r.Key) + bytesSize(r.Value) + varintSize(int64(len(r.Headers)))
	for i := range r.Headers {
		name := len(r.Headers[i].Key)
		size += varintSize(int64(name)) + name + bytesSize(r.Headers[i].Value)
	}
	dst = binary.AppendVarint(dst, int64(size))
	dst = append(dst, 0, 0)
	dst = binary.AppendVarint(dst, delta)
	dst = appendBytes(dst, r.Key)
	dst = appendBytes(dst, r.Value)
	dst = binary.AppendVarint(dst, int64(len(r.Headers)))
	for i := range r.Headers {
		dst = binary.AppendVarint(dst, int64(len(r.Headers[i].Key)))
		dst = append(dst, r.Headers[i].Key...)
		dst = appendBytes(dst, r.Headers[i].Value)
	}
	return dst
}

// appendBytes writes bytes behind their length; nil is -1.
func appendBytes(dst, v []byte) []byte {
	if v == nil {
		return append(dst, 1)
	}
	return append(binary.AppendVarint(dst, int64(len(v))), v...)
}

func bytesSize(v []byte) int {
	if v == nil {
		return 1
	}
	return varintSize(int64(len(v))) + len(v)
}

// varintSize is how many bytes a zigzag varint takes.
func varintSize(v int64) int {
	return (bits.Len64(uint64(v<<1)^uint64(v>>63)|1) + 6) / 7
}
