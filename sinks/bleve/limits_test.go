package bleve_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/deliver"
	"github.com/evertdb/evert/schema"
	"github.com/evertdb/evert/sinks/bleve"
	"github.com/evertdb/evert/sinks/sinktest"
)

func TestLock(t *testing.T) {
	t.Run("S10 a second opener is refused in time, and harms nothing", func(t *testing.T) {
		dir := t.TempDir()
		first := open(t, bleve.Config{Dir: dir})
		w := writer{TB: t, Target: first.Target(deliver.Stop{})}
		w.open()
		w.put(sinktest.Items, schema.Row{schema.Int(1), text("mine")})
		w.commit(1)
		second := open(t, bleve.Config{Dir: dir, LockTimeout: 50 * time.Millisecond, Events: bleve.Events{Torn: func(_, why string) { t.Error(why) }}})
		if err := second.Load(context.Background()); pipeline.CodeOf(err) != bleve.CodeLocked { // while the first has it: it does not wait for that
			t.Errorf("the second opener: %v", err)
		}
		if _, err := second.Search(context.Background(), bleve.Request{}); pipeline.CodeOf(err) != bleve.CodeNotReady {
			t.Errorf("it answers: %v", err)
		}
		w.put(sinktest.Items, schema.Row{schema.Int(2), text("still mine")})
		w.commit(2)
		if got := items(t, first); len(got) != 2 {
			t.Errorf("the first shows %v", got)
		}
	})
}

// rejected keeps what was rejected.
type rejected struct{ all []deliver.Rejection }

func (r *rejected) Reject(_ context.Context, all ...deliver.Rejection) error {
	r.all = append(r.all, all...)
	return nil
}

func TestDocumentSize(t *testing.T) {
	large := func(bytes int) schema.Row {
		return schema.Row{schema.Int(7), text(strings.Repeat("wide words ", bytes/11))}
	}
	t.Run("S10 R09 a document of 100 MB is rejected, and the rows around it go on", func(t *testing.T) {
		rejects := &rejected{}
		x := open(t, bleve.Config{Dir: t.TempDir(), Topic: "shop.public.items"})
		w := writer{TB: t, Target: x.Target(rejects)}
		w.open()
		row := large(100 << 20)
		before := heap()
		w.put(sinktest.Items, schema.Row{schema.Int(1), text("before")}, row, schema.Row{schema.Int(2), text("behind")})
		w.commit(1)
		if grown := heap() - before; grown > 150<<20 {
			t.Errorf("the heap grew by %d MiB", grown>>20)
		}
		if len(rejects.all) != 1 || rejects.all[0].Why.Code != bleve.CodeDocument || rejects.all[0].Place != (deliver.Place{Topic: "shop.public.items", Offset: 2}) {
			t.Errorf("rejected: %+v", rejects.all)
		}
		if strings.Contains(rejects.all[0].Why.Error(), "wide words") {
			t.Error("the refusal holds the row")
		}
		if got := items(t, x); len(got) != 2 {
			t.Errorf("a reader sees %d rows", len(got))
		}
	})
	t.Run("S10 a row that became too large leaves no document", func(t *testing.T) {
		rejects := &rejected{}
		x := open(t, bleve.Config{Dir: t.TempDir(), MaxDocumentBytes: 1000})
		w := writer{TB: t, Target: x.Target(rejects)}
		w.open()
		w.put(sinktest.Items, schema.Row{schema.Int(7), text("small")}, schema.Row{schema.Int(8), text("small")})
		w.commit(1)
		w.put(sinktest.Items, large(2000))
		w.commit(2)
		if got := items(t, x); len(got) != 1 || len(rejects.all) != 1 {
			t.Errorf("a reader sees %v, and %d were rejected", got, len(rejects.all))
		}
	})
	t.Run("S10 without a dead-letter topic the target stops", func(t *testing.T) {
		x := open(t, bleve.Config{Dir: t.TempDir(), MaxDocumentBytes: 1000})
		w := writer{TB: t, Target: x.Target(deliver.Stop{})}
		w.open()
		if err := w.tryPut(sinktest.Items, large(2000)); pipeline.CodeOf(err) != bleve.CodeDocument {
			t.Errorf("it goes on: %v", err)
		}
	})
	t.Run("S10 a commit larger than a batch goes in several", func(t *testing.T) {
		x := open(t, bleve.Config{Dir: t.TempDir(), BatchMemory: 4 << 20})
		w := writer{TB: t, Target: x.Target(deliver.Stop{})}
		w.open()
		for id := range int64(200) {
			w.put(sinktest.Items, schema.Row{schema.Int(id), text(strings.Repeat("x", 2000))})
		}
		w.commit(1)
		if got := items(t, x); len(got) != 200 {
			t.Errorf("a reader sees %d rows", len(got))
		}
	})
}

// heap is what is in use after a collection.
func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

func TestSearchIsBounded(t *testing.T) {
	var rows []schema.Row
	for id := range int64(300) {
		rows = append(rows, schema.Row{schema.Int(id), text("word" + strings.Repeat("x", int(id)))})
	}
	x := delivered(t, bleve.Config{Dir: t.TempDir(), MaxTerms: 100, MaxHits: 250}, sinktest.Items, rows...)
	for params, want := range map[string]string{
		"q=wor*":                         "SEARCH_TOO_WIDE",
		"q=*":                            "SEARCH_TOO_WIDE",
		"q=/w.*/":                        "SEARCH_TOO_WIDE",
		"v=prefix.word":                  "SEARCH_TOO_WIDE",
		"limit=2&q=word":                 "0",
		"offset=249&limit=2":             "SEARCH_INVALID",
		"q=" + strings.Repeat("x", 9000): "SEARCH_INVALID",
	} {
		if got := ids(t, x, params); got != want {
			t.Errorf("%.40s: %.80s, want %s", params, got, want)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := x.Search(ctx, bleve.Request{Query: "word"}); !errors.Is(err, context.Canceled) {
		t.Errorf("a search whose reader has gone: %v", err)
	}
	found, err := x.Search(context.Background(), bleve.Request{Limit: 250, Bytes: 2000})
	if err != nil || len(found.Hits) == 0 || len(found.Hits) > 100 || found.Next != len(found.Hits) {
		t.Errorf("an answer of 2000 bytes has %d hits, next %d: %v", len(found.Hits), found.Next, err)
	}
}

func TestNames(t *testing.T) {
	t.Run("X10 hostile sink names", func(t *testing.T) {
		for _, name := range []string{"", ".", "..", "../outside", "a/b", `a\b`, "A", "a\x00b", "/etc", strings.Repeat("a", 42), "-a"} {
			dir := t.TempDir()
			x := open(t, bleve.Config{Dir: filepath.Join(dir, "indexes"), Name: "x" + name})
			_ = x // a name with a letter before it, where that is one
			hostile, err := bleve.New(bleve.Config{Dir: filepath.Join(dir, "indexes"), Name: name})
			if err != nil {
				t.Fatal(err)
			}
			defer hostile.Close()
			if err := hostile.Load(context.Background()); pipeline.CodeOf(err) != bleve.CodePlace {
				t.Errorf("%q: %v", name, err)
			}
			if entries, _ := os.ReadDir(dir); len(entries) > 1 {
				t.Errorf("%q made %v", name, entries)
			}
		}
	})
	t.Run("X10 hostile keys and columns stay inside", func(t *testing.T) {
		hostile := *sinktest.Items
		hostile.Key = []int{1}
		hostile.Name, hostile.Schema = "../../etc", `a/b\c`
		dir := t.TempDir()
		x := delivered(t, bleve.Config{Dir: dir}, &hostile, schema.Row{schema.Int(1), text("../../../etc/passwd")}, schema.Row{schema.Int(2), text("a\x00b/..")})
		if got := ids(t, x, "order=id"); got != "..%2F..%2F..%2Fetc%2Fpasswd a%00b%2F.." {
			t.Errorf("ids %q", got)
		}
		if entries, _ := os.ReadDir(dir); len(entries) != 1 {
			t.Errorf("beside the index: %v", entries)
		}
	})
	t.Run("X10 links that lead outside", func(t *testing.T) {
		dir, outside := t.TempDir(), t.TempDir()
		if err := os.Symlink(outside, filepath.Join(dir, "items")); err != nil {
			t.Skip("opt-in: links cannot be made here")
		}
		x := open(t, bleve.Config{Dir: dir})
		if err := x.Load(context.Background()); pipeline.CodeOf(err) != bleve.CodePlace {
			t.Errorf("a link in the place of the sink's folder: %v", err)
		}
		must(os.Remove(filepath.Join(dir, "items")))
		must(os.Mkdir(filepath.Join(dir, "items"), 0o700))
		must(os.Symlink(outside, filepath.Join(dir, "items", "b1")))
		must(os.WriteFile(filepath.Join(dir, "items", "live"), []byte("b1\n"), 0o600))
		y := open(t, bleve.Config{Dir: dir})
		w := writer{TB: t, Target: y.Target(deliver.Stop{})}
		w.open()
		w.put(sinktest.Items, schema.Row{schema.Int(1), text("inside")})
		w.commit(1)
		if entries, _ := os.ReadDir(outside); len(entries) != 0 {
			t.Errorf("outside there is %v", entries)
		}
		if got := items(t, y); len(got) != 1 {
			t.Errorf("a reader sees %v", got)
		}
	})
	t.Run("X10 a pointer that names something else", func(t *testing.T) {
		for _, name := range []string{"../..", "b1/../../..", "torn", "b", "b01", strings.Repeat("b", 100)} {
			dir := t.TempDir()
			must(os.MkdirAll(filepath.Join(dir, "items"), 0o700))
			must(os.WriteFile(filepath.Join(dir, "items", "live"), []byte(name), 0o600))
			x := open(t, bleve.Config{Dir: dir})
			w := writer{TB: t, Target: x.Target(deliver.Stop{})}
			if from := w.open(); !from.IsZero() {
				t.Errorf("%q: goes on from %+v", name, from)
			}
		}
	})
}
