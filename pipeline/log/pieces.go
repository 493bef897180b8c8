package log

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
)

// OpenChunked reads a value that lies in pieces, one after the other, so that it need
// not be in memory. Read gives ErrSuperseded, at the latest in place of io.EOF, if the
// pieces are not those of the value. The caller closes it.
func OpenChunked(ctx context.Context, l Log, at Chunked) (io.ReadCloser, error) {
	r, err := l.Reader(ctx)
	if err != nil {
		return nil, err
	}
	tp := TopicPartition{Topic: at.Topic, Partition: at.Partition}
	if err := r.Assign(Offsets{tp: at.Offset}); err != nil {
		return nil, errors.Join(err, r.Close())
	}
	r.Limit(Offsets{tp: at.Offset + int64(at.Chunks)})
	return &pieces{ctx: ctx, from: r, at: at, sum: sha256.New()}, nil
}

// pieces are those of one value.
type pieces struct {
	ctx   context.Context
	from  Reader
	at    Chunked
	sum   hash.Hash
	first Chunk
	taken int
	bytes int64
	rest  []byte
	ahead []Record // that came with the last one
}

func (p *pieces) Close() error { return p.from.Close() }

func (p *pieces) Read(b []byte) (int, error) {
	for len(p.rest) == 0 {
		if err := p.next(); err != nil {
			return 0, err
		}
	}
	n := copy(b, p.rest)
	p.rest = p.rest[n:]
	return n, nil
}

// next goes on with the next piece.
func (p *pieces) next() error {
	for len(p.ahead) == 0 {
		f, err := p.from.Next(p.ctx, 1)
		switch {
		case errors.Is(err, io.EOF):
			return p.end()
		case errors.Is(err, ErrGap):
			return ErrSuperseded
		case err != nil:
			return fmt.Errorf("read %s from offset %d: %w", p.at.Topic, p.at.Offset, err)
		}
		p.ahead = f.Records
	}
	c, err := ParseChunk(p.ahead[0].Value)
	if err != nil {
		return err
	}
	p.ahead = p.ahead[1:]
	if p.taken == 0 {
		p.first = c
	}
	if c.Sum != p.first.Sum || c.Total != p.first.Total {
		return ErrSuperseded
	}
	p.taken, p.bytes, p.rest = p.taken+1, p.bytes+int64(len(c.Data)), c.Data
	_, _ = p.sum.Write(c.Data)
	return nil
}

// end is io.EOF if all of the value came.
func (p *pieces) end() error {
	if p.taken != p.at.Chunks || p.taken != p.first.Chunks || p.bytes != p.first.Total || [sha256.Size]byte(p.sum.Sum(nil)) != p.first.Sum {
		return ErrSuperseded
	}
	return io.EOF
}
