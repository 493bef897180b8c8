package control_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/evertdb/evert/pipeline/control"
	"github.com/evertdb/evert/pipeline/log"
)

// newer is a record as a release may write it that is newer than ours.
const newer = `{"paused":["secret"],"copy":7,"at":{"wall":"secret"},"number":"n1"}`

// put writes records of other releases into the control topic: key, value, key, value.
func put(t *testing.T, l log.Log, pairs ...string) {
	t.Helper()
	store := &log.Store{Log: l, Topic: log.ControlTopic("shop")}
	if err := store.Take(t.Context()); err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	for i := 0; i < len(pairs); i += 2 {
		if _, err := store.Append(t.Context(), struct{ Key, Value []byte }{[]byte(pairs[i]), []byte(pairs[i+1])}); err != nil {
			t.Fatal(err)
		}
	}
}

// TestUnread reads records of a newer release. Each is told of once, by its key alone; a
// sink rests, of a table nothing is commanded, and all else holds as it was (I8).
func TestUnread(t *testing.T) {
	l := open(t, t.TempDir())
	given := control.Given{At: time.Unix(1e9, 0).UTC(), By: "ann@box"}
	change(t, l, control.Entry{Command: "pause", Sink: "other"}, func(s *control.Sink) error { s.Paused = &given; return nil })
	if _, err := control.ChangeTable(t.Context(), l, "shop", control.Entry{Command: "snapshot", Table: "db.public.t"}, func(t *control.Table) error {
		t.Copy = &control.Request{ID: "r1"}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	var told []string
	tell := func(key, instead string) {
		if told = append(told, key); strings.Contains(instead, "secret") {
			t.Errorf("of %s is said %q", key, instead)
		}
	}
	early := &control.Follower{Log: l, Deployment: "shop", Unread: tell}
	look(t, early)
	put(t, l, "sink/hook", newer, "table/db.public.t", newer, "reset/db", newer, "journal/7", newer, "sink/hook", newer)
	late := &control.Follower{Log: l, Deployment: "shop", Unread: tell}
	for _, f := range []*control.Follower{early, late} {
		told = nil
		look(t, f)
		look(t, f)
		put(t, l, "sink/hook", newer)
		look(t, f)
		if want := []string{"journal/7", "reset/db", "sink/hook", "table/db.public.t"}; !slices.Equal(told, want) {
			t.Errorf("told of %v, want %v", told, want)
		}
		if s, known, _ := f.Sink("hook"); !known || s.Paused == nil || !strings.Contains(s.Paused.By, "cannot read") {
			t.Errorf("the sink is %+v", s)
		}
		if s, _, _ := f.Sink("other"); s.Paused == nil || *s.Paused != given {
			t.Errorf("the other sink is %+v", s)
		}
		if tab, _, _ := f.Table("db.public.t"); tab.Copy != nil || tab.Paused != nil {
			t.Errorf("the table is %+v", tab)
		}
	}
	wantReset(t, l, "db", control.Reset{Unread: true})
	wantReset(t, l, "db2", control.Reset{})
}

// TestUnreadIsReplaced gives commands where records cannot be read: what they are about
// holds from then on, and what a newer release knows beside stays.
func TestUnreadIsReplaced(t *testing.T) {
	l := open(t, t.TempDir())
	put(t, l, "sink/hook", newer, "reset/db", newer, "view/v", newer)
	told := 0
	f := &control.Follower{Log: l, Deployment: "shop", Unread: func(string, string) { told++ }}
	look(t, f)
	change(t, l, control.Entry{Command: "resume", Sink: "hook"}, func(s *control.Sink) error { s.Paused = nil; return nil })
	r := control.Reset{At: time.Unix(1e9, 0).UTC()}
	begin(t, l, r)
	look(t, f)
	if s, _, _ := f.Sink("hook"); s.Paused != nil {
		t.Errorf("resumed, the sink is %+v", s)
	}
	wantReset(t, l, "db", r)
	var view string
	store := &log.Store{Log: l, Topic: log.ControlTopic("shop")}
	if _, _, err := store.Read(t.Context(), "", func(key, value []byte) error {
		if string(key) == "view/v" {
			view = string(value)
		}
		return nil
	}); err != nil || view != newer {
		t.Errorf("under a key that we do not know lies %q, %v", view, err)
	}
	put(t, l, "sink/hook", newer)
	if look(t, f); told != 3 {
		t.Errorf("told %d times, want of two and of the one that came again", told)
	}
}
