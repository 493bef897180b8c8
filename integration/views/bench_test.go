//go:build unix

package views

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/evertdb/evert/integration/harness"
	"github.com/evertdb/evert/sources/postgres/pgserver/pgtest"
)

// BenchmarkOwnWrite measures how long a client waits for its own write: from the
// return of its COMMIT to the answer of a GET that waits for the position behind it.
//
//	idle     nobody else writes
//	loaded   2,000 rows change each second, in 200 transactions
//	beside   as loaded, and eight other clients wait for their own writes all the time
//
// The settings are the default ones: epochs at most every 50 ms.
func BenchmarkOwnWrite(b *testing.B) {
	server := pgtest.Start(b, pgtest.Options{})
	for _, c := range []struct {
		name          string
		load, clients int
	}{{"idle", 0, 0}, {"loaded", 200, 0}, {"beside", 200, 8}} {
		b.Run(c.name, func(b *testing.B) {
			s := newStory(b, server, harness.Options{Source: "reconnect_max: 1s\n"})
			s.views["shops"], s.extra["shops"] = perShop, "key: [shop]"
			s.start()
			s.same("shops")
			ctx, cancel := context.WithCancel(b.Context())
			done := make(chan error, 9)
			go func() { done <- s.load(ctx, c.load) }()
			for n := range c.clients {
				go func() {
					_, err := s.ownWrites(ctx, n+2, 1<<30)
					done <- err
				}()
			}
			b.ResetTimer()
			took, err := s.ownWrites(ctx, 1, b.N)
			b.StopTimer()
			cancel()
			if err != nil {
				b.Fatal(err)
			}
			for range c.clients + 1 {
				if err := <-done; err != nil {
					b.Fatal(err)
				}
			}
			slices.Sort(took)
			b.ReportMetric(took[len(took)/2].Seconds()*1000, "p50-ms")
			b.ReportMetric(took[len(took)*99/100].Seconds()*1000, "p99-ms")
			b.ReportMetric(float64(s.healthOf("shops").Epoch)/b.Elapsed().Seconds(), "epochs/s")
			s.end()
		})
	}
}

// ownWrites changes a row n times, and reads the view with each change in it.
func (s *story) ownWrites(ctx context.Context, id, n int) (took []time.Duration, err error) {
	conn, err := pgx.Connect(context.Background(), s.Postgres.URL(s.Database))
	if err != nil {
		return nil, err
	}
	defer conn.Close(context.Background())
	door := harness.NewDoor(s.Data())
	defer door.Close()
	for ; n > 0 && ctx.Err() == nil; n-- {
		if _, err := conn.Exec(context.Background(), "UPDATE sales SET cents = cents + 1 WHERE id = $1", id); err != nil {
			return nil, err
		}
		began := time.Now()
		var lsn string
		if err := conn.QueryRow(context.Background(), "SELECT pg_current_wal_insert_lsn()::text").Scan(&lsn); err != nil {
			return nil, err
		}
		answer, err := door.Get(ctx, "/v1/views/shops/rows/s1?timeout=10s&wait_for=db:"+url.QueryEscape(lsn))
		if ctx.Err() != nil {
			return took, nil
		}
		if err != nil || answer.Status != 200 {
			return nil, fmt.Errorf("status %d: %w", answer.Status, err)
		}
		took = append(took, time.Since(began))
	}
	return took, nil
}

// load commits so many transactions of ten rows each second.
func (s *story) load(ctx context.Context, perSecond int) error {
	if perSecond == 0 {
		return nil
	}
	conn, err := pgx.Connect(context.Background(), s.Postgres.URL(s.Database))
	if err != nil {
		return err
	}
	defer conn.Close(context.Background())
	tick := time.NewTicker(time.Second / time.Duration(perSecond))
	defer tick.Stop()
	for n := 0; ; n++ {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		if _, err := conn.Exec(context.Background(), "UPDATE sales SET cents = cents + 1 WHERE id % 48 = $1 AND id > 20", n%48); err != nil {
			return err
		}
	}
}
