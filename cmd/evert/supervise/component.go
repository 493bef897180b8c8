package supervise

import (
	"cmp"
	"context"
	"time"
)

// A Component is a part of the daemon that lives as long as the daemon does.
type Component struct {
	Run     func(ctx context.Context) error // makes everything it needs anew; nil means done
	Backoff Backoff
	Settled time.Duration // a run that lasted this long begins the back-off anew; Backoff.Max if 0
	// Progressed reports whether anything was achieved since it was last called: a
	// run that achieved nothing has to last ten times as long until it counts as
	// settled, as it may have waited all the while for what then failed. Every run
	// did if nil.
	Progressed func() bool
	Person     func(err error) bool // reports whether only a person can mend err; never if nil
	FailFast   bool                 // return the first error instead of trying again
	Events     Events
	Now        func() time.Time                                 // time.Now if nil
	Sleep      func(ctx context.Context, d time.Duration) error // waits for d or ctx; a timer if nil
}

// Events are told what becomes of a component, on its own goroutine. Any of
// them may be nil.
type Events struct {
	Starting func(attempt int)                   // from 1; counts on for the component's whole life
	Failed   func(err error, wait time.Duration) // runs again after wait
}

// Supervise runs c until it is done, until ctx ends (nil: what it had to finish
// it has finished), or, with FailFast, until it fails.
func (c *Component) Supervise(ctx context.Context) error {
	for attempt := 1; ctx.Err() == nil; attempt++ {
		if c.Events.Starting != nil {
			c.Events.Starting(attempt)
		}
		began := c.now()
		err := c.Run(ctx)
		if err == nil || ctx.Err() != nil {
			return nil
		}
		if c.FailFast {
			return err
		}
		wait := c.pause(err, c.now().Sub(began))
		if c.Events.Failed != nil {
			c.Events.Failed(err, wait)
		}
		_ = c.sleep(ctx, wait)
	}
	return nil
}

// pause chooses the wait after a run that lasted this long.
func (c *Component) pause(err error, lasted time.Duration) time.Duration {
	settled := cmp.Or(c.Settled, c.Backoff.Max)
	if c.Progressed != nil && !c.Progressed() {
		settled *= 10
	}
	if c.Person != nil && c.Person(err) {
		return c.Backoff.Longest()
	}
	if lasted >= settled {
		c.Backoff.Reset()
	}
	return c.Backoff.Next()
}

func (c *Component) now() time.Time {
	if c.Now != nil {
		return c.Now()
	}
	return time.Now()
}

func (c *Component) sleep(ctx context.Context, d time.Duration) error {
	if c.Sleep != nil {
		return c.Sleep(ctx, d)
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
