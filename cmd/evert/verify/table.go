package verify

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/evertdb/evert/cmd/evert/compare"
	"github.com/evertdb/evert/cmd/evert/databases"
	"github.com/evertdb/evert/cmd/evert/records"
	"github.com/evertdb/evert/configs"
	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/dataflow"
	"github.com/evertdb/evert/pipeline/log"
	"github.com/evertdb/evert/schema"
)

// table compares a topic's rows with those of its table.
func (v *comparison) table(ctx context.Context) error {
	topic, err := records.Find(ctx, v.Topics, v.name, v.File.TopicPrefixes())
	if err != nil {
		return err
	}
	table, steps, err := v.tableOf(ctx, topic.Name)
	if err != nil {
		return err
	}
	if !topic.Compact {
		return v.refuse("table "+v.report.Table+" is append-only: its topic holds changes for a time, and not its rows", "evert tail "+v.report.Table+"   # shows them")
	}
	var r log.Reader
	var state log.TableState
	err = v.pinned(ctx, func(cut pipeline.Position) error {
		r, state, err = v.readTo(ctx, topic.Name, cut)
		return err
	})
	if v.pin != nil {
		defer v.pin.Close()
	}
	if r != nil {
		defer r.Close()
	}
	if err != nil {
		return err
	}
	columns, err := compare.NewColumns(table.Columns, table.Key, namedKeys)
	if err != nil {
		return err
	}
	columns.Brief = true
	there := func(s dataflow.Sorter) error { return v.madeRows(ctx, s, columns, steps) }
	if steps == nil {
		there = func(s dataflow.Sorter) error { return v.databaseRows(ctx, s, columns, table) }
	}
	return v.compare(columns, there, compare.SameTexts, func(s dataflow.Sorter) error {
		return v.topicRows(ctx, s, columns, r, state)
	})
}

// tableOf finds the source and the table of a topic; steps are those that make its
// rows, nil if they are the database's own.
func (v *comparison) tableOf(ctx context.Context, topic string) (table *schema.Table, steps *made, err error) {
	for _, c := range v.Captures {
		prefix := v.File.Sources[c.Name()].TopicPrefix
		source, ok := c.Database().(databases.Pinner)
		if !ok || !strings.HasPrefix(topic, log.Sanitize(prefix+".")) {
			continue
		}
		tables, err := source.Tables(ctx)
		if err != nil {
			return nil, nil, err
		}
		if steps, err = v.madeFrom(c.Name(), topic, tables); err != nil {
			return nil, nil, err
		}
		at := slices.IndexFunc(tables, func(t *schema.Table) bool { return log.TableTopic(prefix, t.Schema, t.Name) == topic })
		if steps == nil && at < 0 {
			continue
		}
		v.capture, v.source = c, source
		v.report.Kind, v.report.Source = "table", c.Name()
		switch {
		case steps == nil:
			v.report.Table = c.Name() + "." + tables[at].String()
			return tables[at], nil, v.held(tables[at])
		case steps.chain.Varies():
			return nil, nil, v.refuse("its transforms make of a row what depends on how it came, so that the rows of the database say nothing of it", "evert verify SCHEMA.TABLE   # of a table without metadata, outbox, and expressions of change")
		}
		v.report.Table = c.Name() + "." + steps.table.String()
		return steps.table, steps, v.held(steps.origins...)
	}
	return nil, nil, &pipeline.Refusal{Code: codeImpossible, Where: topic, What: "it is not the topic of a table that a source of this file captures now", Mend: "evert verify SCHEMA.TABLE   # as `evert status` lists them"}
}

// held refuses tables whose topics do not hold what the database has.
func (v *comparison) held(tables ...*schema.Table) error {
	source := v.File.Sources[v.capture.Name()]
	for _, t := range tables {
		if !source.Chooses(t.Schema, t.Name).IsZero() {
			return v.refuse("snapshot.where leaves rows of "+t.String()+" out of its copy, and which of them came by the stream since is not known", "remove the condition and copy the table again: evert snapshot TABLE")
		}
		if source.Envelope == configs.EnvelopeDebezium && source.Handling.Time == "connect" && slices.ContainsFunc(t.Columns, cutToMillis) {
			return v.refuse("handling.time: connect cuts what is finer than a millisecond off the times of "+t.String(), "set another handling.time, such as isostring, and copy the table again: evert snapshot TABLE")
		}
	}
	return nil
}

func cutToMillis(c schema.Column) bool {
	t := &c.Type
	if t.Elem != nil {
		t = t.Elem
	}
	return (t.Kind == schema.KindTime || t.Kind == schema.KindTimestamp && !t.Zoned) && (t.Precision < 0 || t.Precision > 3)
}

// databaseRows adds the rows of a table.
func (v *comparison) databaseRows(ctx context.Context, s dataflow.Sorter, columns *compare.Columns, t *schema.Table) error {
	v.step("reading the database")
	w := &rowWriter{columns: columns, to: s, key: make(schema.Row, len(columns.Key))}
	return v.pin.Rows(ctx, t, func(r databases.Row) error {
		v.count()
		return w.add(&r)
	})
}

// readTo opens a reader of a topic's rows up to the newest cut, which stays
// readable as long as the reader is open.
func (v *comparison) readTo(ctx context.Context, topic string, cut pipeline.Position) (log.Reader, log.TableState, error) {
	f, err := v.frontierAt(ctx, cut)
	if err != nil {
		return nil, log.TableState{}, err
	}
	state := f.Tables[topic]
	if state.State != log.OK {
		return nil, state, v.refuse("the table is "+state.State.String()+", and its topic no copy of it", "evert status")
	}
	r, err := v.Topics.Reader(ctx)
	if err != nil {
		return nil, state, err
	}
	from, to := log.Offsets{}, log.Offsets{}
	for p, start := range state.From {
		tp := log.TopicPartition{Topic: topic, Partition: int32(p)}
		if end := f.Offsets[tp]; end > start {
			from[tp], to[tp] = start, end
		}
	}
	if err := r.Assign(from); err != nil {
		return r, state, err
	}
	r.Limit(to)
	v.cut = to
	if len(from) == 0 {
		_ = r.Close()
		return nil, state, nil
	}
	return r, state, nil
}

// frontierAt reads the frontier that capture has committed: a cluster shows it to
// readers a moment later, and capture writes no other meanwhile.
func (v *comparison) frontierAt(ctx context.Context, cut pipeline.Position) (*log.Frontier, error) {
	ctx, cancel := context.WithTimeout(ctx, cutPatience)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		fold, err := log.ReadFrontier(ctx, v.Topics, log.FrontierTopic(v.File.Name, v.capture.Name()))
		if err != nil {
			return nil, err
		}
		if f, ok := fold.Frontier(); ok && f.Resume.At == cut {
			return f, nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil, v.refuse("the frontier did not come to where capture says it is", "evert status")
		}
	}
}

// topicRows adds the rows of a topic; r is nil if it has none.
func (v *comparison) topicRows(ctx context.Context, s dataflow.Sorter, columns *compare.Columns, r log.Reader, state log.TableState) error {
	if r == nil {
		return nil
	}
	v.step("reading the topic")
	in := &topicSide{columns: columns, decoder: records.NewDecoder(v.Registry)}
	in.decoder.Log, in.decoder.Above = v.Topics, leftAbove
	for {
		f, err := r.Next(ctx, 2000)
		if errors.Is(err, io.EOF) {
			return v.stillSound(ctx)
		}
		if err != nil {
			return err
		}
		for i := range f.Records {
			rec := &f.Records[i]
			if rec.Offset < state.From[rec.Partition] {
				continue
			}
			if err := in.add(ctx, s, rec); err != nil {
				return err
			}
			v.count()
		}
	}
}

// stillSound refuses a comparison for which the topic was read so long that what
// lies below its cut may have been compacted away meanwhile, because of records
// above it (K16).
func (v *comparison) stillSound(ctx context.Context) error {
	sound, err := v.Topics.Admin().Sound(ctx, v.cut, v.cutAt)
	if err != nil || sound {
		return err
	}
	return v.refuse("reading the topic took longer than it keeps what was overwritten (min.compaction.lag.ms)", "raise min.compaction.lag.ms of the topic, or compare when less is written")
}

// topicSide turns records into rows with the database's columns.
type topicSide struct {
	columns *compare.Columns
	decoder *records.Decoder
	of      *schema.Table // whose places are known
	at      []int         // by column: its place in of, or −1
	key     schema.Row
	bytes   []byte
	row     []byte
	scratch []byte
}

func (in *topicSide) add(ctx context.Context, s dataflow.Sorter, rec *log.Record) error {
	c, err := in.decoder.Whole(ctx, rec)
	if err != nil {
		return err
	}
	in.key = in.key[:0]
	for _, k := range c.KeyColumns() { // a tombstone's have the names of the wire
		in.key = append(in.key, c.Key[k])
	}
	if len(in.key) != len(in.columns.Key) {
		return fmt.Errorf("%s offset %d: its key has %d columns, not %d", rec.TopicPartition, rec.Offset, len(in.key), len(in.columns.Key))
	}
	in.bytes, in.row = in.columns.AppendKey(in.bytes[:0], in.key), in.row[:0]
	if !c.Tombstone && c.Event.After != nil {
		in.places(c.Table)
		for i, p := range in.at {
			if in.row, err = in.cell(&c, p, in.row, &in.columns.Columns[i].Type); err != nil {
				return fmt.Errorf("%s offset %d: %w", rec.TopicPartition, rec.Offset, err)
			}
		}
	}
	return s.Add(in.bytes, in.row)
}

// leftAbove is the least size of a value that is compared where it lies in pieces, in
// bytes.
const leftAbove = 4 << 20

// cell appends the value of a column, at its place in the record's row.
func (in *topicSide) cell(c *records.Change, place int, row []byte, t *schema.Type) (_ []byte, err error) {
	value := schema.Null() // a column that came after the record
	if place >= 0 {
		value = c.Event.After[place]
	}
	if a := c.Left[place]; a != nil {
		if whole, err := in.columns.AppendLarge(row, t, a); !records.IsGone(err) {
			return whole, err
		}
	}
	row, in.scratch = in.columns.AppendValue(row, t, value, in.scratch)
	return row, nil
}

func (in *topicSide) places(t *schema.Table) {
	if t == in.of {
		return
	}
	in.of, in.at = t, in.at[:0]
	for i := range in.columns.Columns {
		in.at = append(in.at, t.Column(in.columns.Columns[i].Name))
	}
}
