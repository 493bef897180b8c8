package postgres

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
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
func (t *Target) Commit(ctx context.Context, at pipeline.Resume) error {
	return commitAll(ctx, at, []*Target{t})
}

// commitAll commits the steps of targets that share a session, in one transaction.
func commitAll(ctx context.Context, at pipeline.Resume, all []*Target) error {
	for _, t := range all {
		t.step.consolidate()
		t.road = fromMemory
	}
	for attempt := 0; ; attempt++ {
		failed, err := tryAll(ctx, at, all)
		if err == nil {
			break
		}
		if attempt >= all[0].config.Retries || !passesByItself(err) {
			if gone(err) && failed != nil {
				return failed.changedUnderneath(ctx, err)
			}
			return passing("commit a step", err)
		}
		if err := pause(ctx, attempt); err != nil {
			return err
		}
	}
	for _, t := range all {
		if err := t.done(ctx, at); err != nil {
			return err
		}
	}
	return nil
}

// pause waits a little longer each time, and never for the same time as others do.
func pause(ctx context.Context, attempt int) error {
	return pipeline.Pause(ctx, time.Duration(rand.Int64N(int64(time.Millisecond)<<min(attempt+2, 9))))
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

// A road is how a step is written.
type road uint8

// A step goes straight from memory; by way of the temporary table; or likewise, with
// the rows told apart that the server refuses (S13). On the last road are all steps of
// a transaction or none: there every constraint speaks at once, also of rows that refer
// to those of another table.
const (
	fromMemory road = iota
	staged
	apart
)

// tryAll makes one transaction of the steps, each by the road that suits it. Where
// the server refuses a row, the next road follows. failed is whose step it was; nil if
// that is not known.
func tryAll(ctx context.Context, at pipeline.Resume, all []*Target) (failed *Target, err error) {
	for {
		for _, t := range all {
			if err := t.prepareRoad(ctx); err != nil {
				return t, err
			}
		}
		failed, err = transaction(ctx, at, all)
		if !concernsRow(err) && !errors.Is(err, errTooMany) || !nextRoad(failed, all) {
			return failed, err
		}
	}
}

// prepareRoad brings what lies in memory to where the road begins.
func (t *Target) prepareRoad(ctx context.Context) error {
	if t.road == fromMemory && t.step.staged > 0 {
		t.road = staged
	}
	if t.road == fromMemory {
		return nil
	}
	return t.spill(ctx)
}

// nextRoad takes the next road of the step that failed, or of all if nobody knows
// which; false if there is none.
func nextRoad(failed *Target, all []*Target) (is bool) {
	for _, t := range all {
		if (failed == nil || failed == t) && t.road < apart {
			t.road++
			is = true
		}
	}
	if slices.ContainsFunc(all, (*Target).isApart) {
		for _, t := range all {
			t.road = apart
		}
	}
	return is
}

func (t *Target) isApart() bool { return t.road == apart }

func areApart(all []*Target) bool { return len(all) > 0 && all[0].isApart() }

// errTooMany says that a step is not a small one.
var errTooMany = errors.New("more rows than go by INSERT")

// apply writes a step whose rows are not told apart.
func (t *Target) apply(ctx context.Context) error {
	if t.road == fromMemory {
		return t.applyBuffered(ctx)
	}
	return t.applyStaged(ctx)
}

// applyBuffered writes a step that lies in memory.
func (t *Target) applyBuffered(ctx context.Context) error {
	switch {
	case len(t.step.rows) == 0:
		return nil
	case t.filling && t.step.gone == 0 && t.step.clashed == 0:
		err := t.applyCopy(ctx)
		if sqlState(err) != uniqueViolation {
			return err
		}
		t.step.clashed = clashPause
		return errTooMany
	case len(t.step.rows) <= t.config.SmallRows:
		return t.applySmall(ctx)
	}
	return errTooMany
}

// clashPause is for how many commits of a fill rows go by way of the temporary
// table after COPY met a key that was there.
const clashPause = 16

const uniqueViolation = "23505"

// transaction moves the positions first: that locks their rows, so that a newer owner
// waits for us, or we find that there is one (K05). Then come the effects.
func transaction(ctx context.Context, at pipeline.Resume, all []*Target) (failed *Target, err error) {
	lead := all[0]
	defer func() {
		if err != nil {
			lead.rollback(ctx)
		}
	}()
	if failed, err = begin(ctx, at, all); err != nil {
		return failed, err
	}
	if failed, err = effects(ctx, at, all); err != nil {
		return failed, err
	}
	if len(all) == 1 {
		failed = lead
	}
	return failed, lead.commit(ctx)
}

// effects are what the steps do, inside the transaction.
func effects(ctx context.Context, at pipeline.Resume, all []*Target) (failed *Target, err error) {
	if areApart(all) {
		if failed, err = applyCarefully(ctx, all); err != nil {
			return failed, err
		}
	}
	for _, t := range all {
		if !t.isApart() {
			err = t.apply(ctx)
		}
		if err == nil {
			err = t.dropShed(ctx)
		}
		if err != nil {
			return t, err
		}
	}
	if !at.Whole() {
		return nil, nil
	}
	return switchOver(ctx, all)
}

// begin opens the transaction, and moves the positions.
func begin(ctx context.Context, at pipeline.Resume, all []*Target) (failed *Target, err error) {
	b := &pgconn.Batch{}
	b.ExecParams("BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE", nil, nil, nil, nil)
	for _, t := range all {
		t.move(b, at)
	}
	results, err := all[0].conn.PgConn().ExecBatch(ctx, b).ReadAll()
	if err != nil {
		return nil, err
	}
	for i, t := range all {
		if err := t.moved(results[i+1].Rows); err != nil {
			return t, err
		}
	}
	return nil, nil
}

// move asks to move the position.
func (t *Target) move(b *pgconn.Batch, at pipeline.Resume) {
	var columns, key []byte // nil while none are known
	if t.layout != nil {
		columns, key = textArray(t.layout.names()), textArray(t.layout.key)
	}
	b.ExecParams(fmt.Sprintf(moveSQL, t.config.Positions.sql()), [][]byte{appendResume(nil, at), []byte(t.config.Name), fmt.Append(nil, t.epoch), columns, []byte(t.config.Table.sql()), key},
		[]uint32{oidBytea, oidText, oidInt8, oidTextArray, oidText, oidTextArray}, []int16{1, 0, 0, 1, 0, 1}, nil)
}

// moved reads whether it was moved.
func (t *Target) moved(rows [][][]byte) error {
	if len(rows) != 1 {
		return t.config.errFenced()
	}
	if string(rows[0][0]) != "t" {
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
