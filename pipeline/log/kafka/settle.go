package kafka

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/log"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// settlePeriod is how often a coordinator is asked whether it has ended what it
// decided: milliseconds, unless a partition has no leader.
const settlePeriod = 10 * time.Millisecond

// settleKeys are the requests that settling takes.
var settleKeys = [...]kmsg.Key{kmsg.DescribeProducers, kmsg.DescribeTransactions, kmsg.WriteTxnMarkers}

// The states of a transaction, as coordinators tell them. Those that begin with
// Prepare are decided, and their markers under way.
const (
	stateOngoing        = "Ongoing"
	stateCompleteCommit = "CompleteCommit"
	stateCompleteAbort  = "CompleteAbort"
)

func isEnding(state string) bool { return strings.HasPrefix(state, "Prepare") }

// settle brings what the holder before left to its end, before a new holder is
// told to the coordinator: from then on nobody can say any more how it was
// decided (K07).
//
//	open      ──► it is aborted by us, so that the decision stays on record
//	deciding  ──► waited for
//	decided   ──► the partitions that do not know it are told
//
// Each step may be repeated, after a crash and beside another process.
func (l *Log) settle(ctx context.Context, id string) error {
	if !l.settles {
		return nil
	}
	return l.persist(ctx, "the cluster has not ended the last transaction of "+id, func(ctx context.Context) (bool, error) { return l.settleOnce(ctx, id) })
}

// persist tries until it is done, or until an error does not pass. late is said when that
// takes longer than RetryFor.
func (l *Log) persist(ctx context.Context, late string, try func(context.Context) (done bool, err error)) error {
	ctx, cancel := context.WithTimeout(ctx, l.cfg.RetryFor)
	defer cancel()
	for n := 1; ; n++ {
		done, err := try(ctx)
		if done || !passes(err) {
			return err
		}
		if pipeline.Pause(ctx, settlePause(n, err)) != nil {
			return fmt.Errorf("%s: %w", late, errors.Join(err, context.Cause(ctx)))
		}
	}
}

func (l *Log) settleOnce(ctx context.Context, id string) (done bool, err error) {
	tx, err := l.transaction(ctx, id)
	switch {
	case err != nil || tx.state == "":
		return err == nil, err
	case tx.state == stateOngoing:
		return false, l.abort(ctx, tx)
	case isEnding(tx.state):
		return false, nil
	}
	hidden, err := l.unended(ctx, tx.producer)
	if err != nil || len(hidden) == 0 {
		return err == nil, err
	}
	// The holder may live, and have begun meanwhile what was found. Its
	// coordinator knows of a transaction before a partition does.
	now, err := l.transaction(ctx, id)
	if err != nil || now.state != tx.state || now.epoch != tx.epoch {
		return false, err
	}
	return false, l.endHidden(ctx, tx, hidden) // and look once more
}

// unsettled looks for what became hidden while the writer was opened: nobody
// knows its decision now.
func (l *Log) unsettled(ctx context.Context, id string, producer int64) error {
	if !l.settles {
		return nil
	}
	return l.persist(ctx, "the cluster does not tell what became of the last transaction of "+id, func(ctx context.Context) (bool, error) {
		hidden, err := l.unended(ctx, producer)
		if err != nil || len(hidden) == 0 {
			return err == nil, err
		}
		return true, undecided(id, hidden[0])
	})
}

// settlePause is the wait behind the nth look: a cluster that does not answer is
// not asked a hundred times a second.
func settlePause(n int, err error) time.Duration {
	if err != nil {
		return backoff(n)
	}
	return settlePeriod
}

// passes reports whether it is worth asking again: what the cluster says while it
// moves things, and networks.
func passes(err error) bool {
	if known, ok := errors.AsType[*kerr.Error](err); ok {
		return known.Retriable || isEnded(known) || errors.Is(known, kerr.ConcurrentTransactions)
	}
	return pipeline.CodeOf(err) == "" && !errors.Is(err, kgo.ErrClientClosed)
}

// A transaction is what a coordinator knows of a transactional id; its state is
// empty if it knows nothing.
type transaction struct {
	id       string
	state    string
	producer int64
	epoch    int16
}

// transaction asks for the state of a transactional id. The coordinator is looked
// for each time: the client would go on asking one that is gone.
func (l *Log) transaction(ctx context.Context, id string) (transaction, error) {
	tx, err := l.describeTransaction(ctx, id)
	if err != nil {
		return tx, fmt.Errorf("ask for the state of %s: %w", id, l.cfg.denied("Describe", err, id))
	}
	return tx, nil
}

func (l *Log) describeTransaction(ctx context.Context, id string) (transaction, error) {
	tx := transaction{id: id}
	at := l.admin.FindTxnCoordinators(ctx, id)[id]
	if at.Err != nil {
		return tx, at.Err
	}
	req := kmsg.NewPtrDescribeTransactionsRequest()
	req.TransactionalIDs = []string{id}
	resp, err := req.RequestWith(ctx, l.cl.Broker(int(at.NodeID)))
	if err != nil || len(resp.TransactionStates) != 1 {
		return tx, err
	}
	d := &resp.TransactionStates[0]
	err = kerr.ErrorForCode(d.ErrorCode)
	if errors.Is(err, kerr.TransactionalIDNotFound) {
		return tx, nil
	}
	tx.state, tx.producer, tx.epoch = d.State, d.ProducerID, d.ProducerEpoch
	return tx, err
}

// abort ends an open transaction in its holder's name.
func (l *Log) abort(ctx context.Context, tx transaction) error {
	req := kmsg.NewPtrEndTxnRequest()
	req.TransactionalID, req.ProducerID, req.ProducerEpoch = tx.id, tx.producer, tx.epoch
	resp, err := req.RequestWith(ctx, l.cl)
	if err == nil {
		err = kerr.ErrorForCode(resp.ErrorCode)
	}
	if err != nil {
		return fmt.Errorf("abort what %s left open: %w", tx.id, l.cfg.denied("Write", err, tx.id))
	}
	return nil
}

// unended gives the partitions of this deployment's topics in which a producer has
// a transaction open.
func (l *Log) unended(ctx context.Context, producer int64) ([]kadm.DescribedProducer, error) {
	meta, err := l.admin.Metadata(ctx)
	if err != nil {
		return nil, fmt.Errorf("ask for topics: %w", err)
	}
	set, err := l.held(ctx, l.ours(meta.Topics))
	if err != nil {
		return nil, err
	}
	return l.openIn(ctx, producer, set)
}

// ours are the topics that the deployment may write to; all if it is not said.
func (l *Log) ours(topics kadm.TopicDetails) []string {
	var prefixes []string
	for _, r := range l.cfg.Rights() {
		if r.Resource == Topic && r.Operation == "Write" {
			prefixes = append(prefixes, r.Name)
		}
	}
	return slices.DeleteFunc(slices.Sorted(maps.Keys(topics)), func(name string) bool {
		if topics[name].IsInternal || len(l.cfg.Prefixes) == 0 {
			return topics[name].IsInternal
		}
		return !slices.ContainsFunc(prefixes, func(p string) bool { return strings.HasPrefix(name, p) })
	})
}

// openIn gives those of the partitions in which a producer has a transaction
// open.
func (l *Log) openIn(ctx context.Context, producer int64, set kadm.TopicsSet) (open []kadm.DescribedProducer, err error) {
	if len(set) == 0 {
		return nil, nil
	}
	found, err := l.admin.DescribeProducers(ctx, set)
	if err != nil {
		return nil, fmt.Errorf("ask for open transactions: %w", l.cfg.denied("Read", err, set.Topics()...))
	}
	found.EachPartition(func(p kadm.DescribedProducersPartition) {
		if p.Err != nil && err == nil {
			err = fmt.Errorf("ask for open transactions on %s/%d: %w", p.Topic, p.Partition, l.cfg.denied("Read", p.Err, p.Topic))
		}
		if d, ok := p.ActiveProducers[producer]; ok && d.CurrentTxnStartOffset >= 0 {
			open = append(open, d)
		}
	})
	return open, err
}

// endHidden writes the markers that a coordinator left out.
func (l *Log) endHidden(ctx context.Context, tx transaction, hidden []kadm.DescribedProducer) error {
	for _, p := range hidden {
		if !l.decides(tx, p.ProducerEpoch) {
			return undecided(tx.id, p)
		}
	}
	return l.mark(ctx, tx.id, tx.state == stateCompleteCommit, hidden)
}

// decides reports whether a completed transaction is the one of this epoch. With
// transaction.version 2 its end raised the epoch by one; below that only an abort
// by fence does, or by timeout.
func (l *Log) decides(tx transaction, epoch int16) bool {
	by := tx.epoch - epoch
	switch tx.state {
	case stateCompleteCommit:
		return by == 1 && l.info.ExactlyOnce() || by == 0 && !l.info.ExactlyOnce()
	case stateCompleteAbort:
		return by == 1 || by == 0 && !l.info.ExactlyOnce()
	}
	return false
}

// mark ends transactions in partitions as a coordinator does. A marker of an epoch
// that the partition has left is refused there, so that it cannot strike a later
// transaction.
func (l *Log) mark(ctx context.Context, id string, commit bool, hidden []kadm.DescribedProducer) error {
	for _, p := range hidden {
		m := kadm.TxnMarkers{
			ProducerID: p.ProducerID, ProducerEpoch: p.ProducerEpoch, Commit: commit,
			CoordinatorEpoch: max(p.CoordinatorEpoch, 0), Topics: kadm.TopicsSet{},
		}
		m.Topics.Add(p.Topic, p.Partition)
		answers, err := l.admin.WriteTxnMarkers(ctx, m)
		answers.EachPartition(func(a kadm.TxnMarkersPartitionResponse) { err = errors.Join(err, a.Err) })
		switch {
		case deniedResource(err) == Cluster:
			return l.hides(id, commit, p, err)
		case err != nil:
			return fmt.Errorf("end the transaction of %s in %s/%d: %w", id, p.Topic, p.Partition, err)
		}
		if f := l.cfg.Events.Ended; f != nil {
			f(id, log.TopicPartition{Topic: p.Topic, Partition: p.Partition}, commit)
		}
	}
	return nil
}

// hides says that what was decided cannot be seen for want of a right.
func (l *Log) hides(id string, commit bool, p kadm.DescribedProducer, err error) error {
	decision := "abort"
	if commit {
		decision = "commit"
	}
	right := Right{Resource: Cluster, Operation: "Alter"}
	return &pipeline.Refusal{
		Code: codeHidden, Where: fmt.Sprintf("%s/%d", p.Topic, p.Partition), Err: err,
		What: fmt.Sprintf("the cluster decided to %s the last transaction of %s and forgot to end it here: nobody sees what lies behind offset %d, and the end of the next one would end it too", decision, id, p.CurrentTxnStartOffset),
		Mend: right.Command(l.cfg.Brokers[0], l.cfg.User()) + "   # then Evert ends it as it was decided",
	}
}

// undecided says that nobody knows whether a transaction of ours was committed.
func undecided(id string, p kadm.DescribedProducer) error {
	return &pipeline.Refusal{
		Code: codeUndecided, Where: fmt.Sprintf("%s/%d", p.Topic, p.Partition),
		What: fmt.Sprintf("a transaction of %s is open at offset %d, and the cluster no longer knows how it was decided", id, p.CurrentTxnStartOffset),
		Mend: "evert reset SOURCE --yes   # begins its topics anew",
	}
}
