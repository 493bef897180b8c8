package bleve_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"testing"

	library "github.com/blevesearch/bleve/v2"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/deliver"
	"github.com/evertdb/evert/pipeline/document"
	"github.com/evertdb/evert/schema"
	"github.com/evertdb/evert/sinks/bleve"
)

// benchDocuments is how many documents a benchmark indexes: EVERT_BENCH_DOCUMENTS,
// or a few.
func benchDocuments() int {
	if n, err := strconv.Atoi(os.Getenv("EVERT_BENCH_DOCUMENTS")); err == nil {
		return n
	}
	return 5000
}

// benchBatch is the number of documents of a commit, and of a bare batch.
const benchBatch = 1000

var orders = &schema.Table{Schema: "public", Name: "orders", Key: []int{0}, Columns: []schema.Column{
	{Name: "id", Type: schema.Type{Kind: schema.KindInt, Name: "bigint", Bits: 64}},
	{Name: "customer", Type: schema.Type{Kind: schema.KindInt, Name: "integer", Bits: 32}},
	{Name: "state", Type: schema.Type{Kind: schema.KindText, Name: "text"}},
	{Name: "title", Type: schema.Type{Kind: schema.KindText, Name: "text"}},
	{Name: "amount", Type: schema.Type{Kind: schema.KindDecimal, Name: "numeric"}},
	{Name: "placed", Type: schema.Type{Kind: schema.KindTimestamp, Name: "timestamp with time zone", Zoned: true}},
	{Name: "note", Type: schema.Type{Kind: schema.KindText, Name: "text"}},
}}

// order makes a row of orders.
func order(n int) schema.Row {
	return schema.Row{schema.Int(int64(n)), schema.Int(int64(n % 1000)), text([]string{"open", "paid", "sent"}[n%3]), text(fmt.Sprintf("order number %d of customer %d", n, n%1000)),
		schema.Decimal(fmt.Appendf(nil, "%d.%02d", n%1000, n%100)), schema.Timestamp(int64(n) * 1_000_000), text("delivered to the door in the second courtyard, ring twice")}
}

func changes(from, to int) (all []pipeline.Change) {
	for n := from; n < to; n++ {
		all = append(all, pipeline.Change{Table: orders, Op: pipeline.Update, After: order(n), Offset: uint64(n)})
	}
	return all
}

// BenchmarkDocuments is what a target indexes, a commit of 1000 documents after
// the other; beside the library alone, with batches of the same documents by its
// default mapping.
func BenchmarkDocuments(b *testing.B) {
	total := benchDocuments()
	b.Run("target", func(b *testing.B) {
		for b.Loop() {
			x := open(b, bleve.Config{Dir: b.TempDir()})
			w := writer{TB: b, Target: x.Target(deliver.Stop{})}
			w.open()
			w.commit(1) // not a fill: every commit is seen
			for n := 0; n < total; n += benchBatch {
				if err := w.Write(context.Background(), pipeline.Batch{Changes: changes(n, n+benchBatch)}); err != nil {
					b.Fatal(err)
				}
				w.commit(uint64(n + 2))
			}
		}
		b.ReportMetric(float64(total*b.N)/b.Elapsed().Seconds(), "docs/s")
	})
	b.Run("bare", func(b *testing.B) {
		e := document.New(orders.Columns)
		for b.Loop() {
			x, err := library.New(b.TempDir()+"/index", library.NewIndexMapping())
			if err != nil {
				b.Fatal(err)
			}
			for n := 0; n < total; n += benchBatch {
				if err := bareBatch(x, e, n); err != nil {
					b.Fatal(err)
				}
			}
			if err := x.Close(); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(float64(total*b.N)/b.Elapsed().Seconds(), "docs/s")
	})
}

func bareBatch(x library.Index, e *document.Encoder, n int) error {
	batch := x.NewBatch()
	for _, c := range changes(n, n+benchBatch) {
		var doc map[string]any
		if err := json.Unmarshal(e.Append(nil, c.After), &doc); err != nil {
			return err
		}
		if err := batch.Index(strconv.FormatInt(c.After[0].Int(), 10), doc); err != nil {
			return err
		}
	}
	return x.Batch(batch)
}
