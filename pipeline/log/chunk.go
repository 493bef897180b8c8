package log

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// The headers by which a record says that something of it is not in its value.
// Each is a JSON list or object; who ignores them sees less, never something
// wrong unmarked.
const (
	// CutHeader: values were cut to fit the topic. A list of Cut.
	CutHeader = "evert-cut"
	// OffloadHeader: values lie in a side topic, and a placeholder stands for
	// them. A list of Offloaded.
	OffloadHeader = "evert-offload"
	// DeadLetterHeader: the whole record lies in a dead-letter topic, and a
	// tombstone stands for it. One Chunked.
	DeadLetterHeader = "evert-dead-letter"
	// GapHeader: changes are missing before this record of an append-only topic,
	// because its table had stopped: {"code": why, "at": when, by our clock}. A
	// time in the year 1 says that nobody knows since when.
	GapHeader = "evert-gap"
)

// The headers of a dead letter's pieces: why it is one, by the code of a refusal,
// and the topic that it was meant for.
const (
	ReasonHeader = "evert-reason"
	TopicHeader  = "evert-topic"
)

// A Cut says what is missing of a record.
type Cut struct {
	Row    string `json:"row"`              // before or after
	Column string `json:"column,omitempty"` // none: the whole row is left out
	Bytes  int64  `json:"bytes,omitempty"`  // of the original
	SHA256 string `json:"sha256,omitempty"` // of the original, in hex
}

// A Chunked is a value that lies in pieces, at consecutive offsets.
type Chunked struct {
	Topic     string `json:"topic"`
	Partition int32  `json:"partition"`
	Offset    int64  `json:"offset"` // of the first piece
	Chunks    int    `json:"chunks"`
	Bytes     int64  `json:"bytes"`
	SHA256    string `json:"sha256"`
}

// An Offloaded is a column's value that lies in a side topic.
type Offloaded struct {
	Column string `json:"column"`
	Chunked
}

// OffloadTopic and DeadLetterTopic name the side topics of a table topic.
func OffloadTopic(topic string) string    { return Sanitize(topic + ".offload") }
func DeadLetterTopic(topic string) string { return Sanitize(topic + ".dlq") }

// A Chunk is one piece of a value. Each says what the whole is:
//
//	version:byte(1) total:uvarint chunks:uvarint sha256:32 bytes data
type Chunk struct {
	Total  int64
	Chunks int
	Sum    [sha256.Size]byte
	Data   []byte
}

// Append writes c behind dst.
func (c *Chunk) Append(dst []byte) []byte {
	dst = binary.AppendUvarint(append(dst, 1), uint64(c.Total))
	dst = binary.AppendUvarint(dst, uint64(c.Chunks))
	return append(append(dst, c.Sum[:]...), c.Data...)
}

// ChunkOverhead is the most that Append writes beside the data.
const ChunkOverhead = 1 + 2*binary.MaxVarintLen64 + sha256.Size

var errChunk = errors.New("malformed chunk of a value")

// ParseChunk reads what Append wrote; the data are those of b.
func ParseChunk(b []byte) (c Chunk, err error) {
	if len(b) == 0 || b[0] != 1 {
		return c, errChunk
	}
	total, n := binary.Uvarint(b[1:])
	if n <= 0 {
		return c, errChunk
	}
	b = b[1+n:]
	chunks, m := binary.Uvarint(b)
	if m <= 0 || len(b) < m+sha256.Size || chunks > 1<<31 || total > 1<<40 {
		return c, errChunk
	}
	c.Total, c.Chunks = int64(total), int(chunks)
	c.Data = b[m+copy(c.Sum[:], b[m:]):]
	return c, nil
}

// ErrSuperseded is a value whose pieces do not make it up any more: a newer
// record of its key has replaced them.
var ErrSuperseded = errors.New("its pieces are gone or are those of another value: a newer record of the key exists")

// Join puts pieces together, which next gives in order, and verifies the sum.
func Join(next func(i int) ([]byte, error)) ([]byte, error) {
	var whole []byte
	var first Chunk
	for i := 0; i == 0 || i < first.Chunks; i++ {
		b, err := next(i)
		if err != nil {
			return nil, err
		}
		c, err := ParseChunk(b)
		if err != nil {
			return nil, err
		}
		if i == 0 {
			first = c
		}
		if c.Sum != first.Sum || c.Total != first.Total || int64(len(whole)+len(c.Data)) > first.Total {
			return nil, ErrSuperseded
		}
		whole = append(whole, c.Data...)
	}
	if int64(len(whole)) != first.Total || sha256.Sum256(whole) != first.Sum {
		return nil, ErrSuperseded
	}
	return whole, nil
}

// ReadChunked reads a value that lies in pieces. It is an error if a newer
// record of its key replaced them meanwhile.
func ReadChunked(ctx context.Context, l Log, at Chunked) ([]byte, error) {
	r, err := l.Reader(ctx)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	tp := TopicPartition{Topic: at.Topic, Partition: at.Partition}
	if err := r.Assign(Offsets{tp: at.Offset}); err != nil {
		return nil, err
	}
	r.Limit(Offsets{tp: at.Offset + int64(at.Chunks)})
	pieces, err := readPieces(ctx, r)
	if errors.Is(err, ErrGap) {
		err = ErrSuperseded
	}
	if err != nil {
		return nil, fmt.Errorf("read %s from offset %d: %w", tp, at.Offset, err)
	}
	return Join(func(i int) ([]byte, error) {
		if i >= len(pieces) || len(pieces) != at.Chunks {
			return nil, ErrSuperseded
		}
		return pieces[i], nil
	})
}

func readPieces(ctx context.Context, r Reader) (pieces [][]byte, err error) {
	for {
		f, err := r.Next(ctx, 100)
		if errors.Is(err, io.EOF) {
			return pieces, nil
		}
		if err != nil {
			return nil, err
		}
		for i := range f.Records {
			pieces = append(pieces, bytes.Clone(f.Records[i].Value))
		}
	}
}

// OffloadedOf lists the values of a record that lie in a side topic.
func OffloadedOf(r *Record) (list []Offloaded, err error) {
	header := r.Find(OffloadHeader)
	if header == nil {
		return nil, nil
	}
	if err := json.Unmarshal(header, &list); err != nil {
		return nil, fmt.Errorf("%s offset %d: header %s: %w", r.TopicPartition, r.Offset, OffloadHeader, err)
	}
	return list, nil
}

// Restore gives the values of a record that lie in a side topic, by column.
func Restore(ctx context.Context, l Log, r *Record) (map[string][]byte, error) {
	list, err := OffloadedOf(r)
	if list == nil || err != nil {
		return nil, err
	}
	values := make(map[string][]byte, len(list))
	for _, o := range list {
		value, err := ReadChunked(ctx, l, o.Chunked)
		if err != nil {
			return nil, fmt.Errorf("%s offset %d: column %s: %w", r.TopicPartition, r.Offset, o.Column, err)
		}
		values[o.Column] = value
	}
	return values, nil
}
