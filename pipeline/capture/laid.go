package capture

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"

	"github.com/evertdb/evert/pipeline/log"
	"github.com/evertdb/evert/schema"
	"github.com/evertdb/evert/schema/avro"
)

// A laid value lies in pieces in the side topic of its table, where it was offloaded
// to, and is too large for memory. It implements pipeline.Aside. It is valid until its
// pieces are buried.
type laid struct {
	sink   *Sink
	ctx    context.Context // of the Write that reads it
	tp     log.TopicPartition
	key    []byte
	column string
	kind   schema.Kind
	chunk  log.Chunk // what each piece says of the whole
	offset int64     // of the first piece
	head   []byte    // its first bytes, which its row has
}

// lay finds the value of a key in pieces; nil if it is not too large for memory.
func (s *Sink) lay(ctx context.Context, tp log.TopicPartition, key []byte, column string, kind schema.Kind) (*laid, error) {
	l := &laid{sink: s, ctx: ctx, tp: tp, key: key, column: column, kind: kind}
	b, offset, err := l.piece(0)
	if err != nil {
		return nil, err
	}
	if l.chunk, err = log.ParseChunk(b); err != nil || l.chunk.Total <= int64(s.ValueBytes) {
		return nil, err
	}
	l.offset, l.chunk.Data = offset, nil
	r, err := l.Open()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	l.head = make([]byte, s.ValueBytes+1)
	_, err = io.ReadFull(r, l.head)
	return l, err
}

// piece reads one piece by the index.
func (l *laid) piece(n int) ([]byte, int64, error) {
	b, offset, ok, err := l.sink.index.Latest(l.ctx, l.tp, pieceKey(l.key, l.column, n))
	if err != nil {
		return nil, 0, fmt.Errorf("look up a piece in %s: %w", l.tp, err)
	}
	if !ok || b == nil {
		return nil, 0, errNoPiece
	}
	return b, offset, nil
}

func (l *laid) Size() int64 { return l.chunk.Total }

func (l *laid) Open() (io.ReadCloser, error) { return io.NopCloser(&pieceReader{laid: l}), nil }

func (l *laid) Load() (schema.Value, error) {
	b, err := l.sink.join(l.ctx, l.tp, l.key, l.column)
	if err != nil {
		return schema.Value{}, err
	}
	return like(l.kind, b), nil
}

// where says where the pieces lie.
func (l *laid) where() log.Chunked {
	return log.Chunked{Topic: l.tp.Topic, Partition: l.tp.Partition, Offset: l.offset, Chunks: l.chunk.Chunks, Bytes: l.chunk.Total, SHA256: hex.EncodeToString(l.chunk.Sum[:])}
}

// isFor reports whether the pieces are those of a key and a column.
func (l *laid) isFor(tp log.TopicPartition, key []byte) bool {
	return l != nil && l.tp == tp && string(l.key) == string(key)
}

// A pieceReader reads a value piece by piece. All have to be of the same value, and to
// lie one behind the other.
type pieceReader struct {
	*laid
	next int
	rest []byte
}

func (r *pieceReader) Read(p []byte) (int, error) {
	for len(r.rest) == 0 {
		if r.next == r.chunk.Chunks {
			return 0, io.EOF
		}
		if err := r.advance(); err != nil {
			return 0, err
		}
	}
	n := copy(p, r.rest)
	r.rest = r.rest[n:]
	return n, nil
}

func (r *pieceReader) advance() error {
	b, offset, err := r.piece(r.next)
	if err != nil {
		return err
	}
	c, err := log.ParseChunk(b)
	if err != nil {
		return err
	}
	if c.Sum != r.chunk.Sum || c.Total != r.chunk.Total || offset != r.offset+int64(r.next) {
		return errNoPiece
	}
	r.rest = c.Data
	r.next++
	return nil
}

// verify reads all of it, and gives errNoPiece if the pieces do not make it up.
func (l *laid) verify() error {
	sum, err := content{size: l.chunk.Total, open: l.Open}.sum()
	switch {
	case err != nil:
		return err
	case sum != [sha256.Size]byte(l.chunk.Sum):
		return errNoPiece
	}
	return nil
}

// bring puts the values of a row that were left in pieces into memory: its key changes,
// and what lies under the old one is buried.
func (s *Sink) bring(row schema.Row, stored []*laid) error {
	o := outgoing{e: &avro.Event{After: row}, stored: stored}
	for i := range stored {
		l := o.laid(i)
		if l == nil {
			continue
		}
		v, err := l.Load()
		if err != nil {
			return err
		}
		row[i] = v
	}
	return nil
}
