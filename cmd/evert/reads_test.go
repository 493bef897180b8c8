package main

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/evertdb/evert/cmd/evert/api"
	"github.com/evertdb/evert/cmd/evert/datadir"
	"github.com/evertdb/evert/cmd/evert/exit"
	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/view/query"
)

// running starts a daemon in this process over a database with a view of its
// accounts, and gives what asks it, and what ends it.
func running(t *testing.T, db string) (client *api.Client, file string, end func()) {
	t.Helper()
	dir := t.TempDir()
	file = filepath.Join(dir, "evert.yaml")
	text := fmt.Sprintf(`name: reading
data_dir: %s/d
serve: {http: none}
logging: {level: error}
limits: {wait_timeout: 3m}
sources: {shop: {postgres: {url: %q, tables: [public.account]}}}
views:
  owners:
    key: [owner]
    indexes: [[total]]
    sql: SELECT owner, count(*) AS accounts, sum(balance) AS total, max(seen) AS seen FROM shop.public.account GROUP BY owner
`, dir, db)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return restarted(t, file)
}

// restarted starts a daemon over a file, as it is.
func restarted(t *testing.T, file string) (client *api.Client, same string, end func()) {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if _, said, code := ran(ctx, "run", "-c", file); code != 0 {
			t.Errorf("the daemon ended with %d: %s", code, said)
		}
	}()
	end = func() { stop(); <-ended }
	t.Cleanup(end)
	dir := filepath.Join(filepath.Dir(file), "d")
	awaitStreaming(t, dir)
	client, err := api.Dial(t.Context(), datadir.SocketPath(dir))
	if err != nil {
		t.Fatal(err)
	}
	return client, file, end
}

const accounts = `CREATE TABLE account (id int PRIMARY KEY, owner text COLLATE "C" NOT NULL, balance numeric NOT NULL, seen int NOT NULL);
	INSERT INTO account SELECT i, 'o' || i % 10, 100, 0 FROM generate_series(1, 200) i;
	CREATE TABLE elsewhere (id serial PRIMARY KEY)`

// owner is a row of the view.
type owner struct {
	Owner    string
	Accounts int
	Total    json.Number
	Seen     int
}

// read reads an owner, as it is behind a position.
func read(ctx context.Context, c *api.Client, name, position string) (o owner, at string, err error) {
	row, err := c.Row(ctx, "owners", []string{name}, url.Values{"wait_for": {position}, "timeout": {patience.String()}})
	if err != nil {
		return o, "", err
	}
	return o, row.Position, json.Unmarshal(row.Row, &o)
}

// insertPosition is where the server writes next.
func insertPosition(ctx context.Context, db *pgx.Conn) (string, error) {
	var lsn string
	err := db.QueryRow(ctx, "SELECT 'shop:' || pg_current_wal_insert_lsn()").Scan(&lsn)
	return lsn, err
}

// TestReadYourWrites commits, and then reads behind the place where the server
// writes next: what was committed is always there.
func TestReadYourWrites(t *testing.T) {
	url := pg.Database(t)
	db := connection(t, url)
	exec := func(t *testing.T, sql string) {
		t.Helper()
		if _, err := db.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	exec(t, accounts)
	c, file, end := running(t, url)
	behind := func(t *testing.T) owner {
		t.Helper()
		place, err := insertPosition(t.Context(), db)
		if err != nil {
			t.Fatal(err)
		}
		o, _, err := read(t.Context(), c, "o1", place)
		if err != nil {
			t.Fatal(err)
		}
		return o
	}
	t.Run("R21 on an idle server", func(t *testing.T) {
		if o := behind(t); o.Accounts != 20 || o.Total != "2000" {
			t.Errorf("%+v", o)
		}
	})
	t.Run("R21 behind a commit", func(t *testing.T) {
		exec(t, "UPDATE account SET balance = balance + 1 WHERE id = 1")
		if o := behind(t); o.Total != "2001" {
			t.Errorf("%+v", o)
		}
	})
	t.Run("R21 behind a commit that is not flushed yet", func(t *testing.T) {
		exec(t, "SET synchronous_commit = off")
		for i := range 20 {
			exec(t, fmt.Sprintf("UPDATE account SET seen = %d WHERE id = 1", i+1))
			if o := behind(t); o.Seen != i+1 {
				t.Fatalf("after %d: %+v", i+1, o)
			}
		}
		exec(t, "SET synchronous_commit = on")
	})
	t.Run("R21 behind a commit to a table that is not captured", func(t *testing.T) {
		for range 5 {
			exec(t, "INSERT INTO elsewhere DEFAULT VALUES")
			behind(t)
		}
	})
	t.Run("R21 behind log that nobody flushes", func(t *testing.T) {
		other := connection(t, url)
		tx, err := other.Begin(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = tx.Rollback(context.Background()) }()
		for range 5 {
			if _, err := tx.Exec(t.Context(), "INSERT INTO elsewhere DEFAULT VALUES"); err != nil {
				t.Fatal(err)
			}
			behind(t)
		}
	})
	t.Run("R21 behind the header of a segment", func(t *testing.T) {
		exec(t, "SELECT pg_switch_wal()")
		behind(t)
	})
	t.Run("a position that never comes", func(t *testing.T) {
		_, err := c.Row(t.Context(), "owners", []string{"o1"}, map[string][]string{"wait_for": {"shop:FFFF/0"}, "timeout": {"300ms"}})
		if pipeline.CodeOf(err) != query.CodeTimeout {
			t.Errorf("%v", err)
		}
	})
	t.Run("R21 clients that chain their positions", func(t *testing.T) {
		var all sync.WaitGroup
		for n := range 4 {
			all.Go(func() {
				if err := chained(t.Context(), c, url, n, 25); err != nil {
					t.Errorf("client %d (its number is the seed): %v", n, err)
				}
			})
		}
		all.Wait()
	})
	t.Run("evert get, and verify of the view", func(t *testing.T) {
		out, said, code := ran(t.Context(), "get", "-c", file, "owners", "o3", "-o", "json")
		if code != 0 {
			t.Errorf("exit %d: %s%s", code, out, said)
		}
		if out, said, code = ran(t.Context(), "verify", "-c", file, "owners"); code != 0 {
			t.Errorf("exit %d: %s%s", code, out, said)
		}
		if _, said, code = ran(t.Context(), "get", "-c", file, "owners", "nobody"); code != 1 {
			t.Errorf("exit %d: %s", code, said)
		}
		if out, said, code = ran(t.Context(), "tail", "-c", file, "owners", "--until-end", "-o", "json"); code != 0 || !strings.Contains(out, `"topic":"reading.views.owners"`) {
			t.Errorf("exit %d: %s%s", code, out, said)
		}
		exec(t, `BEGIN; ALTER PUBLICATION evert_reading_shop SET (publish = 'insert'); UPDATE account SET balance = balance + 7 WHERE id = 7;
			ALTER PUBLICATION evert_reading_shop SET (publish = 'insert, update, delete, truncate'); COMMIT`) // the view misses it, and nobody sees the publication meanwhile
		out, said, code = ran(t.Context(), "verify", "-c", file, "owners")
		if code != exit.Differs || !strings.Contains(out, `differing  {"owner":"o7"}`) || strings.Contains(out, "2007") {
			t.Errorf("a view that differs: exit %d: %s%s", code, out, said)
		}
		end()
		last, said, code := ran(t.Context(), "get", "-c", file, "owners", "o3", "-o", "json")
		if code != 0 || !strings.Contains(last, `"code":"NO_DAEMON"`) || !strings.Contains(last, `"owner":"o3"`) {
			t.Errorf("without a daemon: exit %d: %s%s", code, last, said)
		}
		if _, said, code = ran(t.Context(), "get", "-c", file, "owners", "o3", "--wait-for", "shop:0/1"); code != 1 || !strings.Contains(said, "NO_DAEMON") {
			t.Errorf("nobody to wait for: exit %d: %s", code, said)
		}
	})
}

// chained writes and reads in turn, each read behind its write or behind what it
// has seen.
func chained(ctx context.Context, c *api.Client, url string, n, rounds int) error {
	db, err := pgx.Connect(ctx, url)
	if err != nil {
		return err
	}
	defer db.Close(context.WithoutCancel(ctx))
	random := rand.New(rand.NewPCG(uint64(n), 5))
	seen, position, name := 0, "", fmt.Sprintf("o%d", 5+n)
	for round := range rounds {
		if random.IntN(2) == 0 {
			sync := [...]string{"on", "off"}[random.IntN(2)]
			seen = 100 + round
			if _, err := db.Exec(ctx, fmt.Sprintf("SET synchronous_commit = %s; UPDATE account SET seen = %d WHERE id = %d", sync, seen, 15+n)); err != nil {
				return err
			}
			if position, err = insertPosition(ctx, db); err != nil {
				return err
			}
		}
		o, at, err := read(ctx, c, name, position)
		if err != nil {
			return err
		}
		if o.Seen < seen {
			return fmt.Errorf("round %d: it sees %d, and had written or seen %d", round, o.Seen, seen)
		}
		seen, position = o.Seen, at
	}
	return nil
}

// TestVerifyViewUnderLoad compares a view with what the database answers to its
// query, while transactions go on.
func TestVerifyViewUnderLoad(t *testing.T) {
	const seed = 17
	url := pg.Database(t)
	db := connection(t, url)
	if _, err := db.Exec(t.Context(), accounts); err != nil {
		t.Fatal(err)
	}
	_, file, _ := running(t, url)
	ctx, stop := context.WithTimeout(t.Context(), 5*time.Minute)
	var all sync.WaitGroup
	defer all.Wait()
	defer stop()
	for n := range 2 {
		all.Go(func() {
			conn, err := pgx.Connect(ctx, url)
			if err != nil {
				return
			}
			defer conn.Close(context.Background())
			random := rand.New(rand.NewPCG(seed, uint64(n)))
			for ctx.Err() == nil {
				sql := fmt.Sprintf("UPDATE account SET balance = balance + 0.10, owner = 'o' || %d WHERE id = %d", random.IntN(12), 100*n+1+random.IntN(100))
				if _, err := conn.Exec(ctx, sql); err != nil && ctx.Err() == nil {
					t.Error(err)
					return
				}
			}
		})
	}
	for round := range 5 {
		out, said, code := ran(t.Context(), "verify", "-c", file, "owners", "-o", "json")
		var found api.Verified
		if err := json.Unmarshal([]byte(out), &found); code != 0 || err != nil || found.Kind != "view" || found.Equal != found.Rows || found.Rows < 10 {
			t.Fatalf("seed %d, round %d: exit %d: %s", seed, round, code, out+said)
		}
	}
}
