//go:build planted

package capture

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/evertdb/evert/pipeline/log"
)

// This file makes wrong binaries on purpose, as its namesake in pipeline does:
// EVERT_PLANT names the wrong order of the steps of a commit.
//
//	rows-before-frontier    the rows are committed, then the frontier record
//	frontier-before-rows    the frontier record is committed, then the rows
//	part-without-resume     a part is committed without saying how far it goes
//	ok-before-tombstones    a table that was copied again is OK before the keys that vanished have tombstones

// plant puts a writer of wrong habits in front of c's log.
func plant(c *Config) {
	switch name := os.Getenv("EVERT_PLANT"); name {
	case "rows-before-frontier", "frontier-before-rows", "part-without-resume":
		c.Log = &plantedLog{Log: c.Log, frontier: log.FrontierTopic(c.Deployment, c.Source), name: name}
	}
}

func okBeforeTombstones() bool { return os.Getenv("EVERT_PLANT") == "ok-before-tombstones" }

type plantedLog struct {
	log.Log
	frontier, name string
}

func (l *plantedLog) Writer(ctx context.Context, id string) (log.Writer, error) {
	w, err := l.Log.Writer(ctx, id)
	if err != nil {
		return nil, err
	}
	index, _ := w.(log.Index)
	return &plantedWriter{Writer: w, Index: index, l: l}, nil
}

type plantedWriter struct {
	log.Writer
	log.Index
	l      *plantedLog
	held   []log.Record
	silent bool // a resume record was left out
	rows   bool // the open commit has rows
}

func (w *plantedWriter) Append(ctx context.Context, recs ...log.Record) error {
	toFrontier := len(recs) == 1 && recs[0].Topic == w.l.frontier
	w.rows = w.rows || !toFrontier
	switch {
	case !toFrontier && w.l.name == "frontier-before-rows":
		w.hold(recs)
		return nil
	case toFrontier && w.l.name == "rows-before-frontier":
		if err := w.Writer.Commit(ctx, nil); err != nil {
			return err
		}
		if w.rows {
			dwell(ctx)
		}
		w.rows = false
	case toFrontier && w.l.name == "part-without-resume" && string(recs[0].Key) == log.ResumeKey:
		w.silent = true
		return nil
	}
	return w.Writer.Append(ctx, recs...)
}

// Commit dwells behind what is wrong; that of held rows comes then.
func (w *plantedWriter) Commit(ctx context.Context, in *log.Inputs) error {
	if err := w.Writer.Commit(ctx, in); err != nil || len(w.held) == 0 && !w.silent {
		return err
	}
	dwell(ctx)
	w.silent = false
	if err := w.Writer.Append(ctx, w.held...); err != nil {
		return err
	}
	w.held = nil
	return w.Writer.Commit(ctx, nil)
}

func (w *plantedWriter) hold(recs []log.Record) {
	for _, r := range recs {
		r.Key, r.Value = append([]byte(nil), r.Key...), cloneValue(r.Value)
		headers := make([]log.Header, len(r.Headers))
		for i, h := range r.Headers {
			headers[i] = log.Header{Key: h.Key, Value: append([]byte(nil), h.Value...)}
		}
		r.Headers = headers
		w.held = append(w.held, r)
	}
}

// cloneValue keeps nil apart from empty: a tombstone is nil.
func cloneValue(v []byte) []byte {
	if v == nil {
		return nil
	}
	return append([]byte{}, v...)
}

func dwell(ctx context.Context) {
	fmt.Fprintln(os.Stderr, "planted: between the swapped steps")
	select {
	case <-ctx.Done():
	case <-time.After(time.Minute):
	}
}
