package pipeline

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"
)

// Limits bound what lies between two commits (I9).
type Limits struct {
	Interval time.Duration // at most this often under load
	Quiet    time.Duration // at most this often when nothing more is ready: an idle stage commits at once
	Copying  time.Duration // instead of both while a snapshot is copied
	Rows     int           // a commit happens at this many rows, inside a transaction if need be
	Bytes    int           // or at this many bytes
	Timeout  time.Duration // or this long after the first row, inside a transaction if need be: half the transaction timeout
	Drain    time.Duration // how long the last commit may take once the stage is told to stop
}

// DefaultLimits are the limits of a capture stage.
func DefaultLimits() Limits {
	return Limits{
		Interval: 100 * time.Millisecond,
		Quiet:    4 * time.Millisecond,
		Copying:  time.Second,
		Rows:     100_000,
		Bytes:    32 << 20,
		Timeout:  30 * time.Second,
		Drain:    10 * time.Second,
	}
}

// A Stage carries changes from a source to a sink. It is used once.
type Stage struct {
	Source     Source
	Transforms []Transform
	Sink       Sink
	Limits     Limits
	Events     Events
	Now        func() time.Time // the clock of intervals; time.Now if nil
}

// Run opens the sink, then the source where the sink's effects end, and carries
// batches until the source is done (nil), ctx ends (its cause, after a last
// commit if one is allowed there), or something fails. An unknown outcome of a
// commit is a failure like any other: the next Run believes the sink (I1, I10).
func (s *Stage) Run(ctx context.Context) error {
	if s.Now == nil {
		s.Now = time.Now
	}
	plant(s) // wrong orders of commit, in test builds
	defer s.Sink.Close()
	from, err := s.Sink.Open(ctx)
	if err != nil {
		return fmt.Errorf("open sink: %w", err)
	}
	defer s.Source.Close()
	if err := s.Source.Open(ctx, from); err != nil {
		return fmt.Errorf("open source: %w", err)
	}
	if s.Events.Opened != nil {
		s.Events.Opened(from)
	}
	return (&run{Stage: s}).loop(ctx)
}

// run is what one Run knows: what was written since the last commit.
type run struct {
	*Stage
	rows, bytes int       // written and not committed
	ends        int       // transaction ends among them
	first       time.Time // when the first of them was written
	last        time.Time // when the last commit returned
	took        time.Duration
	at          time.Time // the source's clock at end

	end     Resume // the last place at which a commit is allowed
	allowed bool   // something was written, and nothing behind end
	between bool   // end lies between transactions, or between rows of a snapshot
}

// loop is the straight line of every change: next, write, commit, ack.
func (r *run) loop(ctx context.Context) error {
	for ctx.Err() == nil {
		b, err := r.next(ctx)
		switch {
		case errors.Is(err, errDue):
			err = r.commit(ctx)
		case errors.Is(err, io.EOF):
			return r.finish(ctx)
		case err == nil:
			err = r.take(ctx, b)
		}
		if err != nil && ctx.Err() == nil {
			return err
		}
	}
	return errors.Join(context.Cause(ctx), r.finish(ctx))
}

// take writes a batch and commits if that is due.
func (r *run) take(ctx context.Context, b Batch) error {
	if err := r.write(ctx, b); err != nil {
		r.allowed = false
		return err
	}
	r.note(b)
	if !r.due() {
		return nil
	}
	return r.commit(ctx)
}

// errDue says that a commit is due and nothing was read meanwhile.
var errDue = errors.New("commit due")

// next reads a batch, or gives errDue when the pending commit may wait no longer. A
// source that fails at that very moment has failed: what it read is lost with it, and
// nothing behind that may be taken (I1).
func (r *run) next(ctx context.Context) (Batch, error) {
	if !r.allowed {
		return r.read(ctx)
	}
	wait, cancel := context.WithTimeout(ctx, r.deadline().Sub(r.Now()))
	defer cancel()
	b, err := r.read(wait)
	if errors.Is(err, context.DeadlineExceeded) && wait.Err() != nil && ctx.Err() == nil {
		return b, errDue
	}
	return b, err
}

// deadline is when the pending commit happens if nothing more is ready.
func (r *run) deadline() time.Time {
	switch {
	case r.copying():
		return r.last.Add(r.Limits.Copying)
	case r.between:
		return r.last.Add(r.quiet())
	}
	return r.first.Add(r.Limits.Timeout)
}

// commitShare bounds the time that commits take of a source that is always just
// a little behind: a fifth.
const commitShare = 5

// quiet is how soon a commit may follow the last one when nothing more is ready.
// Where commits cost little that is at once; into a cluster, rows gather meanwhile.
func (r *run) quiet() time.Duration {
	return max(r.Limits.Quiet, min((commitShare-1)*r.took, r.Limits.Interval))
}

func (r *run) read(ctx context.Context) (Batch, error) {
	b, err := r.Source.Next(ctx)
	if err != nil && !errors.Is(err, io.EOF) {
		return b, fmt.Errorf("read: %w", err)
	}
	return b, err
}

// write passes a batch through the transforms to the sink.
func (r *run) write(ctx context.Context, b Batch) (err error) {
	for _, t := range r.Transforms {
		if b, err = t.Apply(ctx, b); err != nil {
			return fmt.Errorf("transform: %w", err)
		}
	}
	if r.Events.Writing != nil {
		r.Events.Writing(b)
	}
	if err := r.Sink.Write(ctx, b); err != nil {
		return fmt.Errorf("write: %w", err)
	}
	if r.Events.Written != nil {
		r.Events.Written(b)
	}
	return nil
}

// note counts what was written, and whether a commit is allowed behind it.
func (r *run) note(b Batch) {
	if r.rows == 0 {
		r.first = r.Now()
	}
	r.rows += len(b.Changes)
	r.bytes += b.Bytes
	r.allowed = b.End != nil
	if !r.allowed {
		return
	}
	r.end, r.at, r.between = *b.End, b.At, b.End.Rows == 0
	if b.End.Whole() {
		r.ends++
	}
}

// due reports whether to commit now: between transactions as soon as the
// interval allows, inside one only when a limit is reached (I3).
func (r *run) due() bool {
	if !r.allowed {
		return false
	}
	now := r.Now()
	full := r.rows >= r.Limits.Rows || r.bytes >= r.Limits.Bytes || now.Sub(r.first) >= r.Limits.Timeout
	switch {
	case r.copying():
		return full || now.Sub(r.last) >= r.Limits.Copying
	case r.between:
		return full || now.Sub(r.last) >= r.Limits.Interval
	}
	return full
}

// copying reports whether what was written belongs to a snapshot that is not
// complete. Nobody waits for its commits: it begins again after a crash.
func (r *run) copying() bool { return r.end.At.IsZero() }

// commit makes what was written durable, then tells the source (I1).
func (r *run) commit(ctx context.Context) error {
	began := r.Now()
	r.allowed = false // once tried, the outcome is open until Open is asked again
	if err := r.Sink.Commit(ctx, r.end); err != nil {
		return fmt.Errorf("commit at %s: %w", r.end.At, err)
	}
	r.last = r.Now()
	r.took = r.last.Sub(began)
	if err := r.Source.Ack(ctx, r.end.At); err != nil {
		return fmt.Errorf("acknowledge %s: %w", r.end.At, err)
	}
	if r.Events.Committed != nil {
		r.Events.Committed(Committed{At: r.end, Rows: r.rows, Bytes: r.bytes, Ends: r.ends, Took: r.last.Sub(began), Time: r.at})
	}
	r.rows, r.bytes, r.ends = 0, 0, 0
	return nil
}

// finish commits what may be committed when no more is read; the rest is
// dropped with the sink and read again. It outlives ctx by Limits.Drain (I10).
func (r *run) finish(ctx context.Context) error {
	if !r.allowed {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), r.Limits.Drain)
	defer cancel()
	return r.commit(ctx)
}
