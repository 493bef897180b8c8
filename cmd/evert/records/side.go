package records

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/log"
	"github.com/evertdb/evert/schema"
)

// restore puts the values of a row that lie in a side topic back into it, or notes
// them. What a newer record of the key replaced stays the placeholder that it is.
func (d *Decoder) restore(ctx context.Context, r *log.Record, c *Change) error {
	if d.Log == nil || c.Event.After == nil {
		return nil
	}
	list, err := log.OffloadedOf(r)
	if err != nil {
		return err
	}
	for _, o := range list {
		i := c.Table.Column(o.Column)
		switch {
		case i < 0:
		case d.Above > 0 && o.Bytes >= d.Above:
			if c.Left == nil {
				c.Left = map[int]pipeline.Aside{}
			}
			c.Left[i] = &left{ctx, d.Log, o.Chunked, c.Event.After[i]}
		default:
			if err := d.put(ctx, c, i, o); err != nil {
				return fmt.Errorf("%s offset %d: column %s: %w", r.TopicPartition, r.Offset, o.Column, err)
			}
		}
	}
	return nil
}

// put puts a value back into a row.
func (d *Decoder) put(ctx context.Context, c *Change, i int, o log.Offloaded) error {
	value, err := log.ReadChunked(ctx, d.Log, o.Chunked)
	switch {
	case IsGone(err):
		return nil
	case err != nil:
		return err
	}
	c.Event.After[i] = like(c.Event.After[i], value)
	return nil
}

// IsGone reports whether a value in a side topic cannot be read because a newer record of
// its key replaced it.
func IsGone(err error) bool {
	return errors.Is(err, log.ErrSuperseded) || errors.Is(err, log.ErrNoTopic)
}

// A left value is in a side topic. It implements pipeline.Aside.
type left struct {
	ctx  context.Context // of the Decode that found it
	log  log.Log
	at   log.Chunked
	like schema.Value
}

func (l *left) Size() int64 { return l.at.Bytes }

func (l *left) Open() (io.ReadCloser, error) { return log.OpenChunked(l.ctx, l.log, l.at) }

func (l *left) Load() (schema.Value, error) {
	b, err := log.ReadChunked(l.ctx, l.log, l.at)
	return like(l.like, b), err
}

// like is a value of the kind of another.
func like(v schema.Value, b []byte) schema.Value {
	switch v.Kind() {
	case schema.KindBytes:
		return schema.Bytes(b)
	case schema.KindJSON:
		return schema.JSON(b)
	}
	return schema.Text(b)
}

// lacks are the headers that say what a record, or a topic before it, lacks, and what a line calls them.
var lacks = [...]struct{ header, name string }{
	{log.CutHeader, "cut"}, {log.OffloadHeader, "offloaded"}, {log.DeadLetterHeader, "dead_letter"}, {log.GapHeader, "gap"},
}

// appendLacks writes what a record lacks, as its headers say it.
func appendLacks(dst []byte, r *log.Record) []byte {
	for _, l := range lacks {
		if text := r.Find(l.header); json.Valid(text) {
			dst = append(strconv.AppendQuote(append(dst, ','), l.name), ':')
			dst = append(dst, text...)
		}
	}
	return dst
}

// isPiece reports whether a record of a side topic is a piece of a value, and
// no row of its own.
func isPiece(r *log.Record) bool {
	if r.Find(log.ReasonHeader) != nil {
		return true
	}
	return strings.HasSuffix(r.Topic, log.OffloadTopic("")) && (r.Value == nil || isChunk(r.Value))
}

func isChunk(b []byte) bool {
	_, err := log.ParseChunk(b)
	return err == nil
}

// appendPiece writes where a piece lies and what it is of.
func (d *Decoder) appendPiece(dst []byte, r *log.Record) []byte {
	line := struct {
		Topic     string  `json:"topic"`
		Partition int32   `json:"partition"`
		Offset    int64   `json:"offset"`
		Op        *string `json:"op"`
		Bytes     int     `json:"bytes"`
		Of        int64   `json:"of_bytes,omitempty"`
		Chunks    int     `json:"of_chunks,omitempty"`
		Table     string  `json:"table_topic,omitempty"`
		Reason    string  `json:"reason,omitempty"`
	}{Topic: r.Topic, Partition: r.Partition, Offset: r.Offset, Table: string(r.Find(log.TopicHeader)), Reason: string(r.Find(log.ReasonHeader))}
	if c, err := log.ParseChunk(r.Value); err == nil {
		op := "piece"
		line.Op, line.Bytes, line.Of, line.Chunks = &op, len(c.Data), c.Total, c.Chunks
	}
	text, err := json.Marshal(line)
	if err != nil {
		panic(err) // numbers and strings always have a JSON form
	}
	return append(append(dst, text...), '\n')
}
