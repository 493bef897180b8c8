package bleve

import (
	"context"
	"testing"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/deliver"
	"github.com/evertdb/evert/schema"
)

// TestDeletesAreBounded: S10 a commit of deletes alone holds no more of them than a
// batch may.
func TestDeletesAreBounded(t *testing.T) {
	x, err := New(Config{Dir: t.TempDir(), Name: "items", BatchMemory: 64 << 10})
	if err != nil {
		t.Fatal(err)
	}
	defer x.Close()
	w := &target{index: x, rejects: deliver.Stop{}}
	if _, err := w.Open(context.Background()); err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	table := &schema.Table{Schema: "public", Name: "items", Key: []int{0}, Columns: []schema.Column{{Name: "id", Type: schema.Type{Kind: schema.KindInt, Name: "bigint", Bits: 64}}}}
	most := 0
	for n := range 2000 {
		c := pipeline.Change{Table: table, Op: pipeline.Delete, Before: schema.Row{schema.Int(int64(n))}, Offset: uint64(n)}
		if err := w.Write(context.Background(), pipeline.Batch{Changes: []pipeline.Change{c}}); err != nil {
			t.Fatal(err)
		}
		most = max(most, len(w.pending))
	}
	if most > 300 {
		t.Errorf("%d deletes were held at once, in 64 KiB", most)
	}
}
