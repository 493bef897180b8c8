package main

import "github.com/evertdb/evert/pipeline/view/query"

// newReads makes what reads views, within the limits of the file. The clock of a
// source is its capture: it can tell positions apart, and hurry the source on.
func (d *daemon) newReads() *query.Reader {
	c := query.Config{
		Clocks: map[string]query.Clock{}, Cursors: d.config.Limits.Cursors, CursorTTL: d.config.Serve.CursorTTL,
		WaitTimeout: d.config.Limits.WaitTimeout, PageBytes: int(d.config.Limits.PageBytes),
	}
	for _, capture := range d.captures.All() {
		c.Clocks[capture.Name()] = capture
	}
	return query.NewReader(c)
}
