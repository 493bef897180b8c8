package demo

import (
	"context"
	"os"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/evertdb/evert/sources/postgres/pgserver/pgtest"
)

// pg is the server of this package's tests.
var pg pgtest.Shared

func TestMain(m *testing.M) { os.Exit(pg.Run(m)) }

func TestTrafficUsesTheWholeShop(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	url := pg.Database(t)
	shop := InPostgres(url)
	c, err := pgx.Connect(ctx, url)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close(ctx)
	if err := shop.Fill(ctx, Sizes{Customers: 100, Products: 20, Orders: 50}); err != nil {
		t.Fatal(err)
	}
	if ok, err := shop.Filled(ctx); err != nil || !ok {
		t.Fatalf("filled: %v %v", ok, err)
	}
	w := &Traffic{Shop: shop, Seed: 1, Rate: 100_000, Workers: 1}
	run, stop := context.WithCancel(ctx)
	done := make(chan error, 1)
	go func() { done <- w.Run(run) }()
	for n, _ := w.Count(); n < 300; n, _ = w.Count() {
		select {
		case err := <-done:
			t.Fatalf("seed 1: the traffic ended: %v", err)
		case <-time.After(5 * time.Millisecond):
		}
	}
	stop()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"SELECT count(*) > 50 FROM orders", "SELECT count(*) > 0 FROM order_lines WHERE line > 100",
		"SELECT count(*) > 0 FROM customers WHERE name LIKE 'Guest%'", "SELECT count(*) > 0 FROM customers WHERE length(notes) BETWEEN 2500 AND 2600",
	} {
		var ok bool
		if err := c.QueryRow(ctx, want).Scan(&ok); err != nil || !ok {
			t.Errorf("seed 1: %s: %v %v", want, ok, err)
		}
	}
}
