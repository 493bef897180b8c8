package bleve_test

import (
	"context"
	"maps"
	"testing"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/deliver"
	"github.com/evertdb/evert/schema"
	"github.com/evertdb/evert/sinks/bleve"
	"github.com/evertdb/evert/sinks/sinktest"
)

func TestAuditor(t *testing.T) {
	t.Run("S14 a missing, a left over and a different document are found and repaired", func(t *testing.T) {
		row := func(id int64, v string) schema.Row { return schema.Row{schema.Int(id), text(v)} }
		x := delivered(t, bleve.Config{Dir: t.TempDir()}, sinktest.Items, row(1, "one"), row(2, "other"), row(9, "left over"))
		a := x.Auditor()
		defer a.Close()
		ctx, should, newest := context.Background(), map[string]string{}, map[string]*pipeline.Change{}
		for _, r := range []schema.Row{row(1, "one"), row(2, "two"), row(3, "three")} {
			c := &pipeline.Change{Table: sinktest.Items, Op: pipeline.Update, After: r}
			id, form, err := a.Expect(c)
			if err != nil {
				t.Fatal(err)
			}
			should[string(id)], newest[string(id)] = string(form), c
		}
		holds := func() map[string]string {
			all := map[string]string{}
			err := a.Contents(ctx, func(id, form []byte) error {
				all[string(id)] = string(form)
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			return all
		}
		if before := holds(); before["1"] != should["1"] || before["2"] == should["2"] || len(before) != 3 {
			t.Fatalf("before: %v", before)
		}
		fixes := []deliver.Fix{{ID: []byte("2"), Change: newest["2"]}, {ID: []byte("3"), Change: newest["3"]}, {ID: []byte("9")}}
		if err := a.Repair(ctx, fixes); err != nil {
			t.Fatal(err)
		}
		if after := holds(); !maps.Equal(after, should) {
			t.Errorf("after: %v, want %v", after, should)
		}
		if s, err := x.State(); err != nil || s.Resume.At.Seq != 1 || s.Documents != 3 {
			t.Errorf("the place moved: %+v, %v", s, err)
		}
		if got := ids(t, x, "q=three"); got != "3" {
			t.Errorf("what was repaired is found: %q", got)
		}
	})
}
