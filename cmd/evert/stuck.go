package main

import (
	"context"
	"time"

	"github.com/evertdb/evert/cmd/evert/monitor"
	"github.com/evertdb/evert/pipeline/log"
	"github.com/evertdb/evert/pipeline/log/kafka"
)

// lookForStuck looks for transactions that hold the stable end of our topics
// (K09). Ours are over before half of transaction_timeout, so what is open for
// longer than all of it is somebody else's, or was left behind.
func (w *watching) lookForStuck(ctx context.Context) {
	if w.stuck == nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, stuckEvery)
	defer cancel()
	found, err := w.daemon.topics.Kafka.Stuck(ctx, w.daemon.config.Kafka.TransactionTimeout, w.written()...)
	if err != nil {
		return // the cluster is away, which the sources tell; what is known stays
	}
	now := time.Now()
	problems := make([]monitor.Problem, len(found))
	for i := range found {
		problems[i] = *monitor.ProblemOf(found[i].Refusal(), now)
	}
	for _, p := range w.stuck.Observed(problems) {
		w.daemon.tellStuck(p)
	}
}

// waitsForStuck is told by a reader of ours that waits for such a transaction: at
// a start, before anything watches.
func (d *daemon) waitsForStuck(s kafka.Stuck) {
	d.tellStuck(*monitor.ProblemOf(s.Refusal(), time.Now()))
}

func (d *daemon) tellStuck(p monitor.Problem) {
	d.log.Warn("a transaction holds a topic", "what", p.Text, "code", string(p.Code), "mend", p.Mend)
}

// endedByHand is told that a cluster that was down had forgotten to end what it
// decided (K07).
func (d *daemon) endedByHand(id string, tp log.TopicPartition, committed bool) {
	d.log.Warn("the cluster had decided a transaction and forgotten to end it; it is ended now, as it was decided",
		"transactional_id", id, "partition", tp.String(), "committed", committed)
}

// written are the topics that this deployment writes, as far as they are known.
func (w *watching) written() []string {
	topics := append(w.topics(), log.OwnersTopic)
	if w.daemon.config.Registry == nil {
		topics = append(topics, log.SchemasTopic(w.daemon.config.Name))
	}
	for name := range w.daemon.config.Sources {
		topics = append(topics, log.FrontierTopic(w.daemon.config.Name, name))
	}
	return topics
}
