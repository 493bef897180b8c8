// Package stdout delivers to the standard output: a line of JSON for each change,
// for a pipe (`evert run | jq .row`). What a line says is in pipeline/deliver/event.
// The daemon's own log goes to the standard error.
//
// # What it cannot do
//
// A line that was written cannot be taken back, and nobody says whether it was
// read. So lines come as their changes come, before the commit; after a crash the
// lines since the last kept place come again, with the same places and ranks; and a fill is
// seen row by row, with "filling":true. An older process that was replaced may
// still write lines that are in its hands, and keeps no place.
//
// A reader that ends the pipe stops the sink (SINK_PIPE). One that is slow holds
// back the sink and nothing else.
package stdout

import (
	"context"
	"io"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/deliver"
	"github.com/evertdb/evert/pipeline/deliver/event"
)

// CodePipe says that nobody reads the output any more.
const CodePipe pipeline.Code = "SINK_PIPE"

// Config says what a target writes, and where.
type Config struct {
	Name    string         // the sink's, for messages
	Origins []event.Origin // of the topics, by their numbers
	Out     io.Writer      // one target writes to it at a time
	Buffer  int            // bytes that are gathered before they are written; 64 KiB if 0
	Keeper  deliver.Keeper
}

// Target implements deliver.Target over a writer.
type Target struct {
	config  Config
	events  *event.Encoder
	lines   []byte // whole lines that are not written yet
	filling bool
}

// New makes a target. Nothing is written yet.
func New(c Config) *Target {
	if c.Buffer <= 0 {
		c.Buffer = 64 << 10
	}
	return &Target{config: c, events: event.New(c.Origins...)}
}

// Open implements pipeline.Sink.
func (t *Target) Open(ctx context.Context) (pipeline.Resume, error) {
	from, err := t.config.Keeper.Open(ctx)
	t.filling = from.At.IsZero()
	return from, err
}

// Write implements pipeline.Sink. Lines may show before the commit.
func (t *Target) Write(_ context.Context, b pipeline.Batch) error {
	for i := range b.Changes {
		t.lines = append(t.events.Append(t.lines, &b.Changes[i], t.filling), '\n')
		if len(t.lines) < t.config.Buffer {
			continue
		}
		if err := t.flush(); err != nil {
			return err
		}
	}
	return nil
}

// Commit implements pipeline.Sink: the lines are out, and then the place is kept.
func (t *Target) Commit(ctx context.Context, at pipeline.Resume) error {
	if err := t.flush(); err != nil {
		return err
	}
	t.filling = at.At.IsZero()
	return t.config.Keeper.Keep(ctx, at)
}

// flush writes whole lines.
func (t *Target) flush() error {
	lines := t.lines
	t.lines = t.lines[:0]
	if len(lines) == 0 {
		return nil
	}
	if _, err := t.config.Out.Write(lines); err != nil {
		return &pipeline.Refusal{Code: CodePipe, Where: "sink " + t.config.Name, What: "the standard output takes no more lines",
			Mend: "start the daemon with a reader behind it that stays: evert run | READER", Err: err}
	}
	return nil
}

// Renew implements deliver.Target.
func (t *Target) Renew(ctx context.Context) error {
	if _, err := t.config.Keeper.Open(ctx); err != nil {
		return err
	}
	return t.config.Keeper.Keep(ctx, pipeline.Resume{})
}

// Close implements pipeline.Sink.
func (t *Target) Close() error {
	t.lines = nil
	return t.config.Keeper.Close()
}
