package query_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/view/query"
	"github.com/evertdb/evert/pipeline/view/query/querytest"
	"github.com/evertdb/evert/schema"
)

// hundred are rows that say of which epoch they are.
func hundred(epoch int) (rows []schema.Row) {
	for id := range 100 {
		rows = append(rows, customer(id, "of "+strconv.Itoa(epoch), "", strconv.Itoa(epoch)))
	}
	return rows
}

// TestPagesOfOneCut reads page after page while epochs go on: all pages are of
// the first one's cut.
func TestPagesOfOneCut(t *testing.T) {
	v := newView(t, customers(t, []int{3}))
	v.Step(at(1), hundred(1))
	r := query.NewReader(query.Config{})
	q := url.Values{"limit": {"9"}, "order": {"spent"}}
	seen := 0
	for epoch := 2; ; epoch++ {
		a, err := r.Rows(t.Context(), "v", v, q, query.Wait{})
		if err != nil {
			t.Fatal(err)
		}
		if a.Epoch.Number != 1 || strings.Contains(lines(a.Rows), `"of 2"`) {
			t.Fatalf("R11 a page of epoch %d: %s", a.Epoch.Number, lines(a.Rows))
		}
		seen += len(a.Rows)
		if a.Cursor == "" {
			break
		}
		again, err := r.Rows(t.Context(), "v", v, url.Values{"cursor": {a.Cursor}, "limit": {"3"}}, query.Wait{})
		if err != nil || len(again.Rows) == 0 {
			t.Fatalf("a cursor that is used twice: %v", err)
		}
		q.Set("cursor", a.Cursor)
		v.Step(at(epoch), hundred(epoch), schema.Row{schema.Int(int64(epoch))})
	}
	if seen != 100 {
		t.Fatalf("%d rows, not 100", seen)
	}
	if r.Close(); v.Open.Load() != 0 {
		t.Fatalf("%d snapshots left open", v.Open.Load())
	}
}

func TestCursors(t *testing.T) {
	first := func(t *testing.T, r *query.Reader, v query.View, q url.Values) string {
		a, err := r.Rows(t.Context(), "v", v, q, query.Wait{})
		if err != nil || a.Cursor == "" {
			t.Fatalf("the first page: %v", err)
		}
		return a.Cursor
	}
	next := func(t *testing.T, r *query.Reader, view string, v query.View, q url.Values) (query.Answer, pipeline.Code) {
		a, err := r.Rows(t.Context(), view, v, q, query.Wait{})
		return a, pipeline.CodeOf(err)
	}
	with := func(cursor string, more ...string) url.Values {
		q := url.Values{"cursor": {cursor}, "limit": {"20"}}
		for i := 0; i < len(more); i += 2 {
			q.Set(more[i], more[i+1])
		}
		return q
	}
	v := newView(t, customers(t))
	v.Step(at(1), hundred(1))

	t.Run("I9 the one used longest ago ends", func(t *testing.T) {
		r := query.NewReader(query.Config{Cursors: 2})
		defer r.Close()
		a, b := first(t, r, v, with("")), first(t, r, v, with(""))
		if _, code := next(t, r, "v", v, with(a)); code != "" {
			t.Fatal(code)
		}
		first(t, r, v, with(""))
		if _, code := next(t, r, "v", v, with(b)); code != query.CodeCursor {
			t.Errorf("b: %q", code)
		}
		if v.Open.Load() != 2 {
			t.Errorf("%d snapshots", v.Open.Load())
		}
	})
	t.Run("I9 it lives as long as it is used", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			r := query.NewReader(query.Config{CursorTTL: time.Minute})
			c := first(t, r, v, with("", "limit", "1"))
			for range 3 {
				time.Sleep(59 * time.Second)
				a, code := next(t, r, "v", v, with(c, "limit", "1"))
				if code != "" {
					t.Fatal(code)
				}
				c = a.Cursor
			}
			time.Sleep(61 * time.Second)
			if _, code := next(t, r, "v", v, with(c)); code != query.CodeCursor || v.Open.Load() != 0 {
				t.Errorf("%q, %d snapshots", code, v.Open.Load())
			}
		})
	})
	t.Run("who else, where else", func(t *testing.T) {
		r := query.NewReader(query.Config{})
		c := first(t, r, v, with("", "id", "gte.10"))
		for _, x := range []struct {
			story, view string
			q           url.Values
			want        pipeline.Code
		}{
			{"another view", "w", with(c), query.CodeCursor},
			{"another filter", "v", with(c, "id", "gte.11"), query.CodeRequest},
			{"the same filter", "v", with(c, "id", "gte.10"), ""},
			{"a page far ahead", "v", with(strings.Split(c, ".")[0] + ".7"), query.CodeCursor},
			{"a page of before", "v", with(strings.Split(c, ".")[0] + ".-1"), query.CodeCursor},
			{"no cursor of ours", "v", with("x"), query.CodeCursor},
		} {
			if _, code := next(t, r, x.view, v, x.q); code != x.want {
				t.Errorf("%s: %q, want %q", x.story, code, x.want)
			}
		}
		if r.Drop("v"); v.Open.Load() != 0 {
			t.Errorf("%d snapshots", v.Open.Load())
		}
		r.Close()
		if a, err := r.Rows(t.Context(), "v", v, url.Values{}, query.Wait{}); err != nil || a.Cursor != "" || v.Open.Load() != 0 {
			t.Errorf("after Close: %q, %v, %d snapshots", a.Cursor, err, v.Open.Load())
		}
	})
	t.Run("pages end at a number of bytes", func(t *testing.T) {
		r := query.NewReader(query.Config{PageBytes: 1000})
		defer r.Close()
		a, err := r.Rows(t.Context(), "v", v, url.Values{"limit": {"100"}}, query.Wait{})
		if err != nil || len(a.Rows) >= 100 || len(lines(a.Rows)) > 1200 || a.Cursor == "" {
			t.Errorf("%d rows: %v", len(a.Rows), err)
		}
	})
}

func TestKeys(t *testing.T) {
	base := customers(t)
	shape, err := query.NewShape(base.Columns, []int{1, 0}, nil)
	if err != nil {
		t.Fatal(err)
	}
	v := newView(t, shape)
	v.Step(at(1), []schema.Row{customer(1, "a/b c", "", ""), customer(2, "", "", ""), customer(3, `\N`, "", ""), customer(4, `\\N`, "", ""), customer(5, `\M`, "", "")})
	r := query.NewReader(query.Config{})
	for _, c := range []struct {
		key  []string
		want string
		code pipeline.Code
	}{
		{[]string{"a/b c", "1"}, `{"id":1,`, ""},
		{[]string{`\N`, "2"}, `{"id":2,`, ""},
		{[]string{`\\N`, "3"}, `{"id":3,`, ""},
		{[]string{`\\\N`, "4"}, `{"id":4,`, ""},
		{[]string{`\M`, "5"}, `{"id":5,`, ""},
		{[]string{"a", "1"}, "", query.CodeNoRow},
		{[]string{"a"}, "", query.CodeRequest},
		{[]string{"a", "x"}, "", query.CodeRequest},
		{[]string{"a", "1", "2"}, "", query.CodeRequest},
	} {
		a, err := r.Row(t.Context(), "v", v, c.key, query.Wait{})
		if pipeline.CodeOf(err) != c.code || !strings.HasPrefix(lines(a.Rows), c.want) {
			t.Errorf("%q: %s %v", c.key, lines(a.Rows), err)
		}
		if err != nil && strings.Contains(err.Error(), `"a"`) {
			t.Errorf("X09 the refusal holds a value: %v", err)
		}
	}
}

func TestWaiting(t *testing.T) {
	start := func(t *testing.T) (*querytest.View, *numbers, *query.Reader) {
		clock := &numbers{}
		return newView(t, customers(t)), clock, query.NewReader(query.Config{Clocks: map[string]query.Clock{"s": clock, "other": clock}, WaitTimeout: 10 * time.Second})
	}
	read := func(r *query.Reader, v query.View, wait, timeout string) (query.Answer, error) {
		w, err := query.ParseWait([]string{wait}, timeout)
		if err != nil {
			return query.Answer{}, err
		}
		return r.Row(context.Background(), "v", v, []string{"1"}, w)
	}
	t.Run("R21 the write that was waited for is there", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			v, clock, r := start(t)
			go func() {
				for n := range 6 {
					time.Sleep(time.Second)
					if n == 3 && clock.waiting.Load() != 2 { // two places
						t.Error("the source was not told that somebody waits")
					}
					if all, covered := v.Awaited(query.Vector{"s": "3"}); n == 3 && (all != 1 || covered != 0) {
						t.Errorf("%d wait, %d of them for s:3 or less", all, covered)
					}
					if _, covered := v.Awaited(query.Vector{"s": "4"}); n == 3 && covered != 1 {
						t.Error("the view was not told what is waited for")
					}
					v.Step(at(n), hundred(n))
				}
			}()
			a, err := read(r, v, "s:4~other:99", "")
			if err != nil || a.Epoch.Number != 4 || !strings.Contains(lines(a.Rows), `"of 4"`) {
				t.Fatalf("%d %v", a.Epoch.Number, err)
			}
			if synctest.Wait(); clock.waiting.Load() != 0 {
				t.Error("the source still thinks that somebody waits")
			}
			if all, _ := v.Awaited(nil); all != 0 {
				t.Error("the view still thinks that somebody waits")
			}
			time.Sleep(10 * time.Second)
		})
	})
	t.Run("a clean end", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			v, _, r := start(t)
			if _, err := read(r, v, "s:4", ""); pipeline.CodeOf(err) != query.CodeNotReady {
				t.Errorf("R22 while it fills: %v", err)
			}
			v.Step(at(3), hundred(3))
			for timeout, want := range map[string]time.Duration{"": 10 * time.Second, "2s": 2 * time.Second, "1h": 10 * time.Second} {
				began := time.Now()
				_, err := read(r, v, "s:4", timeout)
				if pipeline.CodeOf(err) != query.CodeTimeout || time.Since(began) != want || !strings.Contains(err.Error(), "it is at s:3") {
					t.Errorf("timeout %q after %s: %v", timeout, time.Since(began), err)
				}
			}
			v.Tell(query.State{Phase: query.Stopped, Why: &pipeline.Refusal{Code: "VIEW_EXPRESSION", What: "division by zero", Mend: "nullif"}})
			if _, err := read(r, v, "s:4", ""); pipeline.CodeOf(err) != query.CodeTimeout || !strings.Contains(err.Error(), "VIEW_EXPRESSION") || !strings.Contains(err.Error(), "nullif") {
				t.Errorf("a view that has stopped: %v", err)
			}
			a, err := read(r, v, "s:3", "")
			if err != nil || a.Stale == nil || a.Stale.Code != "VIEW_EXPRESSION" {
				t.Errorf("I8 its last cut, and why it is: %+v %v", a.Stale, err)
			}
			for _, wait := range []string{"s", "s:", "nope:3", "s:x", "s:%", ":3", "s:3~"} {
				if _, err := read(r, v, wait, ""); pipeline.CodeOf(err) != query.CodeRequest {
					t.Errorf("wait_for=%s: %v", wait, err)
				}
			}
			if v.Open.Load() != 0 {
				t.Errorf("%d snapshots left open", v.Open.Load())
			}
		})
	})
	t.Run("R15 the definition before never stands for the new one", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			v, _, r := start(t)
			old := at(3)
			old.Old = true
			v.Step(old, hundred(3))
			v.Tell(query.State{Phase: query.Filling})
			for _, wait := range []string{"", "s:3"} { // he may see it: his write is in it
				a, err := read(r, v, wait, "")
				if err != nil || a.Stale == nil || a.Stale.Code != query.CodeOld {
					t.Errorf("wait_for=%s: %+v %v", wait, a.Stale, err)
				}
			}
			a, err := r.Rows(context.Background(), "v", v, url.Values{"limit": {"2"}}, query.Wait{})
			if err != nil || a.Stale == nil || a.Stale.Code != query.CodeOld {
				t.Errorf("a page: %+v %v", a.Stale, err)
			}
			if _, err := read(r, v, "s:4", "2s"); pipeline.CodeOf(err) != query.CodeTimeout {
				t.Errorf("a write that is not in it: %v", err)
			}
			go func() {
				time.Sleep(time.Second)
				now := at(5)
				now.Version++
				v.Step(now, hundred(5))
			}()
			a, err = read(r, v, "s:4", "2s")
			if err != nil || a.Stale != nil || a.Epoch.Version == old.Version || !strings.Contains(lines(a.Rows), `"of 5"`) {
				t.Errorf("once the new one is there: %+v %v", a, err)
			}
			r.Close()
		})
	})
	t.Run("a reader that goes away", func(t *testing.T) {
		v, clock, r := start(t)
		v.Step(at(3), hundred(3))
		ctx, cancel := context.WithCancelCause(t.Context())
		cancel(context.Canceled)
		if _, err := r.Row(ctx, "v", v, []string{"1"}, query.Wait{For: []query.Place{{"s", "9"}}}); err != context.Canceled || clock.waiting.Load() != 0 {
			t.Errorf("%v", err)
		}
	})
}

func TestVectors(t *testing.T) {
	v := query.Vector{"shop": "0/1A2B", "billing": "3E11FA47-71CA-11E1-9E33-C80AA9429562:1-5,x:7", "odd": "a~b c%\x01é"}
	text := v.String()
	if want := "billing:3E11FA47-71CA-11E1-9E33-C80AA9429562:1-5,x:7~odd:a%7Eb%20c%25%01%C3%A9~shop:0/1A2B"; text != want {
		t.Errorf("%s", text)
	}
	places, err := query.ParseVector(text)
	if err != nil || len(places) != len(v) {
		t.Fatal(err)
	}
	for _, p := range places {
		if v[p.Source] != p.Native {
			t.Errorf("%s: %q", p.Source, p.Native)
		}
	}
	if (query.Vector{}).String() != "" {
		t.Error("nothing is not nothing")
	}
}

// TestR21Monotonic lets clients chain positions while epochs go on: none sees
// anything older than before, and every answer is of one epoch as a whole.
func TestR21Monotonic(t *testing.T) {
	v := newView(t, customers(t, []int{3}))
	v.Step(at(1), hundred(1))
	r := query.NewReader(query.Config{Clocks: map[string]query.Clock{"s": &numbers{}}})
	defer r.Close()
	const epochs = 300
	var all sync.WaitGroup
	all.Go(func() {
		for n := 2; n <= epochs; n++ {
			v.Step(at(n), hundred(n))
		}
	})
	for client := range 6 {
		all.Go(func() {
			random := rand.New(rand.NewPCG(uint64(client), 1))
			if err := chain(t, r, v, random, epochs); err != nil {
				t.Errorf("R21 client %d (its number is the seed): %v", client, err)
			}
		})
	}
	all.Wait()
}

func chain(t *testing.T, r *query.Reader, v query.View, random *rand.Rand, until uint64) error {
	position, last := "", uint64(0)
	for last < until {
		w := query.Wait{}
		if position != "" {
			places, err := query.ParseVector(position)
			if err != nil {
				return err
			}
			w.For = places
		}
		a, err := readSomehow(t, r, v, random, w)
		if err != nil {
			return err
		}
		if a.Epoch.Number < last {
			return fmt.Errorf("epoch %d after %d", a.Epoch.Number, last)
		}
		for _, row := range a.Rows {
			if !strings.Contains(string(row), fmt.Sprintf(`"of %d"`, a.Epoch.Number)) {
				return fmt.Errorf("in an answer of epoch %d: %s", a.Epoch.Number, row)
			}
		}
		position, last = a.Epoch.At.String(), a.Epoch.Number
	}
	return nil
}

func readSomehow(t *testing.T, r *query.Reader, v query.View, random *rand.Rand, w query.Wait) (query.Answer, error) {
	switch random.IntN(3) {
	case 0:
		return r.Row(t.Context(), "v", v, []string{strconv.Itoa(random.IntN(100))}, w)
	case 1:
		return r.Rows(t.Context(), "v", v, url.Values{"order": {"spent.desc"}, "limit": {"100"}}, w)
	}
	return r.Rows(t.Context(), "v", v, url.Values{"id": {"in.(1,50,99)"}}, w)
}
