//go:build unix

package main

import (
	"context"
	"fmt"
	"io"
	"os/exec"
	"time"

	"github.com/jackc/pgx/v5"
)

// transactionRows is how many rows of the stream share a transaction.
const transactionRows = 1000

// stream reads the rows of nine columns.
func (l *lab) stream(ctx context.Context, res *results) error {
	if err := l.table(ctx, "orders"); err != nil {
		return err
	}
	r, err := l.race(ctx, "orders", func(first int) error { return l.insert(ctx, "orders", first, transactionRows) })
	if err != nil {
		return err
	}
	res.add("start and end of the process", r.idle.Seconds()*1000, "ms", "with nothing to read; part of every rate below")
	res.rates("stream", l.rows, median(r.times), "pg_recvlogical", median(r.limits), 0.9)
	res.add("stream, processor time", median(r.users).Seconds()*1e6/float64(l.rows), "s per million rows", "user and system")
	res.below(200, "stream, peak memory", float64(r.peak)/1e6, "MB", "")
	return nil
}

// A race is what Evert and pg_recvlogical took for the same WAL, by turns.
type race struct {
	idle                 time.Duration // of Evert with nothing to read
	limits, times, users []time.Duration
	peak                 int64
}

// race writes the WAL of a table first, transaction by transaction, for as many pairs
// of slots as there are measurements, and then reads it.
func (l *lab) race(ctx context.Context, table string, write func(first int) error) (r race, err error) {
	ours, err := l.slots(ctx, table)
	if err != nil {
		return r, err
	}
	idle, err := ours[0].catchUp(ctx)
	if err != nil {
		return r, err
	}
	r.idle = idle.elapsed
	for first := 1; first <= l.rows; first += transactionRows {
		if err := write(first); err != nil {
			return r, err
		}
	}
	for _, d := range ours {
		limit, err := l.receive(ctx, d.name+"_limit", "evert_"+d.name+"_db")
		if err != nil {
			return r, err
		}
		c, err := d.catchUp(ctx)
		if err != nil {
			return r, err
		}
		r.limits, r.times, r.users = append(r.limits, limit), append(r.times, c.elapsed), append(r.users, c.user)
		r.peak = max(r.peak, c.peak)
		if err := d.drop(ctx); err != nil {
			return r, err
		}
	}
	return r, nil
}

// slots makes a pair of slots on a table for each measurement, of which Evert has one.
func (l *lab) slots(ctx context.Context, table string) ([]*deployment, error) {
	ours := make([]*deployment, l.repeats)
	for i := range ours {
		var err error
		if ours[i], err = l.deployment(fmt.Sprintf("%s%d", table, i), table); err != nil {
			return nil, err
		}
		if _, err := ours[i].catchUp(ctx); err != nil { // makes slot and publication
			return nil, err
		}
		if err := l.sql(ctx, database, fmt.Sprintf("SELECT pg_create_logical_replication_slot('%s_limit', 'pgoutput')", ours[i].name)); err != nil {
			return nil, err
		}
	}
	return ours, nil
}

// receive reads one slot to the end of the WAL with the options that Evert uses,
// into /dev/null.
func (l *lab) receive(ctx context.Context, slot, publication string) (time.Duration, error) {
	program, err := l.postgres.Binaries().Tool("pg_recvlogical")
	if err != nil {
		return 0, err
	}
	conn, err := pgx.Connect(ctx, l.postgres.URL(database))
	if err != nil {
		return 0, err
	}
	defer conn.Close(ctx)
	var end string
	if err := conn.QueryRow(ctx, "SELECT pg_current_wal_lsn()::text").Scan(&end); err != nil {
		return 0, err
	}
	args := []string{"-d", l.postgres.URL(database), "--slot", slot, "--start", "--no-loop",
		"-f", "/dev/null", "--endpos", end, "-o", "publication_names=" + publication}
	for _, o := range slotOptions {
		args = append(args, "-o", o)
	}
	c, err := measure(exec.CommandContext(ctx, program, args...))
	return c.elapsed, err
}

// slotOptions are those that Evert starts replication with on Postgres 15.
var slotOptions = []string{"proto_version=2", "streaming=on"}

// snapshot copies the table that the stream filled, or fills one.
func (l *lab) snapshot(ctx context.Context, res *results) error {
	const table = "copied"
	if err := l.table(ctx, table); err != nil {
		return err
	}
	if err := l.insert(ctx, table, 1, l.rows); err != nil {
		return err
	}
	if err := l.sql(ctx, database, "VACUUM ANALYZE "+table); err != nil {
		return err
	}
	var limits, times []time.Duration
	var peak int64
	for i := range l.repeats {
		limit, err := l.copy(ctx, table)
		if err != nil {
			return err
		}
		d, err := l.deployment(fmt.Sprintf("snapshot%d", i), table)
		if err != nil {
			return err
		}
		c, err := d.catchUp(ctx)
		if err != nil {
			return err
		}
		limits, times, peak = append(limits, limit), append(times, c.elapsed), max(peak, c.peak)
		if err := d.drop(ctx); err != nil {
			return err
		}
	}
	res.rates("snapshot", l.rows, median(times), "COPY", median(limits), 0.4)
	res.below(200, "snapshot, peak memory", float64(peak)/1e6, "MB", "")
	return nil
}

// copy reads the table by one COPY … TO STDOUT and throws it away.
func (l *lab) copy(ctx context.Context, table string) (time.Duration, error) {
	conn, err := pgx.Connect(ctx, l.postgres.URL(database))
	if err != nil {
		return 0, err
	}
	defer conn.Close(ctx)
	began := time.Now()
	_, err = conn.PgConn().CopyTo(ctx, io.Discard, "COPY "+table+" TO STDOUT")
	return time.Since(began), err
}

// rates adds both rates and their ratio. ours is the time of a process.
func (r *results) rates(name string, rows int, ours time.Duration, limit string, theirs time.Duration, gate float64) {
	r.compare(name, rows, ours, wholeProcess, limit, theirs, gate)
}

const wholeProcess = "start and end of the process included"

// compare adds both rates and their ratio; measured says of what to what ours is.
func (r *results) compare(name string, rows int, ours time.Duration, measured, limit string, theirs time.Duration, gate float64) {
	rate := func(d time.Duration) float64 { return float64(rows) / d.Seconds() }
	r.add(name, rate(ours), "rows/s", fmt.Sprintf("%d rows in %s, %s", rows, ours.Round(time.Millisecond), measured))
	r.add(name+", limit", rate(theirs), "rows/s", limit+" in "+theirs.Round(time.Millisecond).String())
	r.atLeast(gate, name+" ÷ "+limit, theirs.Seconds()/ours.Seconds(), "", "")
}
