package view

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/evertdb/evert/pipeline/dataflow"
	"github.com/evertdb/evert/pipeline/log"
	"github.com/evertdb/evert/schema"
	"github.com/evertdb/evert/schema/avro"
)

// output is the view's topic, and the rows on their way into it. Its codec is
// that of the row envelope; keys lie where their bytes without the schema id
// say.
type output struct {
	topic          string
	partitions     int
	codec          *avro.Codec
	table          *schema.Table
	keyID, valueID int
	incarnation    uint64
	maxBytes       int // of a record

	// Of one epoch:
	seq     uint64 // of the epoch's records
	row     uint64
	part    int         // commits made of it
	ends    log.Offsets // of the partitions it touched
	records []log.Record
	bytes   int // of records
	arena   []byte
	rows    int       // in the open commit
	size    int       // bytes in it
	first   time.Time // when the first of them was appended

	key, value []byte     // scratch
	keyRow     schema.Row // scratch: a whole row of which the key is set
}

// flushBytes is how much is appended at once.
const flushBytes = 256 << 10

// begin starts an epoch's records.
func (o *output) begin(own *log.Frontier) {
	o.seq, o.row, o.part, o.ends, o.incarnation = own.Number+1, 0, 0, log.Offsets{}, own.Incarnation
	o.records, o.arena, o.bytes, o.rows, o.size = o.records[:0], o.arena[:0], 0, 0, 0
}

// appendKey encodes the key of a row of the view, given in key order.
func (o *output) appendKey(dst []byte, key schema.Row) ([]byte, error) {
	if o.keyRow == nil {
		o.keyRow = make(schema.Row, len(o.table.Columns))
	}
	for i, col := range o.table.Key {
		o.keyRow[col] = key[i]
	}
	return o.codec.AppendKey(avro.AppendWire(dst, o.keyID), o.keyRow)
}

func (o *output) appendValue(dst []byte, row schema.Row) ([]byte, error) {
	return o.codec.AppendValue(avro.AppendWire(dst, o.valueID), &avro.Event{After: row})
}

// emit appends a changed row of the result to the view's topic.
func (e *epoch) emit(ctx context.Context, c dataflow.Change) error {
	o := e.output
	var err error
	if o.key, err = o.appendKey(o.key[:0], c.Key); err != nil {
		return err
	}
	if c.New == nil {
		return e.put(ctx, o.key, nil)
	}
	if o.value, err = o.appendValue(o.value[:0], c.New); err != nil {
		return err
	}
	return e.put(ctx, o.key, o.value)
}

// put appends a record; a nil value is a tombstone. It copies both. At the limits
// of a commit what was appended is committed as a part, without a frontier
// record (I3).
func (e *epoch) put(ctx context.Context, key, value []byte) error {
	o := e.output
	if n := len(key) + len(value); n > o.maxBytes {
		return e.tooLarge(n)
	}
	if o.rows > 0 && (o.rows >= e.Limits.Rows || o.size >= e.Limits.Bytes || e.Now().Sub(o.first) >= e.Limits.Timeout) {
		if err := e.commitPart(ctx); err != nil {
			return err
		}
	}
	if o.rows == 0 {
		o.first = e.Now()
	}
	r := o.record(key, value)
	o.records = append(o.records, r)
	o.bytes += r.Size()
	o.rows, o.size = o.rows+1, o.size+r.Size()
	e.out++
	if o.bytes < flushBytes {
		return nil
	}
	return o.flush(ctx, e.writer)
}

// record copies a key and a value into a record with its place.
func (o *output) record(key, value []byte) log.Record {
	r := log.Record{TopicPartition: log.TopicPartition{Topic: o.topic}, Key: o.keep(key)}
	if value != nil {
		r.Value = o.keep(value)
	}
	if o.partitions > 1 {
		r.Partition = int32(avro.Partition(key[avro.WireHeader:], o.partitions))
	}
	from := len(o.arena)
	o.arena = log.Pos{Incarnation: o.incarnation, Seq: o.seq, Row: o.row}.Append(o.arena)
	r.Headers = []log.Header{{Key: log.PosHeader, Value: o.arena[from:len(o.arena):len(o.arena)]}}
	if o.part > 0 {
		from = len(o.arena)
		o.arena = binary.AppendUvarint(o.arena, uint64(o.part+1))
		r.Headers = append(r.Headers, log.Header{Key: log.PartHeader, Value: o.arena[from:len(o.arena):len(o.arena)]})
	}
	o.row++
	return r
}

func (o *output) keep(b []byte) []byte {
	from := len(o.arena)
	o.arena = append(o.arena, b...)
	return o.arena[from:len(o.arena):len(o.arena)]
}

// flush hands the records to the writer, which copies them.
func (o *output) flush(ctx context.Context, w log.Writer) error {
	if len(o.records) == 0 {
		return nil
	}
	if err := w.Append(ctx, o.records...); err != nil {
		return fmt.Errorf("append to %s: %w", o.topic, err)
	}
	o.records, o.arena, o.bytes = o.records[:0], o.arena[:0], 0
	return nil
}

// touch notes how far the open commit goes.
func (o *output) touch(ends log.Offsets) {
	for tp, next := range ends {
		if tp.Topic == o.topic {
			o.ends[tp] = next
		}
	}
}

// commitPart commits what was appended so far: rows above the view's frontier,
// which its readers do not look at. After a crash they are the tail.
func (e *epoch) commitPart(ctx context.Context) error {
	o := e.output
	if err := o.flush(ctx, e.writer); err != nil {
		return err
	}
	touched, err := e.writer.Flush(ctx)
	if err != nil {
		return fmt.Errorf("flush: %w", err)
	}
	o.touch(touched)
	if err := e.writer.Commit(ctx, e.fence()); err != nil {
		return err
	}
	o.part++
	if e.Events.Part != nil {
		e.Events.Part(o.part, o.rows)
	}
	o.rows, o.size = 0, 0
	return nil
}

var errNoKey = errors.New("a key that is not of this view")

// keyOf reads a record key of the view's own back, in key order.
func (o *output) keyOf(key []byte, a *avro.Arena) (schema.Row, error) {
	id, body, err := avro.ParseWire(key)
	if err != nil || id != o.keyID {
		return nil, errNoKey
	}
	row, err := o.codec.DecodeKey(body, a)
	if err != nil {
		return nil, errNoKey
	}
	return o.table.KeyOf(nil, row), nil
}
