package workload_test

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/evertdb/evert/integration/harness/workload"
	"github.com/evertdb/evert/sources/postgres/pgserver"
	"github.com/evertdb/evert/sources/postgres/pgserver/pgtest"
)

var pg pgtest.Shared

func TestMain(m *testing.M) { os.Exit(pg.Run(m)) }

// TestHistoryIsWhatTheDatabaseHolds checks the oracle itself: the history,
// replayed, gives the tables as they are, also over crashes of the server.
func TestHistoryIsWhatTheDatabaseHolds(t *testing.T) {
	server := pgtest.Start(t, pgtest.Options{})
	pgtest.Database(t, server, "shop")
	url := server.URL("shop")
	g := &workload.Generator{Seed: 42, Sessions: 3, WideShare: 20}
	if err := g.Setup(t.Context(), url, 100); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- g.Run(ctx) }()
	for restart := range 3 {
		await(t, g, 150*(restart+1))
		if err := server.Restart(t.Context(), pgserver.Immediate); err != nil {
			t.Fatal(err)
		}
	}
	await(t, g, 800)
	stop()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	compare(t, url, replay(&g.History))
}

func await(t *testing.T, g *workload.Generator, txs int) {
	t.Helper()
	timeout := time.After(3 * time.Minute)
	for {
		if n, _ := g.History.Count(); n >= txs {
			return
		}
		select {
		case <-timeout:
			n, _ := g.History.Count()
			t.Fatalf("%d transactions, waited for %d", n, txs)
		case <-time.After(time.Millisecond):
		}
	}
}

// replay gives "ver" by table and key; that of the ledger and of what was filled
// is 0 and 1.
func replay(h *workload.History) map[string]map[string]int {
	m := map[string]map[string]int{}
	for _, t := range workload.Tables() {
		m[t.Name] = map[string]int{}
	}
	for _, txs := range h.Sessions() {
		for _, tx := range txs {
			for _, c := range tx.Changes {
				apply(m[c.Table], c)
			}
		}
	}
	return m
}

func apply(rows map[string]int, c workload.Change) {
	switch c.Kind {
	case workload.Created, workload.Updated:
		rows[c.Key] = c.Ver
	case workload.Deleted:
		delete(rows, c.Key)
	case workload.Moved:
		delete(rows, c.Key)
		rows[c.To] = c.Ver
	case workload.Truncated:
		clear(rows)
	case workload.Filled:
		for n := range c.Count {
			rows[fmt.Sprint(c.First+n)] = 1
		}
	}
}

func compare(t *testing.T, url string, model map[string]map[string]int) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	for _, table := range workload.Tables() {
		want := model[table.Name]
		rows := query(t, conn, table)
		if len(rows) != len(want) || len(rows) == 0 {
			t.Errorf("%s has %d rows, the history says %d", table.Name, len(rows), len(want))
		}
		for key, ver := range rows {
			if have, ok := want[key]; !ok || have != ver {
				t.Errorf("%s %s has version %d, the history says %d (%v)", table.Name, key, ver, have, ok)
			}
		}
	}
}

// query reads key and version of each row, and compares its large values with
// what its seed says.
func query(t *testing.T, conn *pgx.Conn, table workload.Table) map[string]int {
	t.Helper()
	ver, large := "0", "0, NULL, NULL"
	if table.Name != "ledger" {
		ver = "ver"
	}
	if table.Large {
		large = "seed, body, encode(raw, 'hex')"
	}
	key := "concat_ws('|', " + strings.Join(table.Key, ", ") + ")"
	rows, err := conn.Query(t.Context(), fmt.Sprintf("SELECT %s, %s, %s FROM %s", key, ver, large, table.Name))
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]int{}
	var (
		k         string
		n         int
		seed      int64
		body, raw *string
	)
	_, err = pgx.ForEachRow(rows, []any{&k, &n, &seed, &body, &raw}, func() error {
		out[k] = n
		if table.Large {
			verify(t, table.Name+".body", seed, body, workload.Body)
			verify(t, table.Name+".raw", seed, raw, workload.Raw)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func verify(t *testing.T, what string, seed int64, got *string, expand func(int64) (string, bool)) {
	t.Helper()
	want, ok := expand(seed)
	if (got != nil) != ok || ok && *got != want {
		t.Errorf("%s with seed %d is not what the seed says", what, seed)
	}
}
