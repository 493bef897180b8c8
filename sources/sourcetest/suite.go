// Package sourcetest is what every source must do, in numbered clauses. A source
// passes them over a real server; Fake passes them too, so that tests elsewhere
// may stand on it.
//
// The clauses are those of pipeline.Source:
//
//	 1 tables       the first batch after Open announces every captured table
//	 2 snapshot     a source opened at zero reads the rows that are there, each once, numbered through
//	 3 first place  the snapshot ends at position number 1; inside it ends lie at zero, with a state
//	 4 order        transactions come in commit order, counted by Seq, their changes numbered from 0
//	 5 one Tx       all changes of a transaction carry the same Tx
//	 6 keys         deletes and key changes carry the old key in Before
//	 7 resume       opened at any end it gave, a source gives exactly what follows, numbered the same
//	 8 parts        inside a transaction longer than a batch every batch has an end that counts its changes
//	 9 ack          what is acknowledged may be forgotten, what is not is given again
//	10 context      a Next that ended with its context lost nothing
//	11 idle         an idle source moves on to the end of the log, without changes and without counting
//	12 reached      native positions compare; malformed ones are an error
//	13 identity     a place of another database is refused
//	14 close        Close ends a waiting Next, and may be called again
//
// And those of pipeline.Copier, for a source that is one:
//
//	15 copy again   while writes go on; by key, the last of what comes between begin and done is the table there
//	16 its rows     are reads at the position of the last whole transaction, in batches of their own
//	17 its middle   reopened there, a copy goes on with the chunk that is missing
//	18 requests     one that was begun or done changes nothing, another one begins again; no table, no copy
package sourcetest

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/schema"
)

// An Op is one statement of a transaction on the table items(id bigint primary
// key, v text).
type Op struct {
	Do pipeline.Op // Create, Update or Delete
	ID int64
	To int64  // Update: the new id; 0 leaves it
	V  string // Create, Update
}

// SQL is the statement of an Op, without a semicolon.
func (op Op) SQL() string {
	switch op.Do {
	case pipeline.Create:
		return fmt.Sprintf("INSERT INTO items VALUES (%d, '%s')", op.ID, op.V)
	case pipeline.Delete:
		return fmt.Sprintf("DELETE FROM items WHERE id = %d", op.ID)
	}
	to := op.To
	if to == 0 {
		to = op.ID
	}
	return fmt.Sprintf("UPDATE items SET id = %d, v = '%s' WHERE id = %d", to, op.V, op.ID)
}

// A Backend is one database with the table items, empty at first.
type Backend interface {
	// New gives a source over the database, not opened; batches should be small,
	// so that 200 rows do not fit into one, nor into one chunk of a copy.
	New(t testing.TB) pipeline.Source
	// Commit runs one transaction and gives a native position at or behind its end.
	Commit(t testing.TB, ops ...Op) string
	// Elsewhere lets the log move on without a change of a captured table, and
	// gives a native position at or behind its end.
	Elsewhere(t testing.TB) string
	// Foreign turns a place into one of another database.
	Foreign(from pipeline.Resume) pipeline.Resume
}

// Run runs all clauses, each with a backend of its own.
func Run(t *testing.T, newBackend func(t *testing.T) Backend) {
	for _, c := range []struct {
		name string
		test func(*testing.T, Backend)
	}{
		{"1 to 3 tables and snapshot", snapshot},
		{"4 to 6 transactions", transactions},
		{"7 resume at every end", resume},
		{"8 parts of a large transaction", parts},
		{"9 acknowledgement", acknowledgement},
		{"10 context", contexts},
		{"11 and 12 idle and reached", idle},
		{"13 identity", identity},
		{"14 close", closing},
		{"15 and 16 a copy while writes go on", copies},
		{"17 a copy is resumed", copyResumed},
		{"18 requests of a copy", copyRequests},
	} {
		t.Run(c.name, func(t *testing.T) { c.test(t, newBackend(t)) })
	}
}

func rows(n int) []Op {
	var ops []Op
	for i := range n {
		ops = append(ops, Op{Do: pipeline.Create, ID: int64(i + 1), V: fmt.Sprint("v", i+1)})
	}
	return ops
}

func snapshot(t *testing.T, b Backend) {
	b.Commit(t, rows(250)...)
	r := opened(t, b, pipeline.Resume{})
	first := r.next()
	if len(first.Tables) != 1 || first.Tables[0].Name != "items" || fmt.Sprint(first.Tables[0].Key) != "[0]" {
		t.Fatalf("clause 1: the first batch announces %v", first.Tables)
	}
	seen := map[int64]bool{}
	number := uint32(0)
	for b := first; ; b = r.next() {
		for _, c := range b.Changes {
			if c.Op != pipeline.Read || c.Before != nil || !c.Tx.Position.IsZero() {
				t.Fatalf("clause 2: a row of the snapshot is %s at %s", c.Op, c.Tx.Position)
			}
			if c.Row != number {
				t.Fatalf("clause 2: row %d is numbered %d", number, c.Row)
			}
			number++
			if id := c.After[0].Int(); seen[id] || string(c.After[1].Ref()) != fmt.Sprint("v", id) {
				t.Fatalf("clause 2: row %d again, or with another value", id)
			}
			seen[c.After[0].Int()] = true
		}
		if b.End == nil {
			continue
		}
		if !b.End.At.IsZero() {
			if b.End.At.Seq != 1 || b.End.Rows != 0 || len(b.End.State) == 0 {
				t.Fatalf("clause 3: the snapshot ends at %s", b.End.At)
			}
			break
		}
		if len(b.End.State) == 0 {
			t.Fatal("clause 3: an end inside the snapshot has no state")
		}
	}
	if len(seen) != 250 {
		t.Fatalf("clause 2: %d rows of 250", len(seen))
	}
}

// script is a few transactions; want is what they are read as, from Seq 2 on.
func script(t testing.TB, b Backend) (last string, want []string) {
	b.Commit(t, Op{Do: pipeline.Create, ID: 1, V: "a"}, Op{Do: pipeline.Create, ID: 2, V: "b"})
	b.Commit(t, Op{Do: pipeline.Update, ID: 1, V: "c"}, Op{Do: pipeline.Delete, ID: 2})
	b.Commit(t, rows(200)[9:]...)
	last = b.Commit(t, Op{Do: pipeline.Update, ID: 1, To: 5, V: "d"})
	want = []string{"2.0 c 1=a", "2.1 c 2=b", "3.0 u 1=c", "3.1 d 2"}
	for i := range 191 {
		want = append(want, fmt.Sprintf("4.%d c %d=v%d", i, i+10, i+10))
	}
	return last, append(want, "5.0 u 1→5=d")
}

func transactions(t *testing.T, b Backend) {
	r := opened(t, b, pipeline.Resume{})
	r.copied()
	last, want := script(t, b)
	same(t, "clauses 4 and 6", r.to(last), want)
	for seq, txs := range r.txs {
		if len(txs) != 1 {
			t.Errorf("clause 5: transaction %d came with %d Tx", seq, len(txs))
		}
	}
}

func resume(t *testing.T, b Backend) {
	r := opened(t, b, pipeline.Resume{})
	r.ack = false
	r.copied()
	last, want := script(t, b)
	same(t, "clause 4", r.to(last), want)
	ends := r.ends
	r.close()
	for i, e := range ends {
		if i%3 != 0 && i != len(ends)-1 {
			continue // each costs a connection, and neighbours are alike
		}
		again := opened(t, b, e.resume)
		again.ack = false
		if tables := again.next().Tables; len(tables) != 1 {
			t.Fatalf("clause 1: %d tables after resuming", len(tables))
		}
		same(t, fmt.Sprintf("clause 7: from %s and %d rows", e.resume.At, e.resume.Rows), again.to(last), want[e.seen:])
		again.close()
	}
}

func parts(t *testing.T, b Backend) {
	r := opened(t, b, pipeline.Resume{})
	r.copied()
	last := b.Commit(t, rows(200)...)
	count, inside := uint64(0), 0
	for {
		b := r.next()
		count += uint64(len(b.Changes))
		if b.End == nil {
			t.Fatalf("clause 8: a batch of %d changes inside a transaction has no end", len(b.Changes))
		}
		if b.End.Rows > 0 {
			inside++
			if b.End.Rows != count || b.End.At.Seq != 1 {
				t.Fatalf("clause 8: after %d changes the end is %s and %d rows", count, b.End.At, b.End.Rows)
			}
		}
		if ok, _ := r.source.Reached(b.End.At.Native, last); ok {
			break
		}
	}
	if inside == 0 || count != 200 {
		t.Fatalf("clause 8: %d changes with %d ends inside", count, inside)
	}
}

func acknowledgement(t *testing.T, b Backend) {
	r := opened(t, b, pipeline.Resume{})
	r.copied()
	acked := r.to(b.Commit(t, Op{Do: pipeline.Create, ID: 1, V: "a"}))
	same(t, "clause 4", acked, []string{"2.0 c 1=a"})
	from := r.place
	r.ack = false
	last := b.Commit(t, Op{Do: pipeline.Create, ID: 2, V: "b"})
	same(t, "clause 4", r.to(last), []string{"3.0 c 2=b"})
	r.close()
	again := opened(t, b, from)
	same(t, "clause 9: what was not acknowledged", again.to(last), []string{"3.0 c 2=b"})
}

func contexts(t *testing.T, b Backend) {
	r := opened(t, b, pipeline.Resume{})
	r.copied()
	last, want := script(t, b)
	var got []string
	for i := 0; !r.reached(last); i++ {
		ctx, cancel := context.WithTimeout(t.Context(), time.Duration(i%3)*200*time.Microsecond)
		batch, err := r.source.Next(ctx)
		if err != nil && ctx.Err() == nil {
			t.Fatalf("clause 10: %v", err)
		}
		cancel()
		if err == nil {
			got = append(got, r.take(batch)...)
		}
	}
	same(t, "clause 10", got, want)
}

func idle(t *testing.T, b Backend) {
	r := opened(t, b, pipeline.Resume{})
	r.copied()
	before := r.place.At
	end := b.Elsewhere(t)
	if got := r.to(end); len(got) != 0 {
		t.Fatalf("clause 11: %v", got)
	}
	if r.place.At.Seq != before.Seq || r.place.Rows != 0 {
		t.Fatalf("clause 11: an idle source went from %s to %s", before, r.place.At)
	}
	if ok, err := r.source.Reached(before.Native, end); ok || err != nil {
		t.Errorf("clause 12: %s is said to have reached %s (%v)", before.Native, end, err)
	}
	if _, err := r.source.Reached("nonsense", end); err == nil {
		t.Error("clause 12: nonsense was compared")
	}
}

func identity(t *testing.T, b Backend) {
	r := opened(t, b, pipeline.Resume{})
	r.copied()
	from := r.place
	r.close()
	s := b.New(t)
	defer s.Close()
	if err := s.Open(t.Context(), b.Foreign(from)); pipeline.CodeOf(err) == "" {
		t.Fatalf("clause 13: a place of another database: %v", err)
	}
}

func closing(t *testing.T, b Backend) {
	r := opened(t, b, pipeline.Resume{})
	r.copied()
	done := make(chan error, 1)
	go func() {
		for {
			if _, err := r.source.Next(context.Background()); err != nil {
				done <- err
				return
			}
		}
	}()
	for range 2 {
		if err := r.source.Close(); err != nil {
			t.Fatalf("clause 14: %v", err)
		}
	}
	select {
	case <-done:
	case <-time.After(patience):
		t.Fatal("clause 14: Next still waits")
	}
}

func same(t *testing.T, what string, got, want []string) {
	t.Helper()
	for i := range max(len(got), len(want)) {
		if i >= len(got) || i >= len(want) || got[i] != want[i] {
			t.Fatalf("%s: change %d of %d is %q, want %q of %d", what, i, len(got), at(got, i), at(want, i), len(want))
		}
	}
}

func at(lines []string, i int) string {
	if i < len(lines) {
		return lines[i]
	}
	return "(none)"
}

// print writes a change as Seq.Row op key=value.
func print(c *pipeline.Change) string {
	out := fmt.Sprintf("%d.%d %s ", c.Tx.Position.Seq, c.Row, c.Op)
	switch {
	case c.Op == pipeline.Delete:
		return out + id(c.Before)
	case c.KeyChanged():
		out += id(c.Before) + "→"
	}
	return out + id(c.After) + "=" + string(c.After[1].Ref())
}

func id(row schema.Row) string { return fmt.Sprint(row[0].Int()) }
