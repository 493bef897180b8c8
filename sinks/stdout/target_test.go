package stdout_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"testing"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/deliver"
	"github.com/evertdb/evert/pipeline/deliver/event"
	"github.com/evertdb/evert/sinks/sinktest"
	"github.com/evertdb/evert/sinks/stdout"
)

// TestTarget runs the suite over lines that a reader follows.
func TestTarget(t *testing.T) {
	sinktest.RunTarget(t, func(*testing.T) sinktest.TargetHarness {
		s := &pipe{}
		return sinktest.TargetHarness{New: s.New, Rows: s.Rows}
	})
}

// TestSeveral runs the clauses of several tables in one sink.
func TestSeveral(t *testing.T) {
	sinktest.RunSeveral(t, func(*testing.T) sinktest.SeveralHarness {
		s := &pipe{}
		return sinktest.SeveralHarness{New: s.New, Rows: s.both}
	})
}

// both does what every line says to the rows of its table.
func (p *pipe) both(t testing.TB) (items, others map[int64]string) {
	items, others = map[int64]string{}, map[int64]string{}
	for s := bufio.NewScanner(bytes.NewReader(p.out.Bytes())); s.Scan(); {
		sinktest.ApplyEventOf(t, items, others, s.Bytes())
	}
	return items, others
}

// pipe is what stands behind the daemon.
type pipe struct {
	out    bytes.Buffer
	keeper sinktest.MemoryKeeper
}

func (p *pipe) New(testing.TB) deliver.Target { return p.target(&p.out) }

func (p *pipe) target(w io.Writer) *stdout.Target {
	return stdout.New(stdout.Config{Name: "lines", Out: w, Buffer: 4 << 10, Keeper: p.keeper.New(), Origins: []event.Origin{{Topic: "app.public.items", From: "app.public.items", Source: "app"}, {Topic: "app.public.others", From: "app.public.others", Source: "app"}}})
}

// Rows does what every line says, as a reader without a memory would.
func (p *pipe) Rows(t testing.TB) map[int64]string {
	rows := map[int64]string{}
	for s := bufio.NewScanner(bytes.NewReader(p.out.Bytes())); s.Scan(); {
		sinktest.ApplyEvent(t, rows, s.Bytes())
	}
	return maps.Clone(rows)
}

type brokenPipe struct{}

func (brokenPipe) Write([]byte) (int, error) { return 0, io.ErrClosedPipe }

// TestBrokenPipe tells that the sink stops with a word, and keeps no place for
// lines that nobody got (I1, I8).
func TestBrokenPipe(t *testing.T) {
	p := &pipe{}
	target := p.target(brokenPipe{})
	if _, err := target.Open(context.Background()); err != nil {
		t.Fatal(err)
	}
	if err := target.Write(context.Background(), sinktest.Batch(sinktest.Put(1, "a"))); err != nil {
		t.Fatal(err)
	}
	err := target.Commit(context.Background(), pipeline.Resume{At: pipeline.Position{Seq: 1, Native: "0/1"}})
	if pipeline.CodeOf(err) != stdout.CodePipe || !errors.Is(err, io.ErrClosedPipe) {
		t.Fatalf("commits: %v", err)
	}
	if from, err := p.target(&p.out).Open(context.Background()); err != nil || !from.IsZero() {
		t.Fatalf("goes on from %+v, %v", from, err)
	}
}

// TestLine shows a whole line, byte for byte.
func TestLine(t *testing.T) {
	p := &pipe{}
	target := p.target(&p.out)
	if _, err := target.Open(context.Background()); err != nil {
		t.Fatal(err)
	}
	if err := target.Write(context.Background(), sinktest.Batch(sinktest.Put(7, "a\n\"b\""), sinktest.Gone(8))); err != nil {
		t.Fatal(err)
	}
	if err := target.Commit(context.Background(), pipeline.Resume{At: pipeline.Position{Seq: 1, Native: "0/1"}}); err != nil {
		t.Fatal(err)
	}
	want := `{"op":"upsert","key":{"id":7},"row":{"id":7,"v":"a\n\"b\""},"from":"app.public.items","source":"app","position":{"seq":1,"native":"0/1"},"place":{"topic":"app.public.items","partition":0,"offset":1},"filling":true}
{"op":"delete","key":{"id":8},"row":null,"from":"app.public.items","source":"app","position":{"seq":1,"native":"0/1"},"place":{"topic":"app.public.items","partition":0,"offset":2},"filling":true}
`
	if got := p.out.String(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	for _, line := range bytes.Split(bytes.TrimSpace(p.out.Bytes()), []byte("\n")) {
		if !json.Valid(line) {
			t.Errorf("no JSON: %s", line)
		}
	}
}
