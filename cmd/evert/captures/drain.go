package captures

import (
	"context"

	"github.com/evertdb/evert/cmd/evert/api"
	"github.com/evertdb/evert/cmd/evert/databases"
	"github.com/evertdb/evert/pipeline"
)

// Drains reports whether the source is of a kind that is drained.
func (c *Capture) Drains() bool {
	_, ok := c.positions.(databases.Drainer)
	return ok
}

// Undrain has a source that was drained go on where it stands.
func (c *Capture) Undrain(ctx context.Context) error {
	return c.WhileResting(ctx, func() { c.undrain = true })
}

// Drain drains the source that runs.
func (c *Capture) Drain(ctx context.Context, how api.Drain) (api.Drained, error) {
	c.mu.Lock()
	d := c.drains
	c.mu.Unlock()
	if d == nil {
		return api.Drained{}, &pipeline.Refusal{Code: databases.CodeNotDrained, Where: "source " + c.name, What: "it does not run here now", Mend: "evert status   # why, and what mends it"}
	}
	return d.Drain(ctx, how)
}

// drainable lets a source be drained from here on, and one go on that was, if people
// said so. What is given back ends that.
func (c *Capture) drainable(s databases.Source) (end func()) {
	d, ok := s.(databases.Drainer)
	if ok && c.undrain {
		d.Undrain()
	}
	c.letDrain(d)
	return func() { c.letDrain(nil) }
}

func (c *Capture) letDrain(d databases.Drainer) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.drains = d
}
