//go:build unix

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/evertdb/evert/integration/harness"
	"github.com/evertdb/evert/sources/postgres/pgserver"
)

// A lab is a server with a table of nine columns, and the binary.
type lab struct {
	dir      string
	evert    string
	postgres *pgserver.Server
	short    bool
	rows     int
	repeats  int
}

const database = "bench"

func newLab(ctx context.Context, short bool) (l *lab, err error) {
	l = &lab{short: short, rows: 1_000_000, repeats: 3}
	if short {
		l.rows, l.repeats = 200_000, 1
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, l.close())
		}
	}()
	if l.dir, err = os.MkdirTemp("", "evert-bench-"); err != nil {
		return l, err
	}
	if l.evert, err = harness.Build(l.dir, "./cmd/evert"); err != nil {
		return l, err
	}
	bin, err := pgserver.Find()
	if err != nil {
		return l, fmt.Errorf("%w\n  mend: %s", err, pgserver.InstallHint())
	}
	l.postgres, err = pgserver.Start(ctx, bin, pgserver.Options{Settings: map[string]string{
		"fsync": "off", "full_page_writes": "off", "shared_buffers": "256MB", "autovacuum": "off",
		"max_wal_size": "20GB", "checkpoint_timeout": "1h", "max_replication_slots": "20", "max_wal_senders": "20",
	}})
	if err != nil {
		return l, err
	}
	return l, l.sql(ctx, "postgres", "CREATE DATABASE "+database)
}

func (l *lab) close() error {
	var err error
	if l.postgres != nil {
		err = l.postgres.Close()
	}
	return errors.Join(err, os.RemoveAll(l.dir))
}

func (l *lab) sql(ctx context.Context, db string, statements ...string) error {
	return l.postgres.Exec(ctx, db, statements...)
}

// table makes an empty table of nine columns.
func (l *lab) table(ctx context.Context, name string) error {
	return l.sql(ctx, database, "CREATE TABLE "+name+` (id bigint PRIMARY KEY, customer int NOT NULL, state text NOT NULL,
		title text, amount numeric(12,2), paid boolean, placed timestamptz, weight double precision, note text)`)
}

// insert writes rows in one transaction.
func (l *lab) insert(ctx context.Context, name string, first, n int) error {
	return l.sql(ctx, database, fmt.Sprintf(`INSERT INTO %s SELECT g, g %% 1000, (ARRAY['open','paid','sent'])[1 + g %% 3],
		'order number ' || g, (g %% 100000) / 100.0, g %% 2 = 0, timestamptz '2024-01-01 00:00Z' + g * interval '1 second',
		g / 7.0::float8, repeat('x', 20) FROM generate_series(%d, %d) g`, name, first, first+n-1))
}

// A deployment is one configuration with a data directory of its own.
type deployment struct {
	l    *lab
	name string
	dir  string
}

// deployment captures a table, into the brokers if there are any. Then its name
// is also the first word of its topics, since clusters are shared.
func (l *lab) deployment(name, table string, brokers ...string) (*deployment, error) {
	d := &deployment{l: l, name: name, dir: filepath.Join(l.dir, name)}
	text := fmt.Sprintf(`name: %s
data_dir: %s
logging: {level: warn}
sources:
  db:
    postgres: {url: "%s", tables: [public.%s]}
serve: {http: none}
`, name, d.data(), l.postgres.URL(database), table)
	if len(brokers) > 0 {
		text = strings.Replace(text, "  db:\n", "  db:\n    topic_prefix: "+name+"\n", 1) + fmt.Sprintf("kafka: {brokers: [%q], topics: {replication_factor: 1}}\n", brokers[0])
	}
	if err := os.MkdirAll(d.dir, 0o755); err != nil {
		return nil, err
	}
	return d, os.WriteFile(d.config(), []byte(text), 0o600)
}

func (d *deployment) data() string   { return filepath.Join(d.dir, "data") }
func (d *deployment) config() string { return filepath.Join(d.dir, "evert.yaml") }

// A cost is what a run of the binary took.
type cost struct {
	elapsed time.Duration
	user    time.Duration // of all its threads, system time included
	peak    int64         // bytes of memory
}

// catchUp runs the binary until it has everything, and measures it.
func (d *deployment) catchUp(ctx context.Context) (cost, error) {
	return measure(exec.CommandContext(ctx, d.l.evert, "run", "-c", d.config(), "--until-caught-up"))
}

// drop gives back the disk and the slot of a deployment that was measured.
func (d *deployment) drop(ctx context.Context) error {
	return errors.Join(os.RemoveAll(d.dir),
		d.l.sql(ctx, database, fmt.Sprintf("SELECT pg_drop_replication_slot('evert_%s_db')", d.name)))
}

func measure(cmd *exec.Cmd) (cost, error) {
	var said bytes.Buffer
	cmd.Stderr = &said
	cmd.Stdout = &said
	began := time.Now()
	if err := cmd.Start(); err != nil {
		return cost{}, err
	}
	stop := watchMemory(cmd.Process.Pid)
	err := cmd.Wait()
	c := cost{elapsed: time.Since(began), peak: stop()}
	if err != nil {
		return c, fmt.Errorf("%s: %w\n%s", cmd.Path, err, said.Bytes())
	}
	c.user = cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	if usage, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage); ok && c.peak == 0 {
		c.peak = usage.Maxrss << 10
	}
	return c, nil
}

// watchMemory looks at the high-water mark until stopped, and gives the last.
func watchMemory(pid int) (stop func() int64) {
	done := make(chan struct{})
	var peak int64
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			if _, p, err := harness.Memory(pid); err == nil && p > 0 {
				peak = p
			}
			select {
			case <-done:
				return
			case <-time.After(10 * time.Millisecond):
			}
		}
	})
	return func() int64 {
		close(done)
		wg.Wait()
		return peak
	}
}

func median[T ~int64 | ~float64](values []T) T {
	sorted := slices.Sorted(slices.Values(values))
	return sorted[len(sorted)/2]
}
