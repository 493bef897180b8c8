package show

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"time"

	"github.com/evertdb/evert/cmd/evert/api"
	"github.com/evertdb/evert/cmd/evert/datadir"
	"github.com/evertdb/evert/cmd/evert/demo"
	"github.com/evertdb/evert/pipeline/view/query"
)

// The demo's views: what is seen of them, and whether they are what they should be.

// ownEvery is how often the demo reads a write of its own.
const ownEvery = 500 * time.Millisecond

// openOwnWrites makes the client that reads what it has just written. It asks over
// the control socket, as `evert get` does.
func (s *show) openOwnWrites(ctx context.Context) error {
	client, err := api.Dial(ctx, datadir.SocketPath(s.file("data")))
	if err != nil {
		return fmt.Errorf("ask the demo's own daemon: %w", err)
	}
	s.own = &demo.OwnWrites{Shop: s.shop, Every: ownEvery,
		Read: func(ctx context.Context, customer, position string) (json.RawMessage, error) {
			row, err := client.Row(ctx, "customer_orders", []string{customer}, url.Values{"wait_for": {position}, "timeout": {"10s"}})
			if err != nil {
				return nil, err
			}
			return row.Row, nil
		}}
	return nil
}

// look reads what the screen shows of the views.
func (s *show) look(views demo.Look) demo.Look {
	views.Own = s.own.Count()
	v, ok := s.daemon.Views.View("revenue")
	if !ok {
		return views
	}
	answer, err := s.daemon.Reads.Rows(s.Ctx, "revenue", v, nil, query.Wait{})
	if err != nil {
		return views // it fills
	}
	for _, row := range answer.Rows {
		var t demo.Taking
		if json.Unmarshal(row, &t) == nil {
			views.Revenue = append(views.Revenue, t)
		}
	}
	return views
}

// compareViews compares every view as `evert verify` does.
func (s *show) compareViews(ctx context.Context) (all []demo.ViewResult, err error) {
	s.tell("comparing every view with the rows of %s", s.shop.Product)
	s.daemon.Views.CaughtUp(ctx)
	for _, name := range demo.ViewNames() {
		found, err := s.daemon.Verifier.VerifyInTurn(ctx, name)
		if err != nil {
			return nil, fmt.Errorf("view %s: %w", name, err)
		}
		all = append(all, demo.ViewResult{Name: name, Rows: found.Rows, Differ: found.Missing + found.Surplus + found.Differing + found.Twice})
	}
	return all, nil
}

// compareIndex compares the search index with its view's topic, document by
// document.
func (s *show) compareIndex(ctx context.Context) (r demo.ViewResult, err error) {
	s.tell("comparing the search index with its view")
	s.daemon.Sinks.CaughtUp(ctx)
	found, err := s.daemon.Verifier.VerifyInTurn(ctx, demo.IndexName)
	if err != nil {
		return r, fmt.Errorf("index %s: %w", demo.IndexName, err)
	}
	return demo.ViewResult{Name: demo.IndexName, Rows: found.Rows, Differ: found.Missing + found.Surplus + found.Differing + found.Twice}, nil
}
