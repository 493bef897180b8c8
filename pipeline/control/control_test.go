package control_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/evertdb/evert/pipeline/control"
	"github.com/evertdb/evert/pipeline/log"
	"github.com/evertdb/evert/pipeline/log/embedded"
)

func open(t *testing.T, dir string) log.Log {
	t.Helper()
	l, err := embedded.Open(embedded.Config{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

func change(t *testing.T, l log.Log, e control.Entry, fn func(*control.Sink) error) control.Sink {
	t.Helper()
	s, err := control.Change(t.Context(), l, "shop", e, fn)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestFollow gives commands and sees them, also as a process that begins later.
func TestFollow(t *testing.T) {
	dir := t.TempDir()
	l, err := embedded.Open(embedded.Config{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	early := &control.Follower{Log: l, Deployment: "shop"}
	if _, known, _ := early.Sink("hook"); known {
		t.Error("it knows before it looked")
	}
	look(t, early)
	s, known, moved := early.Sink("hook")
	if !known || s.Paused != nil {
		t.Errorf("before any command: %+v", s)
	}
	given := control.Given{At: time.Unix(1e9, 0).UTC(), By: "ann@box"}
	change(t, l, control.Entry{Command: "pause", Sink: "hook", By: "ann@box"}, func(s *control.Sink) error { s.Paused = &given; return nil })
	change(t, l, control.Entry{Command: "skip", Sink: "other", By: "ann@box", Place: "t/0/7"}, func(s *control.Sink) error { s.Skip("t/0/7", given); return nil })
	look(t, early)
	select {
	case <-moved:
	default:
		t.Error("nobody was told")
	}
	if s, _, _ := early.Sink("hook"); s.Paused == nil || *s.Paused != given {
		t.Errorf("paused: %+v", s)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	again := open(t, dir)
	late := &control.Follower{Log: again, Deployment: "shop"}
	look(t, late)
	s, _, _ = late.Sink("other")
	if !s.IsSkipped("t/0/7") || s.IsSkipped("t/0/8") {
		t.Errorf("after a restart: %+v", s)
	}
	change(t, again, control.Entry{Command: "resume", Sink: "hook", By: "bob@box"}, func(s *control.Sink) error { s.Paused = nil; return nil })
	look(t, late)
	if s, _, _ := late.Sink("hook"); s.Paused != nil {
		t.Errorf("resumed: %+v", s)
	}
}

// TestRefused leaves everything as it was.
func TestRefused(t *testing.T) {
	l := open(t, t.TempDir())
	no := errors.New("no")
	if _, err := control.Change(t.Context(), l, "shop", control.Entry{Command: "skip", Sink: "hook"}, func(s *control.Sink) error {
		s.Skip("t/0/1", control.Given{})
		return no
	}); !errors.Is(err, no) {
		t.Fatal(err)
	}
	f := &control.Follower{Log: l, Deployment: "shop"}
	look(t, f)
	if s, _, _ := f.Sink("hook"); len(s.Skips) != 0 {
		t.Errorf("it holds %+v", s)
	}
}

// TestSkipsAreBounded forgets the oldest (I9).
func TestSkipsAreBounded(t *testing.T) {
	var s control.Sink
	for i := range 150 {
		s.Skip(fmt.Sprintf("t/0/%d", i), control.Given{})
		s.Skip(fmt.Sprintf("t/0/%d", i), control.Given{}) // twice is once
	}
	if len(s.Skips) != 100 || s.IsSkipped("t/0/49") || !s.IsSkipped("t/0/50") || !s.IsSkipped("t/0/149") {
		t.Errorf("%d are remembered", len(s.Skips))
	}
}

func look(t *testing.T, f *control.Follower) {
	t.Helper()
	if err := f.Look(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// TestTables commands tables, and sees it, apart from sinks of the same name.
func TestTables(t *testing.T) {
	l := open(t, t.TempDir())
	given := control.Given{At: time.Unix(1e9, 0).UTC(), By: "ann@box"}
	f := &control.Follower{Log: l, Deployment: "shop"}
	look(t, f)
	_, _, moved := f.Table("shop.public.orders")
	command := func(fn func(*control.Table) error) {
		t.Helper()
		if _, err := control.ChangeTable(t.Context(), l, "shop", control.Entry{Command: "snapshot", Table: "shop.public.orders", By: given.By}, fn); err != nil {
			t.Fatal(err)
		}
	}
	command(func(t *control.Table) error { t.Paused = &given; return nil })
	command(func(t *control.Table) error {
		t.Paused, t.Copy = nil, &control.Request{ID: "r1", Given: given}
		return nil
	})
	look(t, f)
	select {
	case <-moved:
	default:
		t.Error("nobody was told")
	}
	got, known, _ := f.Table("shop.public.orders")
	if !known || got.Paused != nil || got.Copy == nil || *got.Copy != (control.Request{ID: "r1", Given: given}) {
		t.Errorf("it holds %+v", got)
	}
	if s, _, _ := f.Sink("shop.public.orders"); s.Paused != nil {
		t.Error("a sink rests")
	}
	no := errors.New("no")
	had, err := control.ChangeTable(t.Context(), l, "shop", control.Entry{Table: "shop.public.orders"}, func(t *control.Table) error {
		t.Copy = nil
		return no
	})
	if !errors.Is(err, no) || had.Copy == nil {
		t.Errorf("refused: %+v, %v", had, err)
	}
}

// TestJournalIsBounded counts the keys of the control topic after more commands than
// its journal has room for (I9). Entries that an earlier release wrote, one key each,
// are buried.
func TestJournalIsBounded(t *testing.T) {
	l := open(t, t.TempDir())
	store := &log.Store{Log: l, Topic: log.ControlTopic("shop")}
	if err := store.Take(t.Context()); err != nil {
		t.Fatal(err)
	}
	for i := range 3 {
		if _, err := store.Append(t.Context(), struct{ Key, Value []byte }{fmt.Appendf(nil, "2025-01-0%dT00:00:00Z", i+1), []byte(`{"command":"pause"}`)}); err != nil {
			t.Fatal(err)
		}
	}
	store.Close()
	for i := range 3 {
		change(t, l, control.Entry{Command: "pause", Sink: "hook"}, func(s *control.Sink) error { s.Skip(fmt.Sprint("t/0/", i), control.Given{}); return nil })
	}
	keys := map[string]string{}
	if _, _, err := store.Read(t.Context(), "", func(key, value []byte) error {
		if keys[string(key)] = string(value); value == nil {
			delete(keys, string(key))
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	for n := range 3 {
		if entry := keys[fmt.Sprint("journal/", n)]; !strings.Contains(entry, fmt.Sprintf(`"number":%d`, n)) {
			t.Errorf("entry %d is %q", n, entry)
		}
	}
	if len(keys) != 4 {
		t.Errorf("the topic holds %d keys: %v", len(keys), keys)
	}
	if got := control.JournalKey(1_000_002); got != "journal/2" {
		t.Errorf("entry 1,000,002 has key %s", got)
	}
}
