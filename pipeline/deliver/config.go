package deliver

import (
	"cmp"
	"context"
	"time"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/log"
	"github.com/evertdb/evert/schema/registry"
)

// Config says what is delivered, and to what. All of it is read only.
type Config struct {
	Deployment string
	Name       string   // of the sink
	Of         string   // whose rows they are, for people: source shop, view totals
	Owner      string   // whose frontier counts: a source's name, or log.ViewOwner of a view's
	Topics     []string // of the rows: one, or several of one source, which move from cut to cut together
	// Positions gives where each source is at a frontier record of a view; nil: the
	// owner is the source.
	Positions func(*log.Frontier) (map[string]string, error)
	// Compare tells how a frontier record of a view stands to an earlier one that was
	// delivered; nil where Positions is.
	Compare func(has, had *log.Frontier) (Order, error)
	// Definition says what the target is made from; when it changes, the target is
	// filled anew.
	Definition string
	Atomic     bool // commits follow whole cuts alone
	Log        log.Log
	Registry   registry.Registry
	Target     func() (Target, error) // makes a target, anew for each run
	// Transforms makes what rows have to pass, likewise; nil: nothing. What cannot be
	// transformed goes to r, which in a comparison only counts.
	Transforms func(r Rejects) ([]pipeline.Transform, error)
	// Rejects decides what becomes of records that cannot be read (R09), as Target
	// asks it what becomes of rows that are not taken; nil: the sink stops.
	Rejects Rejects
	OldRows *OldRows // keeps what the target was given, for transforms that need old rows; nil: changes come without
	Limits  Limits
	Events  Events
	// Holding tells who else holds the stable end of a topic, as a refusal that
	// passes; nil: nobody.
	Holding func(ctx context.Context, topic string) error
	Now     func() time.Time // time.Now if nil
}

// Limits bound what a sink does at once (I9). The zero value of a field takes the
// default.
type Limits struct {
	Interval   time.Duration // a commit follows at most this often under load; 100 ms
	IdleCommit time.Duration // a place without rows is committed at most this often; 5 s
	Rows       int           // of one commit; 10,000
	Bytes      int           // of one commit; as many are decoded ahead of the target; 8 MiB
	Timeout    time.Duration // a commit is open for at most this long, where it may end anywhere; 30 s
	Drain      time.Duration // how long the last commit may take once the sink is told to stop; 10 s
	Missing    int           // rows of a step whose values a newer record has replaced in a side topic, and that was not read yet; 100,000
	Patience   time.Duration // how long reading may stand still before is asked who is in the way; 10 s
}

func (l Limits) withDefaults() Limits {
	d := pipeline.DefaultLimits()
	l.Interval = cmp.Or(l.Interval, d.Interval)
	l.IdleCommit = cmp.Or(l.IdleCommit, 5*time.Second)
	l.Rows = cmp.Or(l.Rows, 10_000)
	l.Bytes = cmp.Or(l.Bytes, 8<<20)
	l.Timeout = cmp.Or(l.Timeout, d.Timeout)
	l.Drain = cmp.Or(l.Drain, d.Drain)
	l.Missing = cmp.Or(l.Missing, 100_000)
	l.Patience = cmp.Or(l.Patience, 10*time.Second)
	return l
}

// stage gives the limits of the stage. An atomic target is not asked to commit
// inside a cut whatever they say: no place lies there.
func (l Limits) stage() pipeline.Limits {
	d := pipeline.DefaultLimits()
	return pipeline.Limits{Interval: l.Interval, Quiet: min(d.Quiet, l.Interval), Copying: max(d.Copying, l.Interval), Rows: l.Rows, Bytes: l.Bytes, Timeout: l.Timeout, Drain: l.Drain}
}

// Events are told what a sink does, on the goroutine of the stage or, Held and
// Reading, on that of its source; they must not block. Any of them may be nil.
type Events struct {
	Opened    func(o Opening)
	Held      func(why *pipeline.Refusal)            // nothing is read until a table is there; nil: no longer
	Filling   func(p Progress)                       // once a second at most, while a target is filled
	Filled    func(at pipeline.Position, p Progress) // what was filled is seen
	Renewing  func(why string)                       // what the target holds is given up
	Committed func(c pipeline.Committed)
}

// An Opening says how a target was found.
type Opening struct {
	Filling bool
	At      pipeline.Position // that it has reached; zero while it is filled
	Inside  uint64            // rows behind that
}

// An Order is how one frontier record of a view stands to another that was delivered.
type Order uint8

// A record follows the delivered one; or the log was put back to before that, so that
// no way leads from one to the other. There the view's sources are not yet where they
// were, or each of them is, or has begun anew.
const (
	Follows Order = iota
	Below
	Beside
)
