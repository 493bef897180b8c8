package embedded_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/evertdb/evert/pipeline/log"
	"github.com/evertdb/evert/pipeline/log/embedded"
)

// X20 a row that is deleted, or overwritten, among others that stay is in no table
// of the disk once the topic is compacted.
func TestErasure(t *testing.T) {
	dir := t.TempDir()
	l := open(t, embedded.Config{Dir: dir})
	ctx := context.Background()
	if _, err := l.Admin().Ensure(ctx, log.TopicSpec{Name: "t", Compact: true, MinLag: 1}); err != nil {
		t.Fatal(err)
	}
	w := writerOf(t, l)
	put := func(key int, value []byte) {
		t.Helper()
		r := log.Record{TopicPartition: log.TopicPartition{Topic: "t"}, Key: fmt.Append(nil, key), Value: value}
		if err := w.Append(ctx, r); err != nil {
			t.Fatal(err)
		}
	}
	const erased, changed, stays = "erased-at-the-source", "changed-at-the-source", "stays-where-it-is"
	for i := range 1000 {
		put(i, []byte(strings.Repeat(stays, 10)))
	}
	put(1000, []byte(erased))
	put(1001, []byte(changed))
	w.commit()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	l = open(t, embedded.Config{Dir: dir}) // what was in its log is in tables now
	w = writerOf(t, l)
	if filesWith(t, dir, erased) == 0 {
		t.Fatal("the row is in no table")
	}
	put(1000, nil)
	put(1001, []byte(stays))
	w.commit()
	if err := l.Admin().Compact(ctx, "t"); err != nil {
		t.Fatal(err)
	}
	if n := filesWith(t, dir, stays); n == 0 {
		t.Fatal("nothing is found that must be there")
	}
	for _, word := range []string{erased, changed} {
		if n := filesWith(t, dir, word); n != 0 {
			t.Errorf("X20 %q is in %d tables after the compaction", word, n)
		}
	}
}

// filesWith counts the tables of a log in which a word lies.
func filesWith(t *testing.T, dir, word string) (n int) {
	t.Helper()
	tables, err := filepath.Glob(filepath.Join(dir, "pebble", "*.sst"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range tables {
		text, err := os.ReadFile(name)
		if os.IsNotExist(err) {
			continue // Pebble has just deleted it
		}
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(text, []byte(word)) {
			n++
		}
	}
	return n
}
