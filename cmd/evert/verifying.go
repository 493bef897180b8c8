package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/evertdb/evert/cmd/evert/api"
	"github.com/evertdb/evert/cmd/evert/compare"
	"github.com/evertdb/evert/cmd/evert/databases"
	"github.com/evertdb/evert/cmd/evert/datadir"
	"github.com/evertdb/evert/cmd/evert/records"
	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/dataflow"
	"github.com/evertdb/evert/pipeline/log"
	"github.com/evertdb/evert/pipeline/state/spill"
	"github.com/evertdb/evert/schema"
)

const (
	pinPatience  = time.Minute // for the database's snapshot: capture stands still meanwhile
	cutPatience  = time.Minute // for capture, and for a view, to come to its place
	namedKeys    = 100         // keys of rows that differ, in a report
	verifyNotice = time.Second // how often the progress is told
)

// verifying is one comparison.
//
//	hold capture ─► pin the database ─► capture comes to the pin's place: a cut ─► pin the topic or the view there
//	     ─► capture goes on ─► read both sides, sort, merge
type verifying struct {
	*daemon
	name    string
	capture *capturing
	source  databases.Pinner
	tell    func(api.VerifyProgress)
	pin     databases.Pin
	report  api.Verified
	cut     log.Offsets // of the topic that is compared
	cutAt   time.Time   // no later than it was committed
	doing   string
	rows    int64 // of it so far
	told    time.Time
}

// Verify implements api.Daemon.
func (d *daemon) Verify(ctx context.Context, req api.VerifyRequest, tell func(api.VerifyProgress)) (*api.Verified, error) {
	if !d.comparing.TryLock() {
		return nil, &pipeline.Refusal{Code: codeVerify, Where: req.Name, What: "another comparison is going on", Mend: "wait for its end"}
	}
	defer d.comparing.Unlock()
	return d.verify(ctx, req, tell)
}

// verify compares; the caller holds comparing.
func (d *daemon) verify(ctx context.Context, req api.VerifyRequest, tell func(api.VerifyProgress)) (*api.Verified, error) {
	v := &verifying{daemon: d, name: req.Name, tell: tell, report: api.Verified{Name: req.Name, Exact: true}}
	began := time.Now()
	err := v.run(ctx, req.Repair)
	v.report.Seconds = time.Since(began).Seconds()
	return &v.report, err
}

// run compares what the name means: a view, a sink, or else a table.
func (v *verifying) run(ctx context.Context, repair bool) error {
	if s := v.sinkNamed(v.name); s != nil {
		return v.sink(ctx, s, repair)
	}
	if v.shown != nil {
		if shown, ok := v.shown.View(v.name); ok && repair {
			return &pipeline.Refusal{Code: codeVerify, Where: "view " + v.name, What: "a view follows its tables, and is not repaired by itself", Mend: "evert verify TABLE --repair   # of each of its tables"}
		} else if ok {
			return v.view(ctx, shown)
		}
	}
	return v.table(ctx) // whoever asked repairs it: that takes as long as a copy, and others may compare meanwhile
}

// table compares a topic's rows with those of its table.
func (v *verifying) table(ctx context.Context) error {
	topic, err := records.Find(ctx, v.topics, v.name, prefixes(v.config))
	if err != nil {
		return err
	}
	table, steps, err := v.tableOf(ctx, topic.Name)
	if err != nil {
		return err
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
func (v *verifying) tableOf(ctx context.Context, topic string) (table *schema.Table, steps *made, err error) {
	for _, c := range v.captures {
		prefix := v.config.Sources[c.name].TopicPrefix
		source, ok := c.database.(databases.Pinner)
		if !ok || !strings.HasPrefix(topic, log.Sanitize(prefix+".")) {
			continue
		}
		tables, err := source.Tables(ctx)
		if err != nil {
			return nil, nil, err
		}
		if steps, err = v.madeFrom(c.name, topic, tables); err != nil {
			return nil, nil, err
		}
		at := slices.IndexFunc(tables, func(t *schema.Table) bool { return log.TableTopic(prefix, t.Schema, t.Name) == topic })
		if steps == nil && at < 0 {
			continue
		}
		v.capture, v.source = c, source
		v.report.Kind, v.report.Source = "table", c.name
		switch {
		case steps == nil:
			v.report.Table = c.name + "." + tables[at].String()
			return tables[at], nil, nil
		case steps.chain.Varies():
			return nil, nil, v.refuse("its transforms make of a row what depends on how it came, so that the rows of the database say nothing of it", "evert verify SCHEMA.TABLE   # of a table without metadata, outbox, and expressions of change")
		}
		v.report.Table = c.name + "." + steps.table.String()
		return steps.table, steps, nil
	}
	return nil, nil, &pipeline.Refusal{Code: codeVerify, Where: topic, What: "it is not the topic of a table that a source of this file captures now", Mend: "evert verify SCHEMA.TABLE   # as `evert status` lists them"}
}

// pinned holds capture at the place of a snapshot of the database, and calls at
// with the cut that the log has there.
func (v *verifying) pinned(ctx context.Context, at func(cut pipeline.Position) error) error {
	if !v.capture.monitor.Status().Ready {
		return v.refuse("its tables are not copied yet, or it does not run", "evert status   # says how far it is")
	}
	g := v.capture.gate
	if !g.Hold() {
		return v.refuse("another comparison holds the source", "wait for its end")
	}
	v.capture.urge()
	defer v.capture.urge()
	defer g.Release()
	v.step("waiting for a snapshot of the database")
	bounded, cancel := context.WithTimeout(ctx, pinPatience)
	defer cancel()
	var err error
	if v.pin, err = v.source.Pin(bounded); err != nil {
		return err
	}
	g.Until(v.pin)
	v.step("waiting for capture to come to " + v.pin.Native())
	bounded, cancel = context.WithTimeout(ctx, cutPatience)
	defer cancel()
	v.cutAt = time.Now()
	cut, err := g.Reached(bounded)
	if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
		return v.refuse("capture did not come to the place of the snapshot within "+cutPatience.String(), "evert status   # says what keeps it; then try again")
	}
	if err != nil {
		return err
	}
	v.report.Position, v.report.Snapshot = v.capture.name+":"+cut.Native, v.pin.Native()
	return at(cut)
}

func (v *verifying) refuse(what, mend string) error {
	return &pipeline.Refusal{Code: codeVerify, Where: "source " + v.capture.name, What: what, Mend: mend}
}

// readTo opens a reader of a topic's rows up to the newest cut, which stays
// readable as long as the reader is open.
func (v *verifying) readTo(ctx context.Context, topic string, cut pipeline.Position) (log.Reader, log.TableState, error) {
	f, err := v.frontierAt(ctx, cut)
	if err != nil {
		return nil, log.TableState{}, err
	}
	state := f.Tables[topic]
	if state.State != log.OK {
		return nil, state, v.refuse("the table is "+state.State.String()+", and its topic no copy of it", "evert status")
	}
	r, err := v.topics.Reader(ctx)
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
func (v *verifying) frontierAt(ctx context.Context, cut pipeline.Position) (*log.Frontier, error) {
	ctx, cancel := context.WithTimeout(ctx, cutPatience)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		fold, err := log.ReadFrontier(ctx, v.topics, log.FrontierTopic(v.config.Name, v.capture.name))
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
func (v *verifying) topicRows(ctx context.Context, s dataflow.Sorter, columns *compare.Columns, r log.Reader, state log.TableState) error {
	if r == nil {
		return nil
	}
	v.step("reading the topic")
	in := &topicSide{columns: columns, decoder: records.NewDecoder(v.registry)}
	in.decoder.Log = v.topics
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
func (v *verifying) stillSound(ctx context.Context) error {
	sound, err := v.topics.Admin().Sound(ctx, v.cut, v.cutAt)
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
			value := schema.Null() // a column that came after the record
			if p >= 0 {
				value = c.Event.After[p]
			}
			in.row, in.scratch = compare.AppendValue(in.row, &in.columns.Columns[i].Type, value, in.scratch)
		}
	}
	return s.Add(in.bytes, in.row)
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

// compare sorts both sides and merges them.
func (v *verifying) compare(columns *compare.Columns, there func(dataflow.Sorter) error, equal func(a, b []byte) bool, here func(dataflow.Sorter) error) error {
	pool, err := spill.Open(datadir.SpillPath(v.config.DataDir, "verify.tmp"), spill.Options{Memory: int64(v.config.Limits.VerifyBytes), Disk: int64(v.config.Limits.SpillBytes)})
	if err != nil {
		return err
	}
	mine, err := pool.NewSorter()
	if err != nil {
		return err
	}
	defer mine.Close()
	theirs, err := pool.NewSorter()
	if err != nil {
		return err
	}
	defer theirs.Close()
	if err := here(mine); err != nil {
		return err
	}
	if err := there(theirs); err != nil {
		return err
	}
	v.step("comparing")
	left, err := mine.Sort()
	if err != nil {
		return err
	}
	right, err := theirs.Sort()
	if err != nil {
		return err
	}
	v.report.Report, err = columns.Merge(left, right, equal)
	return err
}

// databaseRows adds the rows of a table.
func (v *verifying) databaseRows(ctx context.Context, s dataflow.Sorter, columns *compare.Columns, t *schema.Table) error {
	v.step("reading the database")
	w := &rowWriter{columns: columns, to: s, key: make(schema.Row, len(columns.Key))}
	return v.pin.Rows(ctx, t, func(r databases.Row) error {
		v.count()
		return w.add(&r)
	})
}

// answeredRows adds the rows of a query.
func (v *verifying) answeredRows(ctx context.Context, s dataflow.Sorter, columns *compare.Columns, database databases.Answerer, sql string) error {
	v.step("reading the database")
	w := &rowWriter{columns: columns, to: s, key: make(schema.Row, len(columns.Key))}
	return database.Answer(ctx, sql, func(texts [][]byte) error {
		v.count()
		return w.add(&databases.Row{Texts: texts})
	})
}

// A rowWriter adds rows of the database to a sorter.
type rowWriter struct {
	columns             *compare.Columns
	to                  dataflow.Sorter
	key                 schema.Row
	bytes, row, scratch []byte
}

func (w *rowWriter) add(r *databases.Row) error {
	if r.Len() != len(w.columns.Columns) {
		return fmt.Errorf("the database gives %d columns, not %d", r.Len(), len(w.columns.Columns))
	}
	for i, c := range w.columns.Key {
		var ok bool
		if w.key[i], ok = r.Value(&w.columns.Columns[c].Type, c); !ok {
			return fmt.Errorf("a key of type %s cannot be compared", w.columns.Columns[c].Type.Name)
		}
	}
	w.row, w.scratch = r.AppendCells(w.row[:0], w.columns.Columns, w.scratch)
	w.bytes = w.columns.AppendKey(w.bytes[:0], w.key)
	return w.to.Add(w.bytes, w.row)
}

// step says what is done next.
func (v *verifying) step(what string) {
	v.rows, v.told = 0, time.Now()
	v.doing = what
	v.tell(api.VerifyProgress{Step: what})
}

// count counts a row, and tells of it now and then.
func (v *verifying) count() {
	v.rows++
	if v.rows%1000 == 0 && time.Since(v.told) >= verifyNotice {
		v.told = time.Now()
		v.tell(api.VerifyProgress{Step: v.doing, Rows: v.rows})
	}
}
