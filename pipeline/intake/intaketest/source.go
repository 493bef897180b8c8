package intaketest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"testing"
	"time"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/capture"
	"github.com/evertdb/evert/pipeline/log"
	"github.com/evertdb/evert/schema"
)

// Deployment is the deployment of every Source.
const Deployment = "test"

// A Source is a source database as its readers know it: its capture, which writes
// table topics and a frontier, and what the database held after each transaction.
// Its methods fail the test themselves. Not safe for concurrent use.
type Source struct {
	Tables []*schema.Table // a change that names none is of the first
	Seq    uint64          // of the last transaction
	Life   int             // stands in native positions, so that lives can be told apart
	Sink   *capture.Sink

	t      testing.TB
	config capture.Config
	past   map[string]Tables // by native position
}

// NewSource opens the capture of a source of that name. Of c, Log and Registry are
// needed; its names and its clock are set here.
func NewSource(t testing.TB, name string, c capture.Config, tables ...*schema.Table) *Source {
	t.Helper()
	c.Deployment, c.Source, c.Connector, c.Prefix, c.Version = Deployment, name, "postgresql", name, "0"
	c.Now = func() time.Time { return time.Unix(1_000_000, 0) }
	s := &Source{t: t, config: c, Tables: tables, past: map[string]Tables{}}
	s.past[s.Native()] = s.empty()
	s.open()
	return s
}

func (s *Source) open() {
	s.t.Helper()
	s.Close()
	s.Sink = capture.New(s.config)
	if _, err := s.Sink.Open(context.Background()); err != nil {
		s.t.Fatal(err)
	}
}

// Close ends the capture.
func (s *Source) Close() {
	if s.Sink != nil {
		s.Sink.Close()
	}
}

// Spread makes the source write the topics of its tables in so many partitions; it
// has not begun.
func (s *Source) Spread(partitions int) {
	s.t.Helper()
	s.config.Topic = func(*schema.Table) capture.Topic { return capture.Topic{Partitions: partitions} }
	s.open()
}

// Appends makes the source write append-only topics, whose records stay for as long as
// that; it has not begun.
func (s *Source) Appends(retention time.Duration) {
	s.t.Helper()
	s.config.Topic = func(*schema.Table) capture.Topic { return capture.Topic{Append: true, Retention: retention} }
	s.open()
}

// Begin commits the empty tables.
func (s *Source) Begin() {
	s.t.Helper()
	if err := s.Sink.Write(context.Background(), pipeline.Batch{Tables: s.Tables}); err != nil {
		s.t.Fatal(err)
	}
	s.Commit()
}

// Reset begins the source anew, as the verb does, another incarnation; over the
// same topics, or over new ones where these are to be deleted.
func (s *Source) Reset(topics ...string) {
	s.t.Helper()
	s.Close()
	if err := s.config.Log.Admin().Delete(context.Background(), append(topics, log.FrontierTopic(Deployment, s.config.Source))...); err != nil {
		s.t.Fatal(err)
	}
	s.Seq = 0
	s.past[s.Native()] = s.empty()
	s.open()
	s.Begin()
}

// Commit carries one transaction.
func (s *Source) Commit(changes ...pipeline.Change) {
	s.t.Helper()
	s.Write(0, changes...)
	s.End(changes...)
}

// Write carries changes of the open transaction; first is the row number of the
// first. It numbers the changes themselves.
func (s *Source) Write(first uint32, changes ...pipeline.Change) {
	s.t.Helper()
	tx := s.tx()
	for i := range changes {
		c := &changes[i]
		c.Tx, c.Row = tx, first+uint32(i)
		if c.Table == nil {
			c.Table = s.Tables[0]
		}
	}
	if err := s.Sink.Write(context.Background(), pipeline.Batch{Changes: changes}); err != nil {
		s.t.Fatal(err)
	}
}

// Part commits inside the open transaction, behind so many of its rows.
func (s *Source) Part(written int) {
	s.t.Helper()
	at := pipeline.Resume{At: pipeline.Position{Seq: s.Seq, Native: s.Native()}, Rows: uint64(written), State: []byte("half")}
	if err := s.Sink.Commit(context.Background(), at); err != nil {
		s.t.Fatal(err)
	}
}

// End commits the open transaction, of these changes in all.
func (s *Source) End(changes ...pipeline.Change) {
	s.t.Helper()
	if err := s.Sink.Commit(context.Background(), pipeline.Resume{At: s.tx().Position, State: []byte("state")}); err != nil {
		s.t.Fatal(err)
	}
	now := s.empty()
	for name, rows := range s.At(s.Seq) {
		now[name] = maps.Clone(rows)
	}
	for i := range changes {
		now[changes[i].Table.Name].follow(&changes[i])
	}
	s.Seq++
	s.past[s.Native()] = now
}

// Sneak writes a record into a table topic, and commits the source's next
// transaction behind it, whose frontier covers the record. It gives where the record
// lies, as refusals say it.
func (s *Source) Sneak(r log.Record, behind ...pipeline.Change) string {
	s.t.Helper()
	ctx, l := context.Background(), s.config.Log
	infos, err := l.Admin().Topics(ctx, r.Topic)
	if err != nil || len(infos) != 1 {
		s.t.Fatalf("topic %s: %v", r.Topic, err)
	}
	writer, err := l.Writer(ctx, "sneak")
	if err != nil {
		s.t.Fatal(err)
	}
	defer writer.Close()
	if err := errors.Join(writer.Append(ctx, r), writer.Commit(ctx, nil)); err != nil {
		s.t.Fatal(err)
	}
	s.Commit(behind...)
	return fmt.Sprintf("%s/0 offset %d", r.Topic, infos[0].Ends[0].Stable)
}

// Native is the native position of the last transaction.
func (s *Source) Native() string { return s.native(s.Seq) }

func (s *Source) native(seq uint64) string { return fmt.Sprintf("%d/%d", s.Life, seq) }

func (s *Source) tx() *pipeline.Tx {
	next := s.Seq + 1
	return &pipeline.Tx{Position: pipeline.Position{Seq: next, Native: s.native(next)}, ID: 700 + s.Seq}
}

// At gives what the database held after a transaction of this life: the source's
// own, which a test that knows better may put right.
func (s *Source) At(seq uint64) Tables { return s.past[s.native(seq)] }

// Past gives what the database held at a native position, in whatever life; nil
// where it never was.
func (s *Source) Past(native string) Tables { return s.past[native] }

func (s *Source) empty() Tables {
	all := Tables{}
	for _, t := range s.Tables {
		all[t.Name] = Rows{}
	}
	return all
}
