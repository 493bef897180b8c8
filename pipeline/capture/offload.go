package capture

import (
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/evertdb/evert/pipeline/log"
	"github.com/evertdb/evert/schema"
)

// placeholder stands for a value that lies elsewhere: the one that consumers of
// Debezium know for values that are not in the record.
const placeholder = "__debezium_unavailable_value"

// offload writes the largest values of a row into the table's side topic, in
// pieces and in the same commit, until the rest fits; a header says where they
// are. done is false if the rest does not fit.
//
//	topic            key K   value {…, bio: placeholder}   header evert-offload
//	topic.offload    key K·bio·0, K·bio·1, …               pieces
func (s *Sink) offload(ctx context.Context, o *outgoing) (done bool, err error) {
	moved, rest := s.choose(o)
	if !rest {
		return false, nil
	}
	topic := log.OffloadTopic(o.tab.topic)
	limit, err := s.side(ctx, o.tab, topic, true)
	if err != nil {
		return false, err
	}
	tp := log.TopicPartition{Topic: topic, Partition: s.partition(o.tab, o.key)}
	row, list := slices.Clone(o.e.After), []log.Offloaded{}
	for _, i := range moved {
		column := o.tab.Columns[i].Name
		at, err := s.moveOut(ctx, tp, limit, o, i)
		if err != nil {
			return false, err
		}
		if err := s.dropPieces(ctx, tp, o, column, at.Chunks); err != nil {
			return false, err
		}
		list = append(list, log.Offloaded{Column: column, Chunked: at})
		row[i] = stand(row[i].Kind())
	}
	if err := s.dropOthers(ctx, tp, o, moved); err != nil {
		return false, err
	}
	s.mark(o.tab, func(t *log.TableState) { t.Offloaded = true })
	return s.again(o, row, append(slices.Clone(o.headers), jsonHeader(log.OffloadHeader, list)))
}

// moveOut appends a value's pieces, unless that is where it lies.
func (s *Sink) moveOut(ctx context.Context, tp log.TopicPartition, limit int, o *outgoing, i int) (log.Chunked, error) {
	if l := o.laid(i); l.isFor(tp, o.key) {
		return l.where(), nil
	}
	column := o.tab.Columns[i].Name
	return s.pieces(ctx, tp, limit, o.content(i), s.headers(o.c, nil), func(n int) []byte { return pieceKey(o.key, column, n) })
}

// offloadNote is more than an Offloaded takes in its header, beside the names.
const offloadNote = 240

// choose gives the columns that have to go, the largest first, and whether the
// rest fits then.
func (s *Sink) choose(o *outgoing) (moved []int, rest bool) {
	at := s.columns(o.tab, o.e.After)
	if s.largeBeside(o.e.After, at) {
		return nil, false
	}
	slices.SortStableFunc(at, func(a, b int) int {
		return cmp.Compare(o.length(b), o.length(a))
	})
	over := o.size - s.room(o.tab, o.key, o.headers)
	for _, i := range at {
		size := o.length(i)
		gain := size - len(placeholder) - offloadNote - len(o.tab.topic) - 2*len(o.tab.Columns[i].Name)
		if size <= s.ValueBytes && (over <= 0 || gain <= 0) {
			break
		}
		moved = append(moved, i)
		over -= gain
	}
	return moved, over <= 0
}

func stand(k schema.Kind) schema.Value {
	switch k {
	case schema.KindBytes:
		return schema.Bytes([]byte(placeholder))
	case schema.KindJSON:
		return schema.JSON([]byte(placeholder))
	}
	return schema.Text([]byte(placeholder))
}

// pieceKey is the key of a piece. Keys of one schema are no prefixes of each
// other, so that no two pieces share one.
func pieceKey(key []byte, column string, n int) []byte {
	b := append(append(bytes.Clone(key), 0), column...)
	return binary.BigEndian.AppendUint32(append(b, 0), uint32(n))
}

// forget takes the pieces of a key out of the side topic when a record without
// them follows.
func (s *Sink) forget(ctx context.Context, o *outgoing) error {
	if !s.next.Tables[o.tab.topic].Offloaded {
		return nil
	}
	topic := log.OffloadTopic(o.tab.topic)
	if _, err := s.side(ctx, o.tab, topic, true); err != nil {
		return err
	}
	return s.dropOthers(ctx, log.TopicPartition{Topic: topic, Partition: s.partition(o.tab, o.key)}, o, nil)
}

// dropOthers takes the pieces of all columns but those of a list out of the side
// topic.
func (s *Sink) dropOthers(ctx context.Context, tp log.TopicPartition, o *outgoing, kept []int) error {
	for i := range o.tab.Columns {
		if slices.Contains(kept, i) || !movable(o.tab.Columns[i].Type.Kind) {
			continue
		}
		if err := s.dropPieces(ctx, tp, o, o.tab.Columns[i].Name, 0); err != nil {
			return err
		}
	}
	return nil
}

func movable(k schema.Kind) bool {
	return k == schema.KindText || k == schema.KindBytes || k == schema.KindJSON
}

// dropPieces appends tombstones for the pieces of a value from one on, as far as
// an earlier value of the same key had them.
func (s *Sink) dropPieces(ctx context.Context, tp log.TopicPartition, o *outgoing, column string, from int) error {
	if s.index == nil {
		return nil // nobody refers to them any more
	}
	for n := from; ; n++ {
		key := pieceKey(o.key, column, n)
		value, _, ok, err := s.index.Latest(ctx, tp, key)
		if err != nil {
			return fmt.Errorf("look up a piece in %s: %w", tp, err)
		}
		if !ok || value == nil {
			return nil
		}
		if err := s.writer.Append(ctx, log.Record{TopicPartition: tp, Key: key, Headers: s.headers(o.c, nil)}); err != nil {
			return fmt.Errorf("append to %s: %w", tp, err)
		}
	}
}

// restore puts the values that lie in the side topic back into a row that was
// read from the log; of one that is too large for memory its first bytes, and notes
// where the rest is. One that cannot be put together is unknown.
func (s *Sink) restore(ctx context.Context, tab *table, key []byte, row schema.Row) error {
	if !s.next.Tables[tab.topic].Offloaded {
		return nil
	}
	tp := log.TopicPartition{Topic: log.OffloadTopic(tab.topic), Partition: s.partition(tab, key)}
	for i := range row {
		if !movable(row[i].Kind()) || string(row[i].Ref()) != placeholder {
			continue
		}
		value, err := s.restored(ctx, tp, key, tab, i, row[i].Kind())
		switch {
		case errors.Is(err, errNoPiece):
			row[i] = schema.Unknown()
		case err != nil:
			return err
		default:
			row[i] = like(row[i].Kind(), value)
		}
	}
	return nil
}

// restored gives a value of a key, or the first bytes of it.
func (s *Sink) restored(ctx context.Context, tp log.TopicPartition, key []byte, tab *table, i int, kind schema.Kind) ([]byte, error) {
	l, err := s.lay(ctx, tp, key, tab.Columns[i].Name, kind)
	if err != nil {
		return nil, err
	}
	if l == nil {
		return s.join(ctx, tp, key, tab.Columns[i].Name)
	}
	for len(s.scratch.laid) <= i {
		s.scratch.laid = append(s.scratch.laid, nil)
	}
	s.scratch.laid[i] = l
	return l.head, l.verify()
}

var errNoPiece = errors.New("a piece of the value is gone")

// join reads a value of a key in pieces, by the index.
func (s *Sink) join(ctx context.Context, tp log.TopicPartition, key []byte, column string) ([]byte, error) {
	return log.Join(func(n int) ([]byte, error) {
		b, _, ok, err := s.index.Latest(ctx, tp, pieceKey(key, column, n))
		if err != nil {
			return nil, fmt.Errorf("look up a piece in %s: %w", tp, err)
		}
		if !ok || b == nil {
			return nil, errNoPiece
		}
		return b, nil
	})
}

func like(k schema.Kind, b []byte) schema.Value {
	switch k {
	case schema.KindBytes:
		return schema.Bytes(b)
	case schema.KindJSON:
		return schema.JSON(b)
	}
	return schema.Text(b)
}
