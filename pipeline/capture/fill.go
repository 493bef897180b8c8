package capture

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/log"
	"github.com/evertdb/evert/schema"
	"github.com/evertdb/evert/schema/avro"
)

// whole gives a change's new row with every value known (I5): from the old row,
// from the newest record of the key, which lies under the old key if the key
// changed (P14), or from the source.
//
// The log's value is of no use where it may have been cut: then the source is
// asked first, and a value that only the log has is marked as doubtful.
func (s *Sink) whole(ctx context.Context, tab *table, c *pipeline.Change) (schema.Row, []log.Header, error) {
	if c.After.Known() {
		return c.After, nil, nil
	}
	row, err := s.filled(ctx, tab, c)
	if pipeline.CodeOf(err) != codeUnknown || !s.next.Tables[tab.topic].Cut {
		return row, nil, err
	}
	stored, lookErr := s.stored(ctx, tab, c)
	if lookErr != nil || stored == nil {
		return nil, nil, cmp.Or(lookErr, err)
	}
	row = s.scratch.after
	cuts := s.doubtful(tab, row)
	if fill(row, stored); !row.Known() {
		return nil, nil, err
	}
	return row, []log.Header{jsonHeader(log.CutHeader, cuts)}, nil
}

// doubtful lists the unknown values of a row that only the log has, where they
// may have been cut.
func (s *Sink) doubtful(tab *table, row schema.Row) (cuts []log.Cut) {
	for i := range row {
		if !row[i].IsKnown() {
			cuts = append(cuts, log.Cut{Row: "after", Column: tab.Columns[i].Name})
		}
	}
	return cuts
}

func (s *Sink) filled(ctx context.Context, tab *table, c *pipeline.Change) (schema.Row, error) {
	row := append(s.scratch.after[:0], c.After...)
	s.scratch.after = row
	fill(row, c.Before)
	if row.Known() {
		return row, nil
	}
	if s.mayHold(tab, row) {
		stored, err := s.stored(ctx, tab, c)
		if err != nil {
			return nil, err
		}
		if n := fill(row, s.trusted(tab, stored)); n > 0 && s.Events.Filled != nil {
			s.Events.Filled(tab.Table, "log", n)
		}
		if row.Known() {
			return row, nil
		}
	}
	return s.reread(ctx, tab, c, row)
}

// mayHold reports whether the log may have a value that is unknown in a row and to be
// trusted. Where it has none it is not read: what was cut is as large as a record may be.
func (s *Sink) mayHold(tab *table, row schema.Row) bool {
	if !s.next.Tables[tab.topic].Cut {
		return true
	}
	for i := range row {
		if !row[i].IsKnown() && !replaceable(tab, i, tab.Columns[i].Type.Kind) {
			return true
		}
	}
	return false
}

// trusted is a row of the log without the values that may have been cut.
func (s *Sink) trusted(tab *table, stored schema.Row) schema.Row {
	if stored == nil || !s.next.Tables[tab.topic].Cut {
		return stored
	}
	stored = slices.Clone(stored)
	for _, i := range s.columns(tab, stored) {
		stored[i] = schema.Unknown()
	}
	return stored
}

// fill copies known values over unknown ones and counts them.
func fill(row, from schema.Row) int {
	n := 0
	for i := range row {
		if i < len(from) && !row[i].IsKnown() && from[i].IsKnown() {
			row[i] = from[i]
			n++
		}
	}
	return n
}

// stored gives the row that the log holds under a change's old key, nil if it
// holds none. Columns it does not have are unknown.
func (s *Sink) stored(ctx context.Context, tab *table, c *pipeline.Change) (schema.Row, error) {
	row := c.After
	if c.KeyChanged() {
		row = s.oldKeyRow(tab, c)
	}
	key, err := s.key(tab, row)
	if err != nil {
		return nil, err
	}
	return s.lookup(ctx, tab, key)
}

// old gives the whole old row of a delete, nil if it cannot be known.
func (s *Sink) old(ctx context.Context, tab *table, c *pipeline.Change, key []byte) (schema.Row, error) {
	if c.Before.Known() {
		return c.Before, nil
	}
	stored, err := s.lookup(ctx, tab, key)
	if err != nil || stored == nil {
		return nil, err
	}
	row := append(s.scratch.before[:0], c.Before...)
	s.scratch.before = row
	if fill(row, stored); row.Known() {
		return row, nil
	}
	return nil, nil
}

// lookup reads the newest record of a key, the open commit's included, in the
// column order of the table as it is now.
func (s *Sink) lookup(ctx context.Context, tab *table, key []byte) (schema.Row, error) {
	s.scratch.laid = s.scratch.laid[:0]
	if s.index == nil || tab.appends {
		return nil, nil
	}
	tp := log.TopicPartition{Topic: tab.topic, Partition: s.partition(tab, key)}
	if err := s.flushRecords(ctx); err != nil {
		return nil, err
	}
	value, offset, ok, err := s.index.Latest(ctx, tp, key)
	if err != nil {
		return nil, fmt.Errorf("look up a key of %s: %w", tp, err)
	}
	if !ok || value == nil || s.isVoid(tp, offset) {
		return nil, nil
	}
	from := len(s.arena)
	s.arena = append(s.arena, value...)
	row, err := s.decode(ctx, tab, s.arena[from:len(s.arena):len(s.arena)])
	if err != nil {
		return nil, err
	}
	return row, s.restore(ctx, tab, key, row)
}

// isVoid reports whether a record lies below where its table's rows count.
func (s *Sink) isVoid(tp log.TopicPartition, offset int64) bool {
	from := s.next.Tables[tp.Topic].From
	return int(tp.Partition) < len(from) && offset < from[tp.Partition]
}

// decode reads a stored value with the schema it was written with, and brings
// its columns by name into the order of tab (I6).
func (s *Sink) decode(ctx context.Context, tab *table, value []byte) (schema.Row, error) {
	id, body, err := avro.ParseWire(value)
	if err != nil {
		return nil, err
	}
	codec, err := s.codec(ctx, tab, id)
	if err != nil {
		return nil, err
	}
	e, err := codec.DecodeValue(body, &s.scratch.stored)
	if err != nil {
		return nil, fmt.Errorf("decode a record of %s: %w", tab.topic, err)
	}
	if e.After == nil || codec.Table() == tab.Table {
		return e.After, nil
	}
	return project(e.After, codec.Table(), tab.Table), nil
}

func project(row schema.Row, from, to *schema.Table) schema.Row {
	out := make(schema.Row, len(to.Columns))
	for i := range to.Columns {
		out[i] = schema.Unknown()
		if j := from.Column(to.Columns[i].Name); j >= 0 {
			out[i] = row[j]
		}
	}
	return out
}

// codec gives the codec of a schema id, from the registry if it is not ours.
func (s *Sink) codec(ctx context.Context, tab *table, id int) (*avro.Codec, error) {
	if c, ok := s.codecs[id]; ok {
		return c, nil
	}
	text, err := s.Registry.Schema(ctx, id)
	if err != nil {
		return nil, fmt.Errorf("schema %d: %w", id, err)
	}
	c, err := avro.ParseCodec(tab.codec.KeySchema(), text)
	if err != nil {
		return nil, fmt.Errorf("schema %d: %w", id, err)
	}
	s.codecs[id] = c
	return c, nil
}

// reread asks the source for the row as it is now. That row may be younger than
// the change; the changes that made it so follow.
func (s *Sink) reread(ctx context.Context, tab *table, c *pipeline.Change, row schema.Row) (schema.Row, error) {
	if s.Reread != nil {
		now, err := s.Reread(ctx, c)
		if err != nil {
			return nil, fmt.Errorf("read a row of %s again: %w", tab, err)
		}
		if n := fill(row, now); n > 0 && s.Events.Filled != nil {
			s.Events.Filled(tab.Table, "source", n)
		}
	}
	for i := range row {
		if !row[i].IsKnown() {
			return nil, s.unknown(tab, i)
		}
	}
	return row, nil
}

func (s *Sink) unknown(tab *table, column int) error {
	name := tab.Columns[column].Name
	return &pipeline.Refusal{Code: codeUnknown, Where: fmt.Sprintf("table %s, column %s", tab, name),
		What: "the source did not send an unchanged value, and neither the log nor the source has the row any more",
		Mend: s.mendOf(codeUnknown, tab.Table)}
}

// quoted is a name as SQL takes it, whatever stands in it.
func quoted(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }
