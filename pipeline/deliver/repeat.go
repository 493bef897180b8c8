package deliver

import (
	"context"

	"github.com/evertdb/evert/pipeline/intake"
	"github.com/evertdb/evert/pipeline/state/store"
)

// A step that was cut off on its way to a target that tells of changes may have been told
// in part. It lies in the store as it was to be given, whatever the topic holds by now,
// and so does what the rows were: it is given once more, event for event, and what
// comes later follows it.
//
//	staged ─► told in part ─ crash ─► staged: told again, the same ─► committed ─► the next step

// stepAgain makes the end of the step that was cut off what is read.
func (p *pump) stepAgain() error {
	to, err := parseStanding(p.old.to, p.Topics)
	if err != nil {
		return lost("what it was given last cannot be read")
	}
	p.at, p.rows = to, 0
	p.newest = intake.Report{Known: true, Cut: to.cut}
	return nil
}

// repeat gives the step again.
func (p *pump) repeat(ctx context.Context) error {
	for p.paused() {
		p.display.resting(&rest{p.given, p.newest.Written})
		if err := p.sleep(ctx, 0); err != nil {
			return err
		}
	}
	p.display.resting(nil)
	if err := p.assign(ctx); err != nil {
		return err
	}
	if err := p.old.read(func(e *store.Epoch) error { return p.giveStaged(ctx, e) }); err != nil {
		return lostIfDamaged(err)
	}
	end := p.at.resume(0)
	return p.giveEnd(ctx, &end)
}
