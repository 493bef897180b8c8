package tuple_test

import (
	"testing"

	"github.com/evertdb/evert/pipeline/state/tuple"
	"github.com/evertdb/evert/schema"
	"pgregory.net/rapid"
)

// What is read is what was written, bit by bit.
func TestRow(t *testing.T) {
	cols := sqlColumns()
	cols = append(cols, column(schema.KindJSON))
	rapid.Check(t, func(rt *rapid.T) {
		row := schema.Row{}
		for range rapid.IntRange(0, 8).Draw(rt, "columns") {
			switch c := rapid.SampledFrom(cols).Draw(rt, "column"); {
			case c.Type.Kind == schema.KindJSON:
				row = append(row, schema.JSON(rapid.SliceOfN(rapid.Byte(), 0, 300).Draw(rt, "json")))
			case rapid.IntRange(0, 20).Draw(rt, "unknown") == 0:
				row = append(row, schema.Unknown())
			default:
				row = append(row, genValue(rt, &c.Type))
			}
		}
		b := tuple.AppendRow([]byte("before"), row)[len("before"):]
		got, err := tuple.ReadRow(b, make(schema.Row, 3))
		if err != nil || !got.Identical(row) {
			rt.Fatalf("%x is read as %v, %v", b, got, err)
		}
		for n := range b {
			if _, err := tuple.ReadRow(b[:n:n], nil); err == nil {
				rt.Fatalf("%x was read although it is cut at %d", b, n)
			}
		}
	})
}

func TestReadRowDoesNotAllocate(t *testing.T) {
	_, row := wide()
	b := tuple.AppendRow(nil, row)
	dst, again := make(schema.Row, len(row)), make([]byte, 0, len(b))
	n := testing.AllocsPerRun(100, func() {
		dst, _ = tuple.ReadRow(b, dst)
		again = tuple.AppendRow(again[:0], dst)
	})
	if n != 0 || !dst.Identical(row) {
		t.Errorf("%v allocations to read and write a row", n)
	}
}

func FuzzReadRow(f *testing.F) {
	_, row := wide()
	f.Add(tuple.AppendRow(nil, row))
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 0x0f})
	f.Fuzz(func(t *testing.T, b []byte) {
		got, err := tuple.ReadRow(b, nil)
		if err != nil {
			return
		}
		again, err := tuple.ReadRow(tuple.AppendRow(nil, got), nil)
		if err != nil || !again.Identical(got) {
			t.Fatalf("%x is read as %v and then as %v, %v", b, got, again, err)
		}
	})
}

func BenchmarkAppendRow(b *testing.B) {
	_, row := wide()
	dst := make([]byte, 0, 1<<12)
	b.ReportAllocs()
	for b.Loop() {
		dst = tuple.AppendRow(dst[:0], row)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(row)), "ns/value")
}

func BenchmarkReadRow(b *testing.B) {
	_, row := wide()
	enc := tuple.AppendRow(nil, row)
	dst := make(schema.Row, len(row))
	b.ReportAllocs()
	for b.Loop() {
		var err error
		if dst, err = tuple.ReadRow(enc, dst); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(row)), "ns/value")
}
