package sinks

import (
	"context"
	"log/slog"

	"github.com/evertdb/evert/cmd/evert/monitor"
	"github.com/evertdb/evert/cmd/evert/storage"
	"github.com/evertdb/evert/configs"
	"github.com/evertdb/evert/pipeline/control"
	"github.com/evertdb/evert/schema/registry"
)

// A Config is what the sinks of a file are made from.
type Config struct {
	File     *configs.Config
	Topics   *storage.Log
	Registry registry.Registry
	Control  *control.Follower // what people commanded; somebody else has it run
	Log      *slog.Logger
	FailFast bool        // end at the first failure
	Fail     func(error) // ends the daemon; it may be called from any goroutine
}

// Sinks are the sinks of a daemon.
type Sinks struct {
	Config
	byName map[string]*Sink
	all    []*Sink // by name
}

// Open makes the sinks of the file; nothing runs yet. It is nil if there are none.
func Open(c Config) (*Sinks, error) {
	if len(c.File.Sinks) == 0 {
		return nil, nil
	}
	all := &Sinks{Config: c, byName: map[string]*Sink{}}
	for _, name := range c.File.SinkNames() {
		s, err := all.newSink(name)
		if err != nil {
			return nil, err
		}
		all.byName[name] = s
		all.all = append(all.all, s)
	}
	return all, nil
}

// Named gives the sink of a name; nil if there is none.
func (s *Sinks) Named(name string) *Sink {
	if s == nil {
		return nil
	}
	return s.byName[name]
}

// The methods may be called with a nil s: there are no sinks.

func (s *Sinks) each(f func(*Sink)) {
	if s != nil {
		for _, one := range s.all {
			f(one)
		}
	}
}

// Start begins to deliver, until ctx ends or Cancel is called.
func (s *Sinks) Start(ctx context.Context) { s.each(func(d *Sink) { d.start(ctx) }) }

// Cancel tells every sink to end.
func (s *Sinks) Cancel() { s.each(func(d *Sink) { d.cancel() }) }

// Wait returns when every sink has ended.
func (s *Sinks) Wait() { s.each((*Sink).wait) }

// CaughtUp waits until every sink's system has what was committed, or the sink has
// stopped.
func (s *Sinks) CaughtUp(ctx context.Context) {
	s.each(func(d *Sink) { d.caughtUp(ctx) })
}

// Status gives how every sink is.
func (s *Sinks) Status() (all []monitor.SinkStatus) {
	s.each(func(d *Sink) { all = append(all, d.status()) })
	return all
}

// Reports gives what tells the metrics how every sink is; nil if there are none.
func (s *Sinks) Reports() func() []monitor.SinkStatus {
	if s == nil {
		return nil
	}
	return s.Status
}

// Meters are the numbers of the metrics.
func (s *Sinks) Meters() (all []*monitor.Sink) {
	s.each(func(d *Sink) { all = append(all, d.meter) })
	return all
}
