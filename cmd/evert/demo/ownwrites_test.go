package demo

import (
	"context"
	"encoding/json"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/view/query"
)

// Answers of every kind are counted as what they are.
func TestOwnWritesAreCounted(t *testing.T) {
	const good, stale, both = `{"history": [{"id": 3}, {"id": 8}]}`, `{"history": [{"id": 7}]}`, `{"history": [{"id": 7}, {"id": 8}]}`
	for _, c := range []struct {
		name string
		row  string
		err  error
		want Reads
	}{
		{"contained", good, nil, Reads{Good: 1, Median: time.Millisecond}},
		{"the order before", stale, nil, Reads{Missed: 1}},
		{"half of the transaction", both, nil, Reads{Missed: 1}},
		{"no history", `{"history": null}`, nil, Reads{Missed: 1}},
		{"no row", "", &pipeline.Refusal{Code: query.CodeNoRow}, Reads{Missed: 1}},
		{"in no time", "", &pipeline.Refusal{Code: query.CodeTimeout}, Reads{Late: 1}},
		{"filling", "", &pipeline.Refusal{Code: query.CodeNotReady}, Reads{}},
	} {
		t.Run("R21 "+c.name, func(t *testing.T) {
			var o OwnWrites
			if err := o.count(json.RawMessage(c.row), c.err, 8, 7, time.Millisecond); err != nil || o.Count() != c.want {
				t.Errorf("%+v, not %+v: %v", o.Count(), c.want, err)
			}
		})
	}
	var o OwnWrites
	broken := errors.New("broken")
	if err := o.count(nil, broken, 8, 7, 0); err != broken {
		t.Errorf("another error: %v", err)
	}
	for i := range 2 * newestReads {
		if err := o.count(json.RawMessage(good), nil, 8, 7, time.Duration(i)); err != nil {
			t.Fatal(err)
		}
	}
	if got := o.Count(); got.Good != 2*newestReads || got.Median != newestReads+newestReads/2 {
		t.Errorf("%+v", got)
	}
}

// A client sees its orders in what the database itself answers, and misses those
// that a reader withholds.
func TestOwnWritesOnPostgres(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	url := pg.Database(t)
	shop := InPostgres(url)
	c, err := pgx.Connect(ctx, url)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close(context.WithoutCancel(ctx))
	if err := shop.Fill(ctx, Sizes{Customers: 20, Products: 5, Orders: 10}); err != nil {
		t.Fatal(err)
	}
	run, stop := context.WithCancel(ctx)
	var reads atomic.Int64
	o := &OwnWrites{Shop: shop, Every: time.Millisecond, Read: func(ctx context.Context, customer, position string) (row json.RawMessage, err error) {
		n := reads.Add(1)
		if n == 10 {
			defer stop()
		}
		if position == "" || n == 4 {
			return json.RawMessage(`{"history": null}`), nil
		}
		return row, c.QueryRow(ctx, `SELECT json_build_object('history', json_agg(json_build_object('id', id))) FROM orders WHERE customer_id = $1::text::bigint`, customer).Scan(&row)
	}}
	if err := o.Run(run); err != nil {
		t.Fatal(err)
	}
	if got := o.Count(); got.Good != 9 || got.Missed != 1 || got.Late != 0 || got.Commits != 10 || got.Changes != 19 {
		t.Errorf("%+v of %d reads", got, reads.Load())
	}
}
