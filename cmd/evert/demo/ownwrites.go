package demo

import (
	"context"
	"encoding/json"
	"slices"
	"sync"
	"time"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/view/query"
)

// OwnWrites is a client that reads what it has just written: it commits an order,
// takes the position behind the commit, and reads the customer's document with it.
//
//	commit ─► the position behind it ─► read with wait_for ─► is the order in it?
type OwnWrites struct {
	Shop  Shop
	Every time.Duration
	// Read gives the row of customer_orders as it is behind a position.
	Read func(ctx context.Context, customer, position string) (json.RawMessage, error)

	mu   sync.Mutex
	seen Reads
	took []time.Duration // of the newest reads
}

// Reads is how such reads went.
type Reads struct {
	Commits int64         // of the client
	Changes int64         // rows changed in them
	Good    int64         // reads that contained their write
	Missed  int64         // that were answered without it: there must be none
	Late    int64         // that were not answered in time
	Median  time.Duration // from the commit to the answer, of the newest good ones
}

// OwnCustomer is the one who orders.
const OwnCustomer = "17"

// newestReads are as many as the median is of.
const newestReads = 1000

// Count gives how the reads went so far.
func (o *OwnWrites) Count() Reads {
	o.mu.Lock()
	defer o.mu.Unlock()
	r := o.seen
	if n := len(o.took); n > 0 {
		sorted := slices.Sorted(slices.Values(o.took))
		r.Median = sorted[n/2]
	}
	return r
}

// Run writes and reads until ctx ends (nil) or something fails.
func (o *OwnWrites) Run(ctx context.Context) error {
	c, err := o.Shop.open(ctx)
	if err != nil {
		return ended(ctx, err)
	}
	defer c.close()
	tick := time.NewTicker(o.Every)
	defer tick.Stop()
	for before := int64(0); ; {
		if before, err = o.round(ctx, c, before); err != nil {
			return ended(ctx, err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// Once writes and reads once.
func (o *OwnWrites) Once(ctx context.Context) error {
	c, err := o.Shop.open(ctx)
	if err != nil {
		return err
	}
	defer c.close()
	_, err = o.round(ctx, c, 0)
	return err
}

// round replaces the order of the round before by another, and reads.
func (o *OwnWrites) round(ctx context.Context, c conn, before int64) (id int64, err error) {
	changed := int64(1)
	err = within(ctx, c, func() error {
		gone, err := c.exec(ctx, o.Shop.words.ownDelete, before)
		if err != nil {
			return err
		}
		changed += gone
		id, err = number(ctx, c, o.Shop.words.ownInsert, OwnCustomer)
		return err
	})
	if deadlocked(err) {
		return before, nil
	}
	if err != nil {
		return id, err
	}
	committed := time.Now()
	o.committed(changed)
	position, err := text(ctx, c, o.Shop.words.position)
	if err != nil {
		return id, err
	}
	row, err := o.Read(ctx, OwnCustomer, position)
	return id, o.count(row, err, id, before, time.Since(committed))
}

func (o *OwnWrites) committed(changed int64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.seen.Commits++
	o.seen.Changes += changed
}

// count counts an answer.
func (o *OwnWrites) count(row json.RawMessage, err error, id, before int64, took time.Duration) error {
	has := false
	switch pipeline.CodeOf(err) {
	case query.CodeNotReady:
		return nil // it fills for the first time
	case query.CodeNoRow, query.CodeTimeout:
	default:
		if err == nil {
			has, err = contains(row, id, before)
		}
		if err != nil {
			return err
		}
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	switch {
	case has:
		o.seen.Good++
		o.took = append(o.took[max(0, len(o.took)+1-newestReads):], took)
	case pipeline.CodeOf(err) == query.CodeTimeout:
		o.seen.Late++
	default:
		o.seen.Missed++
	}
	return nil
}

// contains reports whether a document has an order and lacks another.
func contains(row json.RawMessage, id, without int64) (bool, error) {
	var doc struct{ History []struct{ ID int64 } }
	if err := json.Unmarshal(row, &doc); err != nil {
		return false, err
	}
	has := false
	for _, order := range doc.History {
		if order.ID == without {
			return false, nil
		}
		has = has || order.ID == id
	}
	return has, nil
}
