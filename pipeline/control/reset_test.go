package control_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/evertdb/evert/pipeline/control"
	"github.com/evertdb/evert/pipeline/log"
)

// wantReset compares the last reset of a source.
func wantReset(t *testing.T, l log.Log, source string, want control.Reset) {
	t.Helper()
	got, err := control.LastReset(t.Context(), l, "shop", source)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("source %s (-want +got):\n%s", source, diff)
	}
}

func begin(t *testing.T, l log.Log, r control.Reset) {
	t.Helper()
	if err := control.BeginReset(t.Context(), l, "shop", "db", r); err != nil {
		t.Fatal(err)
	}
}

func end(t *testing.T, l log.Log) {
	t.Helper()
	if err := control.EndReset(t.Context(), l, "shop", "db", true); err != nil {
		t.Fatal(err)
	}
}

// TestReset notes resets, which outlive whatever is commanded behind them.
func TestReset(t *testing.T) {
	l := open(t, t.TempDir())
	wantReset(t, l, "db", control.Reset{})
	at := time.Unix(1e9, 0).UTC()
	r := control.Reset{At: at, Resnapshot: true, Kept: []string{"db.public.a"}, Gaps: map[string]control.Gap{"db.public.a": {ID: "7", Code: "SOURCE_RESET", At: at}}, Found: "5 #1+0"}
	begin(t, l, r)
	change(t, l, control.Entry{Command: "pause", Sink: "hook"}, func(s *control.Sink) error { s.Paused = &control.Given{At: at}; return nil })
	wantReset(t, l, "db", r)
	end(t, l)
	r.Found = ""
	wantReset(t, l, "db", r)
	wantReset(t, l, "other", control.Reset{})
	r.Resnapshot, r.Found = false, "5 #1+0"
	begin(t, l, r)
	wantReset(t, l, "db", r)
	end(t, l)
	wantReset(t, l, "db", control.Reset{At: at})
}

// TestResetAnswersRequests tells that the copy of all tables of a source is what people
// asked for before, of one. Whether it rests, and other sources, are another matter.
func TestResetAnswersRequests(t *testing.T) {
	l := open(t, t.TempDir())
	given := control.Given{At: time.Unix(1e9, 0).UTC(), By: "ann@box"}
	ask := func(table string, paused *control.Given) {
		t.Helper()
		if _, err := control.ChangeTable(t.Context(), l, "shop", control.Entry{Command: "snapshot", Table: table}, func(t *control.Table) error {
			t.Copy, t.Paused = &control.Request{ID: table, Given: given}, paused
			return nil
		}); err != nil {
			t.Fatal(err)
		}
	}
	ask("db.public.a", nil)
	ask("db.public.b", &given)
	ask("db2.public.a", nil)
	f := &control.Follower{Log: l, Deployment: "shop"}
	begin(t, l, control.Reset{At: given.At, Resnapshot: true})
	look(t, f)
	if a, _, _ := f.Table("db.public.a"); a.Copy == nil {
		t.Error("a request is gone before the reset is done: it may never be")
	}
	if err := control.EndReset(t.Context(), l, "shop", "db", false); err != nil {
		t.Fatal(err)
	}
	look(t, f)
	if a, _, _ := f.Table("db.public.a"); a.Copy == nil {
		t.Error("a request is gone though no copy of all tables answers it")
	}
	end(t, l)
	look(t, f)
	for table, want := range map[string]control.Table{"db.public.a": {}, "db.public.b": {Paused: &given}, "db2.public.a": {Copy: &control.Request{ID: "db2.public.a", Given: given}}} {
		got, _, _ := f.Table(table)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", table, diff)
		}
	}
}

// TestResetOfEarlierRelease reads the entry of a reset as it was written under its time.
func TestResetOfEarlierRelease(t *testing.T) {
	l := open(t, t.TempDir())
	store := &log.Store{Log: l, Topic: log.ControlTopic("shop")}
	if err := store.Take(t.Context()); err != nil {
		t.Fatal(err)
	}
	at := "2025-01-01T00:00:00Z"
	if _, err := store.Append(t.Context(), struct{ Key, Value []byte }{[]byte(at), []byte(`{"command":"reset","source":"db","resnapshot":true,"at":"` + at + `","kept":["db.public.a"]}`)}); err != nil {
		t.Fatal(err)
	}
	store.Close()
	want := control.Reset{At: time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC), Resnapshot: true, Kept: []string{"db.public.a"}}
	wantReset(t, l, "db", want)
	change(t, l, control.Entry{Command: "pause", Sink: "hook"}, func(s *control.Sink) error { s.Paused = &control.Given{}; return nil })
	if err := l.Admin().Compact(t.Context(), log.ControlTopic("shop")); err != nil {
		t.Fatal(err)
	}
	wantReset(t, l, "db", want)
}
