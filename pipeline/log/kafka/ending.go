package kafka

import (
	"context"
	"fmt"
	"net"
	"sync"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/log"
	"github.com/twmb/franz-go/pkg/kadm"
)

// An ending is the newest transaction that a writer ended. Its markers are on
// their way when the next one begins, and a cluster that went down meanwhile may
// have forgotten them (K07). Then the end of the next one would end both:
//
//	e    commit decided ─ ✗ no marker in t/0
//	e+1                      record in t/0 ─ abort: e's records are gone too
//
// A broker that was away is reached by a new connection only, so none is made
// before the partitions of e are seen to have ended.
type ending struct {
	mu       sync.Mutex
	pid      int64
	next     map[log.TopicPartition]*int64 // behind the records; nil: all is ended. Not written to
	commit   bool
	answered bool // the coordinator has said that it is decided
}

// begin notes a transaction whose end is about to be asked for.
func (e *ending) begin(pid int64, next map[log.TopicPartition]*int64, commit bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.pid, e.next, e.commit, e.answered = pid, next, commit, false
}

func (e *ending) decided() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.answered = true
}

// dial makes a connection of this writer. What is refused ends the writer, with
// the records that wait for the connection.
func (w *Writer) dial(ctx context.Context, network, address string) (net.Conn, error) {
	if err := w.awaitEnding(ctx); err != nil {
		if pipeline.CodeOf(err) != "" {
			w.kill(err)
		}
		return nil, err
	}
	return w.log.cfg.dial(ctx, network, address)
}

// awaitEnding returns when the newest transaction that was ended is so in all of
// its partitions.
func (w *Writer) awaitEnding(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, w.log.cfg.DialTimeout)
	defer cancel()
	w.ending.mu.Lock()
	defer w.ending.mu.Unlock()
	for n := 1; w.ending.next != nil && w.log.settles; n++ {
		done, err := w.endingOnce(ctx)
		if done || !passes(err) {
			return err
		}
		if pipeline.Pause(ctx, settlePause(n, err)) != nil {
			return fmt.Errorf("the cluster has not ended the last transaction of %s: %w", w.id, context.Cause(ctx))
		}
	}
	return nil
}

func (w *Writer) endingOnce(ctx context.Context) (done bool, err error) {
	e := &w.ending
	tx, err := w.log.transaction(ctx, w.id)
	switch {
	case err != nil || isEnding(tx.state):
		return false, err
	case !e.answered && tx.state != stateCompleteCommit && tx.state != stateCompleteAbort:
		return true, nil // not decided yet; or it is a newer writer's
	}
	hidden, err := w.log.openBelow(ctx, e.pid, e.next)
	switch {
	case err != nil:
		return false, err
	case len(hidden) == 0:
		e.next = nil
		return true, nil
	case e.answered:
		return false, w.log.mark(ctx, w.id, e.commit, hidden)
	}
	return false, w.log.endHidden(ctx, tx, hidden)
}

// openBelow gives the partitions in which a producer has a transaction open that
// began below the offsets.
func (l *Log) openBelow(ctx context.Context, producer int64, next map[log.TopicPartition]*int64) (below []kadm.DescribedProducer, err error) {
	var set kadm.TopicsSet
	for tp := range next {
		set.Add(tp.Topic, tp.Partition)
	}
	open, err := l.openIn(ctx, producer, set)
	for _, p := range open {
		if p.CurrentTxnStartOffset < *next[log.TopicPartition{Topic: p.Topic, Partition: p.Partition}] {
			below = append(below, p)
		}
	}
	return below, err
}

// alive gives a context that also ends when the writer is ended from beside: a
// refusal at the door would else be waited for.
func (w *Writer) alive(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	stop := context.AfterFunc(w.life, func() { cancel(context.Cause(w.life)) })
	return ctx, func() { stop(); cancel(nil) }
}
