//go:build unix

package harness

import (
	"context"
	"errors"
	"path/filepath"
	"time"

	"github.com/evertdb/evert/pipeline/log"
	"github.com/evertdb/evert/pipeline/log/embedded"
	"github.com/evertdb/evert/pipeline/log/kafka"
	"github.com/evertdb/evert/pipeline/log/kafka/kafkaserver/kafkatest"
)

// OpenLog opens the world's log for reading, beside the daemon: an embedded log
// must not be in use.
func (w *World) OpenLog() (l log.Log, closeLog func(), err error) {
	if len(w.Options.Brokers) == 0 {
		e, err := embedded.Open(embedded.Config{Dir: filepath.Join(w.Data(), "log"), ReadOnly: true, LockWait: 10 * time.Second})
		if err != nil {
			return nil, nil, err
		}
		return e, func() { _ = e.Close() }, nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), Patience)
	defer cancel()
	k, err := kafka.Open(ctx, kafka.Config{Brokers: w.Options.Brokers, Deployment: w.Deployment(), Topics: kafka.Topics{Manage: kafka.Never}})
	if err != nil {
		return nil, nil, err
	}
	return k, func() { _ = k.Close() }, nil
}

// Compact forces a compaction of topics; the log must not be in use.
func (w *World) Compact(topics ...string) error {
	if w.Options.Cluster != nil {
		ctx, cancel := context.WithTimeout(context.Background(), Patience)
		defer cancel()
		return kafkatest.Clean(ctx, w.Options.Cluster, topics...)
	}
	if len(w.Options.Brokers) > 0 {
		return errors.New("the fake cluster compacts when it wants to")
	}
	e, err := embedded.Open(embedded.Config{Dir: filepath.Join(w.Data(), "log"), LockWait: 10 * time.Second,
		Now: func() time.Time { return time.Now().Add(48 * time.Hour) }}) // all records are old enough
	if err != nil {
		return err
	}
	for _, topic := range topics {
		err = errors.Join(err, e.Admin().Compact(context.Background(), topic))
	}
	return errors.Join(err, e.Close())
}
