package pipeline_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/evertdb/evert/pipeline"
)

// A script drives a stage: each line is one batch, `rows:end`, where end is
// `.` (none), `s` (inside a snapshot), `p` (inside a transaction) or `e` (a
// transaction's end); `+50ms` moves the clock, `wait` lets nothing be ready until
// the stage gives up waiting, `look` says when that would be, `slow` makes
// commits take 20 ms, `broken` fails just when the stage gives up waiting, and `stop`
// ends the context.
type script struct {
	steps  []string
	now    time.Time
	commit time.Duration // how long one takes
	seq    uint64
	rows   uint64
	stop   context.CancelCauseFunc
	log    []string
}

func (s *script) Open(context.Context, pipeline.Resume) error { return nil }
func (s *script) Close() error                                { return nil }
func (s *script) Reached(string, string) (bool, error)        { return false, nil }
func (s *script) Ack(_ context.Context, p pipeline.Position) error {
	s.note("ack %d", p.Seq)
	return nil
}
func (s *script) note(format string, args ...any) {
	s.log = append(s.log, fmt.Sprintf(format, args...))
}

func (s *script) Next(ctx context.Context) (pipeline.Batch, error) {
	for len(s.steps) > 0 {
		step := s.steps[0]
		s.steps = s.steps[1:]
		switch {
		case strings.HasPrefix(step, "+"):
			d, _ := time.ParseDuration(step[1:])
			s.now = s.now.Add(d)
		case step == "look":
			at, ok := ctx.Deadline()
			s.note("%s", map[bool]string{true: "later", false: "at once"}[ok && time.Until(at) > 40*time.Millisecond])
		case step == "slow":
			s.commit = 20 * time.Millisecond
		case step == "wait":
			<-ctx.Done()
			s.note("waited")
			return pipeline.Batch{}, ctx.Err()
		case step == "broken":
			<-ctx.Done()
			return pipeline.Batch{}, errFault
		case step == "stop":
			s.stop(errors.New("told to stop"))
			return pipeline.Batch{}, ctx.Err()
		default:
			return s.batch(step), nil
		}
	}
	return pipeline.Batch{}, io.EOF
}

func (s *script) batch(step string) pipeline.Batch {
	var n int
	var end string
	fmt.Sscanf(strings.Replace(step, ":", " ", 1), "%d %s", &n, &end)
	b := pipeline.Batch{Changes: make([]pipeline.Change, n)}
	s.rows += uint64(n)
	switch end {
	case "e":
		s.seq, s.rows = s.seq+1, 0
		b.End = &pipeline.Resume{At: pipeline.Position{Seq: s.seq, Native: "x"}}
	case "s":
		b.End = &pipeline.Resume{State: []byte("half")}
	case "p":
		b.End = &pipeline.Resume{At: pipeline.Position{Seq: s.seq, Native: "x"}, Rows: s.rows}
	}
	return b
}

// scriptSink writes down what the stage asks of it.
type scriptSink struct{ s *script }

func (k scriptSink) Open(context.Context) (pipeline.Resume, error) { return pipeline.Resume{}, nil }
func (k scriptSink) Close() error                                  { return nil }
func (k scriptSink) Write(_ context.Context, b pipeline.Batch) error {
	k.s.note("write %d", len(b.Changes))
	return nil
}
func (k scriptSink) Commit(_ context.Context, at pipeline.Resume) error {
	k.s.note("commit %d+%d", at.At.Seq, at.Rows)
	k.s.now = k.s.now.Add(k.s.commit)
	return nil
}

func TestStageCadence(t *testing.T) {
	for _, c := range []struct{ name, steps, want string }{
		{"an idle stage commits at once",
			"+1s 3:e +1s 2:e",
			"write 3, commit 1+0, ack 1, write 2, commit 2+0, ack 2"},
		{"under load once per interval",
			"+1s 1:e 1:e +20ms 1:e +90ms 1:e",
			"write 1, commit 1+0, ack 1, write 1, write 1, write 1, commit 4+0, ack 4"},
		{"what waits is committed as soon as nothing more is ready",
			"+1s 1:e 1:e wait",
			"write 1, commit 1+0, ack 1, write 1, waited, commit 2+0, ack 2"},
		{"what waits for dear commits gathers",
			"+1s 1:e 1:e look wait slow +100ms 1:e 1:e look 1:e wait",
			"write 1, commit 1+0, ack 1, write 1, at once, waited, commit 2+0, ack 2, write 1, commit 3+0, ack 3, write 1, later, write 1, waited, commit 5+0, ack 5"},
		{"never inside a transaction without need",
			"+1s 5:p +1s 5:p +1s 1:e",
			"write 5, write 5, write 1, commit 1+0, ack 1"},
		{"at the limit of rows in parts",
			"+1s 60:p 60:p 60:p 1:e",
			"write 60, write 60, commit 0+120, ack 0, write 60, write 1, commit 1+0, ack 1"},
		{"no commit where none is allowed",
			"+1s 60:. 60:. 60:e",
			"write 60, write 60, write 60, commit 1+0, ack 1"},
		{"a snapshot in its own interval",
			"+1s 1:s 1:s +200ms 1:s +790ms wait 1:s +1s 1:s 1:s 1:e +100ms 1:e",
			"write 1, commit 0+0, ack 0, write 1, write 1, waited, commit 0+0, ack 0, write 1, write 1, commit 0+0, ack 0, write 1, write 1, write 1, commit 2+0, ack 2"},
		{"a snapshot at the limit of rows",
			"+1s 1:s 60:s 60:s 1:e",
			"write 1, commit 0+0, ack 0, write 60, write 60, commit 0+0, ack 0, write 1, commit 1+0, ack 1"},
		{"a stop commits whole transactions",
			"+1s 1:e 1:e stop",
			"write 1, commit 1+0, ack 1, write 1, commit 2+0, ack 2"},
		{"a stop drops an open transaction",
			"+1s 1:e 1:. stop",
			"write 1, commit 1+0, ack 1, write 1"},
		{"the end commits what is left",
			"+1s 1:e 1:e",
			"write 1, commit 1+0, ack 1, write 1, commit 2+0, ack 2"},
	} {
		t.Run(c.name, func(t *testing.T) {
			ctx, stop := context.WithCancelCause(context.Background())
			defer stop(nil)
			s := &script{steps: strings.Fields(c.steps), now: time.Unix(0, 0), stop: stop}
			limits := pipeline.Limits{Interval: 100 * time.Millisecond, Quiet: 5 * time.Millisecond, Copying: time.Second, Rows: 100, Bytes: 1 << 20, Timeout: time.Minute, Drain: time.Second}
			stage := pipeline.Stage{Source: s, Sink: scriptSink{s}, Limits: limits, Now: func() time.Time { return s.now }}
			err := stage.Run(ctx)
			if stopped := strings.Contains(c.steps, "stop"); stopped != (err != nil) {
				t.Errorf("Run: %v", err)
			}
			if got := strings.Join(s.log, ", "); got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
}

// P06 a source that fails just when a commit is due has failed all the same: what it
// had read is lost with it, and what it would give next lies behind a gap.
func TestBrokenWhenDue(t *testing.T) {
	s := &script{steps: strings.Fields("+1s 1:e 1:e broken 1:e wait"), now: time.Unix(0, 0)}
	stage := pipeline.Stage{Source: s, Sink: scriptSink{s}, Limits: pipeline.DefaultLimits(), Now: func() time.Time { return s.now }}
	if err := stage.Run(t.Context()); !errors.Is(err, errFault) {
		t.Errorf("Run: %v", err)
	}
	if got, want := strings.Join(s.log, ", "), "write 1, commit 1+0, ack 1, write 1"; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// TestRefusal prints where, what, cause, code and mend, and is found in a chain.
func TestRefusal(t *testing.T) {
	r := &pipeline.Refusal{Code: "NO_SLOT", Where: "source shop", What: "no free slot", Mend: "ALTER SYSTEM SET x;\nSELECT 1", Err: io.EOF}
	want := "source shop: no free slot: EOF [NO_SLOT]\n  mend: ALTER SYSTEM SET x;\n        SELECT 1"
	if r.Error() != want {
		t.Errorf("got %q", r.Error())
	}
	if wrapped := fmt.Errorf("open source: %w", r); pipeline.CodeOf(wrapped) != "NO_SLOT" || !errors.Is(wrapped, io.EOF) {
		t.Error("code or cause lost on the way")
	}
	for _, none := range []error{nil, io.EOF} {
		if n := testing.AllocsPerRun(100, func() { _ = pipeline.CodeOf(none) }); n != 0 || pipeline.CodeOf(none) != "" {
			t.Errorf("the code of %v is %q, which took %v allocations", none, pipeline.CodeOf(none), n)
		}
	}
}
