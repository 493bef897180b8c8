package captures

import (
	"time"

	"github.com/evertdb/evert/cmd/evert/monitor"
	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/capture"
	"github.com/evertdb/evert/schema"
)

// tableStopped notes that a table has stopped, now or in an earlier run: then it
// is told of twice, and its name is known the second time.
func (c *Capture) tableStopped(topic string, t *schema.Table, why *pipeline.Refusal) {
	p := monitor.ProblemOf(why, time.Now())
	if t != nil {
		c.Monitor.TableStopped(t.String(), p)
	}
	if known := c.stopped[topic]; known != nil && known.Error() == why.Error() {
		return
	}
	c.stopped[topic] = why
	if c.Tables().MendsItself(t, why.Code) {
		c.log.Warn("a table has stopped, and is copied again by itself; the others go on", "topic", topic, "error", p.Text, "code", string(p.Code))
		return
	}
	c.log.Error("a table has stopped; the others go on", "topic", topic, "error", p.Text, "code", string(p.Code), "mend", p.Mend)
}

// stopsFor is told of tables that stop. With --fail-fast the daemon ends with the first
// one, once that is committed, but for those that people let rest, and those that stopped in an earlier run: they
// could not be mended while it is set.
func (c *Capture) stopsFor() func(string, *schema.Table, *pipeline.Refusal) {
	return func(topic string, t *schema.Table, why *pipeline.Refusal) {
		known := c.stopped[topic]
		earlier := !c.open || known != nil && known.Code == why.Code && known.What == why.What
		if c.tableStopped(topic, t, why); c.FailFast && !earlier && why.Code != capture.CodePaused {
			c.ends = why
		}
	}
}
