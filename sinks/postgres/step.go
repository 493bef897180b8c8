package postgres

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/deliver"
)

// A step is what lies between two commits:
//
//	Write ─► buffer ──────────────────────────► INSERT … ON CONFLICT, DELETE     small
//	            ├─► COPY into the fill                                           filling, nothing twice
//	            └─► COPY into a temporary table ─► INSERT … SELECT, DELETE USING large
//
// The temporary table is filled outside of any transaction. So nothing is locked
// while a large transaction of the source arrives, and an attempt that met a
// deadlock can be made again from what lies there.
type step struct {
	buffer
	staged     int // rows in the temporary table
	stagedGone int // of them
	chunks     int // how often it was copied into: within a chunk no key stands twice
	columns    int // of the layout that the temporary table has; 0: there is none yet
	prepared   bool
	clashed    int // commits of the fill for which COPY is not tried again, since a key stood there
}

// Commit implements deliver.Target: what was written, and how far was read, in one
// transaction (I1). One that met a deadlock or could not be serialized is made
// again as a whole, in the order of keys (S11).
func (t *Target) Commit(ctx context.Context, at pipeline.Resume) (err error) {
	t.step.consolidate()
	for attempt := 0; ; attempt++ {
		err = t.attempt(ctx, at)
		if attempt >= t.config.Retries || !passesByItself(err) {
			break
		}
		if err := pause(ctx, attempt); err != nil {
			return err
		}
	}
	if err != nil {
		if gone(err) {
			return t.changedUnderneath(ctx, err)
		}
		return passing("commit a step", err)
	}
	return t.done(ctx, at)
}

// pause waits a little longer each time, and never for the same time as others do.
func pause(ctx context.Context, attempt int) error {
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(time.Duration(rand.Int64N(int64(time.Millisecond) << min(attempt+2, 9)))):
		return nil
	}
}

// changedUnderneath looks again at a table that is not as it was.
func (t *Target) changedUnderneath(ctx context.Context, err error) error {
	err = passing("commit a step", err)
	target, lookErr := loadRelation(ctx, t.conn, t.config.Table)
	if lookErr != nil || t.filling {
		return err
	}
	t.target = target
	if renewal := t.stillThere(); renewal != nil {
		return renewal
	}
	return err
}

// attempt makes one transaction of the step by the road that suits it. Where the
// server refuses a row, a road on which rows can be told apart follows (S13).
func (t *Target) attempt(ctx context.Context, at pipeline.Resume) error {
	switching := t.filling && at.Whole()
	if t.step.staged == 0 {
		err := t.attemptBuffered(ctx, at, switching)
		if !concernsRow(err) && !errors.Is(err, errTooMany) {
			return err
		}
		if err := t.spill(ctx); err != nil {
			return err
		}
	} else if len(t.step.rows) > 0 {
		if err := t.spill(ctx); err != nil {
			return err
		}
	}
	err := t.transaction(ctx, at, switching, t.applyStaged)
	if !concernsRow(err) {
		return err
	}
	t.careful = true
	defer func() { t.careful = false }()
	return t.transaction(ctx, at, switching, t.applyCarefully)
}

// errTooMany says that a step is not a small one.
var errTooMany = errors.New("more rows than go by INSERT")

// attemptBuffered is for a step that lies in memory.
func (t *Target) attemptBuffered(ctx context.Context, at pipeline.Resume, switching bool) error {
	switch {
	case len(t.step.rows) == 0:
		return t.transaction(ctx, at, switching, nil)
	case t.filling && t.step.gone == 0 && t.step.clashed == 0:
		err := t.transaction(ctx, at, switching, t.applyCopy)
		if sqlState(err) != uniqueViolation {
			return err
		}
		t.step.clashed = clashPause
		return errTooMany
	case len(t.step.rows) <= t.config.SmallRows:
		return t.transaction(ctx, at, switching, t.applySmall)
	}
	return errTooMany
}

// clashPause is for how many commits of a fill rows go by way of the temporary
// table after COPY met a key that was there.
const clashPause = 16

const uniqueViolation = "23505"

// transaction moves the position first: that locks its row, so that a newer owner
// waits for us, or we find that there is one (K05). Then come the effects.
func (t *Target) transaction(ctx context.Context, at pipeline.Resume, switching bool, effects func(context.Context) error) error {
	err := t.begin(ctx, at)
	if err == nil && effects != nil {
		err = effects(ctx)
	}
	if err == nil {
		err = t.dropShed(ctx)
	}
	if err == nil && switching {
		err = t.switchOver(ctx)
	}
	if err == nil {
		err = t.commit(ctx)
	}
	if err != nil {
		t.rollback(ctx)
	}
	return err
}

func (t *Target) begin(ctx context.Context, at pipeline.Resume) error {
	var columns, key []byte // nil while none are known
	if t.layout != nil {
		columns, key = textArray(t.layout.names()), textArray(t.layout.key)
	}
	b := &pgconn.Batch{}
	b.ExecParams("BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE", nil, nil, nil, nil)
	b.ExecParams(fmt.Sprintf(moveSQL, t.config.Positions.sql()), [][]byte{appendResume(nil, at), []byte(t.config.Name), fmt.Append(nil, t.epoch), columns, []byte(t.config.Table.sql()), key},
		[]uint32{oidBytea, oidText, oidInt8, oidTextArray, oidText, oidTextArray}, []int16{1, 0, 0, 1, 0, 1}, nil)
	results, err := t.conn.PgConn().ExecBatch(ctx, b).ReadAll()
	if err != nil {
		return err
	}
	moved := results[len(results)-1].Rows
	if len(moved) != 1 {
		return t.config.errFenced()
	}
	if string(moved[0][0]) != "t" {
		return &deliver.Renewal{Why: t.config.where() + " is gone, or was made anew by somebody else"}
	}
	return nil
}

func textArray(words []string) []byte {
	a := newArrays(1, len(words))
	for _, w := range words {
		a[0] = appendElement(a[0], []byte(w))
	}
	return a[0]
}

const (
	oidBytea     = 17
	oidInt8      = 20
	oidText      = 25
	oidTextArray = 1009
)

// rollback ends a failed transaction. Where that fails the connection is lost, and
// the transaction with it.
func (t *Target) rollback(ctx context.Context) {
	if t.conn.PgConn().TxStatus() != 'I' {
		_, _ = t.conn.Exec(ctx, "ROLLBACK")
	}
}

// commit leaves the outcome open when it fails: the next Open believes the table
// of positions (S12). A deferred constraint speaks before the COMMIT.
func (t *Target) commit(ctx context.Context) error {
	tag, err := t.conn.Exec(ctx, "SET CONSTRAINTS ALL IMMEDIATE; COMMIT")
	if err == nil && tag.String() != "COMMIT" {
		return fmt.Errorf("the server answered COMMIT with %s", tag)
	}
	return err
}

// done forgets the step that is durable now.
func (t *Target) done(ctx context.Context, at pipeline.Resume) error {
	t.step.reset()
	if t.layout != nil {
		t.columns = t.layout.names()
	}
	t.step.clashed = max(0, t.step.clashed-1)
	if t.filling && at.Whole() {
		if err := t.switched(ctx); err != nil {
			return err
		}
	}
	if err := t.emptyStage(ctx); err != nil {
		return err
	}
	return t.forgetShed(ctx)
}

// applyCopy copies the buffer straight into the fill.
func (t *Target) applyCopy(ctx context.Context) error {
	r := &lineReader{buffer: &t.step.buffer, rows: t.step.rows, columns: len(t.layout.columns)}
	columns := quoteAll(t.layout.names())
	if t.merging() {
		r.lead = appendPlace
		columns = quoteIdent(partitionColumn) + ", " + quoteIdent(offsetColumn) + ", " + columns
	}
	return copyIn(ctx, t.conn.PgConn(), r, t.fill.sql(), columns)
}
