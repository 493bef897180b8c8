package embedded_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

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

// X20 what was erased leaves the disk too where passes come often and leave blocks in
// which little is dead, and where an ordinary pass took it out of a block before: its
// older version lies in a table still.
func TestErasureByTheSweep(t *testing.T) {
	const week = 7 * 24 * time.Hour
	for _, c := range []struct {
		name      string
		changed   int // of 1000 rows
		run, last time.Duration
	}{
		{"a partition that is written to", 1, week, time.Minute},
		{"a partition that is quiet", 1, week, week},
		{"a partition whose blocks were written anew before", 900, week, week},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			l := open(t, embedded.Config{Dir: dir, SweepRate: -1})
			if _, err := l.Admin().Ensure(t.Context(), log.TopicSpec{Name: "t", Compact: true, MinLag: 1}); err != nil {
				t.Fatal(err)
			}
			const erased = "erased-at-the-source"
			w := writerOf(t, l)
			put := func(rows int, word string) {
				t.Helper()
				for i := range rows {
					r := log.Record{TopicPartition: log.TopicPartition{Topic: "t"}, Key: fmt.Append(nil, i), Value: []byte(word)}
					if err := w.Append(t.Context(), r); err != nil {
						t.Fatal(err)
					}
				}
				w.commit()
			}
			put(1000, "stays-where-it-is")
			put(c.changed, erased)
			if err := l.Close(); err != nil {
				t.Fatal(err)
			}
			l = open(t, embedded.Config{Dir: dir, SweepRate: -1}) // what was in its log is in tables now
			w = writerOf(t, l)
			put(c.changed, "changed")
			if err := l.SweepAged("t", time.Minute, time.Minute); err != nil {
				t.Fatal(err)
			}
			if filesWith(t, dir, erased) == 0 {
				t.Fatal("an ordinary pass leaves nothing to this test")
			}
			if err := l.SweepAged("t", c.run, c.last); err != nil {
				t.Fatal(err)
			}
			if n := filesWith(t, dir, erased); n != 0 {
				t.Errorf("X20 it is in %d tables", n)
			}
		})
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
