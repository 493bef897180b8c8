package postgres

import (
	"testing"

	"github.com/evertdb/evert/pipeline/handover"
	"github.com/evertdb/evert/sources/postgres/pgoutput"
	"github.com/evertdb/evert/sources/postgres/pgvalue"
)

// BenchmarkAssembleRow9 is what one row of nine columns costs from message to
// change, everything but the network.
func BenchmarkAssembleRow9(b *testing.B) {
	ops := []pgvalue.Op{pgvalue.Int8, pgvalue.Int4, pgvalue.Int2, pgvalue.Numeric, pgvalue.Timestamptz, pgvalue.Bool, pgvalue.Text, pgvalue.Float8, pgvalue.Text}
	words := []string{"1000001", "4711", "3", "1999.99", "2026-11-22 10:00:00.123456+00", "t", "some text of a row", "1.5", "another text of the same row"}
	a, sh := benchAssembler(ops)
	row := &pgoutput.Decoder{Row: pgoutput.Row{Relation: sh.oid}}
	for _, w := range words {
		row.Row.New = append(row.Row.New, pgoutput.Column{Kind: pgoutput.Text, Data: []byte(w)})
	}
	insert := pgoutput.Append(nil, pgoutput.Insert, row)
	begin := pgoutput.Append(nil, pgoutput.Begin, &pgoutput.Decoder{Tx: pgoutput.TxMessage{LSN: 1 << 40, XID: 7}})
	if err := a.message(1, begin); err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(insert)))
	b.ReportAllocs()
	for b.Loop() {
		if err := a.message(1, insert); err != nil {
			b.Fatal(err)
		}
	}
}

func benchAssembler(ops []pgvalue.Op) (*assembler, *shape) {
	c := DefaultConfig()
	sh := &shape{oid: 16384, table: testTable("orders", len(ops))}
	for i, op := range ops {
		sh.codecs = append(sh.codecs, pgvalue.Codec{Op: op})
		sh.columns = append(sh.columns, shapeColumn{num: i + 1})
	}
	pool := &handover.Batch{}
	a := &assembler{
		config: &c, spill: newSpill("", 1<<20, 1<<30), rels: map[uint32]*relation{sh.oid: {shape: sh}},
		fresh: func() *handover.Batch { return pool },
		emit:  func(b *handover.Batch) error { b.Reset(); return nil },
	}
	return a, sh
}
