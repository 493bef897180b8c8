package main

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log/slog"

	"github.com/evertdb/evert/cmd/evert/api"
	"github.com/evertdb/evert/cmd/evert/datadir"
	"github.com/evertdb/evert/cmd/evert/monitor"
	"github.com/evertdb/evert/configs"
	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/log"
	"github.com/evertdb/evert/pipeline/log/embedded"
	"github.com/evertdb/evert/pipeline/log/kafka"
	"github.com/evertdb/evert/pipeline/state"
)

// topicLog is the log of a deployment.
type topicLog struct {
	log.Log
	io.Closer
	groups      log.Groups             // who reads it; nil if it does not tell
	cluster     *monitor.ClusterStatus // nil for the embedded log
	kafka       *kafka.Log             // what Log stands on; nil for the embedded log
	kind, place string
}

// openLog opens the log that the file asks for. The embedded log can be read
// without being written; a cluster looks after that itself.
func openLog(ctx context.Context, c *configs.Config, readOnly bool, logger *slog.Logger, told logEvents) (*topicLog, error) {
	if c.Kafka == nil {
		return openEmbedded(c, readOnly, told.embedded)
	}
	return openKafka(ctx, c, readOnly, logger, told.kafka)
}

// logEvents are what either log tells.
type logEvents struct {
	embedded embedded.Events
	kafka    kafka.Events
}

func openEmbedded(c *configs.Config, readOnly bool, told embedded.Events) (*topicLog, error) {
	dir := datadir.LogPath(c.DataDir)
	l, err := embedded.Open(embedded.Config{Dir: dir, ReadOnly: readOnly, Cache: int64(c.Limits.LogCacheBytes), Events: told})
	if err != nil {
		return nil, err
	}
	return &topicLog{Log: l, Closer: l, groups: l, kind: "embedded", place: dir}, nil
}

// status says where the topics live.
func (t *topicLog) status() api.LogStatus {
	return api.LogStatus{Kind: t.kind, Place: t.place, Cluster: t.cluster}
}

// identity tells this log from others, for states that are kept beside it.
func (t *topicLog) identity() string {
	if t.cluster != nil {
		return t.cluster.ID
	}
	return t.kind
}

// index puts a key index over a log that has none of its own: capture fills
// values from it that a source did not send (I5).
func (t *topicLog) index(dir string, maxBytes int64) error {
	x, err := state.OpenIndex(dir, t.Log, maxBytes)
	if err != nil {
		return errors.Join(err, t.Close())
	}
	t.Log, t.Closer = x, closers{x, t.Closer}
	return nil
}

// closers close in their order.
type closers []io.Closer

func (cs closers) Close() (err error) {
	for _, c := range cs {
		err = errors.Join(err, c.Close())
	}
	return err
}

// clientTLS makes the client's side of TLS; nil is plaintext.
func clientTLS(where string, t *configs.TLS) (*tls.Config, error) {
	c, err := t.Build()
	if err != nil {
		return nil, &pipeline.Refusal{Code: codeClientTLS, Where: where, What: "the files cannot be used", Err: err,
			Mend: "name readable PEM files in ca, cert and key"}
	}
	return c, nil
}
