package bleve_test

import (
	"context"
	"encoding/json"
	"testing"
	"time"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/deliver"
	"github.com/evertdb/evert/sinks/bleve"
	"github.com/evertdb/evert/sinks/sinktest"
)

func TestTarget(t *testing.T) {
	sinktest.RunTarget(t, func(t *testing.T) sinktest.TargetHarness {
		x := open(t, bleve.Config{Dir: t.TempDir()})
		return sinktest.TargetHarness{
			New:    func(testing.TB) deliver.Target { return x.Target(deliver.Stop{}) },
			Rows:   func(t testing.TB) map[int64]string { return items(t, x) },
			Powers: sinktest.Powers{Atomic: true, Fences: true, Beside: true},
		}
	})
}

// open makes an index that is closed with the test.
func open(t testing.TB, c bleve.Config) *bleve.Index {
	t.Helper()
	if c.Name == "" {
		c.Name = "items"
	}
	if c.LockTimeout == 0 {
		c.LockTimeout = 100 * time.Millisecond
	}
	x, err := bleve.New(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := x.Close(); err != nil {
			t.Error(err)
		}
	})
	return x
}

// items are the rows of the suite that a search for everything finds.
func items(t testing.TB, x *bleve.Index) map[int64]string {
	t.Helper()
	rows := map[int64]string{}
	found, err := x.Search(context.Background(), bleve.Request{Limit: 10_000})
	if pipeline.CodeOf(err) == bleve.CodeNotReady {
		return rows
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, hit := range found.Hits {
		var row struct {
			ID int64
			V  *string
		}
		if err := json.Unmarshal(hit.Document, &row); err != nil {
			t.Fatal(err)
		}
		rows[row.ID] = "NULL"
		if row.V != nil {
			rows[row.ID] = *row.V
		}
	}
	if uint64(len(rows)) != found.Total {
		t.Errorf("%d documents, %d found", len(rows), found.Total)
	}
	return rows
}
