package embedded

import (
	"errors"
	"time"
)

// SweepAged makes the pass that is due over a topic's partitions, in a run that began run
// ago and passed them last ago. The log has no sweep of its own: SweepRate is negative.
func (l *Log) SweepAged(topic string, run, last time.Duration) error {
	now := time.Now()
	l.sweep.began = now.Add(-run)
	var all []error
	for _, p := range l.topics[topic].parts {
		l.sweep.passed[p] = now.Add(-last)
		_, err := l.sweep.partition(p, false)
		all = append(all, err)
	}
	return errors.Join(all...)
}
