package embedded_test

import (
	"context"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/evertdb/evert/pipeline/log"
	"github.com/evertdb/evert/pipeline/log/embedded"
)

// TestLatestAfter looks keys up, so that their blocks are kept, and again after
// each thing that takes records away: an abort, a sweep, and the end of the
// topic, whose name and offsets the next one takes.
func TestLatestAfter(t *testing.T) {
	l := open(t, embedded.Config{Dir: "log", FS: vfs.NewMem()})
	ctx := context.Background()
	spec := log.TopicSpec{Name: "t", Compact: true, MinLag: 1}
	if _, err := l.Admin().Ensure(ctx, spec); err != nil {
		t.Fatal(err)
	}
	w := writerOf(t, l)
	const keys = 100
	write := func(word string, n int) {
		w.append(n, word)
		if n == keys {
			w.commit()
		}
		for i := range n {
			if got := w.latest(i); got != word {
				t.Fatalf("key %d is %q, want %q", i, got, word)
			}
		}
	}
	write("one", keys)
	write("open", keys/2)
	if err := w.Abort(ctx); err != nil {
		t.Fatal(err)
	}
	for i := range keys {
		if got := w.latest(i); got != "one" {
			t.Fatalf("after the abort key %d is %q", i, got)
		}
	}
	write("two", keys)
	if err := l.Admin().Compact(ctx, "t"); err != nil {
		t.Fatal(err)
	}
	for i := range keys {
		if got := w.latest(i); got != "two" {
			t.Fatalf("after the sweep key %d is %q", i, got)
		}
	}
	if err := l.Admin().Delete(ctx, "t"); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Admin().Ensure(ctx, spec); err != nil {
		t.Fatal(err)
	}
	write("new", keys)
}
