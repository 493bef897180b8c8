package verify

import (
	"context"
	"errors"
	"time"

	"github.com/evertdb/evert/cmd/evert/api"
	"github.com/evertdb/evert/cmd/evert/compare"
	"github.com/evertdb/evert/cmd/evert/databases"
	"github.com/evertdb/evert/cmd/evert/datadir"
	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/dataflow"
	"github.com/evertdb/evert/pipeline/log"
	"github.com/evertdb/evert/pipeline/state/spill"
)

const (
	pinPatience = time.Minute // for the database's snapshot: capture stands still meanwhile
	cutPatience = time.Minute // for capture, and for a view, to come to its place
	namedKeys   = 100         // keys of rows that differ, in a report
	noticeEvery = time.Second // how often the progress is told
)

// comparison is one, of what a name means.
//
//	hold capture ─► pin the database ─► capture comes to the pin's place: a cut ─► pin the topic or the view there
//	     ─► capture goes on ─► read both sides, sort, merge
type comparison struct {
	*Verifier
	name    string
	capture Capture
	source  databases.Pinner
	tell    func(api.VerifyProgress)
	pin     databases.Pin
	report  api.Verified
	cut     log.Offsets // of the topic that is compared
	cutAt   time.Time   // no later than it was committed
	doing   string
	rows    int64 // of it so far
	told    time.Time
}

// run compares what the name means: a view, a sink, or else a table.
func (v *comparison) run(ctx context.Context, repair bool) error {
	if s := v.sinkNamed(v.name); s != nil {
		return v.sink(ctx, s, repair)
	}
	if v.Views != nil {
		if shown, ok := v.Views.View(v.name); ok && repair {
			return &pipeline.Refusal{Code: codeImpossible, Where: "view " + v.name, What: "a view follows its tables, and is not repaired by itself", Mend: "evert verify TABLE --repair   # of each of its tables"}
		} else if ok {
			return v.view(ctx, shown)
		}
	}
	return v.table(ctx) // whoever asked repairs it: that takes as long as a copy, and others may compare meanwhile
}

// pinned holds capture at the place of a snapshot of the database, and calls at
// with the cut that the log has there.
func (v *comparison) pinned(ctx context.Context, at func(cut pipeline.Position) error) error {
	if !v.capture.Ready() {
		return v.refuse("its tables are not copied yet, or it does not run", "evert status   # says how far it is")
	}
	g := v.capture.Gate()
	if !g.Hold() {
		return v.refuse("another comparison holds the source", "wait for its end")
	}
	v.capture.Urge()
	defer v.capture.Urge()
	defer g.Release()
	v.step("waiting for a snapshot of the database")
	bounded, cancel := context.WithTimeout(ctx, pinPatience)
	defer cancel()
	var err error
	if v.pin, err = v.source.Pin(bounded); err != nil {
		return err
	}
	g.Until(v.pin)
	v.step("waiting for capture to come to " + v.pin.Native())
	bounded, cancel = context.WithTimeout(ctx, cutPatience)
	defer cancel()
	v.cutAt = time.Now()
	cut, err := g.Reached(bounded)
	if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
		return v.refuse("capture did not come to the place of the snapshot within "+cutPatience.String(), "evert status   # says what keeps it; then try again")
	}
	if err != nil {
		return err
	}
	v.report.Position, v.report.Snapshot = v.capture.Name()+":"+cut.Native, v.pin.Native()
	return at(cut)
}

func (v *comparison) refuse(what, mend string) error {
	return &pipeline.Refusal{Code: codeImpossible, Where: "source " + v.capture.Name(), What: what, Mend: mend}
}

// compare sorts both sides and merges them.
func (v *comparison) compare(columns *compare.Columns, there func(dataflow.Sorter) error, equal func(a, b []byte) bool, here func(dataflow.Sorter) error) error {
	pool, err := spill.Open(datadir.SpillPath(v.File.DataDir, "verify.tmp"), spill.Options{Memory: int64(v.File.Limits.VerifyBytes), Disk: int64(v.File.Limits.SpillBytes)})
	if err != nil {
		return err
	}
	mine, err := pool.NewSorter()
	if err != nil {
		return err
	}
	defer mine.Close()
	theirs, err := pool.NewSorter()
	if err != nil {
		return err
	}
	defer theirs.Close()
	if err := here(mine); err != nil {
		return err
	}
	if err := there(theirs); err != nil {
		return err
	}
	v.step("comparing")
	left, err := mine.Sort()
	if err != nil {
		return err
	}
	right, err := theirs.Sort()
	if err != nil {
		return err
	}
	v.report.Report, err = columns.Merge(left, right, equal)
	return err
}

// step says what is done next.
func (v *comparison) step(what string) {
	v.rows, v.told = 0, time.Now()
	v.doing = what
	v.tell(api.VerifyProgress{Step: what})
}

// count counts a row, and tells of it now and then.
func (v *comparison) count() {
	v.rows++
	if v.rows%1000 == 0 && time.Since(v.told) >= noticeEvery {
		v.told = time.Now()
		v.tell(api.VerifyProgress{Step: v.doing, Rows: v.rows})
	}
}
