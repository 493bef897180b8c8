//go:build unix

package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/evertdb/evert/integration/harness"
)

// memory captures one transaction of two million rows.
func (l *lab) memory(ctx context.Context, res *results) error {
	if err := l.table(ctx, "huge"); err != nil {
		return err
	}
	d, err := l.deployment("huge", "huge")
	if err != nil {
		return err
	}
	if _, err := d.catchUp(ctx); err != nil {
		return err
	}
	rows := 2 * l.rows
	if err := l.insert(ctx, "huge", 1, rows); err != nil {
		return err
	}
	c, err := d.catchUp(ctx)
	if err != nil {
		return err
	}
	res.below(200, "one large transaction, peak memory", float64(c.peak)/1e6, "MB", fmt.Sprintf("%d rows in %s", rows, c.elapsed.Round(time.Millisecond)))
	res.add("one large transaction", float64(rows)/c.elapsed.Seconds(), "rows/s", "")
	return d.drop(ctx)
}

// latency commits one row at a time on an idle server.
func (l *lab) latency(ctx context.Context, res *results) error {
	if err := l.table(ctx, "idle"); err != nil {
		return err
	}
	d, err := l.deployment("idle", "idle")
	if err != nil {
		return err
	}
	daemon := exec.CommandContext(ctx, l.evert, "run", "-c", d.config())
	if err := daemon.Start(); err != nil {
		return err
	}
	err = l.probe(ctx, d, res)
	_ = daemon.Process.Signal(syscall.SIGTERM)
	return errors.Join(err, daemon.Wait())
}

// probe measures from before the commit to the line that a reader of the topic
// prints, and asks the daemon for its own figure.
func (l *lab) probe(ctx context.Context, d *deployment, res *results) error {
	if err := await(ctx, func() bool {
		s, err := harness.StatusOf(ctx, d.data())
		return err == nil && s.State == "streaming"
	}); err != nil {
		return err
	}
	conn, err := pgx.Connect(ctx, l.postgres.URL(database))
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	reader := exec.CommandContext(ctx, l.evert, "tail", "-c", d.config(), "db.public.idle", "-o", "json")
	out, err := reader.StdoutPipe()
	if err != nil {
		return err
	}
	if err := reader.Start(); err != nil {
		return err
	}
	defer func() { _ = reader.Process.Kill(); _ = reader.Wait() }()
	lines := bufio.NewReaderSize(out, 1<<20)
	var trips []time.Duration
	const probes, warmUp = 120, 20
	for n := range probes {
		idle(ctx)
		began := time.Now()
		if err := insertOne(ctx, conn, "idle", n+1); err != nil {
			return err
		}
		if err := awaitLine(lines, n+1); err != nil {
			return err
		}
		if n >= warmUp {
			trips = append(trips, time.Since(began))
		}
	}
	s, err := harness.StatusOf(ctx, d.data())
	if err != nil {
		return err
	}
	res.below(10, "idle latency, median", s.Latency.Delivery50*1000, "ms", fmt.Sprintf("from commit in the database to commit in the log; %d samples, p99 %.1f ms", s.Latency.Samples, s.Latency.Delivery99*1000))
	res.add("idle round trip, median", float64(median(trips).Microseconds())/1000, "ms", "from before INSERT to the line that evert tail prints")
	return nil
}

// idle lets more than a commit interval pass by, at no fixed beat: only then is a
// commit due at once.
func idle(ctx context.Context) {
	select {
	case <-ctx.Done():
	case <-time.After(120*time.Millisecond + rand.N(100*time.Millisecond)):
	}
}

func insertOne(ctx context.Context, conn *pgx.Conn, table string, id int) error {
	_, err := conn.Exec(ctx, "INSERT INTO "+table+" VALUES ($1, 1, 'open', 'order', 12.30, true, now(), 0.5, 'note')", id)
	return err
}

func awaitLine(lines *bufio.Reader, id int) error {
	want := fmt.Sprintf(`"key":{"id":%d}`, id)
	for {
		line, err := lines.ReadString('\n')
		if err != nil {
			return fmt.Errorf("evert tail: %w", err)
		}
		if strings.Contains(line, want) {
			return nil
		}
	}
}

func await(ctx context.Context, done func() bool) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for !done() {
		select {
		case <-ctx.Done():
			return errors.New("the daemon does not begin to stream")
		case <-time.After(10 * time.Millisecond): // the period of asking
		}
	}
	return nil
}
