package kafka

import (
	"context"
	"time"

	"github.com/evertdb/evert/pipeline"
)

// learnedPeriod is how often is asked for a thing that takes microseconds.
const learnedPeriod = time.Millisecond

// learned waits until the client has stored what it learned of the topics that
// the open transaction wrote to (K29). It sends the first records of a topic
// before it stores the topic's partitions, and EndTransaction looks through what
// is stored:
//
//	metadata goroutine          this goroutine
//	t's records are sent
//	                            Flush: acknowledged
//	                            EndTransaction: no partition was written to,
//	                            so it aborts, and reports success
//	t's partitions are stored
//
// The commit would be lost without a word, and the sequence numbers not be reset
// for the epoch after it (OUT_OF_ORDER_SEQUENCE_NUMBER). Seen in franz-go 1.22.2,
// and the same in 1.22.3: storePartitionsUpdate in topics_and_partitions.go.
func (w *Writer) learned(ctx context.Context) error {
	for topic, partition := range w.unknown() {
		for {
			if leader, _, _ := w.cl.PartitionLeader(topic, partition); leader >= 0 {
				break
			}
			if err := pipeline.Pause(ctx, learnedPeriod); err != nil {
				return err
			}
		}
		w.known[topic] = true
	}
	return nil
}

// unknown gives a partition of each topic that was written to for the first time.
func (w *Writer) unknown() map[string]int32 {
	w.mu.Lock()
	defer w.mu.Unlock()
	var topics map[string]int32
	for tp := range w.acked.next {
		if !w.known[tp.Topic] {
			if topics == nil {
				topics = map[string]int32{}
			}
			topics[tp.Topic] = tp.Partition
		}
	}
	return topics
}
