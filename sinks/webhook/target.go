package webhook

import (
	"context"
	"errors"
	"hash/fnv"
	"sync"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/deliver"
	"github.com/evertdb/evert/pipeline/deliver/event"
)

// Target implements deliver.Target over an HTTP endpoint.
type Target struct {
	config  Config
	client  *client
	events  *event.Encoder
	topics  []string
	lanes   []batch // what is not sent yet, by key
	key     []byte
	filling bool
}

// New makes a target. Nothing is called yet.
func New(c Config) *Target {
	c = c.withDefaults()
	t := &Target{config: c, client: newClient(&c), events: event.New(c.Origins...), topics: event.Topics(c.Origins), lanes: make([]batch, c.InFlight)}
	return t
}

// Open implements pipeline.Sink.
func (t *Target) Open(ctx context.Context) (pipeline.Resume, error) {
	if err := t.client.check(); err != nil {
		return pipeline.Resume{}, err
	}
	from, err := t.config.Keeper.Open(ctx)
	t.filling = from.At.IsZero()
	return from, err
}

// Write implements pipeline.Sink. Full batches are sent before the commit.
func (t *Target) Write(ctx context.Context, b pipeline.Batch) error {
	for i := range b.Changes {
		if err := t.addInTurn(ctx, &b.Changes[i]); err != nil {
			return err
		}
	}
	return nil
}

// addInTurn adds a change. A TRUNCATE is of every key: what came before it is answered
// first, and what comes behind it is sent when it is.
func (t *Target) addInTurn(ctx context.Context, c *pipeline.Change) error {
	if c.Op != pipeline.Truncate {
		return t.add(ctx, c)
	}
	if err := t.send(ctx); err != nil {
		return err
	}
	if err := t.add(ctx, c); err != nil {
		return err
	}
	return t.send(ctx)
}

// add puts a change into the lane of its key. Where its event would make a body
// too large, everything is sent first.
func (t *Target) add(ctx context.Context, c *pipeline.Change) error {
	l := t.lane(c)
	l.events = t.events.Append(l.events, c, t.filling)
	place := deliver.PlaceIn(t.topics, c)
	if !l.full(&t.config) {
		l.end(place, c)
		return nil
	}
	late := append([]byte(nil), l.cut()...)
	if err := t.send(ctx); err != nil {
		return err
	}
	l.events = append(l.events, late...)
	l.end(place, c)
	return nil
}

// lane gives the batch of a change's key.
func (t *Target) lane(c *pipeline.Change) *batch {
	if len(t.lanes) == 1 {
		return &t.lanes[0]
	}
	t.key = t.events.AppendKey(t.key[:0], c)
	sum := fnv.New32a()
	sum.Write(t.key)
	return &t.lanes[sum.Sum32()%uint32(len(t.lanes))]
}

// send sends what the lanes hold, and returns when all of it is answered.
func (t *Target) send(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	errs := make([]error, len(t.lanes))
	var group sync.WaitGroup
	for i := range t.lanes {
		if t.lanes[i].len() == 0 {
			continue
		}
		group.Go(func() {
			if errs[i] = t.deliver(ctx, t.lanes[i].part()); errs[i] != nil {
				cancel() // the others end with it
			}
		})
	}
	group.Wait()
	for i := range t.lanes {
		t.lanes[i].clear()
	}
	return firstOf(errs)
}

// firstOf gives the error that ended the others.
func firstOf(errs []error) (first error) {
	for _, err := range errs {
		if err != nil && (first == nil || errors.Is(first, context.Canceled)) {
			first = err
		}
	}
	return first
}

// deliver sends a part of a batch. One that is not taken for what is in it is
// halved until the event is found that it is about.
func (t *Target) deliver(ctx context.Context, p part) error {
	rejected, err := t.client.post(ctx, p)
	if err != nil || rejected == nil {
		return err
	}
	if p.len() == 1 {
		return t.config.Rejects.Reject(ctx, deliver.Rejection{Place: p.places()[0], Why: rejected})
	}
	first, second := p.halves()
	if err := t.deliver(ctx, first); err != nil {
		return err
	}
	return t.deliver(ctx, second)
}

// Commit implements pipeline.Sink: everything is answered, and then the place is
// kept.
func (t *Target) Commit(ctx context.Context, at pipeline.Resume) error {
	if err := t.send(ctx); err != nil {
		return err
	}
	t.filling = at.At.IsZero()
	return t.config.Keeper.Keep(ctx, at)
}

// Renew implements deliver.Target.
func (t *Target) Renew(ctx context.Context) error {
	if _, err := t.config.Keeper.Open(ctx); err != nil {
		return err
	}
	return t.config.Keeper.Keep(ctx, pipeline.Resume{})
}

// Close implements pipeline.Sink.
func (t *Target) Close() error {
	for i := range t.lanes {
		t.lanes[i].clear()
	}
	t.client.close()
	return t.config.Keeper.Close()
}
