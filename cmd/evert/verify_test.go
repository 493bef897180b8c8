package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/evertdb/evert/cmd/evert/api"
	"github.com/evertdb/evert/cmd/evert/cli"
	"github.com/evertdb/evert/cmd/evert/datadir"
)

// ran is the program, run with arguments in this process.
func ran(ctx context.Context, args ...string) (stdout, stderr string, code int) {
	var out, err bytes.Buffer
	a := &app{App: &cli.App{Ctx: ctx, In: os.Stdin, Out: &out, Err: &err, Env: os.LookupEnv}}
	code = a.main(args)
	return out.String(), err.String(), code
}

// TestVerifyUnderLoad compares a table with its topic again and again while
// transactions commit, roll back and stay open for a while: every time, at one
// exact position, all rows are equal.
func TestVerifyUnderLoad(t *testing.T) { verifyUnderLoad(t, "") }

// verifyUnderLoad does so with a file that says more.
func verifyUnderLoad(t *testing.T, more string) {
	t.Helper()
	const seed, clients, rounds = 11, 3, 6
	url := pg.Database(t)
	db := connection(t, url)
	if _, err := db.Exec(t.Context(), "CREATE TABLE account (id int PRIMARY KEY, balance int NOT NULL, note text); INSERT INTO account SELECT i, 100, repeat('n', i % 40) FROM generate_series(1, 2000) i"); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	file := filepath.Join(dir, "evert.yaml")
	text := fmt.Sprintf("name: loaded\ndata_dir: %s/d\nserve: {http: none}\nlogging: {level: error}\nsources: {shop: {postgres: {url: %q, tables: [public.account]}}}\n%s", dir, url, more)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	var all sync.WaitGroup
	defer all.Wait()
	defer stop()
	all.Go(func() {
		if _, said, code := ran(ctx, "run", "-c", file); code != 0 {
			t.Errorf("the daemon ended with %d: %s", code, said)
		}
	})
	awaitStreaming(t, filepath.Join(dir, "d"))
	for n := range clients {
		all.Go(func() { transfer(ctx, t, url, rand.New(rand.NewPCG(seed, uint64(n)))) })
	}
	for round := range rounds {
		out, said, code := ran(t.Context(), "verify", "-c", file, "public.account", "-o", "json")
		var found api.Verified
		if err := json.Unmarshal([]byte(out), &found); code != 0 || err != nil || found.Equal != found.Rows || found.Rows < 1000 {
			t.Fatalf("seed %d, round %d: exit %d: %s", seed, round, code, out+said)
		}
	}
}

func connection(t *testing.T, url string) *pgx.Conn {
	t.Helper()
	c, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close(context.Background()) })
	return c
}

// awaitStreaming returns when the daemon has copied what there was.
func awaitStreaming(t *testing.T, dir string) {
	t.Helper()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		if c, err := api.Dial(t.Context(), datadir.SocketPath(dir)); err == nil {
			if st, err := c.Status(t.Context()); err == nil && len(st.Sources) > 0 && st.Sources[0].Ready {
				return
			}
		}
		select {
		case <-tick.C:
		case <-t.Context().Done():
			t.Fatal("it does not stream")
		}
	}
}

// transfer moves balances, and now and then deletes, inserts, rolls back and
// hesitates, until ctx ends.
func transfer(ctx context.Context, t *testing.T, url string, random *rand.Rand) {
	db, err := pgx.Connect(ctx, url)
	if err != nil {
		return // told to stop
	}
	defer db.Close(context.Background())
	for ctx.Err() == nil {
		if err := transact(ctx, db, random); err != nil && ctx.Err() == nil {
			t.Error(err)
			return
		}
	}
}

func transact(ctx context.Context, db *pgx.Conn, random *rand.Rand) error {
	tx, err := db.Begin(ctx)
	if err != nil {
		return err
	}
	defer tx.Rollback(ctx)
	a, b := 1+random.IntN(1000), 1001+random.IntN(1000) // in this order: no deadlock
	sql := fmt.Sprintf("UPDATE account SET balance = balance - 1 WHERE id = %d; UPDATE account SET balance = balance + 1 WHERE id = %d;", a, b)
	switch random.IntN(10) {
	case 0:
		sql = fmt.Sprintf("DELETE FROM account WHERE id = %d;", b)
	case 1:
		sql = fmt.Sprintf("INSERT INTO account VALUES (%d, 0, 'new') ON CONFLICT DO NOTHING;", b)
	case 2:
		sql += "SELECT pg_sleep(0.05);"
	}
	if _, err := tx.Exec(ctx, sql); err != nil {
		return err
	}
	if random.IntN(8) == 0 {
		return tx.Rollback(ctx)
	}
	return tx.Commit(ctx)
}
