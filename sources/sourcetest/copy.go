package sourcetest

import (
	"fmt"
	"maps"
	"testing"

	"github.com/evertdb/evert/pipeline"
)

// A fold is what one reads of a table that is copied, by key.
type fold struct {
	t      *testing.T
	r      *reader
	rows   map[int64]string
	read   map[int64]int // how often a row came in a chunk
	begun  int           // copies
	done   bool          // the last of them
	lastID string
	name   string // of the table
	model  *model
}

// folded opens a source that copies; the test is skipped if it is none.
func folded(t *testing.T, b Backend) *fold {
	f := &fold{t: t, rows: map[int64]string{}, read: map[int64]int{}}
	f.r = opened(t, b, pipeline.Resume{})
	if _, ok := f.r.source.(pipeline.Copier); !ok {
		t.Skip("the source is no Copier")
	}
	return f
}

// ask asks for a copy of a table under an ID.
func (f *fold) ask(id, table string) error {
	return f.r.source.(pipeline.Copier).Copy(f.t.Context(), pipeline.CopyRequest{ID: id, Table: table})
}

// copy asks for a copy of items, which the source has to take.
func (f *fold) copy(id string) {
	f.t.Helper()
	if err := f.ask(id, f.table()); err != nil {
		f.t.Fatalf("clause 18: copy %s: %v", id, err)
	}
}

func (f *fold) table() string {
	if f.r.table != nil {
		f.name = f.r.table.String()
	}
	return f.name // it is announced anew by the first batch
}

// next takes a batch into the fold.
func (f *fold) next() pipeline.Batch {
	f.t.Helper()
	whole := f.r.place
	b := f.r.next()
	for _, c := range b.Copies {
		f.announced(b, c, whole)
	}
	for i := range b.Changes {
		f.change(&b.Changes[i], whole)
	}
	return b
}

func (f *fold) announced(b pipeline.Batch, c pipeline.TableCopy, whole pipeline.Resume) {
	f.t.Helper()
	if len(b.Changes) > 0 || c.Table.String() != f.table() {
		f.t.Fatalf("clause 16: table %s is announced with %d changes", c.Table, len(b.Changes))
	}
	if f.done, f.lastID = c.Done, c.ID; !c.Done {
		f.begun++
		clear(f.rows)
		clear(f.read)
		return
	}
	f.same("clause 15, where it is done", f.model.at(whole))
}

func (f *fold) change(c *pipeline.Change, whole pipeline.Resume) {
	f.t.Helper()
	if c.Op == pipeline.Read {
		if f.begun == 0 || f.done {
			f.t.Fatal("clause 15: a row of a copy that has not begun, or is done")
		}
		if !whole.Whole() || c.Tx.Position.Seq != whole.At.Seq || c.Before != nil {
			f.t.Fatalf("clause 16: a row of the copy is at %s, behind %s and %d rows", c.Tx.Position, whole.At, whole.Rows)
		}
		f.read[c.After[0].Int()]++
	}
	if c.Op == pipeline.Delete || c.KeyChanged() {
		delete(f.rows, c.Before[0].Int())
	}
	if c.After != nil && c.After[1].IsKnown() {
		f.rows[c.After[0].Int()] = string(c.After[1].Ref())
	}
}

// until reads until a copy is done and a native position is reached.
func (f *fold) until(place string) {
	f.t.Helper()
	for !f.done || !f.r.reached(place) {
		f.next()
	}
}

// reach reads until a native position is reached.
func (f *fold) reach(place string) {
	f.t.Helper()
	for !f.r.reached(place) {
		f.next()
	}
}

// same compares the fold with the table.
func (f *fold) same(clause string, want map[int64]string) {
	f.t.Helper()
	if !maps.Equal(f.rows, want) {
		f.t.Fatalf("%s: %d rows, want %d: %s", clause, len(f.rows), len(want), differ(f.rows, want))
	}
}

// differ names the first few keys that two tables do not agree on.
func differ(got, want map[int64]string) (text string) {
	n := 0
	for id := range union(got, want) {
		if got[id] != want[id] && n < 5 {
			n++
			text += fmt.Sprintf("%d is %q, want %q; ", id, got[id], want[id])
		}
	}
	return text
}

func union(a, b map[int64]string) map[int64]string {
	all := maps.Clone(a)
	maps.Copy(all, b)
	return all
}

// model is the table items as the test writes it.
type model struct {
	t    *testing.T
	b    Backend
	rows map[int64]string
	last string
	past []map[int64]string // before each transaction
}

// at gives the table at a place.
func (m *model) at(place pipeline.Resume) map[int64]string {
	if n := int(place.At.Seq) - 1; n < len(m.past) { // the snapshot is the first
		return m.past[n]
	}
	return m.rows
}

func (m *model) commit(ops ...Op) {
	m.t.Helper()
	m.past = append(m.past, maps.Clone(m.rows))
	m.last = m.b.Commit(m.t, ops...)
	for _, op := range ops {
		if op.Do == pipeline.Delete || op.To != 0 {
			delete(m.rows, op.ID)
		}
		if op.Do != pipeline.Delete {
			m.rows[op.target()] = op.V
		}
	}
}

// write commits the n-th of many transactions, over all parts of the table: rows that
// come, change, move to another key, go, and come again.
func (m *model) write(n int) {
	m.t.Helper()
	fresh, old := int64(1000+n), int64(1+n*37%250)
	ops := []Op{{Do: pipeline.Create, ID: fresh, V: fmt.Sprint("new", n)}}
	if _, ok := m.rows[old]; ok {
		switch n % 4 {
		case 0:
			ops = append(ops, Op{Do: pipeline.Delete, ID: old})
		case 1:
			ops = append(ops, Op{Do: pipeline.Update, ID: old, To: 2000 + old, V: fmt.Sprint("moved", n)})
		case 2:
			ops = append(ops, Op{Do: pipeline.Delete, ID: old}, Op{Do: pipeline.Create, ID: old, V: fmt.Sprint("again", n)})
		default:
			ops = append(ops, Op{Do: pipeline.Update, ID: old, V: fmt.Sprint("changed", n)})
		}
	}
	m.commit(ops...)
}

func (f *fold) filled(b Backend) *model {
	f.model = &model{t: f.t, b: b, rows: map[int64]string{}}
	f.model.commit(rows(250)...)
	return f.model
}

// copies writes between all batches of a copy.
func copies(t *testing.T, b Backend) {
	f := folded(t, b)
	f.r.copied()
	m := f.filled(b)
	f.copy("first")
	for n := 0; !f.done; n++ {
		if n < 40 {
			m.write(n)
		}
		f.next()
	}
	f.until(m.last)
	f.same("clause 15", m.rows)
	if f.begun != 1 || f.lastID != "first" {
		t.Fatalf("clause 15: %d copies began, the last done is %q", f.begun, f.lastID)
	}
}

// copyResumed closes the source behind the first rows of a copy, and deletes a row
// that was copied and one that was not.
func copyResumed(t *testing.T, b Backend) {
	f := folded(t, b)
	f.r.copied()
	m := f.filled(b)
	f.reach(m.last)
	f.copy("first")
	for len(f.read) == 0 {
		f.next()
	}
	before := maps.Clone(f.read)
	if len(before) >= len(m.rows) {
		t.Fatal("clause 17: the copy is in one chunk; nothing can be said of its middle")
	}
	f.r.close()
	m.commit(Op{Do: pipeline.Delete, ID: 1}, Op{Do: pipeline.Delete, ID: 250})
	f.r = opened(t, b, f.r.place)
	f.copy("first") // whoever asked asks again: it is the same request
	f.until(m.last)
	f.same("clause 17", m.rows)
	for id := range before {
		if f.read[id] > 1 {
			t.Fatalf("clause 17: row %d was copied, committed, and copied again", id)
		}
	}
	if f.begun != 1 {
		t.Fatalf("clause 17: the copy began %d times", f.begun)
	}
}

func copyRequests(t *testing.T, b Backend) {
	f := folded(t, b)
	f.r.copied()
	m := f.filled(b)
	f.reach(m.last)
	f.copy("first")
	f.until(m.last)
	f.copy("first") // it is done
	m.commit(Op{Do: pipeline.Update, ID: 3, V: "c"})
	f.reach(m.last)
	if f.begun != 1 {
		t.Fatal("clause 18: a request that was done began again")
	}
	f.copy("second")
	for len(f.read) == 0 || f.begun != 2 {
		f.next()
	}
	f.copy("third") // while the second runs
	for f.begun != 3 {
		f.next()
	}
	f.until(m.last)
	f.same("clause 18", m.rows)
	if f.lastID != "third" {
		t.Fatalf("clause 18: copy %q was done last", f.lastID)
	}
	if err := f.ask("fourth", "public.nothing_of_that_name"); pipeline.CodeOf(err) == "" {
		t.Fatalf("clause 18: a table that is not there: %v", err)
	}
}
