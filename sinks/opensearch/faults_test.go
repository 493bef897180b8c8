//go:build unix

package opensearch_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/deliver"
	"github.com/evertdb/evert/schema"
	"github.com/evertdb/evert/sinks/opensearch"
	"github.com/evertdb/evert/sinks/opensearch/faultserver"
	"github.com/evertdb/evert/sinks/sinktest"
)

// scripted is a target over a server that fails when told to. Pauses take no time.
func scripted(t *testing.T) (*faultserver.Server, opensearch.Options, *paused) {
	s := faultserver.Start()
	t.Cleanup(s.Close)
	o := opensearch.DefaultOptions()
	o.URL, o.Owner, o.Topic, o.Index = s.URL(), "test/sink", "items", "items"
	o.BulkRows, o.Requests = 50, 3
	p := &paused{}
	o.Sleep = p.sleep
	return s, o, p
}

// paused counts the pauses that were asked for.
type paused struct {
	mu    sync.Mutex
	spent time.Duration
	times int
}

func (p *paused) sleep(ctx context.Context, d time.Duration) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.spent += d
	p.times++
	return ctx.Err()
}

func (p *paused) total() time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.spent
}

// record is one of a topic of Items: a row, or the end of one.
type record struct {
	id   int64
	v    string
	gone bool
}

func (r record) change(offset int) pipeline.Change {
	c := pipeline.Change{Table: sinktest.Items, Op: pipeline.Update, Offset: uint64(offset)}
	if r.gone {
		c.Op, c.Before = pipeline.Delete, schema.Row{schema.Int(r.id), schema.Unknown()}
		return c
	}
	c.After = schema.Row{schema.Int(r.id), schema.Text([]byte(r.v))}
	return c
}

// batchOf gives records from an offset on.
func batchOf(topic []record, from, to int) pipeline.Batch {
	b := pipeline.Batch{Tables: []*schema.Table{sinktest.Items}}
	for i := from; i < to; i++ {
		b.Changes = append(b.Changes, topic[i].change(i))
	}
	return b
}

// place is where a reader of the topic stands before an offset; 0 is while filling.
func place(next int, whole bool) pipeline.Resume {
	r := pipeline.Resume{State: []byte(strconv.Itoa(next))}
	if whole {
		r.At = pipeline.Position{Seq: uint64(next) + 1, Native: strconv.Itoa(next)}
	}
	return r
}

func nextOf(t *testing.T, r pipeline.Resume) int {
	t.Helper()
	if r.IsZero() {
		return 0
	}
	next, err := strconv.Atoi(string(r.State))
	if err != nil {
		t.Fatal(err)
	}
	return next
}

// wantOf is what readers of the whole topic see.
func wantOf(topic []record) map[string]string {
	want := map[string]string{}
	for _, r := range topic {
		id := strconv.FormatInt(r.id, 10)
		if r.gone {
			delete(want, id)
		} else {
			want[id] = fmt.Sprintf(`{"id":%d,"v":%q}`, r.id, r.v)
		}
	}
	return want
}

func drawTopic(rng *rand.Rand, n, keys int) []record {
	topic := make([]record, n)
	for i := range topic {
		topic[i] = record{rng.Int64N(int64(keys)), fmt.Sprintf("v%d", i), rng.IntN(4) == 0}
	}
	return topic
}

// carry delivers a topic from where the target stands to its end, in one life of a
// target; its error is the target's.
func carry(t *testing.T, target deliver.Target, topic []record, step func() int) (err error) {
	defer target.Close()
	from, err := target.Open(t.Context())
	if err != nil {
		return err
	}
	next, whole := nextOf(t, from), from.Whole()
	for {
		end := min(next+step(), len(topic))
		if err := target.Write(t.Context(), batchOf(topic, next, end)); err != nil {
			return err
		}
		whole = whole || end > len(topic)/4 // the fill is whole there
		if err := target.Commit(t.Context(), place(end, whole)); err != nil {
			return err
		}
		if next = end; next == len(topic) {
			return nil
		}
	}
}

// settle delivers to the end, as the daemon does: a target that failed is made anew,
// and one that cannot go on is filled anew.
func settle(t *testing.T, o opensearch.Options, topic []record, step func() int) (lives int) {
	t.Helper()
	for lives = 1; lives < 2000; lives++ {
		err := carry(t, opensearch.New(o), topic, step)
		var renewal *deliver.Renewal
		switch {
		case err == nil:
			return lives
		case errors.As(err, &renewal):
			fresh := opensearch.New(o)
			_ = fresh.Renew(t.Context()) // if not, the next life says so again
			fresh.Close()
		}
	}
	t.Fatal("it never gets to the end")
	return lives
}

// TestFaults: whatever fails on the way, and whatever comes again late, at rest every
// document is what the topic says.
func TestFaults(t *testing.T) {
	for _, story := range []struct {
		name  string
		fault func(rng *rand.Rand, q faultserver.Request) faultserver.Fault
	}{
		{"S01 items fail in part", func(rng *rand.Rand, q faultserver.Request) faultserver.Fault {
			seed := rng.Uint64()
			return faultserver.Fault{Item: func(i int) int {
				return []int{0, 0, 0, 429, 503}[rand.New(rand.NewPCG(seed, uint64(i))).IntN(5)]
			}}
		}},
		{"S02 a storm of 429 and 503", func(rng *rand.Rand, q faultserver.Request) faultserver.Fault {
			if q.Bulk {
				return faultserver.Fault{Status: []int{0, 429, 503}[rng.IntN(3)]}
			}
			return faultserver.Fault{}
		}},
		{"S03 the answer is lost after the effect", func(rng *rand.Rand, q faultserver.Request) faultserver.Fault {
			return faultserver.Fault{Lost: rng.IntN(6) == 0}
		}},
		{"S01 the answer is torn after the effect", func(rng *rand.Rand, q faultserver.Request) faultserver.Fault {
			return faultserver.Fault{Torn: q.Bulk && rng.IntN(3) == 0}
		}},
		{"S03 requests arrive twice, the second time late", func(rng *rand.Rand, q faultserver.Request) faultserver.Fault {
			return faultserver.Fault{Later: rng.IntN(3) == 0}
		}},
		{"S01 S02 S03 everything", func(rng *rand.Rand, q faultserver.Request) faultserver.Fault {
			f := faultserver.Fault{Later: rng.IntN(5) == 0, Lost: rng.IntN(12) == 0, Torn: rng.IntN(12) == 0}
			if q.Bulk {
				f.Status = []int{0, 0, 0, 0, 0, 429, 503, 413, 502}[rng.IntN(9)]
				seed := rng.Uint64()
				f.Item = func(i int) int {
					return []int{0, 0, 0, 0, 0, 0, 0, 429}[rand.New(rand.NewPCG(seed, uint64(i))).IntN(8)]
				}
			}
			return f
		}},
	} {
		t.Run(story.name, func(t *testing.T) {
			for run := range rounds(2, 100) {
				seed := rand.Uint64()
				faultRun(t, seed, run, story.fault)
			}
		})
	}
}

// rounds is how often something random happens.
func rounds(few, many int) int {
	if os.Getenv("EVERT_FULL") == "1" {
		return many
	}
	return few
}

func faultRun(t *testing.T, seed uint64, run int, fault func(*rand.Rand, faultserver.Request) faultserver.Fault) {
	t.Helper()
	rng := rand.New(rand.NewPCG(seed, 1))
	s, o, _ := scripted(t)
	o.Gzip = run%2 == 1
	topic := drawTopic(rng, 600, 60)
	faults := rand.New(rand.NewPCG(seed, 2))
	s.Script(func(q faultserver.Request) faultserver.Fault { return fault(faults, q) })
	lives := settle(t, o, topic, func() int { return 1 + rng.IntN(120) })
	s.Script(func(faultserver.Request) faultserver.Fault { return faultserver.Fault{} })
	s.Late()
	if diff := cmp.Diff(wantOf(topic), s.Documents("items")); diff != "" {
		t.Errorf("seed %d, after %d lives (-want +got):\n%s", seed, lives, diff)
	}
	if n := s.Counts().Overlaps; n > 0 {
		t.Errorf("seed %d: S03 %d operations on a document that was in another request under way", seed, n)
	}
	for _, name := range s.Indexes() {
		if strings.Contains(name, "WRITER") {
			t.Errorf("seed %d: S08 an index was made by the way: %s", seed, name)
		}
	}
}

// TestZombie: a target that was replaced and goes on neither keeps a place nor leaves
// a document, even once the cluster has forgotten versions of deletes.
func TestZombie(t *testing.T) {
	s, o, _ := scripted(t)
	topic := []record{{id: 1, v: "old"}, {id: 2, v: "old"}, {id: 1, gone: true}, {id: 2, v: "new"}}
	zombie := opensearch.New(o)
	defer zombie.Close()
	if _, err := zombie.Open(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := zombie.Write(t.Context(), batchOf(topic, 0, 0)); err != nil {
		t.Fatal(err)
	}
	if err := zombie.Commit(t.Context(), place(0, true)); err != nil {
		t.Fatal(err)
	}
	if err := zombie.Write(t.Context(), batchOf(topic, 0, 2)); err != nil { // buffered: it is paused here
		t.Fatal(err)
	}
	if err := carry(t, opensearch.New(o), topic, func() int { return 10 }); err != nil {
		t.Fatal(err)
	}
	s.Forget()
	err := zombie.Commit(t.Context(), place(2, true))
	if err == nil || errors.As(err, new(*deliver.Renewal)) {
		t.Errorf("K05 the zombie's commit: %v", err)
	}
	if diff := cmp.Diff(map[string]string{"2": `{"id":2,"v":"new"}`}, s.Documents("items")); diff != "" {
		t.Errorf("S04 a deleted document came back (-want +got):\n%s", diff)
	}
}

// TestReplayBeyondDeletes: what lies between two commits is written again after the
// cluster has forgotten the versions of deletes.
func TestReplayBeyondDeletes(t *testing.T) {
	s, o, _ := scripted(t)
	topic := []record{{id: 1, v: "a"}, {id: 2, v: "b"}, {id: 1, gone: true}, {id: 3, v: "c"}}
	first := opensearch.New(o)
	if _, err := first.Open(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := first.Write(t.Context(), batchOf(topic, 0, 0)); err != nil {
		t.Fatal(err)
	}
	if err := first.Commit(t.Context(), place(0, true)); err != nil {
		t.Fatal(err)
	}
	s.Script(func(q faultserver.Request) faultserver.Fault { // documents are written and the place is not
		if q.Method == http.MethodPut {
			return faultserver.Fault{Status: http.StatusServiceUnavailable}
		}
		return faultserver.Fault{}
	})
	if err := first.Write(t.Context(), batchOf(topic, 0, 3)); err != nil {
		t.Fatal(err)
	}
	if err := first.Commit(t.Context(), place(3, true)); pipeline.CodeOf(err) != "OPENSEARCH_BUSY" {
		t.Fatalf("the commit: %v", err)
	}
	first.Close()
	s.Script(func(faultserver.Request) faultserver.Fault { return faultserver.Fault{} })
	s.Forget()
	if err := carry(t, opensearch.New(o), topic, func() int { return 2 }); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(wantOf(topic), s.Documents("items")); diff != "" {
		t.Errorf("S04 (-want +got):\n%s", diff)
	}
}

// TestStorm: S02 requests become small while the cluster is busy, pauses long, and
// both recover.
func TestStorm(t *testing.T) {
	s, o, p := scripted(t)
	o.Requests, o.BulkRows = 1, 1000
	o.Patience = time.Hour
	topic := make([]record, 4000)
	for i := range topic {
		topic[i] = record{id: int64(i), v: "x"}
	}
	busy := 0
	s.Script(func(q faultserver.Request) faultserver.Fault {
		if q.Bulk && q.Items > 100 && busy < 40 { // the cluster has room for little
			busy++
			return faultserver.Fault{Status: 429, Header: http.Header{"Retry-After": {"2"}}}
		}
		return faultserver.Fault{}
	})
	if err := carry(t, opensearch.New(o), topic, func() int { return 1000 }); err != nil {
		t.Fatal(err)
	}
	if got := s.Counts(); busy < 4 || got.Largest < 100 || p.total() < 8*time.Second {
		t.Errorf("%d refusals, largest request %d, paused %v", busy, got.Largest, p.total())
	}
	s.Script(func(faultserver.Request) faultserver.Fault { return faultserver.Fault{} })
	before := s.Counts()
	if err := carry(t, opensearch.New(o), append(topic, topic...), func() int { return 4000 }); err != nil {
		t.Fatal(err)
	}
	if now := s.Counts(); now.Largest != 1000 || now.Bulks-before.Bulks > 10 {
		t.Errorf("it does not recover: largest request %d, %d requests", now.Largest, now.Bulks-before.Bulks)
	}
	if diff := cmp.Diff(wantOf(topic), s.Documents("items")); diff != "" {
		t.Error(diff)
	}
}

// TestBusyForever: what never takes anything is an error with a code, after
// Options.Patience.
func TestBusyForever(t *testing.T) {
	s, o, p := scripted(t)
	s.Script(func(q faultserver.Request) faultserver.Fault {
		if q.Bulk {
			return faultserver.Fault{Item: func(int) int { return 429 }}
		}
		return faultserver.Fault{}
	})
	err := carry(t, opensearch.New(o), []record{{id: 1, v: "a"}}, func() int { return 10 })
	if pipeline.CodeOf(err) != "OPENSEARCH_BUSY" || p.total() < o.Patience {
		t.Errorf("S02 %v, after %v", err, p.total())
	}
}

// TestTooLarge: S06 requests that are too large are split, and a row that is too large
// alone is rejected.
func TestTooLarge(t *testing.T) {
	s, o, _ := scripted(t)
	s.Limit(4000)
	o.Rejects = &kept{}
	topic := []record{{id: 1000, v: strings.Repeat("x", 5000)}}
	for i := range 300 {
		topic = append(topic, record{id: int64(i), v: strings.Repeat("y", i%200)})
	}
	if err := carry(t, opensearch.New(o), topic, func() int { return 1000 }); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(wantOf(topic[1:]), s.Documents("items")); diff != "" {
		t.Error(diff)
	}
	if got := o.Rejects.(*kept).offsets(); !slices.Equal(got, []int64{0}) {
		t.Errorf("rejected: %v", got)
	}
	if c := s.Counts(); c.Refused > 60 {
		t.Errorf("%d requests were too large: that is not remembered", c.Refused)
	}
}

// kept is a dead-letter topic in memory.
type kept struct {
	mu  sync.Mutex
	all []deliver.Rejection
}

func (k *kept) Reject(_ context.Context, r ...deliver.Rejection) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.all = append(k.all, r...)
	return nil
}

func (k *kept) offsets() (list []int64) {
	for _, r := range k.all {
		list = append(list, r.Place.Offset)
	}
	slices.Sort(list)
	return list
}

// TestRejects: S01 S05 a row that the mapping does not take goes to the policy, without
// its values; the rows around it are written.
func TestRejects(t *testing.T) {
	s, o, _ := scripted(t)
	o.Requests = 1
	s.Script(func(q faultserver.Request) faultserver.Fault {
		return faultserver.Fault{Item: func(i int) int { return map[int]int{1: 400}[i] }}
	})
	topic := []record{{id: 1, v: "a"}, {id: 2, v: "b"}, {id: 3, v: "c"}}
	err := carry(t, opensearch.New(o), topic, func() int { return 10 })
	if pipeline.CodeOf(err) != "OPENSEARCH_ROW" || strings.Contains(err.Error(), "secret") || !strings.Contains(err.Error(), "items/0 offset 1") || !strings.Contains(err.Error(), `"v"`) {
		t.Errorf("with the policy to stop: %v", err)
	}
	letters := &kept{}
	o.Rejects = letters
	if err := carry(t, opensearch.New(o), topic, func() int { return 10 }); err != nil {
		t.Fatal(err)
	}
	if got := letters.offsets(); !slices.Equal(got, []int64{1}) {
		t.Errorf("rejected: %v", got)
	}
	if diff := cmp.Diff(wantOf([]record{topic[0], topic[2]}), s.Documents("items")); diff != "" {
		t.Error(diff)
	}
}

// TestRejectsWhileWidening: a column comes while rows of before are rejected, whose
// rejections name columns.
func TestRejectsWhileWidening(t *testing.T) {
	s, o, _ := scripted(t)
	o.Requests = 1
	s.Script(func(q faultserver.Request) faultserver.Fault {
		return faultserver.Fault{Item: func(i int) int { return map[bool]int{true: 400}[q.Items == o.BulkRows] }}
	})
	letters := &kept{}
	o.Rejects = letters
	target := opensearch.New(o)
	defer target.Close()
	if _, err := target.Open(t.Context()); err != nil {
		t.Fatal(err)
	}
	topic := make([]record, o.BulkRows)
	for i := range topic {
		topic[i] = record{id: int64(i), v: "a"}
	}
	wide := *sinktest.Items
	wide.Columns = append(slices.Clone(wide.Columns), schema.Column{Name: "w", Type: wide.Columns[1].Type, Nullable: true})
	row := pipeline.Change{Table: &wide, Op: pipeline.Update, Offset: uint64(len(topic)), After: schema.Row{schema.Int(-1), schema.Null(), schema.Null()}}
	for _, b := range []pipeline.Batch{batchOf(topic, 0, len(topic)), {Tables: []*schema.Table{&wide}, Changes: []pipeline.Change{row}}} {
		if err := target.Write(t.Context(), b); err != nil {
			t.Fatal(err)
		}
	}
	if err := target.Commit(t.Context(), place(len(topic)+1, true)); err != nil {
		t.Fatal(err)
	}
	if got := letters.offsets(); len(got) != len(topic) {
		t.Errorf("rejected: %v", got)
	}
	if diff := cmp.Diff(map[string]string{"-1": `{"id":-1,"v":null,"w":null}`}, s.Documents("items")); diff != "" {
		t.Error(diff)
	}
}

// TestMissing: S08 an index that is deleted, or replaced by a backup, leads to another
// fill, or to a stop.
func TestMissing(t *testing.T) {
	for _, story := range []struct {
		name string
		harm func(s *faultserver.Server)
	}{
		{"S08 deleted", func(s *faultserver.Server) { s.Drop("items-1") }},
		{"S08 replaced", func(s *faultserver.Server) { s.Replace("items-1") }},
	} {
		t.Run(story.name, func(t *testing.T) {
			s, o, _ := scripted(t)
			topic := drawTopic(rand.New(rand.NewPCG(7, 7)), 200, 20)
			settle(t, o, topic, func() int { return 50 })
			story.harm(s)
			stopping := o
			stopping.OnMissing = opensearch.StopMissing
			if err := carry(t, opensearch.New(stopping), topic, func() int { return 50 }); pipeline.CodeOf(err) != "OPENSEARCH_MISSING" {
				t.Errorf("with the policy to stop: %v", err)
			}
			settle(t, o, topic, func() int { return 50 })
			if diff := cmp.Diff(wantOf(topic), s.Documents("items")); diff != "" {
				t.Error(diff)
			}
			if got, want := s.Indexes(), []string{"items-2", "items-evert-position"}; !slices.Equal(got, want) {
				t.Errorf("indexes: %v", got)
			}
		})
	}
	t.Run("S08 deleted while it is written to", func(t *testing.T) {
		s, o, _ := scripted(t)
		topic := drawTopic(rand.New(rand.NewPCG(8, 8)), 200, 20)
		target := opensearch.New(o)
		defer target.Close()
		if _, err := target.Open(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := target.Write(t.Context(), batchOf(topic, 0, 100)); err != nil {
			t.Fatal(err)
		}
		if err := target.Commit(t.Context(), place(100, true)); err != nil {
			t.Fatal(err)
		}
		s.Drop("items-1")
		err := target.Write(t.Context(), batchOf(topic, 100, 200))
		if err == nil {
			err = target.Commit(t.Context(), place(200, true))
		}
		if !errors.As(err, new(*deliver.Renewal)) {
			t.Errorf("it says %v", err)
		}
		if got := s.Counts().Made; !slices.Equal(got, []string{"items-evert-position", "items-1"}) {
			t.Errorf("indexes were made: %v", got)
		}
	})
}

// TestSomebodyElses: names that belong to others are refused.
func TestSomebodyElses(t *testing.T) {
	open := func(o opensearch.Options) error {
		target := opensearch.New(o)
		defer target.Close()
		_, err := target.Open(t.Context())
		return err
	}
	make := func(t *testing.T, s *faultserver.Server, name, body string) {
		t.Helper()
		must(t, http.MethodPut, s.URL()+"/"+name, body)
	}
	t.Run("an index has the alias's name", func(t *testing.T) {
		s, o, _ := scripted(t)
		make(t, s, "items", `{}`)
		if err := open(o); pipeline.CodeOf(err) != "OPENSEARCH_ALIAS" {
			t.Error(err)
		}
	})
	t.Run("the alias leads to another's index", func(t *testing.T) {
		s, o, _ := scripted(t)
		make(t, s, "items-9", `{"aliases": {"items": {}}}`)
		if err := open(o); pipeline.CodeOf(err) != "OPENSEARCH_ALIAS" {
			t.Error(err)
		}
	})
	t.Run("another sink delivers there", func(t *testing.T) {
		_, o, _ := scripted(t)
		if err := open(o); err != nil {
			t.Fatal(err)
		}
		o.Owner = "other/sink"
		if err := open(o); pipeline.CodeOf(err) != "OPENSEARCH_OWNED" {
			t.Error(err)
		}
	})
}

// TestRedirect: X09 an answer that leads elsewhere is not followed, and no credential
// goes there.
func TestRedirect(t *testing.T) {
	s, o, _ := scripted(t)
	elsewhere := faultserver.Start()
	defer elsewhere.Close()
	asked := false
	elsewhere.Script(func(faultserver.Request) faultserver.Fault { asked = true; return faultserver.Fault{} })
	s.Script(func(faultserver.Request) faultserver.Fault {
		return faultserver.Fault{Status: http.StatusTemporaryRedirect, Header: http.Header{"Location": {elsewhere.URL() + "/"}}}
	})
	o.Auth = opensearch.Basic{Username: "evert", Password: "secret"}
	target := opensearch.New(o)
	defer target.Close()
	_, err := target.Open(t.Context())
	if pipeline.CodeOf(err) != "OPENSEARCH_REFUSED" || asked || strings.Contains(err.Error(), "secret") {
		t.Errorf("asked elsewhere: %v; %v", asked, err)
	}
}

// TestRejectedRowLeavesNothing: S01 a document whose newer row the mapping does not
// take is not there any more: it would say what no row says. A replay, and a later row
// that is taken, come to the same.
func TestRejectedRowLeavesNothing(t *testing.T) {
	s, o, _ := scripted(t)
	letters := &kept{}
	o.Rejects, o.Requests = letters, 1
	topic := []record{{id: 1, v: "a"}, {id: 2, v: "b"}, {id: 1, v: "bad"}, {id: 3, v: "c"}}
	bad := false
	s.Script(func(q faultserver.Request) faultserver.Fault {
		return faultserver.Fault{Item: func(int) int { return map[bool]int{true: 400}[bad] }}
	})
	target := opensearch.New(o)
	defer target.Close()
	if _, err := target.Open(t.Context()); err != nil {
		t.Fatal(err)
	}
	deliver := func(from, to int) {
		t.Helper()
		if err := target.Write(t.Context(), batchOf(topic, from, to)); err != nil {
			t.Fatal(err)
		}
		if err := target.Commit(t.Context(), place(to, true)); err != nil {
			t.Fatal(err)
		}
	}
	deliver(0, 2)
	for range 2 {
		bad = true
		deliver(2, 3)
		bad = false
		deliver(3, 4)
		if diff := cmp.Diff(map[string]string{"2": `{"id":2,"v":"b"}`, "3": `{"id":3,"v":"c"}`}, s.Documents("items")); diff != "" {
			t.Error(diff)
		}
	}
	if got := letters.offsets(); !slices.Equal(got, []int64{2, 2}) {
		t.Errorf("rejected: %v", got)
	}
	topic = append(topic, record{id: 1, v: "good"})
	deliver(4, 5)
	if got := s.Documents("items")["1"]; got != `{"id":1,"v":"good"}` {
		t.Errorf("the next row of the key is %s", got)
	}
}

// TestReplayOfRejected: S03 a record that was rejected is written by a replay while the
// cluster still remembers that its document was removed, whoever removed it; what is
// older does not come back, and what is newer stays.
func TestReplayOfRejected(t *testing.T) {
	s, o, _ := scripted(t)
	o.Rejects, o.Requests = &kept{}, 1
	topic := []record{{id: 1, v: "old"}, {id: 2, v: "b"}, {id: 1, v: "mended"}, {id: 1, v: "newer"}}
	bad := true
	s.Script(func(q faultserver.Request) faultserver.Fault {
		return faultserver.Fault{Item: func(int) int { return map[bool]int{true: 400}[bad] }}
	})
	again := func(replay bool, offsets ...int) {
		t.Helper()
		target := opensearch.New(o)
		defer target.Close()
		if _, err := target.Open(t.Context()); err != nil {
			t.Fatal(err)
		}
		for _, offset := range offsets {
			b := batchOf(topic, offset, offset+1)
			if replay {
				b.Changes[0].Headers = []pipeline.Header{{Key: deliver.ReplayHeader, Value: []byte("true")}}
			}
			if err := target.Write(t.Context(), b); err != nil {
				t.Fatal(err)
			}
			if err := target.Commit(t.Context(), place(offset+1, true)); err != nil {
				t.Fatal(err)
			}
		}
	}
	wants := func(when, want string) {
		t.Helper()
		if got := s.Documents("items")["1"]; got != want {
			t.Errorf("%s it is %s, want %s", when, got, want)
		}
	}
	const mended, newer = `{"id":1,"v":"mended"}`, `{"id":1,"v":"newer"}`
	bad = false
	again(false, 0, 1)
	bad = true
	again(false, 2)
	bad = false
	again(false, 0)
	wants("after an older record that comes late", "")
	for range 2 {
		again(true, 2)
		wants("after a replay", mended)
	}
	again(false, 0)
	wants("after an older record that comes late", mended)
	removed := fmt.Sprintf(`{"delete":{"_id":"1","version":%d,"version_type":"external"}}`+"\n", 3<<8+7)
	must(t, http.MethodPost, o.URL+"/items/_bulk?require_alias=true", removed)
	wants("after a removal above the record", "")
	again(true, 2)
	wants("after another replay", mended)
	again(false, 3)
	again(true, 2)
	wants("after a newer record", newer)
}

// TestRequestIsRefused: S01 a request of one row that is refused for what is not about
// the row stops the sink, and the row is no dead letter.
func TestRequestIsRefused(t *testing.T) {
	s, o, _ := scripted(t)
	letters := &kept{}
	o.Rejects = letters
	s.Script(func(q faultserver.Request) faultserver.Fault {
		return faultserver.Fault{Status: map[bool]int{true: http.StatusBadRequest}[q.Bulk]}
	})
	err := carry(t, opensearch.New(o), []record{{id: 1, v: "a"}}, func() int { return 1 })
	if pipeline.CodeOf(err) != "OPENSEARCH_REFUSED" || len(letters.all) > 0 {
		t.Errorf("it ended with %v, and %d letters", err, len(letters.all))
	}
}

// TestPartialSearch: S14 what some shards do not answer is not taken for missing, and
// what the cluster keeps for a comparison is freed however that ends.
func TestPartialSearch(t *testing.T) {
	for name, page := range map[string]string{
		"a shard failed": `{"_scroll_id":"s1","timed_out":false,"_shards":{"total":2,"successful":1,"failed":1},"hits":{"hits":[]}}`,
		"out of time":    `{"_scroll_id":"s1","timed_out":true,"_shards":{"total":2,"successful":2,"failed":0},"hits":{"hits":[]}}`,
	} {
		t.Run(name, func(t *testing.T) {
			var mu sync.Mutex
			var asked []string
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				mu.Lock()
				asked = append(asked, r.Method+" "+r.URL.RequestURI())
				mu.Unlock()
				if strings.Contains(r.URL.Path, "_search") {
					fmt.Fprint(w, page)
					return
				}
				fmt.Fprint(w, `{}`)
			}))
			defer server.Close()
			o := opensearch.DefaultOptions()
			o.URL, o.Owner, o.Topic, o.Index = server.URL, "test/sink", "items", "items"
			a, err := opensearch.NewAuditor(o)
			if err != nil {
				t.Fatal(err)
			}
			defer a.Close()
			if err := a.Contents(t.Context(), func(_, _ []byte) error { return nil }); pipeline.CodeOf(err) != "OPENSEARCH_REFUSED" {
				t.Errorf("it ended with %v", err)
			}
			mu.Lock()
			defer mu.Unlock()
			if !slices.Contains(asked, "DELETE /_search/scroll") || !slices.ContainsFunc(asked, func(q string) bool { return strings.Contains(q, "allow_partial_search_results=false") }) {
				t.Errorf("it asked %q", asked)
			}
		})
	}
}

// TestRepairAfterTakeover: K05 a document that the topic did not know at the cut is not
// deleted once another process delivers: it may know it by now.
func TestRepairAfterTakeover(t *testing.T) {
	s, o, _ := scripted(t)
	topic := []record{{id: 1, v: "a"}}
	if err := carry(t, opensearch.New(o), topic, func() int { return 1 }); err != nil {
		t.Fatal(err)
	}
	a, err := opensearch.NewAuditor(o)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	_ = a.Contents(t.Context(), func(_, _ []byte) error { return nil }) // the server answers no search
	topic = append(topic, record{id: 2, v: "b"})
	if err := carry(t, opensearch.New(o), topic, func() int { return 2 }); err != nil {
		t.Fatal(err)
	}
	if err := a.Repair(t.Context(), []deliver.Fix{{ID: []byte("2")}}); !errors.Is(err, deliver.ErrMoved) {
		t.Errorf("it ended with %v", err)
	}
	if diff := cmp.Diff(wantOf(topic), s.Documents("items")); diff != "" {
		t.Error(diff)
	}
}
