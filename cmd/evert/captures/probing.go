package captures

import (
	"context"
	"time"

	"github.com/evertdb/evert/pipeline"
)

// Patience is how long one turn of the prober may take.
func (c *Capture) Patience() time.Duration {
	p := probeEvery + 10*time.Second
	if pg := c.File.Sources[c.name].Postgres; pg != nil {
		p += pg.ConnectTimeout
	}
	return p
}

// probe asks the server again and again, whatever the stage does (O12), and more
// and more seldom for as long as it refuses us: many refusals may lock an account
// (P36).
func (c *Capture) probe(ctx context.Context) {
	tick := time.NewTicker(probeEvery)
	defer tick.Stop()
	defer c.Probes.Rests()
	pause, next := probeEvery, time.Now()
	for {
		c.Probes.Turned(time.Now())
		if !time.Now().Before(next) {
			pause = c.probeOnce(ctx, pause)
			next = time.Now().Add(pause - probeEvery/2) // ticks are not exact
		}
		select {
		case <-ctx.Done():
			return
		case now := <-tick.C:
			c.Remind(now)
		}
	}
}

// probeOnce asks the server, and gives how long to pause when before was the
// pause until now.
func (c *Capture) probeOnce(ctx context.Context, before time.Duration) time.Duration {
	p, err := c.database.Probe(ctx, c.Monitor.Position().At.Native)
	if err == nil {
		c.Monitor.Probed(p)
		return probeEvery
	}
	if ctx.Err() == nil {
		c.Monitor.ProbeFailed(err)
	}
	return pauseAfter(err, before)
}

// pauseAfter is how long to pause after a probe that failed.
func pauseAfter(err error, before time.Duration) time.Duration {
	if pipeline.CodeOf(err) == "" {
		return probeEvery
	}
	return min(2*before, time.Minute)
}
