package postgres

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"net"
	"slices"
	"testing"
	"time"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/handover"
	"github.com/evertdb/evert/schema"
)

// refusals gives all refusals in a joined error.
func refusals(err error) iter.Seq[*pipeline.Refusal] {
	return func(yield func(*pipeline.Refusal) bool) {
		if many, ok := err.(interface{ Unwrap() []error }); ok {
			for _, e := range many.Unwrap() {
				for r := range refusals(e) {
					if !yield(r) {
						return
					}
				}
			}
			return
		}
		var r *pipeline.Refusal
		if errors.As(err, &r) {
			yield(r)
		}
	}
}

func TestSnapshotThenStream(t *testing.T) {
	t.Parallel()
	d := newDB(t)
	d.do(`CREATE TABLE orders (id bigint PRIMARY KEY, note text, total numeric(10,2));
	      INSERT INTO orders VALUES (1, 'one', 1.5), (2, NULL, NULL)`)
	r := open(t, d.config(), pipeline.Resume{})
	got := r.snapshot()
	slices.Sort(got)
	wantLines(t, got, "r orders 1|one|1.50", "r orders 2|NULL|NULL")

	d.do(`INSERT INTO orders VALUES (3, 'three', 3)`)
	d.do(`UPDATE orders SET note = 'uno' WHERE id = 1; DELETE FROM orders WHERE id = 2`)
	wantLines(t, r.sync(d), "c orders 3|three|3.00", "u orders 1|uno|1.50", "d orders 2|?|? →")
	if r.resume.At.Seq != 3 {
		t.Errorf("position is %s, want number 3: one for the snapshot, two transactions", r.resume.At)
	}

	from := r.close()
	d.do(`INSERT INTO orders VALUES (4, 'four', 4)`)
	r = open(t, d.config(), from)
	wantLines(t, r.sync(d), "c orders 4|four|4.00")
}

// testTable is a table of n columns c0, c1, …, keyed by the first.
func testTable(name string, n int) *schema.Table {
	t := &schema.Table{Schema: "public", Name: name, Version: 1, Key: []int{0}}
	for i := range n {
		t.Columns = append(t.Columns, schema.Column{Name: fmt.Sprintf("c%d", i)})
	}
	return t
}

func TestServerIsAnsweredWithoutBeingHeard(t *testing.T) {
	t.Parallel()
	for name, do := range map[string]func(st *stream) error{
		"at every batch":    func(st *stream) error { return st.emit(context.Background(), &handover.Batch{}) },
		"at every question": func(st *stream) error { return st.waitFor(context.Background(), closed()) },
	} {
		t.Run("P31 "+name, func(t *testing.T) {
			here, server := net.Pipe()
			defer here.Close()
			long := time.Now().Add(-time.Hour) // nothing was read since, and nothing told
			st := &stream{a: &assembler{}, source: New(Config{}), net: here, statusEvery: time.Second, deadAfter: time.Minute, toldAt: long, heardAt: long}
			told := make(chan []byte, 1)
			go func() {
				b := make([]byte, 39)
				_, _ = io.ReadFull(server, b)
				told <- b
			}()
			if err := do(st); err != nil {
				t.Fatal(err)
			}
			if b := <-told; b[5] != 'r' {
				t.Errorf("told %q", b)
			}
			if err := do(st); err != nil { // nothing is due
				t.Fatal(err)
			}
		})
	}
	t.Run("P32 a large row that comes slowly is not silence", func(t *testing.T) {
		st := &stream{a: &assembler{}, source: New(Config{}), raw: &shortener{taken: 1 << 20}, statusEvery: time.Hour, deadAfter: time.Minute, toldAt: time.Now()}
		st.hear()
		if err := st.beat(); err != nil {
			t.Error(err)
		}
		st.heardAt = time.Time{}
		st.hear()
		if st.beat() == nil {
			t.Error("no byte came, and that is not silence")
		}
	})
}

func closed() <-chan struct{} {
	c := make(chan struct{})
	close(c)
	return c
}
