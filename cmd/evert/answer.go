package main

import (
	"context"
	"os"
	"time"

	"github.com/evertdb/evert/cmd/evert/api"
	"github.com/evertdb/evert/cmd/evert/monitor"
	"github.com/evertdb/evert/cmd/evert/records"
	"github.com/evertdb/evert/configs"
	"github.com/evertdb/evert/pipeline/log"
)

// What the daemon answers over its API. The methods may be called from any
// goroutine.

// Status implements api.Daemon.
func (d *daemon) Status(ctx context.Context) api.Status {
	st := api.Status{Deployment: d.config.Name, Version: d.build.Version, Running: true, PID: os.Getpid(), At: time.Now(),
		UptimeSeconds: time.Since(d.began).Seconds(), Listen: d.listen, Sources: []monitor.SourceStatus{},
		Log: d.topics.Status()}
	for _, m := range d.monitors {
		source := m.Status()
		prefix := d.config.Sources[source.Name].TopicPrefix
		for i := range source.Tables {
			source.Tables[i].Topic = topicOf(prefix, source.Tables[i].Table)
		}
		st.Log.Topics += len(source.Tables)
		st.Sources = append(st.Sources, source)
	}
	if disk, ok := d.watch.disk.Status(); ok {
		st.Disk = &disk
	}
	st.Readers = d.watch.readers.Status()
	st.Findings = d.findings.List()
	st.Health = monitor.Judge(st.Sources)
	st.Views = d.views.Status()
	st.JudgeViews(st.Views)
	st.Sinks = d.sinks.Status()
	st.JudgeSinks(st.Sinks)
	for _, p := range d.watch.stuck.List() {
		st.Add(monitor.Reason{Component: "log", Light: monitor.Degraded, Problem: p})
	}
	if d.full.Load() {
		st.Add(monitor.Reason{Component: "log", Light: monitor.Red, Problem: monitor.Problem{Code: codeLogFull, At: st.At,
			Text: "the disk of the embedded log is full; capture pauses", Mend: "free some space on the disk of " + d.config.DataDir}})
	}
	return st
}

// topicOf gives the topic of a table, named as configuration names it.
func topicOf(prefix, table string) string {
	p, err := configs.ParseTable(table)
	if err != nil {
		return ""
	}
	schema, name, _ := p.Exact()
	return log.TableTopic(prefix, schema, name)
}

// Records implements api.Daemon.
func (d *daemon) Records(ctx context.Context, name string, untilEnd bool, emit func(line []byte) error) error {
	return records.Tail(ctx, d.config, d.topics, d.registry, name, untilEnd, emit)
}
