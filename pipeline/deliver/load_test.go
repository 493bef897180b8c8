package deliver

import (
	"context"
	"testing"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/log"
	"github.com/evertdb/evert/schema"
)

// keepAll keeps all that is rejected.
type keepAll struct{}

func (keepAll) Reject(context.Context, ...Rejection) error { return nil }

// TestLoadIsBounded tells that records which give no row, here because they cannot
// be read, take no more memory than a load may have (I9).
func TestLoadIsBounded(t *testing.T) {
	for name, before := range map[string]int{"behind rows": 1, "alone": 0} {
		t.Run(name, func(t *testing.T) {
			s := &Source{Config: &Config{Name: "index", Rejects: keepAll{}, Limits: Limits{Bytes: 1 << 20, Rows: 1000}}, ready: make(chan *load, readAhead), free: make(chan *load, readAhead)}
			for range readAhead {
				s.free <- &load{}
			}
			p := &pump{Source: s, at: newStanding("one", []string{"items"})}
			p.open()
			f := p.feeds[0]
			f.table = &schema.Table{}
			if err := p.loads(t.Context()); err != nil {
				t.Fatal(err)
			}
			p.load.table = f.table
			p.load.batch.Changes = p.load.batch.Changes[:0]
			for range before {
				p.load.batch.Changes = append(p.load.batch.Changes, pipeline.Change{})
			}
			for offset := range int64(5000) {
				if err := f.record(t.Context(), &log.Record{Offset: offset, Key: []byte("k"), Value: append([]byte{9}, make([]byte, 10<<10)...)}); err != nil {
					t.Fatal(err)
				}
				if p.load != nil && cap(p.load.bytes) > s.Limits.Bytes {
					t.Fatalf("at record %d the load has %d bytes", offset, cap(p.load.bytes))
				}
			}
			if got := len(s.ready); got != before {
				t.Errorf("%d loads were given, want %d", got, before)
			}
		})
	}
}
