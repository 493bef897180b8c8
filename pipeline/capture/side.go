package capture

import (
	"context"
	"encoding/hex"
	"fmt"
	"io"
	"time"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/log"
)

// chunkBytes is the most that one piece of a value holds.
const chunkBytes = 512 << 10

// deadLetterRetention is how long dead letters are kept: the row itself is in
// the database.
const deadLetterRetention = 30 * 24 * time.Hour

// side makes the side topic of a table before its first record, with as many
// partitions.
func (s *Sink) side(ctx context.Context, tab *table, topic string, compact bool) (maxBytes int, err error) {
	if known, ok := s.sides[topic]; ok {
		return known, nil
	}
	if other := s.topics[topic]; other != nil {
		return 0, s.collision(topic, tab.Table, other.Table)
	}
	if err := s.own(ctx, topic); err != nil {
		return 0, err
	}
	spec := log.TopicSpec{Name: topic, Partitions: int32(tab.partitions), Compact: compact}
	if !compact {
		spec.Retention = deadLetterRetention
	}
	infos, err := s.Log.Admin().Ensure(ctx, spec)
	if err != nil {
		return 0, s.named(err)
	}
	maxBytes = s.RecordBytes
	if n := infos[0].MaxBytes; n > 0 {
		maxBytes = min(n, maxBytes)
	}
	s.sides[topic] = maxBytes
	return maxBytes, nil
}

// pieces appends a value to a side topic of its table in the open commit, and
// gives where it lies. keyOf names the key of each piece.
func (s *Sink) pieces(ctx context.Context, tp log.TopicPartition, maxBytes int, value content, headers []log.Header, keyOf func(i int) []byte) (at log.Chunked, err error) {
	size := max(min(chunkBytes, maxBytes-recordOverhead-log.ChunkOverhead-len(keyOf(0))), 1)
	c := log.Chunk{Total: value.size, Chunks: int(max(1, (value.size+int64(size)-1)/int64(size)))}
	if c.Sum, err = value.sum(); err != nil {
		return at, err
	}
	r, err := value.open()
	if err != nil {
		return at, err
	}
	defer r.Close()
	var buffer []byte
	data := make([]byte, min(value.size, int64(size)))
	for i := range c.Chunks {
		c.Data = data[:min(int64(size), value.size-int64(i)*int64(size))]
		if _, err := io.ReadFull(r, c.Data); err != nil {
			return at, fmt.Errorf("read a value again: %w", err)
		}
		buffer = c.Append(buffer[:0])
		r := log.Record{TopicPartition: tp, Key: keyOf(i), Value: buffer, Headers: headers}
		if err := s.writer.Append(ctx, r); err != nil {
			return at, fmt.Errorf("append to %s: %w", tp, err)
		}
	}
	next, err := s.writer.Flush(ctx)
	if err != nil {
		return at, fmt.Errorf("flush: %w", err)
	}
	return log.Chunked{Topic: tp.Topic, Partition: tp.Partition, Offset: next[tp] - int64(c.Chunks), Chunks: c.Chunks,
		Bytes: c.Total, SHA256: hex.EncodeToString(c.Sum[:])}, nil
}

// deadLetter writes the encoded record into the dead-letter topic and a
// tombstone into the table topic. The row that the topic had is not what the
// database has any more: a reader that finds no row knows that it has to look
// elsewhere, and one that found the old row would not (I5). The next change of
// the row that fits brings it back.
func (s *Sink) deadLetter(ctx context.Context, o *outgoing) error {
	topic := log.DeadLetterTopic(o.tab.topic)
	limit, err := s.side(ctx, o.tab, topic, false)
	if err != nil {
		return err
	}
	tp := log.TopicPartition{Topic: topic, Partition: s.partition(o.tab, o.key)}
	headers := append(s.headers(o.c, nil), log.Header{Key: log.ReasonHeader, Value: []byte(codeTooLarge)}, log.Header{Key: log.TopicHeader, Value: []byte(o.tab.topic)})
	whole, err := s.record(o)
	if err != nil {
		return err
	}
	at, err := s.pieces(ctx, tp, limit, whole, headers, func(int) []byte { return o.key })
	if err != nil {
		return err
	}
	s.mark(o.tab, func(t *log.TableState) { t.Buried = true })
	s.add(o.tab, o.c, o.key, nil, []log.Header{jsonHeader(log.DeadLetterHeader, at)})
	return nil
}

// isBuried reports whether a row that cannot be filled was a dead letter before:
// its tombstone stands already, the database has the row no more, and the change
// that took it away follows.
func (s *Sink) isBuried(tab *table, err error) bool {
	return pipeline.CodeOf(err) == codeUnknown && s.next.Tables[tab.topic].Buried
}

// mark notes in the frontier what records of a table may lack.
func (s *Sink) mark(tab *table, note func(state *log.TableState)) {
	state := s.next.Tables[tab.topic]
	note(&state)
	s.next.Tables[tab.topic] = state
}
