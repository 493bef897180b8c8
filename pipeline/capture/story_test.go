package capture_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/capture"
	"github.com/evertdb/evert/pipeline/log"
	"github.com/evertdb/evert/schema"
	"github.com/evertdb/evert/schema/avro"
	"github.com/evertdb/evert/schema/registry"
)

// A story is a log, a registry, and the sink of one source that can be thrown
// away and made anew. Its verbs fail the test by themselves.
type story struct {
	t      *testing.T
	log    log.Log
	reg    registry.Registry
	config capture.Config
	sink   *capture.Sink
	seq    uint64
	row    uint32
	tx     *pipeline.Tx
}

func tell(t *testing.T, l log.Log, reg registry.Registry) *story {
	s := &story{t: t, log: l, reg: reg}
	s.config = capture.Config{
		Deployment: "test", Source: "shop", Connector: "postgresql", Prefix: "shop", Version: "0",
		Log: l, Registry: reg, Now: func() time.Time { return time.Unix(1_000_000, 0) },
	}
	t.Cleanup(func() { s.kill() })
	return s
}

// open makes the sink anew and gives where it goes on.
func (s *story) open() pipeline.Resume {
	s.t.Helper()
	r, err := s.tryOpen()
	if err != nil {
		s.t.Fatal(err)
	}
	return r
}

func (s *story) tryOpen() (pipeline.Resume, error) {
	s.kill()
	s.sink = capture.New(s.config)
	r, err := s.sink.Open(context.Background())
	s.seq, s.row = r.At.Seq, uint32(r.Rows)
	s.begin()
	return r, err
}

// kill throws the sink away with what it did not commit.
func (s *story) kill() {
	if s.sink != nil {
		s.sink.Close()
	}
}

func (s *story) begin() {
	s.tx = &pipeline.Tx{Position: pipeline.Position{Seq: s.seq + 1, Native: fmt.Sprint("0/", s.seq+1)}, ID: 700 + s.seq}
}

// announce makes tables known.
func (s *story) announce(tables ...*schema.Table) {
	s.t.Helper()
	if err := s.sink.Write(context.Background(), pipeline.Batch{Tables: tables}); err != nil {
		s.t.Fatal(err)
	}
}

// write adds changes to the open transaction.
func (s *story) write(changes ...pipeline.Change) {
	s.t.Helper()
	if err := s.tryWrite(changes...); err != nil {
		s.t.Fatal(err)
	}
}

func (s *story) tryWrite(changes ...pipeline.Change) error {
	for i := range changes {
		changes[i].Tx, changes[i].Row = s.tx, s.row
		if changes[i].Op == pipeline.Read && s.seq == 0 {
			changes[i].Tx = &pipeline.Tx{} // of the snapshot
		}
		s.row++
	}
	return s.sink.Write(context.Background(), pipeline.Batch{Changes: changes})
}

// commit ends the open transaction and commits it.
func (s *story) commit() {
	s.t.Helper()
	at := pipeline.Resume{At: s.tx.Position, State: []byte("state")}
	if err := s.sink.Commit(context.Background(), at); err != nil {
		s.t.Fatal(err)
	}
	s.seq, s.row = s.seq+1, 0
	s.begin()
}

// part commits inside the open transaction; before the first, inside the snapshot.
func (s *story) part() {
	s.t.Helper()
	at := pipeline.Resume{At: pipeline.Position{Seq: s.seq}, Rows: uint64(s.row), State: []byte("half")}
	if s.seq > 0 {
		at.At.Native = fmt.Sprint("0/", s.seq)
	}
	if err := s.sink.Commit(context.Background(), at); err != nil {
		s.t.Fatal(err)
	}
}

// frontier reads the frontier as any reader would.
func (s *story) frontier() *log.Frontier {
	s.t.Helper()
	fold, err := log.ReadFrontier(context.Background(), s.log, log.FrontierTopic("test", "shop"))
	if err != nil {
		s.t.Fatal(err)
	}
	f, ok := fold.Frontier()
	if !ok {
		s.t.Fatal("no frontier record")
	}
	return f
}

// topic prints the committed records of a table topic, one a line:
// offset key op row [headers].
func (s *story) topic(name string) string {
	s.t.Helper()
	infos, err := s.log.Admin().Topics(context.Background(), name)
	if err != nil {
		s.t.Fatal(err)
	}
	var lines []string
	for _, info := range infos {
		for p, ends := range info.Ends {
			tp := log.TopicPartition{Topic: name, Partition: int32(p)}
			err := log.Scan(context.Background(), s.log, tp, ends, func(r *log.Record) error {
				lines = append(lines, s.print(r))
				return nil
			})
			if err != nil {
				s.t.Fatal(err)
			}
		}
	}
	return strings.Join(lines, "\n")
}

func (s *story) print(r *log.Record) string {
	if r.Key == nil {
		value, valueSchema := s.body(r.Value)
		return fmt.Sprintf("%d no key %s", r.Offset, s.printValue("", valueSchema, value)) + printHeaders(r)
	}
	key, keySchema := s.body(r.Key)
	line := fmt.Sprintf("%d ", r.Offset)
	if r.Value == nil {
		return line + s.printKey(keySchema, key) + " tombstone" + printHeaders(r)
	}
	value, valueSchema := s.body(r.Value)
	return line + s.printKey(keySchema, key) + " " + s.printValue(keySchema, valueSchema, value) + printHeaders(r)
}

// printValue prints op, old row and new row.
func (s *story) printValue(keySchema, valueSchema string, value []byte) string {
	codec, err := avro.ParseCodec(keySchema, valueSchema)
	if err != nil {
		s.t.Fatal(err)
	}
	var a avro.Arena
	e, err := codec.DecodeValue(value, &a)
	if err != nil {
		s.t.Fatal(err)
	}
	if e.Op == 0 {
		e.Op = '='
	}
	return string(e.Op) + printRow(codec.Table(), "-", e.Before) + printRow(codec.Table(), "+", e.After)
}

func (s *story) body(wire []byte) ([]byte, string) {
	id, body, err := avro.ParseWire(wire)
	if err != nil {
		s.t.Fatal(err)
	}
	text, err := s.reg.Schema(context.Background(), id)
	if err != nil {
		s.t.Fatal(err)
	}
	return body, text
}

func (s *story) printKey(keySchema string, body []byte) string {
	codec, err := avro.ParseCodec(keySchema, keySchema)
	if err != nil {
		s.t.Fatal(err)
	}
	var a avro.Arena
	row, err := codec.DecodeKey(body, &a)
	if err != nil {
		s.t.Fatal(err)
	}
	return strings.TrimPrefix(printRow(codec.Table(), "", row), " ")
}

func printRow(t *schema.Table, sign string, row schema.Row) string {
	if row == nil {
		return ""
	}
	var cells []string
	for i, v := range row {
		switch {
		case v.IsNull():
			cells = append(cells, "null")
		case v.IsKnown():
			cells = append(cells, string(t.Columns[i].Type.AppendText(nil, v)))
		}
	}
	return " " + sign + "(" + strings.Join(cells, ",") + ")"
}

// printHeaders prints a record's place, and the names of its other headers.
func printHeaders(r *log.Record) string {
	pos, err := log.ParsePos(r.Find(log.PosHeader))
	if err != nil {
		return " " + err.Error()
	}
	var more []string
	for _, h := range r.Headers {
		if h.Key != log.PosHeader {
			more = append(more, " "+strings.TrimPrefix(h.Key, "__debezium."))
		}
	}
	slices.Sort(more)
	row := fmt.Sprint(pos.Row)
	if pos.Row >= 1<<62 {
		row = "owed"
	}
	return fmt.Sprintf(" @%d.%s", pos.Seq, row) + strings.Join(more, "")
}

// The tables of the stories.
var (
	intType  = schema.Type{Kind: schema.KindInt, Name: "integer", Bits: 32}
	textType = schema.Type{Kind: schema.KindText, Name: "text"}
	people   = &schema.Table{Database: "app", Schema: "public", Name: "people", Native: "1", Version: 1, Key: []int{0},
		Columns: []schema.Column{{Name: "id", Type: intType}, {Name: "name", Type: textType, Nullable: true}, {Name: "bio", Type: textType, Nullable: true}}}
	orders = &schema.Table{Database: "app", Schema: "public", Name: "orders", Native: "2", Version: 1, Key: []int{0},
		Columns: []schema.Column{{Name: "id", Type: intType}, {Name: "total", Type: intType, Nullable: true}}}
)

// person is a row of people; "?" is a value that was not sent, "~" is NULL.
func person(id int, name, bio string) schema.Row {
	return schema.Row{schema.Int(int64(id)), cell(name), cell(bio)}
}

func cell(s string) schema.Value {
	switch s {
	case "?":
		return schema.Unknown()
	case "~":
		return schema.Null()
	}
	return schema.Text([]byte(s))
}

func order(id, total int) schema.Row {
	return schema.Row{schema.Int(int64(id)), schema.Int(int64(total))}
}

func read(t *schema.Table, after schema.Row) pipeline.Change {
	return pipeline.Change{Table: t, Op: pipeline.Read, After: after}
}

func create(t *schema.Table, after schema.Row) pipeline.Change {
	return pipeline.Change{Table: t, Op: pipeline.Create, After: after}
}

func update(t *schema.Table, before, after schema.Row) pipeline.Change {
	return pipeline.Change{Table: t, Op: pipeline.Update, Before: before, After: after}
}

func remove(t *schema.Table, before schema.Row) pipeline.Change {
	return pipeline.Change{Table: t, Op: pipeline.Delete, Before: before}
}

func truncate(t *schema.Table) pipeline.Change {
	return pipeline.Change{Table: t, Op: pipeline.Truncate}
}

// want compares what a topic holds with lines, of which the surrounding space
// does not count.
func (s *story) want(topic, lines string) {
	s.t.Helper()
	var want []string
	for line := range strings.Lines(lines) {
		if line = strings.TrimSpace(line); line != "" {
			want = append(want, line)
		}
	}
	if got := s.topic(topic); got != strings.Join(want, "\n") {
		s.t.Errorf("topic %s holds\n%s\nwant\n%s", topic, got, strings.Join(want, "\n"))
	}
}
