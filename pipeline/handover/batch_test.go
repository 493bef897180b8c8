package handover

import (
	"testing"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/schema"
)

// A counted value counts how often it was let go.
type counted int

func (c *counted) Close() error {
	*c++
	return nil
}

// A part of a transaction that is dropped holds nothing any more, and whole ones before
// it keep what they have.
func TestDropPart(t *testing.T) {
	for _, whole := range []bool{false, true} {
		var b Batch
		var aside counted
		add := func() {
			b.Add().After = append(b.Rows.Row(1)[:0], schema.Text(b.Bytes.Copy([]byte("some text"))))
			b.Aside, b.Borrowed = append(b.Aside, &aside), b.Borrowed+100
		}
		if whole {
			add()
			b.EndWhole(pipeline.Resume{}, b.WholeAt)
		}
		add()
		b.DropPart()
		if whole && (len(b.Changes) != 1 || string(b.Changes[0].After[0].Ref()) != "some text" || aside != 0) {
			t.Errorf("of a whole transaction %d changes are left, %d values were let go", len(b.Changes), aside)
		}
		if !whole && (b.Size() != 0 || aside != 1) {
			t.Errorf("%d bytes are left, %d values were let go", b.Size(), aside)
		}
	}
}
