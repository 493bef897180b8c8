package transform_test

import (
	"context"
	"testing"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/transform"
	"github.com/evertdb/evert/schema"
)

const benchRows = 2000

func benchBatch(t testing.TB) pipeline.Batch {
	table := people()
	tx := &pipeline.Tx{Position: pipeline.Position{Seq: 1, Native: "0/1"}}
	b := pipeline.Batch{Tables: []*schema.Table{table}, End: &pipeline.Resume{}}
	for i := range benchRows {
		row := parse(t, table, "1 Margarethe Bern 30 a-rather-long-biography")
		row[0] = schema.Int(int64(i))
		b.Changes = append(b.Changes, pipeline.Change{Table: table, Op: pipeline.Update, Before: row, After: row, Tx: tx, Row: uint32(i)})
	}
	return b
}

func benched() map[string]transform.Step {
	return map[string]transform.Step{
		"filter":  transform.Filter{Where: text("age >= 18 AND city = 'Bern'")},
		"project": transform.Project{Items: texts("id", "name", "age + 1 AS next")},
		"map":     transform.Map{Columns: named("age", "age * 2 + 1")},
		"rename":  transform.Rename{Columns: named("name", "who")},
		"redact":  transform.Mask{Columns: []transform.Masked{masked("name", transform.Redact)}},
		"partial": transform.Mask{Columns: []transform.Masked{masked("name", transform.Partial)}},
		"hmac":    transform.Mask{Columns: []transform.Masked{masked("name", transform.HMAC)}},
		"rekey":   transform.Rekey{Columns: texts("city", "id")},
		"route":   transform.Route{To: text("city"), Tables: []transform.Name{{Schema: "public", Table: "Bern"}}},
		"dropped": transform.DropUnchanged{},
	}
}

func benchChain(step transform.Step) *transform.Chain {
	return transform.New(transform.Config{Specs: []transform.Spec{{Step: step}}})
}

// Once memory is there, no step takes any for a row.
func TestNoAllocations(t *testing.T) {
	if raced {
		t.Skip("the race detector allocates")
	}
	b := benchBatch(t)
	for name, step := range benched() {
		t.Run(name, func(t *testing.T) {
			chain := benchChain(step)
			if n := testing.AllocsPerRun(5, func() {
				if _, err := chain.Apply(context.Background(), b); err != nil {
					t.Fatal(err)
				}
			}); n > 2 { // a garbage collection empties pools
				t.Errorf("%v allocations for %d rows", n, benchRows)
			}
		})
	}
}

func BenchmarkSteps(b *testing.B) {
	in := benchBatch(b)
	for name, step := range benched() {
		b.Run(name, func(b *testing.B) {
			chain := benchChain(step)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := chain.Apply(context.Background(), in); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*benchRows), "ns/row")
		})
	}
}
