package embedded_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/evertdb/evert/pipeline/log"
	"github.com/evertdb/evert/pipeline/log/embedded"
)

// TestLoads stores large commits as sorted tables: one that ends, and one that a
// power cut ends when its tables are synced and its commit is not.
func TestLoads(t *testing.T) {
	mem := vfs.NewCrashableMem()
	cfg := embedded.Config{Dir: "log", FS: mem, Load: 100_000, SweepRate: -1}
	l := open(t, cfg)
	put(t, l, "first")
	w := writerOf(t, l)
	const rows, pieces = 1000, 7 // a kilobyte each, and loads that are full
	w.append(rows, "old")
	w.commit()
	first := tables(t, mem)
	if first < pieces {
		t.Fatalf("a commit of %d loads left %d tables", pieces, first)
	}
	w.append(rows, "new")
	if got := w.latest(rows - 1); got != "new" {
		t.Fatalf("in the open commit the newest value is %q", got)
	}
	if n := tables(t, mem); n < first+pieces {
		t.Fatalf("a second one left %d tables", n-first)
	}
	mem = mem.CrashClone(vfs.CrashCloneCfg{})
	create(t, mem, "log/load/000007.blocks") // as if in the middle of a load
	cfg.FS = mem
	l = open(t, cfg)
	w = writerOf(t, l)
	if got := values(t, l); strings.Count(got, "old") != rows || strings.Contains(got, "new") {
		t.Fatalf("after the crash there are %d old rows and %d new ones", strings.Count(got, "old"), strings.Count(got, "new"))
	}
	if got := w.latest(rows - 1); got != "old" {
		t.Fatalf("after the crash the newest value is %q", got)
	}
	if left, err := mem.List("log/load"); err != nil || len(left) > 0 {
		t.Fatalf("of loads is left: %v, %v", left, err)
	}
	w.append(1, "last")
	w.commit()
	if got := w.latest(0); got != "last" {
		t.Fatalf("after a small commit the newest value is %q", got)
	}
}

// tables counts what Pebble has on the disk.
func tables(t *testing.T, fs vfs.FS) (n int) {
	t.Helper()
	names, err := fs.List("log/pebble")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		if strings.HasSuffix(name, ".sst") {
			n++
		}
	}
	return n
}

func create(t *testing.T, fs vfs.FS, name string) {
	t.Helper()
	if err := fs.MkdirAll(fs.PathDir(name), 0o700); err != nil {
		t.Fatal(err)
	}
	f, err := fs.Create(name, vfs.WriteCategoryUnspecified)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}

// loader writes to topic t.
type loader struct {
	*testing.T
	log.Writer
}

func writerOf(t *testing.T, l *embedded.Log) loader {
	t.Helper()
	w, err := l.Writer(context.Background(), "w")
	if err != nil {
		t.Fatal(err)
	}
	return loader{t, w}
}

func (w loader) append(n int, word string) {
	w.Helper()
	for i := range n {
		if err := w.Append(context.Background(), log.Record{
			TopicPartition: log.TopicPartition{Topic: "t"}, Key: fmt.Append(nil, i), Value: []byte(word + strings.Repeat("x", 1000)),
		}); err != nil {
			w.Fatal(err)
		}
	}
}

func (w loader) commit() {
	w.Helper()
	if err := w.Commit(context.Background(), nil); err != nil {
		w.Fatal(err)
	}
}

// latest is the word of key i.
func (w loader) latest(i int) string {
	w.Helper()
	v, _, ok, err := w.Writer.(log.Index).Latest(context.Background(), log.TopicPartition{Topic: "t"}, fmt.Append(nil, i))
	if err != nil || !ok {
		w.Fatal(ok, err)
	}
	return strings.TrimRight(string(v), "x")
}
