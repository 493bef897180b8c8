// Package control keeps what people command of a deployment: that a sink rests, or
// goes on without a record. A command is a record of the control topic, so that it
// outlives processes and reaches whoever owns what it is about.
//
//	evert pause hook ─► Change ─► __evert.<deployment>.control ─► Follow ─► the owner
//
// The topic is compacted. Under sink/<name> lies what holds for a sink now; under
// the time of each command lies that it was given, for whoever looks later.
package control

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/evertdb/evert/pipeline/log"
)

// A Sink is what was commanded of one sink. The zero Sink runs.
type Sink struct {
	Paused *Given `json:"paused,omitempty"` // nil: it is not
	Skips  []Skip `json:"skips,omitempty"`  // the newest last
}

// Given says when a command was given, and by whom.
type Given struct {
	At time.Time `json:"at"`
	By string    `json:"by"` // user@host
}

// A Skip is a record that the sink goes on without.
type Skip struct {
	Place string `json:"place"` // topic/partition/offset
	Given
}

// maxSkips bounds what is remembered of a sink: it passed the older ones.
const maxSkips = 100

// Skip adds a place to those that are skipped.
func (s *Sink) Skip(place string, given Given) {
	s.Skips = slices.DeleteFunc(s.Skips, func(k Skip) bool { return k.Place == place })
	s.Skips = append(s.Skips, Skip{place, given})
	s.Skips = s.Skips[max(0, len(s.Skips)-maxSkips):]
}

// IsSkipped reports whether a place is skipped.
func (s *Sink) IsSkipped(place string) bool {
	return slices.ContainsFunc(s.Skips, func(k Skip) bool { return k.Place == place })
}

// isZero reports whether nothing holds.
func (s *Sink) isZero() bool { return s.Paused == nil && len(s.Skips) == 0 }

// An Entry of the journal says what was commanded.
type Entry struct {
	Command string `json:"command"` // pause, resume, skip, replay
	Sink    string `json:"sink"`
	Place   string `json:"place,omitempty"`
	At      string `json:"at"`
	By      string `json:"by"`
}

const sinkPrefix = "sink/"

// Change changes what holds for a sink, and journals the command, in one step. It
// returns when every Read sees it, and gives what holds from then on. fn may be
// called again, and leaves the Sink alone with an error.
func Change(ctx context.Context, l log.Log, deployment string, e Entry, fn func(*Sink) error) (Sink, error) {
	store := &log.Store{Log: l, Topic: log.ControlTopic(deployment)}
	defer store.Close()
	if err := store.Take(ctx); err != nil {
		return Sink{}, err
	}
	all, _, err := read(ctx, store, "", nil)
	if err != nil {
		return Sink{}, err
	}
	sink := all[e.Sink]
	if err := fn(&sink); err != nil {
		return all[e.Sink], err
	}
	if e.At == "" {
		e.At = time.Now().UTC().Format(time.RFC3339Nano)
	}
	note, err := json.Marshal(e)
	if err != nil {
		return Sink{}, err
	}
	var state []byte
	if !sink.isZero() {
		if state, err = json.Marshal(sink); err != nil {
			return Sink{}, err
		}
	}
	_, err = store.Append(ctx, struct{ Key, Value []byte }{[]byte(sinkPrefix + e.Sink), state}, struct{ Key, Value []byte }{[]byte(e.At), note})
	return sink, err
}

// read takes in what was written since a mark.
func read(ctx context.Context, store *log.Store, from string, all map[string]Sink) (map[string]Sink, string, error) {
	fresh := map[string]Sink{}
	gone := map[string]bool{}
	to, anew, err := store.Read(ctx, from, func(key, value []byte) error {
		name, ok := strings.CutPrefix(string(key), sinkPrefix)
		if !ok {
			return nil
		}
		var s Sink
		if value != nil {
			if err := json.Unmarshal(value, &s); err != nil {
				return fmt.Errorf("%s: the record of sink %s is no command: %w", store.Topic, name, err)
			}
		}
		fresh[name], gone[name] = s, s.isZero()
		return nil
	})
	if err != nil {
		return all, from, err
	}
	if anew || all == nil {
		all = map[string]Sink{}
	}
	for name, s := range fresh {
		if all[name] = s; gone[name] {
			delete(all, name)
		}
	}
	return all, to, nil
}

// A Follower knows what holds for the sinks of a deployment. Its methods may be
// called from any goroutine.
type Follower struct {
	Log        log.Log
	Deployment string

	mu    sync.Mutex
	all   map[string]Sink // nil until it was read
	mark  string
	moved chan struct{}
}

// Look reads what is new.
func (f *Follower) Look(ctx context.Context) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	store := &log.Store{Log: f.Log, Topic: log.ControlTopic(f.Deployment)}
	all, mark, err := read(ctx, store, f.mark, f.all)
	if err != nil {
		return err
	}
	news := f.all == nil || mark != f.mark
	f.all, f.mark = all, mark
	if news && f.moved != nil {
		close(f.moved)
		f.moved = nil
	}
	return nil
}

// Sink gives what holds for a sink; false until Look has read it. moved is closed
// when that may have changed.
func (f *Follower) Sink(name string) (s Sink, known bool, moved <-chan struct{}) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.moved == nil {
		f.moved = make(chan struct{})
	}
	return f.all[name], f.all != nil, f.moved
}

// Run looks again and again until ctx ends. trouble is told of errors, which pass.
func (f *Follower) Run(ctx context.Context, every time.Duration, trouble func(error)) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		if err := f.Look(ctx); err != nil && ctx.Err() == nil {
			trouble(err)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}
