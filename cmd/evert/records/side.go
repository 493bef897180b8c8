package records

import (
	"context"
	"encoding/json"
	"errors"
	"strconv"
	"strings"

	"github.com/evertdb/evert/pipeline/log"
	"github.com/evertdb/evert/schema"
)

// restore puts the values of a row that lie in a side topic back into it. What a
// newer record of the key replaced stays the placeholder that it is.
func (d *Decoder) restore(ctx context.Context, r *log.Record, c *Change) error {
	if d.Log == nil || c.Event.After == nil || r.Find(log.OffloadHeader) == nil {
		return nil
	}
	values, err := log.Restore(ctx, d.Log, r)
	if errors.Is(err, log.ErrSuperseded) || errors.Is(err, log.ErrNoTopic) {
		return nil
	}
	for column, value := range values {
		if i := c.Table.Column(column); i >= 0 {
			c.Event.After[i] = like(c.Event.After[i], value)
		}
	}
	return err
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
