package postgres

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/handover"
	"github.com/evertdb/evert/sources/postgres/pgsql"
	"github.com/evertdb/evert/sources/postgres/window"
)

// takeChunk takes what a job has read. It may be called inside a transaction, when
// the window is full.
func (c *copying) takeChunk() error {
	j := c.job
	c.phase = resting
	if j.err != nil || j.finished || j.changed || j.paused != "" {
		c.window.Close()
	}
	switch {
	case j.err != nil:
		return c.retry(j.err)
	case j.paused != "":
		c.until = time.Now().Add(c.source.config.PollInterval)
		c.waitFor("the copy of " + c.shape.table.String() + " pauses: " + j.paused)
		return nil
	case j.finished:
		c.phase, j.place = merging, 0
		return nil
	case j.changed:
		c.shape = nil
		return nil
	}
	if j.ask {
		c.window.Suspect(j.suspects)
	}
	if c.from != nil {
		c.window.ArriveReplayed(j.rows, j.count)
	} else if hidden, ok := c.window.Arrive(j.shows, j.rows, j.count); !ok {
		return c.again(hidden)
	}
	c.failed, c.phase = 0, merging
	c.waitFor("")
	return nil
}

// again lets the chunk be read again a little later: its snapshot may lack a
// transaction that was streamed.
func (c *copying) again(hidden uint32) error {
	c.failed++
	c.until = time.Now().Add(min(time.Millisecond<<min(c.failed, 10), time.Second))
	c.waitFor(fmt.Sprintf("the copy of %s goes on when transaction %d has ended, which has written to it and may be in the log already", c.shape.table, hidden))
	return nil
}

// merge hands over the rows of the chunk that did not lose.
func (c *copying) merge() error {
	a, j := c.source.a, c.job
	if err := a.flush(); err != nil {
		return err
	}
	if j.finished {
		return c.finish()
	}
	if r := a.rels[c.table.OID]; r == nil || r.shape != c.shape || r.pending != nil {
		c.window.Close()
		c.phase, c.shape = resting, nil // it has other columns by now
		return nil
	}
	c.phase = resting
	c.pace.Take(int(j.bytes), time.Now())
	c.until = time.Now().Add(c.pace.Take(0, time.Now()))
	c.stats.bytes.Add(j.bytes)
	c.handChunk(&pipeline.Tx{Position: a.at, Commit: uint64(a.atLSN), At: j.at})
	c.window.Close()
	return c.flush()
}

// handChunk hands over the batches of the chunk, each with the place that the copy has
// reached by it.
func (c *copying) handChunk(tx *pipeline.Tx) {
	j, rows := c.job, c.table.At.Rows
	if len(j.batches) == 0 {
		j.batches, j.reached = append(j.batches, c.source.queue.Get()), append(j.reached, j.to)
	}
	j.reached[len(j.reached)-1] = j.to
	number := uint32(0)
	for i, b := range j.batches {
		c.keepWinners(b, tx, &number)
		c.table.At = j.reached[i]
		c.table.At.Rows = rows + int64(number)
		c.keep()
		b.EndWhole(c.source.a.resume(), j.at)
		c.out = append(c.out, b)
	}
	j.batches = nil
	c.stats.rows.Add(int64(number))
}

// keepWinners takes the rows out of a batch that lost, and gives the others their
// transaction and number.
func (c *copying) keepWinners(b *handover.Batch, tx *pipeline.Tx, number *uint32) {
	kept := b.Changes[:0]
	for _, ch := range b.Changes {
		if c.window.Loses(int(ch.Row)) {
			continue
		}
		ch.Tx, ch.Row = tx, *number
		kept = append(kept, ch)
		*number++
	}
	b.Changes = kept
}

// finish says that the copy is done.
func (c *copying) finish() error {
	b := c.source.queue.Get()
	b.Copies = append(b.Copies, pipeline.TableCopy{Table: c.shape.table, ID: c.table.ID, Done: true})
	c.say("the copy of a table is complete", "rows", c.table.At.Rows)
	c.stats.done.Store(c.stats.chunks.Load())
	c.table.Done, c.table.At = true, progress{}
	c.keep()
	c.phase = resting
	c.source.stats.copied()
	c.next() // who learns that this one is done may ask whether others are due
	return c.hand(b)
}

// retry decides what a job that failed means: another attempt after a pause, or
// the end of the copy.
func (c *copying) retry(err error) error {
	if c.source.life.Ended.Err() != nil {
		return c.source.life.Why()
	}
	if final(err) {
		return c.giveUp(err)
	}
	c.failed++
	pause := handover.Backoff(c.failed, c.source.config.BackoffMax)
	c.until = time.Now().Add(pause)
	switch pgsql.State(err) {
	case "42P01", "42703", "42501":
		c.shape = nil // dropped, changed, or kept from us: look again
	}
	err = pgsql.WithoutValues(err)
	c.waitFor(err.Error())
	c.source.config.Log.Warn("a table cannot be copied on now; trying again", "table", c.table.OID, "error", err, "pause", pause)
	return nil
}

// giveUp ends the copy of a table that cannot go on.
func (c *copying) giveUp(err error) error {
	var r *pipeline.Refusal
	if !errors.As(err, &r) {
		return err
	}
	a, t := c.source.a, c.table
	begun := a.state.copying(t.OID, t.ID)
	if (begun || t.ID != "") && concerning(err, c.name) == nil {
		return err
	}
	if !begun {
		if err := a.flush(); err != nil {
			return err // it is described again
		}
	}
	c.window.Close()
	c.waitFor("")
	c.table, c.shape = tableCopy{}, nil
	if begun {
		c.halted = append(c.halted, newStop(t.OID, a.state.names[t.OID], r))
		return nil
	}
	c.source.leaveOut(r)
	if r.Code == CodeTableAdded {
		c.source.passed.forget(t.OID) // somebody else may publish it
	}
	b := c.source.queue.Get() // also for who waits for nothing to be due
	if t.ID != "" {
		c.refuse(b, t, r)
	}
	c.next()
	return c.hand(b)
}

// refuse tells who asked for a copy that it does not begin, and why. A table that was
// read on until now stops for it.
func (c *copying) refuse(b *handover.Batch, t tableCopy, why *pipeline.Refusal) {
	a := c.source.a
	st := newStop(t.OID, c.name, why)
	if r := a.rels[t.OID]; r != nil && !r.halted && a.state.holds(t.OID) {
		st.Schema, st.Name = a.state.names[t.OID].Schema, a.state.names[t.OID].Name
		r.halted = true
		a.keep(a.state.stop(st))
		a.settle()
	}
	told := st.told(a.database)
	told.Copy = t.ID
	b.Stopped = append(b.Stopped, told)
}

// halt stops the tables whose copy was begun and cannot go on: what was copied is
// not whole.
func (c *copying) halt() error {
	a := c.source.a
	for ; len(c.halted) > 0; c.halted = c.halted[1:] {
		if err := a.flush(); err != nil {
			return err
		}
		if r := a.rels[c.halted[0].OID]; r != nil && !r.halted {
			a.halt(r, c.halted[0])
			a.endWhole(a.idleTime)
			a.settle()
		}
	}
	return a.flush()
}

// change notes a change of the table that is being copied.
func (c *copying) change(s *shape, xid uint32, ch *pipeline.Change) error {
	if c.table.OID != s.oid || c.shape == nil {
		return nil
	}
	c.window.Touch(xid)
	if c.window.IsOpen {
		var key [64]byte
		if ch.Op == pipeline.Truncate {
			c.window.Truncate(xid)
		}
		if ch.Before != nil {
			c.window.Change(window.AppendKey(key[:0], s.table, ch.Before), xid)
		}
		if ch.After != nil {
			c.window.Change(window.AppendKey(key[:0], s.table, ch.After), xid)
		}
	}
	if !c.window.Full() {
		return nil
	}
	return c.room()
}

// roomPatience is how long the stream waits for a chunk whose window is full.
const roomPatience = 10 * time.Second

var errSlow = fmt.Errorf("it was not read within %s, which the stream waits for it; it is read again", roomPatience)

// room waits for the chunk, so that what is kept meanwhile stays bounded (I9). One
// that does not come is given up: the stream goes on, and all other tables with it.
func (c *copying) room() error {
	st := c.source.current.Load()
	if st == nil {
		return nil
	}
	ctx, cancel := context.WithTimeoutCause(c.source.life.Ended, roomPatience, errSlow)
	defer cancel()
	err := st.waitFor(ctx, c.done)
	if errors.Is(err, errSlow) {
		c.stop()
		if err = st.waitFor(c.source.life.Ended, c.done); err == nil && c.job.err != nil {
			c.disconnect() // it may be in the middle of the job's transaction
			c.job.err = fmt.Errorf("a part of %s: %w", c.job.shape.table, errSlow)
		}
	}
	if err != nil {
		return err
	}
	return c.takeChunk()
}

var errBusy = errors.New("somebody uses the table")
