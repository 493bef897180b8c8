package deliver

import (
	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/log"
)

// CutAt gives the frontier record of the source that a place of d's target lies at,
// or a later one at which the rows of the topics are the same: other tables moved
// on. ok is false while nothing whole was delivered, and for what is no place.
func (d *Delivery) CutAt(place pipeline.Resume) (cut log.Frontier, ok bool) {
	at, err := parseStanding(place.State, d.Topics)
	if err != nil || !at.whole {
		return cut, false
	}
	d.display.mu.Lock()
	defer d.display.mu.Unlock()
	if has := d.display.has; has != nil && has.whole && has.cut.Number == at.cut.Number && has.cut.Incarnation == at.cut.Incarnation {
		return d.display.shown().Clone(), true
	}
	return at.cut, true
}
