package main

import (
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/evertdb/evert/cmd/evert/captures"
	"github.com/evertdb/evert/cmd/evert/monitor"
	"github.com/evertdb/evert/cmd/evert/storage"
	"github.com/evertdb/evert/configs"
	"github.com/evertdb/evert/pipeline"
)

// What the watchdog takes for dead, and what it does not.
func TestLives(t *testing.T) {
	began := time.Now()
	now := began
	open := func() *daemon {
		now = began
		config, err := configs.Parse("evert.yaml", []byte("name: lives\nsources: {shop: {postgres: {url: 'postgres://x@localhost/x', connect_timeout: 10s, tables: [public.*]}}}\n"), func(string) (string, bool) { return "", false })
		if err != nil {
			t.Fatal(err)
		}
		d := &daemon{config: config, topics: &storage.Log{Kind: "embedded"}}
		if d.captures, err = captures.Open(captures.Config{File: d.config, Log: slog.New(slog.DiscardHandler), Now: func() time.Time { return now }}); err != nil {
			t.Fatal(err)
		}
		m := d.captures.Named("shop").Monitor
		d.monitors = []*monitor.Source{m}
		d.watch = d.newWatch()
		m.Events().Opened(pipeline.Resume{At: pipeline.Position{Seq: 1, Native: "0/1"}})
		return d
	}
	turn := func(d *daemon, ahead bool) {
		d.watch.turns.Turned(now)
		d.captures.Named("shop").Probes.Turned(now)
		d.monitors[0].Probed(monitor.Probe{End: "0/2", Ahead: ahead})
	}
	for _, c := range []struct {
		story string
		live  func(d *daemon)
		dead  string // a part of what is said; empty: it lives
	}{
		{"it turns", func(d *daemon) { turn(d, false) }, ""},
		{"idle for an hour", func(d *daemon) { now = now.Add(time.Hour); turn(d, false) }, ""},
		{"the prober hangs", func(d *daemon) { turn(d, false); now = now.Add(56 * time.Second); d.watch.turns.Turned(now) }, "its prober has stood still for 56s"},
		{"the prober rests while a reset works", func(d *daemon) {
			turn(d, false)
			d.captures.Named("shop").Probes.Rests()
			now = now.Add(40 * time.Second)
		}, ""},
		{"the watch hangs", func(d *daemon) {
			turn(d, false)
			now = now.Add(46 * time.Second)
			d.captures.Named("shop").Probes.Turned(now)
		}, "the watch of disk and readers has stood still"},
		{"stuck for a while", func(d *daemon) { turn(d, true); now = now.Add(4 * time.Minute); turn(d, true) }, ""},
		{"O12 stuck for long, and nothing outside is to blame", func(d *daemon) { turn(d, true); now = now.Add(7 * time.Minute); turn(d, true) }, "it has hung for 7m0s"},
		{"O08 the disk is full", func(d *daemon) { d.full.Store(true); turn(d, true); now = now.Add(time.Hour); turn(d, true) }, ""},
		{"the cluster may be away", func(d *daemon) {
			d.config.Kafka = &configs.Kafka{}
			turn(d, true)
			now = now.Add(time.Hour)
			turn(d, true)
		}, ""},
		{"the server is away", func(d *daemon) {
			turn(d, true)
			now = now.Add(time.Hour)
			d.watch.turns.Turned(now)
			d.captures.Named("shop").Probes.Turned(now)
			d.monitors[0].ProbeFailed(errors.New("away"))
		}, ""},
	} {
		t.Run(c.story, func(t *testing.T) {
			d := open()
			c.live(d)
			err := d.lives(now)
			if (err == nil) != (c.dead == "") || err != nil && !strings.Contains(err.Error(), c.dead) {
				t.Fatalf("it said %v, want %q", err, c.dead)
			}
		})
	}
	if line := open().line(); line != "health ok, shop streaming" {
		t.Errorf("in one line: %s", line)
	}
}
