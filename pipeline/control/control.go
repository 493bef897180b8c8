// Package control keeps what people command of a deployment: that a sink or a table
// rests, that a sink goes on without a record, that a table is copied again. A command
// is a record of the control topic, so that it outlives processes and reaches whoever
// owns what it is about.
//
//	evert pause hook ─► Change ─► __evert.<deployment>.control ─► Follow ─► the owner
//
// The topic is compacted. Under sink/<name> and table/<source>.<schema>.<table> lies
// what holds now, and under reset/<source> the last reset of a source; under journal/<n>
// lie the last commands, for whoever looks later. A record that cannot be read, as one of
// a newer release, concerns whom it is about and nobody else (I8): see unread.go.
package control

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
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

// A Table is what was commanded of one table. The zero Table follows its source.
type Table struct {
	Paused *Given   `json:"paused,omitempty"` // nil: it is not
	Copy   *Request `json:"copy,omitempty"`   // the last one; nil: none
}

// A Request is that a table is copied again.
type Request struct {
	ID string `json:"id"` // tells it from every other request
	Given
}

func (t *Table) isZero() bool { return t.Paused == nil && t.Copy == nil }

// An Entry of the journal says what was commanded.
type Entry struct {
	Command string `json:"command"`          // pause, resume, skip, replay, snapshot, reset
	Sink    string `json:"sink,omitempty"`   // one of these three
	Table   string `json:"table,omitempty"`  // source.schema.table
	Source  string `json:"source,omitempty"` // of a reset
	Place   string `json:"place,omitempty"`
	At      string `json:"at"`
	By      string `json:"by,omitempty"` // of a reset nobody
	Number  uint64 `json:"number"`       // counts the commands of the deployment
}

// The keys of the topic. Those of the journal end in the entry's number modulo
// journalEntries, which bounds it.
const (
	sinkPrefix     = "sink/"
	tablePrefix    = "table/"
	resetPrefix    = "reset/"
	journalPrefix  = "journal/"
	journalEntries = 1000
)

// JournalKey is the key of an entry.
func JournalKey(number uint64) string { return fmt.Sprint(journalPrefix, number%journalEntries) }

// Change changes what holds for a sink, and journals the command, in one step. It
// returns when every Read sees it, and gives what holds from then on. fn may be
// called again, and leaves the Sink alone with an error.
func Change(ctx context.Context, l log.Log, deployment string, e Entry, fn func(*Sink) error) (Sink, error) {
	var before, sink Sink
	err := change(ctx, l, deployment, e, sinkPrefix+e.Sink, func(all *holding) (any, error) {
		before = all.sinks[e.Sink]
		sink = before
		sink.Skips = slices.Clone(before.Skips)
		if err := fn(&sink); err != nil || sink.isZero() {
			return nil, err
		}
		return sink, nil
	})
	if err != nil {
		return before, err
	}
	return sink, nil
}

// ChangeTable does for a table what Change does for a sink.
func ChangeTable(ctx context.Context, l log.Log, deployment string, e Entry, fn func(*Table) error) (Table, error) {
	var before, table Table
	err := change(ctx, l, deployment, e, tablePrefix+e.Table, func(all *holding) (any, error) {
		before = all.tables[e.Table]
		table = before
		if err := fn(&table); err != nil || table.isZero() {
			return nil, err
		}
		return table, nil
	})
	if err != nil {
		return before, err
	}
	return table, nil
}

// change writes what fn makes of what holds, and the entry. A nil state is that of
// whom nothing holds for.
func change(ctx context.Context, l log.Log, deployment string, e Entry, key string, fn func(*holding) (any, error)) error {
	return commit(ctx, l, deployment, func(all *holding) ([]pair, error) {
		state, err := fn(all)
		if err != nil {
			return nil, err
		}
		return all.records(e, key, state)
	})
}

// commit commits the records that fn makes of what holds, in one step.
func commit(ctx context.Context, l log.Log, deployment string, fn func(*holding) ([]pair, error)) error {
	store := &log.Store{Log: l, Topic: log.ControlTopic(deployment)}
	defer store.Close()
	if err := store.Take(ctx); err != nil {
		return err
	}
	all, _, err := read(ctx, store, "", nil)
	if err != nil {
		return err
	}
	pairs, err := fn(all)
	if err != nil {
		return err
	}
	_, err = store.Append(ctx, pairs...)
	return err
}

type pair = struct{ Key, Value []byte }

// records are those of a command: what holds, its entry, and tombstones for entries
// of releases whose journal had no bound.
func (h *holding) records(e Entry, key string, state any) (pairs []pair, err error) {
	if e.At == "" {
		e.At = time.Now().UTC().Format(time.RFC3339Nano)
	}
	e.Number = h.next
	held, err := record(key, state)
	if err != nil {
		return nil, err
	}
	note, err := record(JournalKey(e.Number), e)
	if err != nil {
		return nil, err
	}
	pairs = []pair{held, note}
	for old := range h.unbounded {
		pairs = append(pairs, pair{Key: []byte(old)})
	}
	return pairs, nil
}

// record is one record. That of a nil state is a tombstone.
func record(key string, state any) (pair, error) {
	if state == nil {
		return pair{Key: []byte(key)}, nil
	}
	value, err := json.Marshal(state)
	return pair{[]byte(key), value}, err
}

// holding is what holds for everybody, by name.
type holding struct {
	sinks     map[string]Sink
	tables    map[string]Table
	resets    map[string]Reset
	next      uint64          // number of the next entry
	unbounded map[string]bool // keys of entries by time, as earlier releases wrote them
	unread    map[string]bool // keys of records that cannot be read
}

func (h *holding) clone() *holding {
	if h == nil {
		return &holding{sinks: map[string]Sink{}, tables: map[string]Table{}, resets: map[string]Reset{}, unbounded: map[string]bool{}, unread: map[string]bool{}}
	}
	return &holding{sinks: maps.Clone(h.sinks), tables: maps.Clone(h.tables), resets: maps.Clone(h.resets), next: h.next, unbounded: maps.Clone(h.unbounded), unread: maps.Clone(h.unread)}
}

// read takes in what was written since a mark. Its errors are the log's.
func read(ctx context.Context, store *log.Store, from string, had *holding) (*holding, string, error) {
	since, whole := had.clone(), (*holding)(nil).clone()
	to, anew, err := store.Read(ctx, from, func(key, value []byte) error {
		whole.take(string(key), value)
		since.take(string(key), value)
		return nil
	})
	if err != nil {
		return had, from, err
	}
	if anew {
		return whole, to, nil
	}
	return since, to, nil
}

// take takes in one record, or notes that it cannot be read.
func (h *holding) take(key string, value []byte) {
	if delete(h.unread, key); h.parse(key, value) != nil {
		h.unread[key] = true
		h.without(key)
	}
}

func (h *holding) parse(key string, value []byte) error {
	if name, ok := strings.CutPrefix(key, sinkPrefix); ok {
		return takeInto(h.sinks, name, value, func(s Sink) bool { return s.isZero() })
	}
	if name, ok := strings.CutPrefix(key, tablePrefix); ok {
		return takeInto(h.tables, name, value, func(t Table) bool { return t.isZero() })
	}
	if source, ok := strings.CutPrefix(key, resetPrefix); ok {
		return takeInto(h.resets, source, value, func(r Reset) bool { return r.At.IsZero() })
	}
	switch isEntry := strings.HasPrefix(key, journalPrefix); {
	case !isEntry && !isTime(key): // of a newer release, which knows what else is commanded
	case !isEntry && h.takeOldReset(value):
	case !isEntry && value != nil:
		h.unbounded[key] = true
	case !isEntry:
		delete(h.unbounded, key)
	case value != nil:
		var e Entry
		if err := json.Unmarshal(value, &e); err != nil {
			return err
		}
		h.next = max(h.next, e.Number+1)
	}
	return nil
}

// isTime reports whether a key is that of an entry as earlier releases wrote them.
func isTime(key string) bool {
	_, err := time.Parse(time.RFC3339Nano, key)
	return err == nil
}

func takeInto[T any](all map[string]T, name string, value []byte, isZero func(T) bool) error {
	var state T
	if value != nil {
		if err := json.Unmarshal(value, &state); err != nil {
			return err
		}
	}
	if all[name] = state; isZero(state) {
		delete(all, name)
	}
	return nil
}

// A Follower knows what holds for the sinks and tables of a deployment. Its methods may be
// called from any goroutine.
type Follower struct {
	Log        log.Log
	Deployment string
	Unread     func(key, instead string) // is told once of each record that cannot be read, and what holds instead; nil: nobody is

	mu    sync.Mutex
	all   *holding // nil until it was read
	mark  string
	moved chan struct{}
}

// Look reads what is new. It fails only if the log does: a record that cannot be read is
// told of and passed over.
func (f *Follower) Look(ctx context.Context) error {
	unread, err := f.look(ctx)
	if f.Unread != nil {
		for _, key := range unread {
			f.Unread(key, instead(key))
		}
	}
	return err
}

func (f *Follower) look(ctx context.Context) (unread []string, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	store := &log.Store{Log: f.Log, Topic: log.ControlTopic(f.Deployment)}
	all, mark, err := read(ctx, store, f.mark, f.all)
	if err != nil {
		return nil, err
	}
	unread = all.unreadSince(f.all)
	news := f.all == nil || mark != f.mark
	f.all, f.mark = all, mark
	if news && f.moved != nil {
		close(f.moved)
		f.moved = nil
	}
	return unread, nil
}

// Sink gives what holds for a sink; false until Look has read it. moved is closed
// when that may have changed.
func (f *Follower) Sink(name string) (s Sink, known bool, moved <-chan struct{}) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.all != nil {
		s = f.all.sinks[name]
	}
	return s, f.all != nil, f.awaited()
}

// Table does for a table, named as source.schema.table, what Sink does for a sink.
func (f *Follower) Table(name string) (t Table, known bool, moved <-chan struct{}) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.all != nil {
		t = f.all.tables[name]
	}
	return t, f.all != nil, f.awaited()
}

func (f *Follower) awaited() <-chan struct{} {
	if f.moved == nil {
		f.moved = make(chan struct{})
	}
	return f.moved
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
