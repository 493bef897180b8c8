package query_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/view/query"
	"github.com/evertdb/evert/pipeline/view/query/querytest"
	"github.com/evertdb/evert/schema"
)

// mirror is a client of a stream: it applies what it is told at each epoch.
type mirror struct {
	rows    map[string]string // by key
	pending map[string]string
	last    string // the id of the last epoch
	place   string
	resets  int
	states  []string
	stop    func(m *mirror) bool // looked at after each epoch
	block   chan struct{}        // if not nil, row events wait for it
}

// unheard is a view with another feed than that of its epochs.
type unheard struct {
	*querytest.View
	feed *query.Feed
}

func (u unheard) Feed() *query.Feed { return u.feed }

var errEnough = errors.New("enough")

func (m *mirror) emit(e query.Event) error {
	if strings.ContainsAny(string(e.Data), "\r\n") {
		return fmt.Errorf("a line end in %q", e.Data)
	}
	var data struct {
		Key, Row              json.RawMessage
		Position, State, Code string
	}
	if len(e.Data) > 0 {
		if err := json.Unmarshal(e.Data, &data); err != nil {
			return err
		}
	}
	switch e.Name {
	case "reset":
		m.resets++
		m.rows, m.pending = map[string]string{}, map[string]string{}
	case "row", "change":
		if m.block != nil && e.Name == "row" {
			<-m.block
		}
		m.pending[string(data.Key)] = string(data.Row)
	case "state":
		m.states = append(m.states, data.State+" "+data.Code)
	case "epoch":
		maps.Copy(m.rows, m.pending)
		maps.DeleteFunc(m.rows, func(_, row string) bool { return row == "null" })
		m.pending = map[string]string{}
		m.last, m.place = e.ID, data.Position
		if m.stop(m) {
			return errEnough
		}
	}
	return nil
}

func newMirror() *mirror {
	return &mirror{rows: map[string]string{}, pending: map[string]string{}}
}

// follow follows until the mirror has come to a position.
func (m *mirror) follow(t *testing.T, r *query.Reader, v query.View, until string) {
	t.Helper()
	m.stop = func(m *mirror) bool { return m.place == until }
	if err := r.Follow(t.Context(), "v", v, m.last, query.Wait{}, m.emit); err != errEnough {
		t.Fatal(err)
	}
}

// equal compares with what is in the view.
func (m *mirror) equal(t *testing.T, r *query.Reader, v query.View) {
	t.Helper()
	a, err := r.Rows(t.Context(), "v", v, map[string][]string{"limit": {"10000"}}, query.Wait{})
	if err != nil {
		t.Fatal(err)
	}
	if len(a.Rows) != len(m.rows) {
		t.Fatalf("%d rows, the view has %d", len(m.rows), len(a.Rows))
	}
	for _, row := range a.Rows {
		var id struct{ ID json.Number }
		if err := json.Unmarshal(row, &id); err != nil {
			t.Fatal(err)
		}
		if m.rows[`{"id":`+id.ID.String()+`}`] != string(row) {
			t.Fatalf("key %s differs", id.ID)
		}
	}
}

func TestFollowing(t *testing.T) {
	r := query.NewReader(query.Config{})
	v := newView(t, customers(t))
	v.Feed().Start(at(0))
	v.Step(at(1), hundred(1))
	m := newMirror()
	m.follow(t, r, v, "s:1")
	m.equal(t, r, v)

	t.Run("it goes on behind the last epoch", func(t *testing.T) {
		v.Step(at(2), hundred(2)[:10], schema.Row{schema.Int(50)})
		v.Step(at(3), hundred(3)[5:15], schema.Row{schema.Int(51)})
		m.follow(t, r, v, "s:3")
		if m.equal(t, r, v); m.resets != 0 {
			t.Errorf("%d resets", m.resets)
		}
	})
	t.Run("epochs without changes of their own", func(t *testing.T) {
		v.Step(at(4), nil)
		e := at(4)
		e.At = query.Vector{"s": "40"}
		v.Feed().Drift(e)
		m.follow(t, r, v, "s:40")
		m.equal(t, r, v)
	})
	t.Run("what is not known any more is begun anew", func(t *testing.T) {
		for _, last := range []string{"0000000000000007-0", "0000000000000008-4", "0000000000000007-99", "x"} {
			other := newMirror()
			other.last = last
			other.follow(t, r, v, "s:4")
			if other.equal(t, r, v); other.resets != 1 {
				t.Errorf("%s: %d resets", last, other.resets)
			}
		}
	})
	t.Run("a daemon that has just begun over the same state", func(t *testing.T) {
		fresh := newView(t, customers(t))
		fresh.Step(at(4), hundred(4))
		begun := query.NewFeed(1<<20, time.Hour) // it has heard nothing
		other := newMirror()
		other.last, other.stop = "0000000000000007-4", func(m *mirror) bool { return m.place == "s:4" }
		if err := r.Follow(t.Context(), "v", unheard{fresh, begun}, other.last, query.Wait{}, other.emit); err != errEnough || len(other.rows) != 0 || other.resets != 0 {
			t.Errorf("%v, %d rows, %d resets", err, len(other.rows), other.resets)
		}
	})
	t.Run("an epoch that is too large", func(t *testing.T) {
		v.Feed().Bound(1000)
		v.Step(at(5), hundred(5))
		m.follow(t, r, v, "s:5")
		if m.equal(t, r, v); m.resets != 1 {
			t.Errorf("%d resets", m.resets)
		}
	})
	t.Run("R15 another version of the view", func(t *testing.T) {
		v.Feed().Bound(1 << 20)
		e := at(6)
		e.Version = 8
		v.Step(e, hundred(6))
		m.follow(t, r, v, "s:6")
		if m.equal(t, r, v); m.resets != 2 || !strings.HasPrefix(m.last, "0000000000000008-") {
			t.Errorf("%d resets, %s", m.resets, m.last)
		}
	})
	if v.Open.Load() != 0 {
		t.Errorf("%d snapshots left open", v.Open.Load())
	}
}

// I9 one who does not keep up is told so, and holds nothing.
func TestSlowFollower(t *testing.T) {
	r := query.NewReader(query.Config{})
	v := newView(t, customers(t))
	v.Feed().Start(at(0))
	v.Step(at(1), hundred(1))
	var many []schema.Row
	for id := range 5 * query.CheckEvery {
		many = append(many, customer(id, "", "", ""))
	}
	v.Step(at(2), many)
	m := newMirror()
	m.block, m.stop = make(chan struct{}), func(*mirror) bool { return false }
	ended := make(chan error)
	go func() { ended <- r.Follow(t.Context(), "v", v, "", query.Wait{}, m.emit) }()
	m.block <- struct{}{}
	v.Feed().Bound(2000)
	for n := 3; n < 20; n++ {
		v.Step(at(n), hundred(n)[:5])
	}
	close(m.block)
	if err := <-ended; pipeline.CodeOf(err) != query.CodeSlow {
		t.Fatalf("I9: %v", err)
	}
	if len(m.pending) >= len(many) {
		t.Errorf("it was noticed only after all %d rows", len(m.pending))
	}
	if _, held, watchers := v.Feed().Held(); v.Open.Load() != 0 || watchers != 0 || held > 2000 {
		t.Errorf("%d snapshots, %d watchers, %d bytes", v.Open.Load(), watchers, held)
	}
}

func TestFollowerHearsHowTheViewIs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := query.NewReader(query.Config{})
		v := newView(t, customers(t))
		v.Step(at(1), hundred(1))
		m := newMirror()
		m.stop = func(*mirror) bool { return false }
		alive := 0
		ctx, cancel := context.WithCancelCause(t.Context())
		ended := make(chan error)
		go func() {
			ended <- r.Follow(ctx, "v", v, "", query.Wait{}, func(e query.Event) error {
				if e.Name == "alive" {
					alive++
				}
				return m.emit(e)
			})
		}()
		time.Sleep(2*query.AliveEvery + time.Second)
		v.Tell(query.State{Phase: query.Frozen, Why: &pipeline.Refusal{Code: "VIEW_HELD", What: "a table is copied"}})
		synctest.Wait()
		v.Tell(query.State{Phase: query.Live})
		synctest.Wait()
		cancel(errEnough)
		if err := <-ended; err != errEnough || alive != 2 || fmt.Sprint(m.states) != "[frozen VIEW_HELD live ]" {
			t.Errorf("I8: %v, alive %d, %q", err, alive, m.states)
		}
	})
}

// Nothing is rendered for nobody.
func TestFeedRests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		feed := query.NewFeed(1<<20, time.Minute)
		v, err := querytest.New(customers(t), feed)
		if err != nil {
			t.Fatal(err)
		}
		held := func(story string, want int) {
			if n, bytes, _ := feed.Held(); n != want || (bytes == 0) != (want == 0) {
				t.Errorf("%s: %d epochs, %d bytes", story, n, bytes)
			}
		}
		feed.Start(at(0))
		v.Step(at(1), hundred(1))
		held("nobody ever followed", 0)
		feed.Glance()
		v.Step(at(2), hundred(2))
		time.Sleep(2 * time.Minute)
		held("one may come back", 1)
		v.Step(at(3), hundred(3))
		held("nobody comes back", 0)
	})
}
