package verify

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/evertdb/evert/cmd/evert/api"
	"github.com/evertdb/evert/cmd/evert/compare"
	"github.com/evertdb/evert/cmd/evert/datadir"
	"github.com/evertdb/evert/cmd/evert/outlets"
	"github.com/evertdb/evert/cmd/evert/sinks"
	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/dataflow"
	"github.com/evertdb/evert/pipeline/deliver"
	"github.com/evertdb/evert/pipeline/state/spill"
)

// sinkNamed gives the sink that a comparison is of: views and tables come first,
// and sinks.NAME is a sink whatever else has its name.
func (v *Verifier) sinkNamed(name string) *sinks.Sink {
	if own, ok := strings.CutPrefix(name, "sinks."); ok {
		return v.Sinks.Named(own)
	}
	if v.File.Views[name] != nil {
		return nil
	}
	return v.Sinks.Named(name)
}

// cutAttempts is how many cuts are tried: one can be too old to be read.
const cutAttempts = 5

// sink compares what a sink's system holds with its topic (S14).
func (v *comparison) sink(ctx context.Context, s *sinks.Sink, repair bool) error {
	refuse := func(what, mend string) error {
		return &pipeline.Refusal{Code: codeImpossible, Where: "sink " + s.Name, What: what, Mend: mend}
	}
	of, ok := s.Outlet.(outlets.Auditable)
	if !ok {
		return refuse("what was sent to its system cannot be read back", "evert verify "+s.Config.From[0]+"   # what is sent from")
	}
	v.report.Kind, v.report.Source = "sink", s.Config.From.String()
	for range cutAttempts {
		err := v.audit(ctx, s, of, repair)
		if !errors.Is(err, deliver.ErrMoved) {
			return err
		}
		v.step("waiting for a newer cut")
		moved := s.Delivery.Moved()
		select {
		case <-moved:
		case <-time.After(cutPatience):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return refuse("its topic could not be read as it was at a cut: what is overwritten goes sooner than reading takes", "raise min.compaction.lag.ms of the topic, or compare when less is written")
}

// audit compares at the cut at which the sink rests next.
func (v *comparison) audit(ctx context.Context, s *sinks.Sink, of outlets.Auditable, repair bool) error {
	v.step("waiting for the sink to rest at a cut")
	bounded, cancel := context.WithTimeout(ctx, cutPatience)
	defer cancel()
	at, release, err := s.Delivery.Rest(bounded)
	if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
		return &pipeline.Refusal{Code: codeImpossible, Where: "sink " + s.Name, What: "it did not come to rest at a cut within " + cutPatience.String(), Mend: "evert status   # says what keeps it; then try again"}
	}
	if err != nil {
		return err
	}
	defer release()
	auditor, err := of.Auditor()
	if err != nil {
		return err
	}
	defer auditor.Close()
	pool, err := spill.Open(datadir.SpillPath(v.File.DataDir, "verify.tmp"), spill.Options{Memory: int64(v.File.Limits.VerifyBytes), Disk: int64(v.File.Limits.SpillBytes)})
	if err != nil {
		return err
	}
	v.report.Position, v.report.Snapshot = at.Cut.Resume.At.Native, at.Cut.Resume.At.Native
	found, err := s.Delivery.Audit(ctx, deliver.Audit{
		Auditor: auditor, Sorter: func() (dataflow.Sorter, error) { return pool.NewSorter() }, Repair: repair, Named: namedKeys,
		Told: func(step string, rows int64) { v.tell(api.VerifyProgress{Step: step, Rows: rows}) },
	}, at)
	if err != nil {
		return err
	}
	v.report.Report = reportOf(&found)
	v.report.Refused, v.report.Repaired = found.Refused, found.Repaired
	return nil
}

func reportOf(f *deliver.Audited) compare.Report {
	r := compare.Report{Rows: f.Rows, Equal: f.Equal, Missing: f.Missing, Surplus: f.Surplus, Differing: f.Differing, Keys: []compare.Difference{}}
	for _, d := range f.Named {
		r.Keys = append(r.Keys, compare.Difference{Kind: d.Kind, Key: shownID(d.ID)})
	}
	return r
}

// shownID writes an id for people and machines.
func shownID(text string) json.RawMessage {
	if !utf8.ValidString(text) || strings.ContainsFunc(text, func(r rune) bool { return r < ' ' }) {
		text = "0x" + hex.EncodeToString([]byte(text))
	}
	b, err := json.Marshal(text)
	if err != nil {
		panic(err) // a string always has a JSON form
	}
	return b
}
