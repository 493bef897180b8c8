package sourcetest_test

import (
	"testing"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/sources/sourcetest"
)

func TestFake(t *testing.T) {
	sourcetest.Run(t, func(*testing.T) sourcetest.Backend { return sourcetest.NewDatabase("shop") })
}

// TestFakeWindow holds a source to the clauses whose chunks come some transactions
// after they were read (P12).
func TestFakeWindow(t *testing.T) {
	sourcetest.Run(t, func(*testing.T) sourcetest.Backend {
		d := sourcetest.NewDatabase("shop")
		d.Window = 3
		return d
	})
}

func TestFakeForgetsWhatWasAcknowledged(t *testing.T) {
	d := sourcetest.NewDatabase("shop")
	place := d.Commit(t, sourcetest.Op{Do: pipeline.Create, ID: 1})
	d.Commit(t, sourcetest.Op{Do: pipeline.Create, ID: 2})
	s := d.New(t)
	if err := s.Ack(t.Context(), pipeline.Position{Seq: 3, Native: "n:2"}); err != nil {
		t.Fatal(err)
	}
	err := d.New(t).Open(t.Context(), pipeline.Resume{At: pipeline.Position{Seq: 2, Native: place}, State: []byte("shop")})
	if pipeline.CodeOf(err) != "FAKE_GAP" {
		t.Fatalf("got %v", err)
	}
}
