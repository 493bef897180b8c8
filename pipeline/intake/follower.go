package intake

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/log"
)

// A Follower follows the frontier topic of one source, or view, and keeps the
// newest cut of some of its topics. Run is called by one goroutine at a time;
// Report may be called by any.
type Follower struct {
	Log    log.Log
	Of     string   // what it is, for people: source shop, view totals
	Source string   // its name in the file
	Topic  string   // of the frontier
	Topics []string // whose part of each cut counts
	State  bool     // cuts keep the state of whoever wrote them: a view's says where its sources are
	// Known reports whether something was read of the source before: then a frontier
	// that is not there was.
	Known func() bool
	Moved func() // is called behind each change of the report; it must not block

	seen bool // a frontier; owned by Run

	mu  sync.Mutex
	now Report
	err error // why it follows no more
}

// A Report is what a Follower knows.
type Report struct {
	Known   bool         // the rest says something
	Cut     log.Frontier // of the topics that count
	Written time.Time    // when the log took the frontier record
	Held    *Hold        // why nobody may go to the cut
}

// A Hold says why a source's rows cannot be read up to its newest cut; it passes.
type Hold struct {
	What string // a sentence without a full stop
	Mend string // what shows more; empty: how far the source is
}

// Run follows until ctx ends or it cannot go on, which Report says from then on.
func (f *Follower) Run(ctx context.Context) {
	f.tell(func() { f.now, f.err = Report{}, nil }) // what an earlier run knew may be of a topic that is gone
	err := f.follow(ctx)
	if ctx.Err() != nil {
		return
	}
	f.tell(func() { f.err = fmt.Errorf("follow %s: %w", f.Topic, err) })
}

// tell changes what is known.
func (f *Follower) tell(change func()) {
	f.mu.Lock()
	change()
	f.mu.Unlock()
	f.Moved()
}

// Report gives what is known, or why nothing more will be.
func (f *Follower) Report() (Report, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.now, f.err
}

// follow reads the frontier topic for good; one that is gone is waited for.
func (f *Follower) follow(ctx context.Context) error {
	for {
		if err := f.awaitTopic(ctx); err != nil {
			return err
		}
		if err := f.read(ctx); !errors.Is(err, log.ErrNoTopic) {
			return err
		}
		if err := pipeline.Pause(ctx, topicPoll); err != nil {
			return err
		}
	}
}

// read reads the frontier topic from its start on, until it is gone.
func (f *Follower) read(ctx context.Context) error {
	r, err := f.Log.Reader(ctx)
	if err != nil {
		return err
	}
	defer r.Close()
	if err := r.Assign(log.Offsets{{Topic: f.Topic}: 0}); err != nil {
		return err
	}
	var fold log.Fold
	var written time.Time
	for {
		got, err := r.Next(ctx, 1000)
		if err != nil {
			return err
		}
		for i := range got.Records {
			if err := fold.Apply(&got.Records[i]); err != nil {
				return poison(&got.Records[i], err)
			}
			if string(got.Records[i].Key) != log.ResumeKey {
				written = got.Records[i].Time
			}
		}
		if got.Next < got.Stable || len(got.Records) == 0 {
			continue
		}
		now := Report{Known: true, Held: &Hold{What: "the copy of its tables is not complete"}}
		if newest, ok := fold.Frontier(); ok {
			f.seen = true
			now = f.see(newest, written)
		}
		f.tell(func() { f.now = now })
	}
}

// topicPoll is how often is asked whether a source has begun.
const topicPoll = 500 * time.Millisecond

// awaitTopic waits until the source has begun. One that was read before begins anew,
// unless nobody writes it any more, which the hold says meanwhile (R23).
func (f *Follower) awaitTopic(ctx context.Context) error {
	for {
		infos, err := f.Log.Admin().Topics(ctx, f.Topic)
		if err != nil || len(infos) > 0 && infos[0].Ends[0].Stable > 0 {
			return err
		}
		what := f.Of + " has committed nothing yet"
		if f.Known() || f.seen {
			what = "the frontier of " + f.Of + " is gone: it was reset and has not begun anew yet, or somebody deleted topic " + f.Topic
		}
		f.tell(func() { f.now = Report{Known: true, Held: &Hold{What: what}} })
		if err := pipeline.Pause(ctx, topicPoll); err != nil {
			return err
		}
	}
}

// see takes the part that counts out of a frontier.
func (f *Follower) see(whole *log.Frontier, written time.Time) Report {
	r := Report{Known: true, Written: written, Cut: log.Frontier{
		Number: whole.Number, Incarnation: whole.Incarnation, Resume: pipeline.Resume{At: whole.Resume.At}, Time: whole.Time,
		Offsets: log.Offsets{}, Tables: map[string]log.TableState{},
	}}
	if f.State {
		r.Cut.Resume.State = slices.Clone(whole.Resume.State)
	}
	for _, topic := range f.Topics {
		state, ok := whole.Tables[topic]
		switch {
		case !ok, state.State == log.OK && len(state.From) == 0: // it has no topic yet
			r.Held = &Hold{"table topic " + topic + " is not among those that the source writes",
				"evert status   # which tables the source captures; list this one under sources." + f.Source}
		case state.State == log.Copying:
			r.Held = &Hold{"table topic " + topic + " is being copied", "evert status   # how far the copy is"}
		case state.State == log.Stopped:
			r.Held = &Hold{"table topic " + topic + " has stopped", "evert status   # why it has stopped, and what mends it"}
		}
		r.Cut.Tables[topic] = state
		for p := range state.From {
			tp := log.TopicPartition{Topic: topic, Partition: int32(p)}
			r.Cut.Offsets[tp] = whole.Offsets[tp]
		}
	}
	return r
}
