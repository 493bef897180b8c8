package postgres

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/handover"
	"github.com/evertdb/evert/schema"
	"github.com/evertdb/evert/sources/postgres/pgoutput"
	"github.com/evertdb/evert/sources/postgres/pgvalue"
)

// A script drives an assembler message by message and prints what comes out.
type script struct {
	t    *testing.T
	a    *assembler
	dir  string
	out  []string
	busy int
}

func newScript(t *testing.T, batchRows int) *script {
	s := &script{t: t, dir: t.TempDir()}
	c := DefaultConfig()
	c.BatchRows = batchRows
	table := testTable("t", 1)
	table.Columns[0].Type = schema.Type{Kind: schema.KindText}
	sh := &shape{oid: 1, table: table, codecs: []pgvalue.Codec{{Op: pgvalue.Text}}, columns: []shapeColumn{{}}}
	s.a = &assembler{
		config: &c, spill: newSpill(s.dir, 300_000, 1<<30), rels: map[uint32]*relation{1: {shape: sh}},
		fresh: func() *handover.Batch { return &handover.Batch{} }, changed: func(*shape, uint32, *pipeline.Change) error { return nil }, emit: s.emit, busy: func() error { s.busy++; return nil }, at: pipeline.Position{Seq: 1, Native: "0/64"}, atLSN: 100,
		shape: func(m *pgoutput.RelationMessage, _ []shapeColumn) (*shape, error) {
			return &shape{oid: m.ID, table: testTable(string(m.Name), 1), codecs: sh.codecs, columns: sh.columns}, nil
		},
	}
	return s
}

func (s *script) emit(b *handover.Batch) error {
	for i := range b.Changes {
		c := &b.Changes[i]
		s.out = append(s.out, fmt.Sprintf("%d.%d %s", c.Tx.Position.Seq, c.Row, c.After[0].Ref()))
		if b.WholeEnd != nil && i+1 == b.Whole {
			s.out = append(s.out, "end "+b.WholeEnd.At.String())
		}
	}
	if b.Whole == 0 && b.WholeEnd != nil {
		s.out = append(s.out, "end "+b.WholeEnd.At.String())
	}
	if b.PartEnd != nil {
		s.out = append(s.out, fmt.Sprintf("part %s +%d", b.PartEnd.At, b.PartEnd.Rows))
	}
	return nil
}

func (s *script) send(kind pgoutput.Kind, d pgoutput.Decoder) {
	s.t.Helper()
	if err := s.a.message(7, pgoutput.Append(nil, kind, &d)); err != nil {
		s.t.Fatal(err)
	}
}

func (s *script) try(kind pgoutput.Kind, d pgoutput.Decoder) error {
	return s.a.message(7, pgoutput.Append(nil, kind, &d))
}

func (s *script) begin(commit uint64) {
	s.send(pgoutput.Begin, pgoutput.Decoder{Tx: pgoutput.TxMessage{LSN: commit, XID: uint32(commit)}})
}

func (s *script) commit(commit uint64) {
	s.send(pgoutput.Commit, pgoutput.Decoder{Tx: pgoutput.TxMessage{LSN: commit, EndLSN: commit + 10}})
}

// rows inserts values; inside a stream block they are of transaction xid.
func (s *script) rows(xid uint32, values ...string) {
	for _, v := range values {
		s.send(pgoutput.Insert, pgoutput.Decoder{XID: xid, Row: pgoutput.Row{Relation: 1, New: []pgoutput.Column{{Kind: pgoutput.Text, Data: []byte(v)}}}})
	}
}

// block is one stream block of transaction xid with rows of one of its parts.
func (s *script) block(xid, part uint32, values ...string) {
	s.send(pgoutput.StreamStart, pgoutput.Decoder{Tx: pgoutput.TxMessage{XID: xid}})
	s.rows(part, values...)
	s.send(pgoutput.StreamStop, pgoutput.Decoder{})
}

func (s *script) abort(xid, part uint32) {
	s.send(pgoutput.StreamAbort, pgoutput.Decoder{Tx: pgoutput.TxMessage{XID: xid, SubXID: part}})
}

func (s *script) streamed(xid uint32, commit uint64) {
	s.send(pgoutput.StreamCommit, pgoutput.Decoder{Tx: pgoutput.TxMessage{XID: xid, LSN: commit, EndLSN: commit + 10}})
}

func (s *script) want(lines ...string) {
	s.t.Helper()
	if err := s.a.flush(); err != nil {
		s.t.Fatal(err)
	}
	wantLines(s.t, s.out, lines...)
	s.out = nil
}

func TestAssembler(t *testing.T) {
	t.Parallel()
	t.Run("P07 a transaction that is sent again is skipped", func(t *testing.T) {
		s := newScript(t, 100)
		for _, again := range []bool{false, true} {
			s.begin(90) // before the place it was opened at
			s.rows(0, "old")
			s.commit(90)
			s.begin(100)
			s.rows(0, "a", "b")
			s.commit(100)
			s.begin(120)
			s.rows(0, "c")
			s.commit(120)
			if again {
				s.want()
				continue
			}
			s.want("2.0 a", "2.1 b", "3.0 c", "end 0/82 #3")
		}
		if s.a.skipped != 4 {
			t.Errorf("%d transactions skipped, want 4", s.a.skipped)
		}
	})
	t.Run("a connection lost inside a transaction", func(t *testing.T) {
		s := newScript(t, 2)
		s.begin(100)
		s.rows(0, "a", "b", "c", "d", "e") // a to d go out, e is gathered
		if err := s.a.interrupt(); err != nil {
			t.Fatal(err)
		}
		s.begin(100)
		s.rows(0, "a", "b", "c", "d", "e", "f")
		s.commit(100)
		s.want("2.0 a", "2.1 b", "part 0/64 #1 +2", "2.2 c", "2.3 d", "part 0/64 #1 +4", "2.4 e", "2.5 f", "end 0/6E #2")
	})
	t.Run("P32 what nobody took when the connection ended is handed over behind it", func(t *testing.T) {
		s := newScript(t, 3)
		s.begin(100)
		s.rows(0, "a")
		s.commit(100)
		s.begin(120)
		s.rows(0, "b", "c")
		s.a.emit = func(*handover.Batch) error { return errors.New("the connection ended") }
		row := pgoutput.Decoder{Row: pgoutput.Row{Relation: 1, New: []pgoutput.Column{{Kind: pgoutput.Text, Data: []byte("d")}}}}
		if err := s.a.message(7, pgoutput.Append(nil, pgoutput.Insert, &row)); err == nil {
			t.Fatal("the batch was full, and no part was handed over")
		}
		if err := s.a.interrupt(); err != nil {
			t.Fatal(err)
		}
		s.a.emit = s.emit
		s.want("2.0 a", "end 0/6E #2")
		s.begin(100) // sent again
		s.rows(0, "a")
		s.commit(100)
		s.begin(120)
		s.rows(0, "b", "c", "d")
		s.commit(120)
		s.want("3.0 b", "3.1 c", "3.2 d", "end 0/82 #3")
	})
	t.Run("no idle place between the parts of a transaction", func(t *testing.T) {
		s := newScript(t, 2)
		s.begin(100)
		s.rows(0, "a", "b", "c")
		if err := s.a.interrupt(); err != nil {
			t.Fatal(err)
		}
		s.a.idle(500, 0)
		if s.a.quiet() {
			t.Error("I3: a part was handed over, and the place behind it counts as whole")
		}
		if err := s.a.moveOn(); err != nil {
			t.Fatal(err)
		}
		s.want("2.0 a", "2.1 b", "part 0/64 #1 +2") // and no end
	})
	t.Run("no idle place before the rest of a transaction that was resumed", func(t *testing.T) {
		s := newScript(t, 2)
		s.a.leaveOut = 2
		s.a.idle(500, 0)
		if err := s.a.moveOn(); err != nil {
			t.Fatal(err)
		}
		s.begin(600)
		s.rows(0, "a", "b", "c")
		s.commit(600)
		s.a.idle(700, 0)
		s.want("2.2 c", "end 0/262 #2")
		if err := s.a.moveOn(); err != nil {
			t.Fatal(err)
		}
		s.want("end 0/2BC #2")
	})
	t.Run("rows of tables that are not captured count as well", func(t *testing.T) {
		s := newScript(t, 2)
		s.a.rels[9] = &relation{}
		other := pgoutput.Row{Relation: 9, New: []pgoutput.Column{{Kind: pgoutput.Text, Data: []byte("x")}}}
		send := func() {
			s.begin(90)
			s.send(pgoutput.Insert, pgoutput.Decoder{Row: other}) // nothing of ours, and before
			s.commit(90)
			s.begin(100)
			s.send(pgoutput.Insert, pgoutput.Decoder{Row: other})
			s.rows(0, "a", "b")
			s.send(pgoutput.Insert, pgoutput.Decoder{Row: other})
			s.rows(0, "c")
		}
		s.a.atLSN = 80
		send()
		if err := s.a.interrupt(); err != nil {
			t.Fatal(err)
		}
		delete(s.a.rels, 1) // its rows are left out before anybody asks what it is
		s.a.rels[1] = &relation{pending: &pgoutput.RelationMessage{ID: 1, Name: []byte("t")}}
		send()
		s.send(pgoutput.Truncate, pgoutput.Decoder{Truncate: pgoutput.TruncateMessage{Relations: []uint32{9}}})
		s.rows(0, "d")
		s.commit(100)
		s.want("2.1 a", "2.2 b", "part 0/64 #1 +3", "2.4 c", "2.6 d", "end 0/6E #2")
	})
	for name, tell := range map[string]func(s *script) error{
		"has fewer rows": func(s *script) error {
			s.begin(200)
			s.rows(0, "a")
			return s.try(pgoutput.Commit, pgoutput.Decoder{Tx: pgoutput.TxMessage{LSN: 200, EndLSN: 210}})
		},
		"has no rows": func(s *script) error {
			s.begin(200)
			return s.try(pgoutput.Commit, pgoutput.Decoder{Tx: pgoutput.TxMessage{LSN: 200, EndLSN: 210}})
		},
		"does not come": func(s *script) error {
			s.begin(150)
			s.commit(150)
			return s.try(pgoutput.Begin, pgoutput.Decoder{Tx: pgoutput.TxMessage{LSN: 300, XID: 300}})
		},
		"is another": func(s *script) error {
			return s.try(pgoutput.Begin, pgoutput.Decoder{Tx: pgoutput.TxMessage{LSN: 200, XID: 7}})
		},
		"comes behind another": func(s *script) error {
			s.begin(150)
			return s.try(pgoutput.Insert, pgoutput.Decoder{Row: pgoutput.Row{Relation: 1, New: []pgoutput.Column{{Kind: pgoutput.Text, Data: []byte("v")}}}})
		},
	} {
		t.Run("a transaction committed in part that "+name+" is a gap", func(t *testing.T) {
			s := newScript(t, 100)
			s.a.leaveOut, s.a.partOf = 3, txID{XID: 200, Commit: 200}
			wantCode(t, tell(s), CodeGap)
		})
	}
	t.Run("P27 parts rolled back, transactions interleaved", func(t *testing.T) {
		s := newScript(t, 100)
		s.block(10, 10, "a")
		s.block(20, 20, "x")
		s.block(10, 11, "gone")
		s.block(10, 12, "kept")
		s.abort(10, 11)
		s.block(20, 21, "y")
		s.begin(100)
		s.rows(0, "between")
		s.commit(100)
		s.block(30, 30, "all gone")
		s.abort(30, 30)
		s.streamed(20, 200)
		s.block(10, 10, "z")
		s.streamed(10, 300)
		s.want("2.0 between", "3.0 x", "3.1 y", "4.0 a", "4.1 kept", "4.2 z", "end 0/136 #4")
		if s.a.spill.memory != 0 || len(s.a.spill.txs) != 0 {
			t.Errorf("%d bytes of %d transactions are kept", s.a.spill.memory, len(s.a.spill.txs))
		}
	})
	t.Run("P27 what a rolled back part said of a relation still holds", func(t *testing.T) {
		s := newScript(t, 100)
		s.send(pgoutput.StreamStart, pgoutput.Decoder{Tx: pgoutput.TxMessage{XID: 10}})
		s.send(pgoutput.Relation, pgoutput.Decoder{XID: 11, Relation: pgoutput.RelationMessage{ID: 2, Name: []byte("late"), Identity: 'd',
			Columns: []pgoutput.RelationColumn{{Flags: 1, Name: []byte("c0")}}}})
		row := pgoutput.Row{Relation: 2, New: []pgoutput.Column{{Kind: pgoutput.Text, Data: []byte("v")}}}
		s.send(pgoutput.Insert, pgoutput.Decoder{XID: 11, Row: row})
		s.send(pgoutput.Insert, pgoutput.Decoder{XID: 10, Row: row})
		s.send(pgoutput.StreamStop, pgoutput.Decoder{})
		s.abort(10, 11)
		s.streamed(10, 100)
		s.want("2.0 v", "end 0/6E #2")
	})
	t.Run("P26 spilled to files, read back in order, and removed", func(t *testing.T) {
		s := newScript(t, 1<<20)
		s.a.config.BatchBytes = 1 << 30
		var want []string
		long := strings.Repeat("l", 1000)
		for i := range 1000 {
			s.block(10, 10, fmt.Sprint(long, i))
			s.block(20, 20, fmt.Sprint(long, -i))
			want = append(want, fmt.Sprintf("2.%d %s%d", i, long, i))
		}
		if s.a.spill.memory > 600_000 {
			t.Errorf("%d bytes in memory", s.a.spill.memory)
		}
		if files, _ := filepath.Glob(filepath.Join(s.dir, "*.tx")); len(files) != 2 {
			t.Errorf("files %v", files)
		}
		s.streamed(10, 100)
		s.want(append(want, "end 0/6E #2")...)
		if err := s.a.interrupt(); err != nil {
			t.Fatal(err)
		}
		if left, _ := os.ReadDir(s.dir); len(left) != 0 {
			t.Errorf("left behind: %v", left)
		}
	})
	t.Run("P31 the server is answered while a transaction is read back, also where nothing comes of it", func(t *testing.T) {
		s := newScript(t, 1<<20)
		s.block(10, 11, strings.Split(strings.Repeat("gone ", 1000), " ")...)
		s.block(10, 10, "a")
		s.abort(10, 11)
		s.streamed(10, 100)
		s.want("2.0 a", "end 0/6E #2")
		if s.busy < 1000/busyEvery {
			t.Errorf("answered %d times", s.busy)
		}
	})
	t.Run("P04 an idle place keeps the number", func(t *testing.T) {
		s := newScript(t, 100)
		s.begin(100)
		s.commit(100) // nothing of ours in it
		s.a.idle(500, 0)
		if err := s.a.moveOn(); err != nil {
			t.Fatal(err)
		}
		s.begin(600)
		s.rows(0, "a")
		s.commit(600)
		s.want("end 0/1F4 #1", "2.0 a", "end 0/262 #2")
	})
}
