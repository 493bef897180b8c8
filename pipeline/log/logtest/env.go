package logtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"testing"
	"time"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/log"
)

// patience bounds everything that a clause waits for.
const patience = 3 * time.Minute

// env is what a clause works with. Its verbs fail the clause by themselves.
type env struct {
	*testing.T
	h   *Harness
	log log.Log // changes with Reopen and Crash
}

func (e *env) ctx() context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	e.Cleanup(cancel)
	return ctx
}

func (e *env) must(err error) {
	e.Helper()
	if err != nil {
		e.Fatal(err)
	}
}

func (e *env) wantErr(err, want error) {
	e.Helper()
	if !errors.Is(err, want) {
		e.Fatalf("got error %v, want %v", err, want)
	}
}

func (e *env) wantCode(err error, want pipeline.Code) {
	e.Helper()
	if pipeline.CodeOf(err) != want {
		e.Fatalf("got error %v, want a refusal %s", err, want)
	}
}

// compacted makes a compacted topic whose records may be compacted soon.
func (e *env) compacted(name string, partitions int) log.TopicInfo {
	e.Helper()
	return e.ensure(log.TopicSpec{Name: name, Partitions: int32(partitions), Compact: true, MinLag: time.Millisecond})
}

func (e *env) ensure(spec log.TopicSpec) log.TopicInfo {
	e.Helper()
	infos, err := e.log.Admin().Ensure(e.ctx(), spec)
	e.must(err)
	if len(infos) != 1 {
		e.Fatalf("Ensure gave %d topics for one spec", len(infos))
	}
	return infos[0]
}

func (e *env) ends(tp log.TopicPartition) log.Ends {
	e.Helper()
	infos, err := e.log.Admin().Topics(e.ctx(), tp.Topic)
	e.must(err)
	if len(infos) != 1 || len(infos[0].Ends) <= int(tp.Partition) {
		e.Fatalf("%s is not there", tp)
	}
	return infos[0].Ends[tp.Partition]
}

func (e *env) writer(id string) *writer {
	e.Helper()
	w, err := e.log.Writer(e.ctx(), id)
	e.must(err)
	e.Cleanup(func() { w.Close() })
	return &writer{Writer: w, env: e}
}

// writer is a log.Writer with verbs.
type writer struct {
	log.Writer
	env *env
}

func (w *writer) append(recs ...log.Record) {
	w.env.Helper()
	w.env.must(w.Append(w.env.ctx(), recs...))
}

func (w *writer) flush() log.Offsets {
	w.env.Helper()
	to, err := w.Flush(w.env.ctx())
	w.env.must(err)
	return to
}

func (w *writer) commit() {
	w.env.Helper()
	w.env.must(w.end(func() error { return w.Commit(w.env.ctx(), nil) }))
}

func (w *writer) abort() {
	w.env.Helper()
	w.env.must(w.end(func() error { return w.Abort(w.env.ctx()) }))
}

// end ends a commit and waits until that is visible, where it is late.
func (w *writer) end(do func() error) error {
	w.env.Helper()
	var to log.Offsets
	if w.env.h.Late {
		to = w.flush()
	}
	if err := do(); err != nil {
		return err
	}
	for tp, next := range to {
		w.env.settled(tp, next)
	}
	return nil
}

// settled waits until the stable end is at an offset or above it.
func (e *env) settled(tp log.TopicPartition, next int64) {
	e.Helper()
	for ctx := e.ctx(); e.ends(tp).Stable < next; {
		if ctx.Err() != nil {
			e.Fatalf("%s: the stable end is %d, and %d was ended", tp, e.ends(tp).Stable, next)
		}
	}
}

// put appends and commits.
func (w *writer) put(recs ...log.Record) {
	w.env.Helper()
	w.append(recs...)
	w.commit()
}

func (e *env) reader(from log.Offsets) log.Reader {
	e.Helper()
	r, err := e.log.Reader(e.ctx())
	e.must(err)
	e.Cleanup(func() { r.Close() })
	e.must(r.Assign(from))
	return r
}

// next gives a copy of the next fetch, after checking what is true of each.
func (e *env) next(r log.Reader, max int) (log.Fetch, error) {
	e.Helper()
	f, err := r.Next(e.ctx(), max)
	if err != nil {
		return f, err
	}
	f.Records = slices.Clone(f.Records)
	for i := range f.Records {
		f.Records[i] = clone(f.Records[i])
	}
	e.sane(f, max)
	return f, nil
}

func (e *env) sane(f log.Fetch, max int) {
	e.Helper()
	if len(f.Records) > max {
		e.Fatalf("%d records, asked for at most %d", len(f.Records), max)
	}
	if f.Next > f.Stable {
		e.Fatalf("%s: next %d is behind the stable end %d", f.TopicPartition, f.Next, f.Stable)
	}
	last := int64(-1)
	for _, r := range f.Records {
		if r.TopicPartition != f.TopicPartition {
			e.Fatalf("a record of %s in a fetch of %s", r.TopicPartition, f.TopicPartition)
		}
		if r.Offset <= last || r.Offset >= f.Next || r.Offset < f.Start {
			e.Fatalf("%s: offset %d after %d, next %d, start %d", f.TopicPartition, r.Offset, last, f.Next, f.Start)
		}
		if r.Time.IsZero() {
			e.Fatalf("%s: the record at %d has no time", f.TopicPartition, r.Offset)
		}
		last = r.Offset
	}
}

// clone copies a record out of a reader's buffers, keeping nil apart from empty.
func clone(r log.Record) log.Record {
	r.Key, r.Value = bytes.Clone(r.Key), bytes.Clone(r.Value)
	r.Headers = slices.Clone(r.Headers)
	for i := range r.Headers {
		r.Headers[i].Value = bytes.Clone(r.Headers[i].Value)
	}
	return r
}

// read gives the records of tp from an offset up to a limit, and checks that
// reading moves on at every step and ends at the limit (K22).
func (e *env) read(tp log.TopicPartition, from, to int64) []log.Record {
	e.Helper()
	r := e.reader(log.Offsets{tp: from})
	defer r.Close()
	r.Limit(log.Offsets{tp: to})
	recs, at := e.drain(r, 3)
	if end, ok := at[tp]; ok && end != to || !ok && from < to {
		e.Fatalf("%s: reading ended at %d, the limit is %d", tp, end, to)
	}
	return recs
}

// drain reads to io.EOF, and says where reading got in each partition.
func (e *env) drain(r log.Reader, max int) ([]log.Record, log.Offsets) {
	e.Helper()
	var all []log.Record
	at := log.Offsets{}
	for {
		f, err := e.next(r, max)
		if errors.Is(err, io.EOF) {
			return all, at
		}
		e.must(err)
		if was, ok := at[f.TopicPartition]; ok && f.Next <= was {
			e.Fatalf("%s: a fetch without progress at %d", f.TopicPartition, was)
		}
		at[f.TopicPartition] = f.Next
		all = append(all, f.Records...)
	}
}

// all reads tp to its stable end.
func (e *env) all(tp log.TopicPartition) []log.Record {
	e.Helper()
	return e.read(tp, 0, e.ends(tp).Stable)
}

func (e *env) compact(topic string) {
	e.Helper()
	e.h.Compact(e.T, topic)
}

func (e *env) crash() {
	e.Helper()
	e.log = e.h.Crash(e.T)
}

func (e *env) reopen() {
	e.Helper()
	e.log = e.h.Reopen(e.T)
}

// want compares records by key and value, in order: "a=1 b=2 c=-" where - is a
// tombstone.
func (e *env) want(got []log.Record, want string) {
	e.Helper()
	if text := print(got); text != want {
		e.Fatalf("got  %s\nwant %s", text, want)
	}
}

func print(recs []log.Record) string {
	var b bytes.Buffer
	for i, r := range recs {
		if i > 0 {
			b.WriteByte(' ')
		}
		value := string(r.Value)
		if r.Value == nil {
			value = "-"
		}
		fmt.Fprintf(&b, "%s=%s", r.Key, value)
	}
	return b.String()
}

// fold gives the newest value of each key; tombstones take keys away.
func fold(recs []log.Record) map[string]string {
	m := map[string]string{}
	for _, r := range recs {
		if r.Value == nil {
			delete(m, string(r.Key))
		} else {
			m[string(r.Key)] = string(r.Value)
		}
	}
	return m
}

func part(topic string, partition int32) log.TopicPartition {
	return log.TopicPartition{Topic: topic, Partition: partition}
}

// rec makes a record of tp.
func rec(tp log.TopicPartition, key, value string) log.Record {
	return log.Record{TopicPartition: tp, Key: []byte(key), Value: []byte(value)}
}

// tombstone makes a record that deletes a key.
func tombstone(tp log.TopicPartition, key string) log.Record {
	return log.Record{TopicPartition: tp, Key: []byte(key)}
}
