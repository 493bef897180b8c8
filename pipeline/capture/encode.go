package capture

import (
	"context"
	"encoding/binary"
	"fmt"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/log"
	"github.com/evertdb/evert/schema"
	"github.com/evertdb/evert/schema/avro"
)

// scratch is what encoding reuses from change to change.
type scratch struct {
	event  avro.Event
	origin avro.Origin
	tail   avro.Tail  // of rows of a snapshot
	after  schema.Row // a filled copy of a row
	before schema.Row
	packed []log.Header
	stored avro.Arena // of decoded records
	laid   []*laid    // values of the record looked up last that were left in pieces, by column
}

// Debezium's headers of a key change: each half names the other key.
const (
	newKeyHeader = "__debezium.newkey"
	oldKeyHeader = "__debezium.oldkey"
)

// change turns one change into records.
func (s *Sink) change(ctx context.Context, c *pipeline.Change) error {
	tab, err := s.table(ctx, c.Table)
	if err != nil {
		return err
	}
	switch {
	case s.isStopped(tab.topic):
		return nil
	case c.Op == pipeline.Truncate && (tab.keepRows || s.cannotTell(tab)):
		return s.halt(tab.topic, tab.Table, s.truncated(tab))
	case c.Op == pipeline.Truncate && tab.appends:
		return s.tellTruncate(tab, c)
	case c.Op == pipeline.Truncate:
		return s.truncate(ctx, tab)
	case c.Op == pipeline.Delete:
		return s.delete(ctx, tab, c, nil)
	case c.KeyChanged():
		return s.move(ctx, tab, c)
	}
	after, headers, err := s.whole(ctx, tab, c)
	if s.isBuried(tab, err) {
		return nil
	}
	if s.isAwaited(tab, err) {
		return s.await(tab, c.After)
	}
	if err != nil {
		return err
	}
	return s.upsert(ctx, tab, c, c.Op, after, headers)
}

// upsert appends a row's new image.
func (s *Sink) upsert(ctx context.Context, tab *table, c *pipeline.Change, op pipeline.Op, after schema.Row, headers []log.Header) error {
	e := s.event(tab, c, op)
	e.After = after
	if op == pipeline.Update && c.Before.Known() {
		e.Before = c.Before
	}
	key, err := s.key(tab, after)
	if err != nil {
		return err
	}
	s.arrive(tab.topic, key)
	o := outgoing{tab: tab, c: c, e: e, key: key, headers: beside(c, headers), stored: s.scratch.laid, most: s.ValueBytes}
	return s.put(ctx, &o)
}

// delete appends a delete and its tombstone; the row envelope has only the
// latter.
func (s *Sink) delete(ctx context.Context, tab *table, c *pipeline.Change, headers []log.Header) error {
	key, err := s.key(tab, c.Before)
	if err != nil {
		return err
	}
	s.arrive(tab.topic, key)
	o := outgoing{tab: tab, c: c, key: key, headers: beside(c, headers), most: s.ValueBytes}
	if s.Envelope == avro.Debezium {
		o.e = s.event(tab, c, pipeline.Delete)
		if o.e.Before, err = s.old(ctx, tab, c, key); err != nil {
			return err
		}
		if err := s.put(ctx, &o); err != nil || s.isStopped(tab.topic) {
			return err
		}
	}
	if !tab.appends || s.Envelope == avro.Row {
		s.add(tab, c, key, nil, nil)
	}
	return s.forget(ctx, &o)
}

// beside puts the headers that a transform wants behind those of capture.
func beside(c *pipeline.Change, headers []log.Header) []log.Header {
	for _, h := range c.Headers {
		headers = append(headers[:len(headers):len(headers)], log.Header{Key: h.Key, Value: h.Value})
	}
	return headers
}

// move is a change of key: the old key is deleted, then the new one created,
// both in the same commit (P18).
func (s *Sink) move(ctx context.Context, tab *table, c *pipeline.Change) error {
	after, headers, err := s.whole(ctx, tab, c)
	if err != nil {
		return err
	}
	if err := s.bring(after, s.scratch.laid); err != nil {
		return err
	}
	oldKey, err := s.key(tab, s.oldKeyRow(tab, c))
	if err != nil {
		return err
	}
	newKey, err := s.key(tab, after)
	if err != nil {
		return err
	}
	if err := s.delete(ctx, tab, c, []log.Header{{Key: newKeyHeader, Value: newKey}}); err != nil || s.isStopped(tab.topic) {
		return err
	}
	return s.upsert(ctx, tab, c, pipeline.Create, after, append(headers, log.Header{Key: oldKeyHeader, Value: oldKey}))
}

// oldKeyRow is the old row as far as its key goes; a part of the key that the
// source did not send did not change.
func (s *Sink) oldKeyRow(tab *table, c *pipeline.Change) schema.Row {
	for _, i := range tab.Key {
		if !c.Before[i].IsKnown() {
			c.Before[i] = c.After[i]
		}
	}
	return c.Before
}

// event is the envelope of a change, without its rows.
func (s *Sink) event(tab *table, c *pipeline.Change, op pipeline.Op) *avro.Event {
	o := &s.scratch.origin
	*o = avro.Origin{
		At:       c.Tx.At,
		Postgres: avro.Postgres{TxID: c.Tx.ID, CommitLSN: c.Tx.Commit, LSN: c.Offset},
		MySQL:    avro.MySQL{Server: c.Tx.Server, GTID: c.Tx.Name, File: c.Tx.File, Pos: c.Offset, Row: c.Row},
	}
	s.scratch.event = avro.Event{Op: op.String()[0], Origin: o, At: s.at}
	switch {
	case isChunked(c):
		o.Snapshot, s.scratch.event.Tail = avro.SnapshotIncremental, &s.scratch.tail
	case c.Op == pipeline.Read:
		o.Snapshot, s.scratch.event.Tail = avro.Snapshotted, &s.scratch.tail
	}
	return &s.scratch.event
}

// key gives the record key of a row; the bytes live in the arena.
func (s *Sink) key(tab *table, row schema.Row) ([]byte, error) {
	from := len(s.arena)
	s.arena = avro.AppendWire(s.arena, tab.keyID)
	var err error
	if s.arena, err = tab.codec.AppendKey(s.arena, row); err != nil {
		return nil, fmt.Errorf("table %s: key: %w", tab, err)
	}
	return s.arena[from:len(s.arena):len(s.arena)], nil
}

func (s *Sink) value(tab *table, e *avro.Event) ([]byte, error) {
	if s.Envelope == avro.Row && e.After == nil {
		return nil, nil
	}
	from := len(s.arena)
	s.arena = avro.AppendWire(s.arena, tab.valueID)
	var err error
	if s.arena, err = tab.codec.AppendValue(s.arena, e); err != nil {
		return nil, fmt.Errorf("table %s: %w", tab, err)
	}
	return s.arena[from:len(s.arena):len(s.arena)], nil
}

// add makes a record of a key and a value, nil for a tombstone.
func (s *Sink) add(tab *table, c *pipeline.Change, key, value []byte, headers []log.Header) {
	s.records = append(s.records, log.Record{
		TopicPartition: log.TopicPartition{Topic: tab.topic, Partition: s.partition(tab, key)},
		Key:            key,
		Value:          value,
		Headers:        s.headers(c, s.withGap(tab, headers)),
	})
}

// headers puts the row's place first, and the part of an oversized transaction
// from its second part on: the first part does not know yet that it is one.
func (s *Sink) headers(c *pipeline.Change, more []log.Header) []log.Header {
	pos := log.Pos{Incarnation: s.incarnation, Seq: c.Tx.Position.Seq, Row: uint64(c.Row)}
	switch {
	case isChunked(c):
		pos.Row = s.placeBehind()
	case c.Op == pipeline.Read:
		pos.Seq, pos.Row = 0, s.read
		s.read++
	}
	return s.placed(pos, more)
}

// isChunked reports whether a change is a row of a copy that runs while its source
// streams.
func isChunked(c *pipeline.Change) bool { return c.Op == pipeline.Read && c.Tx.Position.Seq > 0 }

// behindBits is room for the rows of one commit, of which max_commit_rows allows
// fewer.
const behindBits = 27

// placeBehind gives the place of a row within a transaction that lies behind all of
// its rows, and behind those that earlier commits placed so:
//
//	1<<62 + the number of the next frontier record << 27 + count within the commit
//
// The number grows with every commit between transactions, over restarts too, so
// that the places of chunks and of owed tombstones only grow.
func (s *Sink) placeBehind() uint64 {
	place := 1<<62 + s.number()<<behindBits + s.behind
	s.behind++
	return place
}

func (s *Sink) placed(pos log.Pos, more []log.Header) []log.Header {
	from := len(s.arena)
	s.arena = pos.Append(s.arena)
	at := len(s.scratch.packed)
	s.scratch.packed = append(s.scratch.packed, log.Header{Key: log.PosHeader, Value: s.arena[from:len(s.arena):len(s.arena)]})
	if s.part > 0 {
		from = len(s.arena)
		s.arena = binary.AppendUvarint(s.arena, uint64(s.part+1))
		s.scratch.packed = append(s.scratch.packed, log.Header{Key: log.PartHeader, Value: s.arena[from:len(s.arena):len(s.arena)]})
	}
	s.scratch.packed = append(s.scratch.packed, more...)
	return s.scratch.packed[at:len(s.scratch.packed):len(s.scratch.packed)]
}

// partition is where a key lies.
func (s *Sink) partition(tab *table, key []byte) int32 {
	if tab.partitions == 1 {
		return 0
	}
	if s.Canonical {
		key = key[avro.WireHeader:]
	}
	return int32(avro.Partition(key, tab.partitions))
}
