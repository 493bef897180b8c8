//go:build unix

package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/evertdb/evert/integration/bench/orders"
	"github.com/evertdb/evert/integration/harness"
)

// views measures every view of the benchmark B1 alone, over customers, orders
// and their lines, and beside it the database's own REFRESH of the same query.
func (l *lab) views(ctx context.Context, res *results) error {
	for _, size := range l.sizes() {
		if err := l.viewsOf(ctx, res, size); err != nil {
			return err
		}
	}
	return nil
}

// sizes are 1.3 million rows and 5.2 million.
func (l *lab) sizes() []orders.Size {
	if l.short {
		return []orders.Size{{Customers: 10_000, Orders: 50_000, Lines: 200_000}}
	}
	return []orders.Size{
		{Customers: 50_000, Orders: 250_000, Lines: 1_000_000},
		{Customers: 200_000, Orders: 1_000_000, Lines: 4_000_000},
	}
}

func (l *lab) viewsOf(ctx context.Context, res *results, size orders.Size) error {
	db := fmt.Sprintf("orders_%d", size.Orders)
	if err := l.sql(ctx, "postgres", "CREATE DATABASE "+db); err != nil {
		return err
	}
	if err := l.sql(ctx, db, orders.Fill(size)...); err != nil {
		return err
	}
	for n, v := range orders.Views() {
		m := &viewRun{lab: l, seed: uint64(10 * n), res: res, size: size, db: db, view: v, name: fmt.Sprintf("%s at %.1f million", v.Name, float64(size.Rows())/1e6)}
		if err := m.run(ctx); err != nil {
			return fmt.Errorf("%s: %w", m.name, err)
		}
	}
	return nil
}

// A viewRun is the measurement of one view.
type viewRun struct {
	*lab
	res  *results
	size orders.Size
	db   string
	view orders.View
	name string
	seed uint64 // of its first mix; a database has those of all views

	dir    string
	conn   *pgx.Conn
	door   *harness.Door
	daemon *exec.Cmd
}

// catchUps is how many changes each rate is measured over, and liveRate how many
// a second come in while the latency is.
const (
	catchUps = 200_000
	liveRate = 5_000
)

func (m *viewRun) run(ctx context.Context) (err error) {
	if m.conn, err = pgx.Connect(ctx, m.postgres.URL(m.db)); err != nil {
		return err
	}
	defer m.conn.Close(ctx)
	m.dir = filepath.Join(m.lab.dir, strings.ReplaceAll(m.db+"_"+m.view.Name, " ", "_"))
	m.door = harness.NewDoor(filepath.Join(m.dir, "data"))
	defer func() { m.door.Close(); err = errors.Join(err, m.drop(ctx)) }()
	for _, step := range []func(context.Context) error{m.capture, m.hydrate, m.changes, m.latency, m.recover, m.refresh} {
		if err := step(ctx); err != nil {
			return errors.Join(err, m.stop())
		}
	}
	return nil
}

// configure writes the file, with the view or without.
func (m *viewRun) configure(with bool) error {
	text := fmt.Sprintf("name: b1\ndata_dir: %s\nlogging: {level: error}\nsources:\n  db:\n    postgres: {url: %q, tables: [public.*], slot: %s}\nlimits: {memory: 1GiB}\nserve: {http: none}\n",
		filepath.Join(m.dir, "data"), m.postgres.URL(m.db), m.slot())
	if with {
		text += fmt.Sprintf("views:\n  %s:\n    key: [%s]\n    sql: |\n%s", m.view.Name, m.view.Key, indent(m.view.SQL))
	}
	return errors.Join(os.MkdirAll(m.dir, 0o755), os.WriteFile(m.config(), []byte(text), 0o600))
}

func (m *viewRun) config() string { return filepath.Join(m.dir, "evert.yaml") }
func (m *viewRun) slot() string   { return "b1_" + m.view.Name + fmt.Sprint(m.size.Orders) }

func indent(sql string) string {
	var b strings.Builder
	for line := range strings.Lines(strings.TrimSpace(sql)) {
		b.WriteString("      " + strings.TrimRight(line, "\n") + "\n")
	}
	return b.String()
}

// capture fills the topics.
func (m *viewRun) capture(ctx context.Context) error {
	if err := m.configure(false); err != nil {
		return err
	}
	_, err := measure(exec.CommandContext(ctx, m.evert, "run", "-c", m.config(), "--until-caught-up"))
	return err
}

// hydrate builds the view from the topics, and says how large its state is.
func (m *viewRun) hydrate(ctx context.Context) error {
	if err := m.configure(true); err != nil {
		return err
	}
	took, err := m.startUntilThere(ctx)
	if err != nil {
		return err
	}
	m.rate("hydration", m.size.Rows(), took, "rows/s", 200_000)
	bytes, err := sizeOf(filepath.Join(m.dir, "data", "views"))
	if err != nil {
		return err
	}
	m.res.add(m.name+", state", float64(bytes)/float64(m.size.Rows()), "bytes per row", fmt.Sprintf("%.0f MB", float64(bytes)/1e6))
	return m.stop()
}

// rate adds a figure with the gate of those views that have one.
func (m *viewRun) rate(what string, rows int, took time.Duration, unit string, gate float64) {
	rate := float64(rows) / took.Seconds()
	note := fmt.Sprintf("%d in %s, from the start of the process", rows, took.Round(time.Millisecond))
	if m.view.Gated && !m.short {
		m.res.atLeast(gate, m.name+", "+what, rate, unit, note)
		return
	}
	m.res.add(m.name+", "+what, rate, unit, note)
}

// changes writes transactions while nobody follows, and then lets the view catch
// up, capture included.
func (m *viewRun) changes(ctx context.Context) error {
	rows, err := m.write(ctx, orders.NewMix(m.size, m.seed+1), catchUps, 0)
	if err != nil {
		return err
	}
	took, err := m.startUntilThere(ctx)
	if err != nil {
		return err
	}
	gate := 12_000.0
	if m.size.Orders > 250_000 {
		gate = 7_000
	}
	m.rate("catching up", rows, took, "changes/s", gate)
	return nil
}

// write commits transactions until they have changed so many rows, at most rate
// rows a second if that is not 0. It gives how many rows were changed.
func (m *viewRun) write(ctx context.Context, mix *orders.Mix, most, rate int) (rows int, err error) {
	began := time.Now()
	for rows < most {
		tags, err := m.conn.PgConn().Exec(ctx, mix.Next()).ReadAll()
		if err != nil {
			return rows, err
		}
		for _, t := range tags {
			rows += int(t.CommandTag.RowsAffected())
		}
		if rate > 0 {
			due := began.Add(time.Duration(rows) * time.Second / time.Duration(rate))
			time.Sleep(time.Until(due)) // an open loop has a pace
		}
	}
	return rows, nil
}

// latency measures from the return of a commit to the answer that contains it,
// while changes come at a fixed pace.
func (m *viewRun) latency(ctx context.Context) error {
	conn, err := pgx.Connect(ctx, m.postgres.URL(m.db))
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	var trips []time.Duration
	done := make(chan error, 1)
	limit, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	go func() {
		_, err := m.write(limit, orders.NewMix(m.size, m.seed+2), 10*liveRate, liveRate)
		done <- err
	}()
	for {
		select {
		case err := <-done:
			if err != nil && limit.Err() == nil {
				return err
			}
			m.trips(trips)
			return nil
		default:
		}
		began := time.Now()
		if err := m.await(ctx, conn); err != nil {
			return err
		}
		trips = append(trips, time.Since(began))
	}
}

func (m *viewRun) trips(trips []time.Duration) {
	if len(trips) == 0 {
		return
	}
	slices.Sort(trips)
	at := func(share float64) float64 {
		return float64(trips[int(share*float64(len(trips)-1))].Microseconds()) / 1000
	}
	note := fmt.Sprintf("from commit to the answer that contains it, at %d changes/s; %d samples, median %.1f ms", liveRate, len(trips), at(0.5))
	if m.view.Gated && !m.short {
		m.res.below(500, m.name+", commit to visible, p99", at(0.99), "ms", note)
		return
	}
	m.res.add(m.name+", commit to visible, p99", at(0.99), "ms", note)
}

// recover kills the daemon, takes its state away and lets it build it again.
func (m *viewRun) recover(ctx context.Context) error {
	_ = m.daemon.Process.Kill()
	_ = m.daemon.Wait()
	m.daemon = nil
	if err := os.RemoveAll(filepath.Join(m.dir, "data", "views")); err != nil {
		return err
	}
	took, err := m.startUntilThere(ctx)
	if err != nil {
		return err
	}
	m.res.add(m.name+", recovery without state", float64(m.size.Rows())/took.Seconds(), "rows/s", "compared with the view's topic; from the start of the process, "+took.Round(time.Millisecond).String())
	return m.stop()
}

// refresh lets the database do the same.
func (m *viewRun) refresh(ctx context.Context) error {
	query := strings.ReplaceAll(m.view.SQL, "db.public.", "public.")
	if _, err := m.conn.Exec(ctx, "CREATE MATERIALIZED VIEW theirs AS "+query+" WITH NO DATA"); err != nil {
		return err
	}
	began := time.Now()
	if _, err := m.conn.Exec(ctx, "REFRESH MATERIALIZED VIEW theirs"); err != nil {
		return err
	}
	m.res.add(m.name+", REFRESH MATERIALIZED VIEW", time.Since(began).Seconds(), "s", "the database's own answer to every change")
	_, err := m.conn.Exec(ctx, "DROP MATERIALIZED VIEW theirs")
	return err
}

// startUntilThere starts the daemon and waits until the view contains all that
// the database has committed.
func (m *viewRun) startUntilThere(ctx context.Context) (time.Duration, error) {
	began := time.Now()
	m.daemon = exec.CommandContext(ctx, m.evert, "run", "-c", m.config())
	m.daemon.Stdout, m.daemon.Stderr = os.Stderr, os.Stderr
	if err := m.daemon.Start(); err != nil {
		return 0, err
	}
	err := m.await(ctx, m.conn)
	return time.Since(began), err
}

// await asks for a row of the view, behind what was committed until now.
func (m *viewRun) await(ctx context.Context, conn *pgx.Conn) error {
	var at string
	if err := conn.QueryRow(ctx, "SELECT pg_current_wal_insert_lsn()::text").Scan(&at); err != nil {
		return err
	}
	path := "/v1/views/" + m.view.Name + "/rows?limit=1&timeout=30s&wait_for=" + url.QueryEscape("db:"+at)
	deadline := time.Now().Add(15 * time.Minute)
	for {
		answer, err := m.door.Get(ctx, path)
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case err == nil && answer.Status == 200:
			return nil
		case err == nil && answer.Status != 503 && answer.Status != 504 || time.Now().After(deadline):
			return fmt.Errorf("the view does not answer: %v, %d %s", err, answer.Status, answer.Body)
		}
		time.Sleep(5 * time.Millisecond) // the period of asking
	}
}

// stop ends the daemon as SIGTERM does.
func (m *viewRun) stop() error {
	if m.daemon == nil {
		return nil
	}
	_ = m.daemon.Process.Signal(syscall.SIGTERM)
	err := m.daemon.Wait()
	m.daemon = nil
	return err
}

func (m *viewRun) drop(ctx context.Context) error {
	_, err := m.conn.Exec(context.WithoutCancel(ctx), "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name = '"+m.slot()+"'")
	return errors.Join(err, os.RemoveAll(m.dir))
}

// sizeOf adds up the files of a folder.
func sizeOf(dir string) (n int64, err error) {
	err = filepath.Walk(dir, func(_ string, info os.FileInfo, err error) error {
		if err == nil && !info.IsDir() {
			n += info.Size()
		}
		return nil
	})
	return n, err
}
