package postgres

import (
	"context"
	"testing"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/handover"
	"github.com/evertdb/evert/sources/postgres/pgvalue"
)

// A row of a copy allocates nothing once its batch has memory.
func TestCopierAllocates(t *testing.T) {
	s := New(Config{})
	sh := &shape{oid: 16384, table: testTable("orders", 2), codecs: []pgvalue.Codec{{Op: pgvalue.Int8}, {Op: pgvalue.Text}}}
	w := &copier{source: s, tx: &pipeline.Tx{}, pace: &handover.Pace{}, out: &handover.Batch{}}
	w.begin(context.Background(), chunk{shape: sh})
	header := []byte("PGCOPY\n\xff\r\n\x00\x00\x00\x00\x00\x00\x00\x00\x00")
	row := []byte("\x00\x02\x00\x00\x00\x08\x00\x00\x00\x00\x00\x00\x00\x07\x00\x00\x00\x05hello")
	write := func(b []byte) {
		if _, err := w.Write(b); err != nil {
			t.Fatal(err)
		}
	}
	write(header)
	const rows = 100
	n := testing.AllocsPerRun(10, func() {
		for range rows {
			write(row)
		}
		if len(w.out.Changes) != rows {
			t.Fatalf("%d rows of %d", len(w.out.Changes), rows)
		}
		w.out.Reset()
	})
	if n != 0 {
		t.Errorf("%d rows took %v allocations", rows, n)
	}
}
