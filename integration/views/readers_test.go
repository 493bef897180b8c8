//go:build unix

package views

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/evertdb/evert/integration/harness"
)

// lookEvery is the pace of each reader: several looks for each epoch.
const lookEvery = 2 * time.Millisecond

// readers read until they are stopped: one the ledger; one
// the ledger with the position that it got before; one all owners, a page.
type readers struct {
	stop           func()
	ledger, wealth atomic.Int64
}

func (b *bank) readers() *readers {
	ctx, cancel := context.WithCancel(b.Context())
	var all sync.WaitGroup
	r := &readers{}
	r.stop = func() { cancel(); all.Wait() }
	door := harness.NewDoor(b.Data())
	b.Cleanup(func() { r.stop(); door.Close() })
	all.Go(func() { b.watchLedger(ctx, door, r, false) })
	all.Go(func() { b.watchLedger(ctx, door, r, true) })
	all.Go(func() { b.watchWealth(ctx, door, r) })
	return r
}

// A ledger is one answer of that view.
type ledger struct {
	total     string
	transfers int64
	position  string // as a client sends it back
}

func ledgerOf(a harness.Answer) (ledger, error) {
	var body struct {
		Row struct {
			Total     json.Number `json:"total"`
			Transfers json.Number `json:"transfers"`
		} `json:"row"`
	}
	if err := a.Decode(&body); err != nil {
		return ledger{}, fmt.Errorf("the answer %q: %w", a.Body, err)
	}
	n, err := body.Row.Transfers.Int64()
	return ledger{body.Row.Total.String(), n, a.Header.Get("Evert-Position")}, err
}

// watchLedger reads the total; it was fixed when the bank opened. With sticky,
// it sends back every position, and then the count of transfers may not go back,
// not even over a kill of the daemon.
func (b *bank) watchLedger(ctx context.Context, door *harness.Door, r *readers, sticky bool) {
	want := fmt.Sprintf("%d.00", 2*owners*opening)
	var last ledger
	look := time.NewTicker(lookEvery)
	defer look.Stop()
	for ; ctx.Err() == nil; <-look.C {
		path := "/v1/views/ledger/rows/1"
		if sticky && last.position != "" {
			path += "?timeout=5s&wait_for=" + url.QueryEscape(last.position)
		}
		answer, err := door.Get(ctx, path)
		if err != nil || answer.Status != 200 {
			b.pause(ctx, answer)
			continue
		}
		now, err := ledgerOf(answer)
		switch {
		case err != nil:
			b.Errorf("R11: %v", err)
			return
		case now.total != want:
			b.Errorf("R11: the total is %s, not %s, at %s", now.total, want, now.position)
			return
		case sticky && now.transfers < last.transfers:
			b.Errorf("R21: a reader at %s, which had counted %d transfers, sees %d at %s", last.position, last.transfers, now.transfers, now.position)
			return
		}
		last = now
		r.ledger.Add(1)
		b.read.Add(1)
	}
}

// watchWealth reads all owners in one answer: their sum is the total.
func (b *bank) watchWealth(ctx context.Context, door *harness.Door, r *readers) {
	look := time.NewTicker(lookEvery)
	defer look.Stop()
	for ; ctx.Err() == nil; <-look.C {
		answer, err := door.Get(ctx, "/v1/views/wealth/rows?limit=1000")
		if err != nil || answer.Status != 200 {
			b.pause(ctx, answer)
			continue
		}
		var body struct {
			Rows []struct {
				Both json.Number `json:"both"`
			} `json:"rows"`
		}
		if err := answer.Decode(&body); err != nil {
			b.Errorf("R11: the answer %q: %v", answer.Body, err)
			return
		}
		sum := int64(0)
		for _, row := range body.Rows {
			var cents int64
			if _, err := fmt.Sscan(strings.Replace(row.Both.String(), ".", "", 1), &cents); err != nil {
				b.Errorf("R11: %v", err)
			}
			sum += cents
		}
		if len(body.Rows) != owners || sum != 100*2*owners*opening {
			b.Errorf("R11: %d owners have %d cents, not %d and %d", len(body.Rows), sum, owners, 100*2*owners*opening)
			return
		}
		r.wealth.Add(1)
	}
}

// pause waits a moment before a daemon that is down or still filling its view is
// asked again. Any other answer is an error.
func (b *bank) pause(ctx context.Context, a harness.Answer) {
	if a.Status != 0 && a.Status != 503 && a.Status != 504 {
		b.Errorf("an answer that nobody expects: %d %s", a.Status, a.Body)
	}
	select {
	case <-ctx.Done():
	case <-time.After(10 * time.Millisecond): // the period of asking
	}
}
