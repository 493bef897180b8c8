package transform_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/capture"
	"github.com/evertdb/evert/pipeline/log"
	"github.com/evertdb/evert/pipeline/log/embedded"
	"github.com/evertdb/evert/pipeline/transform"
	"github.com/evertdb/evert/schema"
	"github.com/evertdb/evert/schema/registry"
)

// memory is a registry that gives ids in the order of registration.
type memory struct {
	registry.Registry
	texts []string
}

func (m *memory) Register(_ context.Context, _, text string) (int, error) {
	for id, have := range m.texts {
		if have == text {
			return id + 1, nil
		}
	}
	m.texts = append(m.texts, text)
	return len(m.texts), nil
}

func (m *memory) Latest(context.Context, string) (int, string, error) {
	return 0, "", registry.ErrNotFound
}

func (m *memory) Schema(_ context.Context, id int) (string, error) { return m.texts[id-1], nil }

// The same changes, cut into batches and commits in other ways, in another process:
// the records are the same, byte for byte, and so are the schema ids (I6).
func TestReplay(t *testing.T) {
	from, n := seeds(t, 3)
	for _, p := range replayed() {
		t.Run(p.name, func(t *testing.T) {
			some := false // a short history may be of rows that a filter leaves out
			for seed := from; seed < from+uint64(n); seed++ {
				h := newHistory(seed, p.needsOld || seed%2 == 0)
				first, second := written(t, &p, h, 1), written(t, &p, h, 2)
				if first != second {
					t.Fatalf("seed %d: the records are\n%s\nand then\n%s", seed, first, second)
				}
				some = some || first != ""
			}
			if !some {
				t.Errorf("seeds %d to %d: nothing is written", from, from+uint64(n)-1)
			}
		})
	}
}

// replayed are all programs, with those of which a snapshot leaves something else than
// the stream.
func replayed() []program {
	city := transform.Map{Columns: named("city", "coalesce(city, 'none')")}
	outbox := transform.Outbox{ID: text("id"), Type: text("city"), Aggregate: text("age"), Event: text("bio"), Payload: text("name"), Allows: func(string, string) bool { return true }, Most: 9, SkipUpdates: true}
	return append(programs(),
		program{"outbox", []transform.Step{city, outbox}, true},
		program{"metadata", []transform.Step{transform.Metadata{Columns: named("op", "op", "seen", "sequence", "at", "time"), Headers: named("tx", "transaction", "of", "table")}}, false})
}

// TestEveryStep tells that each kind of step is among those that are read a second time,
// and those that are fuzzed.
func TestEveryStep(t *testing.T) {
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	again := map[string]bool{}
	for _, p := range replayed() {
		for _, s := range p.steps {
			again[strings.TrimPrefix(fmt.Sprintf("%T", s), "transform.")] = true
		}
	}
	fuzzed, err := os.ReadFile("fuzz_test.go")
	if err != nil {
		t.Fatal(err)
	}
	kinds := 0
	for _, file := range files {
		source, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile(`(?m)^func \(\w+ (\w+)\) Bind\(`).FindAllSubmatch(source, -1) {
			kind := string(m[1])
			if kind == "StepFunc" || strings.HasSuffix(file, "_test.go") {
				continue
			}
			if kinds++; !again[kind] || !strings.Contains(string(fuzzed), "transform."+kind+"{") {
				t.Errorf("%s is read a second time: %v; or is not fuzzed", kind, again[kind])
			}
		}
	}
	if kinds < 14 {
		t.Errorf("%d kinds of steps were found", kinds)
	}
}

// written carries a history through a program into a log, and gives its records.
func written(t *testing.T, p *program, h *history, cut uint64) string {
	t.Helper()
	l, err := embedded.Open(embedded.Config{Dir: "log", FS: vfs.NewMem()})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	ctx, rng, chain, tx := context.Background(), rand.New(rand.NewPCG(cut, 5)), p.chain(), 0
	sink := capture.New(capture.Config{
		Deployment: "test", Source: "shop", Connector: "postgresql", Prefix: "shop", Version: "0", Log: l, Registry: &memory{},
		Now: func() time.Time { return time.Unix(1e6, 0) },
		Reread: func(ctx context.Context, c *pipeline.Change) (schema.Row, error) {
			n := int(c.Tx.Position.Seq) - 1
			return chain.Reread(ctx, func(context.Context, *pipeline.Change) (schema.Row, error) {
				return h.news[n][int64(c.Row)], nil
			}, c)
		},
	})
	defer sink.Close()
	if _, err := sink.Open(ctx); err != nil {
		t.Fatal(err)
	}
	for tx < len(h.txs) {
		b := pipeline.Batch{Tables: []*schema.Table{h.t}}
		for range 1 + rng.IntN(3) {
			if tx < len(h.txs) {
				b.Changes = append(b.Changes, h.txs[tx]...)
				tx++
			}
		}
		if b, err = chain.Apply(ctx, b); err == nil {
			err = sink.Write(ctx, b)
		}
		if err == nil && rng.IntN(2) == 0 || tx == len(h.txs) {
			err = errors.Join(err, sink.Commit(ctx, pipeline.Resume{At: h.txs[tx-1][0].Tx.Position}))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return dump(t, l)
}

// dump prints every record of the tables' topics, but for the tombstones that are
// owed at commits, and the number that a history of topics has.
func dump(t *testing.T, l log.Log) string {
	t.Helper()
	ctx := context.Background()
	infos, err := l.Admin().Topics(ctx)
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	for _, info := range infos {
		if strings.HasPrefix(info.Name, "__") || info.Ends[0].Stable == info.Ends[0].Start {
			continue
		}
		tp := log.TopicPartition{Topic: info.Name}
		r, err := l.Reader(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if err := r.Assign(log.Offsets{tp: info.Ends[0].Start}); err != nil {
			t.Fatal(err)
		}
		r.Limit(log.Offsets{tp: info.Ends[0].Stable})
		for {
			f, err := r.Next(ctx, 1000)
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			for i := range f.Records {
				printRecord(&out, &f.Records[i])
			}
		}
		r.Close()
	}
	return out.String()
}

func printRecord(out *strings.Builder, r *log.Record) {
	pos, err := log.ParsePos(r.Find(log.PosHeader))
	if err == nil && pos.Row >= 1<<62 {
		return
	}
	fmt.Fprintf(out, "%s %x %x", r.Topic, r.Key, r.Value)
	for _, h := range r.Headers {
		if h.Key == log.PosHeader {
			fmt.Fprintf(out, " at %d.%d", pos.Seq, pos.Row)
		} else {
			fmt.Fprintf(out, " %s=%x", h.Key, h.Value)
		}
	}
	out.WriteByte('\n')
}
