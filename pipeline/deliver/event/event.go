// Package event writes a delivered change as JSON: what sinks that tell of changes
// (a webhook, files, the standard output) say, the same for each of them.
//
//	{"op":"upsert","key":{"id":7},"row":{"id":7,"name":"Ann"},
//	 "from":"shop.public.customers","source":"shop","position":{"seq":812,"native":"0/1A2B"},
//	 "place":{"topic":"shop.public.customers","partition":0,"offset":4711},
//	 "incarnation":"9f86d081884c7d65","filling":false}
//
// It stands on one line. op is upsert, with the whole row, or delete, whose row is
// null; or truncate, of a table whose topic is append-only, with neither key nor row:
// all of its rows of that partition are gone. Each partition tells it, in its place among the
// changes there. Values are as in package document. place is the record's own in the log:
// who has done what an event says keeps the highest offset of each partition of each
// topic, and leaves out what is not above it. Offsets count within an incarnation of the
// topic; another incarnation begins a new history, with every row again. filling
// is true for the rows of a first fill: they were there before, and are no news.
// Dead letters that are delivered once more have the header "evert-replay", and
// places below those of later events.
//
// Below transforms that need old rows (rekey, unnest, drop_unchanged) events are of what
// differs between two cuts: an insert, an update and a delete of a row give an upsert or
// a delete of each key that the row makes, a change of what it makes a delete of the
// old key and then an upsert of the new one. Several events may have one place, and places
// of different rows do not order what becomes one key. rank does, which only these have: who
// has done what an event says keeps the highest rank of each key, and leaves out what is
// not above it. What is sent again has the same bytes, unless the table has other columns
// by then. headers, an object of texts, is what transforms put beside the row. native,
// source, incarnation and headers are left out where there are none.
package event

import (
	"fmt"
	"strconv"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/document"
	"github.com/evertdb/evert/schema"
)

// An Origin says where the changes of a sink come from.
type Origin struct {
	Topic  string
	From   string // the view, or the table as the file names it
	Source string // of a table; empty: a view
}

// An Encoder writes events of one topic, or of several. One goroutine uses it.
type Encoder struct{ topics []*encoder }

// New makes an encoder of events of topics, by their numbers.
func New(origins ...Origin) *Encoder {
	e := &Encoder{}
	for _, o := range origins {
		e.topics = append(e.topics, newEncoder(o))
	}
	return e
}

// Append appends the event of a change, without a line end. filling says that the
// row belongs to a first fill.
func (e *Encoder) Append(dst []byte, c *pipeline.Change, filling bool) []byte {
	return e.topics[c.Topic].append(dst, c, filling)
}

// AppendKey appends the key of a change, as an object by column name.
func (e *Encoder) AppendKey(dst []byte, c *pipeline.Change) []byte {
	return e.topics[c.Topic].appendKey(dst, c)
}

// Topics gives the topics of origins.
func Topics(origins []Origin) (all []string) {
	for _, o := range origins {
		all = append(all, o.Topic)
	}
	return all
}

// encoder writes events of one topic.
type encoder struct {
	origin    Origin
	of        *schema.Table // whose rows are compiled
	keys, row *document.Encoder
	key       schema.Row
	from      []byte // what stands between row and position
}

func newEncoder(o Origin) *encoder {
	e := &encoder{origin: o, from: document.AppendString([]byte(`,"from":`), []byte(o.From))}
	if o.Source != "" {
		e.from = document.AppendString(append(e.from, `,"source":`...), []byte(o.Source))
	}
	return e
}

func (e *encoder) append(dst []byte, c *pipeline.Change, filling bool) []byte {
	e.compile(c.Table)
	dst = e.appendKey(append(dst, opOf(c)...), c)
	dst = append(dst, `,"row":`...)
	if c.After == nil {
		dst = append(dst, "null"...)
	} else {
		dst = e.row.Append(dst, c.After)
	}
	dst = append(dst, e.from...)
	dst = appendPosition(dst, c.Tx)
	dst = appendHeaders(e.appendPlace(dst, c), c.Headers)
	if c.Rank != 0 {
		dst = strconv.AppendUint(append(dst, `,"rank":`...), c.Rank, 10)
	}
	return append(strconv.AppendBool(append(dst, `,"filling":`...), filling), '}')
}

func (e *encoder) appendKey(dst []byte, c *pipeline.Change) []byte {
	e.compile(c.Table)
	if c.Op == pipeline.Truncate {
		return append(dst, "null"...)
	}
	e.key = c.Table.KeyOf(e.key[:0], rowOf(c))
	return e.keys.Append(dst, e.key)
}

// compile makes the encoders of a table version that is new.
func (e *encoder) compile(t *schema.Table) {
	if e.of == t {
		return
	}
	columns := make([]schema.Column, len(t.Key))
	for i, col := range t.Key {
		columns[i] = t.Columns[col]
	}
	e.of, e.keys, e.row = t, document.New(columns), document.New(t.Columns)
}

// appendPlace appends where the record stands in the log.
func (e *encoder) appendPlace(dst []byte, c *pipeline.Change) []byte {
	dst = document.AppendString(append(dst, `,"place":{"topic":`...), []byte(e.origin.Topic))
	dst = strconv.AppendInt(append(dst, `,"partition":`...), int64(c.Partition), 10)
	dst = strconv.AppendUint(append(dst, `,"offset":`...), c.Offset, 10)
	dst = append(dst, '}')
	if c.Tx == nil || c.Tx.Incarnation == 0 {
		return dst
	}
	return fmt.Appendf(dst, `,"incarnation":"%016x"`, c.Tx.Incarnation)
}

// appendHeaders appends what transforms put beside the row.
func appendHeaders(dst []byte, headers []pipeline.Header) []byte {
	if len(headers) == 0 {
		return dst
	}
	dst = append(dst, `,"headers":`...)
	for i, h := range headers {
		dst = append(dst, "{,"[min(i, 1)])
		dst = document.AppendString(append(document.AppendString(dst, []byte(h.Key)), ':'), h.Value)
	}
	return append(dst, '}')
}

func appendPosition(dst []byte, tx *pipeline.Tx) []byte {
	if tx == nil {
		return dst
	}
	dst = strconv.AppendUint(append(dst, `,"position":{"seq":`...), tx.Position.Seq, 10)
	if native := tx.Position.Native; native != "" {
		dst = document.AppendString(append(dst, `,"native":`...), []byte(native))
	}
	return append(dst, '}')
}

func opOf(c *pipeline.Change) string {
	switch {
	case c.Op == pipeline.Truncate:
		return `{"op":"truncate","key":`
	case c.After == nil:
		return `{"op":"delete","key":`
	}
	return `{"op":"upsert","key":`
}

// rowOf gives the row in which the key of a change stands.
func rowOf(c *pipeline.Change) schema.Row {
	if c.After == nil {
		return c.Before
	}
	return c.After
}
