package captures

import (
	"context"
	"log/slog"
	"time"

	"github.com/evertdb/evert/cmd/evert/storage"
	"github.com/evertdb/evert/configs"
	"github.com/evertdb/evert/pipeline/control"
	"github.com/evertdb/evert/schema/registry"
)

// A Config is what the captures of a file are made from.
type Config struct {
	File          *configs.Config
	Topics        *storage.Log
	Registry      registry.Registry
	Control       *control.Follower // what people commanded; somebody else has it run
	Log           *slog.Logger
	Version       string              // of the program, for the records
	UntilCaughtUp bool                // end where the servers are at the start
	FailFast      bool                // end at the first failure
	Fail          func(error)         // ends the daemon; it may be called from any goroutine
	Remind        func(now time.Time) // is called now and then, from any goroutine
	Now           func() time.Time    // for the monitors; nil: the clock's
}

// Captures are those of a daemon.
type Captures struct{ all []*Capture } // by name

// Open makes the captures of the file; nothing runs yet.
func Open(c Config) (*Captures, error) {
	s := &Captures{}
	for _, name := range c.File.SourceNames() {
		one, err := newCapture(c, name)
		if err != nil {
			return nil, err
		}
		s.all = append(s.all, one)
	}
	return s, nil
}

// All are all of them, by name; the slice stays theirs.
func (s *Captures) All() []*Capture { return s.all }

// Named gives the one of a source; nil if there is none.
func (s *Captures) Named(source string) *Capture {
	for _, c := range s.all {
		if c.name == source {
			return c
		}
	}
	return nil
}

// Start begins to capture, until ctx ends or Cancel is called.
func (s *Captures) Start(ctx context.Context) {
	for _, c := range s.all {
		c.Start(ctx)
	}
}

// Cancel tells every one to end. It may be called when nothing was started.
func (s *Captures) Cancel() {
	for _, c := range s.all {
		c.Cancel()
	}
}

// Wait returns when every one has ended, by Cancel or because it is done.
func (s *Captures) Wait() {
	for _, c := range s.all {
		c.Wait()
	}
}
