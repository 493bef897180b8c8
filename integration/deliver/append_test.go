//go:build unix

package deliver

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/evertdb/evert/integration/harness"
	"github.com/evertdb/evert/sources/postgres/pgserver/pgtest"
)

// counters is how many rows count up.
const counters = 3

// TestAppendOnlyKill counts rows up while the daemon is killed at random moments. Their
// append-only topic has every single step, once and in its order, and so have the files
// that it is delivered to (I2 I4 I10).
func TestAppendOnlyKill(t *testing.T) {
	t.Parallel()
	seed := harness.Seed(t)
	w := suite.NewWorld(t, pgtest.Start(t, pgtest.Options{}), fmt.Sprintf("append_%x", seed&0xffffff))
	w.SQL(w.Database, "CREATE TABLE counters (id int PRIMARY KEY, n int NOT NULL)", fmt.Sprintf("INSERT INTO counters SELECT id, 1 FROM generate_series(1, %d) id", counters),
		"ALTER TABLE counters OWNER TO capture")
	out := filepath.Join(w.Dir, "out")
	w.Options.Source = "commit_interval: 10ms\nidle_interval: 100ms\noverrides: {public.counters: {topic: {cleanup: delete}}}\n"
	w.Options.More = fmt.Sprintf("sinks:\n  told: {from: db.public.counters, commit_interval: 10ms, files: {path: %q}}\n", out)
	stop, rng := count(w, seed), rand.New(rand.NewPCG(seed, 1))
	for range harness.Number(t, "EVERT_CRASH_RUNS", 3) {
		d := w.Run()
		d.AwaitStatus("the stream", harness.Streaming(uint64(1+rng.IntN(20))))
		d.KillSoon(w, time.Duration(rng.Int64N(int64(20*time.Millisecond))))
	}
	last := stop()
	w.CatchUp()

	steps := map[int64][]string{} // by row
	if err := w.Tail(harness.Topic("counters"), func(r harness.Record) error {
		var id, n int64
		if r.Op == nil {
			return fmt.Errorf("a tombstone at offset %d", r.Offset)
		}
		if err := json.Unmarshal(r.Key["id"], &id); err != nil {
			return err
		}
		if len(r.After) > 0 {
			if err := json.Unmarshal(r.After["n"], &n); err != nil {
				return err
			}
		}
		steps[id] = append(steps[id], fmt.Sprint(*r.Op, n))
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	for id := range int64(counters) {
		wantSteps(t, seed, id+1, steps[id+1], last[id+1])
	}
	wantFiles(t, seed, out, steps)
}

// count counts rows up, each fifth time by deleting the row and inserting it again, until
// it is stopped; then it gives what each row has come to.
func count(w *harness.World, seed uint64) (stop func() map[int64]int) {
	end, last := make(chan struct{}), map[int64]int{}
	conn, err := pgx.Connect(context.Background(), w.Postgres.URL(w.Database))
	if err != nil {
		w.Fatal(err)
	}
	w.Cleanup(func() { _ = conn.Close(context.Background()) })
	rng := rand.New(rand.NewPCG(seed, 2))
	for id := range int64(counters) {
		last[id+1] = 1
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		pace := time.NewTicker(2 * time.Millisecond)
		defer pace.Stop()
		for {
			select {
			case <-end:
				return
			case <-pace.C:
			}
			id := 1 + rng.Int64N(counters)
			last[id]++
			sql := fmt.Sprintf("UPDATE counters SET n = %d WHERE id = %d", last[id], id)
			if last[id]%5 == 0 {
				sql = fmt.Sprintf("BEGIN; DELETE FROM counters WHERE id = %d; INSERT INTO counters VALUES (%[1]d, %d); COMMIT", id, last[id])
			}
			if _, err := conn.PgConn().Exec(context.Background(), sql).ReadAll(); err != nil {
				w.Errorf("seed %d: the traffic failed: %v", seed, err)
				return
			}
		}
	})
	return func() map[int64]int {
		close(end)
		wg.Wait()
		return last
	}
}

// wantSteps wants what a row was copied as, which a copy that began again repeats, and
// then every step up to the last one.
func wantSteps(t *testing.T, seed uint64, id int64, steps []string, last int) {
	t.Helper()
	var n int
	at := 0
	for ; at < len(steps); at++ {
		var copied int
		if _, err := fmt.Sscanf(steps[at], "r%d", &copied); err != nil {
			break
		}
		n = copied
	}
	if at == 0 || n == 0 || n == last {
		t.Fatalf("seed %d: row %d was copied %d times, as %d of %d: nothing was looked at", seed, id, at, n, last)
	}
	var want []string
	for n++; n <= last; n++ {
		if n%5 == 0 {
			want = append(want, "d0", fmt.Sprint("c", n))
		} else {
			want = append(want, fmt.Sprint("u", n))
		}
	}
	if got := steps[at:]; !slices.Equal(got, want) {
		t.Errorf("seed %d: row %d went\n%v\nwant\n%v", seed, id, got, want)
	}
}

// wantFiles wants the steps in the files, in the same order.
func wantFiles(t *testing.T, seed uint64, out string, steps map[int64][]string) {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(out, "00000001", "*.jsonl*"))
	if err != nil || len(names) == 0 {
		t.Fatalf("seed %d: files %v: %v", seed, names, err)
	}
	told := map[int64][]string{}
	for _, name := range names {
		file, err := os.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		for lines := bufio.NewScanner(file); lines.Scan(); {
			var e struct {
				Op  string
				Key struct{ ID int64 }
				Row struct{ N int }
			}
			if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
				t.Fatalf("seed %d: %s: %v", seed, name, err)
			}
			told[e.Key.ID] = append(told[e.Key.ID], fmt.Sprint(e.Op, e.Row.N))
		}
		_ = file.Close()
	}
	for id, all := range steps {
		want := strings.NewReplacer("r", "upsert", "c", "upsert", "u", "upsert", "d", "delete").Replace(strings.Join(all, " "))
		if got := strings.Join(told[id], " "); got != want {
			t.Errorf("seed %d: of row %d the files tell\n%s\nwant\n%s", seed, id, got, want)
		}
	}
}
