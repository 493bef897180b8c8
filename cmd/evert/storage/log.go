package storage

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log/slog"

	"github.com/evertdb/evert/cmd/evert/api"
	"github.com/evertdb/evert/cmd/evert/datadir"
	"github.com/evertdb/evert/cmd/evert/machine"
	"github.com/evertdb/evert/cmd/evert/monitor"
	"github.com/evertdb/evert/configs"
	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/log"
	"github.com/evertdb/evert/pipeline/log/embedded"
	"github.com/evertdb/evert/pipeline/log/kafka"
	"github.com/evertdb/evert/pipeline/state"
)

// codeClientTLS says that the files of a client's side of TLS cannot be used.
const codeClientTLS pipeline.Code = "KAFKA_TLS_FILES"

// Log is the log of a deployment.
type Log struct {
	log.Log
	io.Closer
	Groups      log.Groups             // who reads it; nil if it does not tell
	Cluster     *monitor.ClusterStatus // nil for the embedded log
	Kafka       *kafka.Log             // what Log stands on; nil for the embedded log
	Kind, place string
}

// OpenLog opens the log that the file asks for. The embedded log can be read
// without being written; a cluster looks after that itself.
func OpenLog(ctx context.Context, c *configs.Config, readOnly bool, logger *slog.Logger, told Events) (*Log, error) {
	if c.Kafka == nil {
		return OpenEmbedded(c, readOnly, told.Embedded)
	}
	return OpenKafka(ctx, c, readOnly, logger, told.Kafka)
}

// Events are what either log tells.
type Events struct {
	Embedded embedded.Events
	Kafka    kafka.Events
}

// OpenEmbedded opens the log in the data directory.
func OpenEmbedded(c *configs.Config, readOnly bool, told embedded.Events) (*Log, error) {
	dir := datadir.LogPath(c.DataDir)
	l, err := embedded.Open(embedded.Config{Dir: dir, ReadOnly: readOnly, Cache: int64(c.Limits.LogCacheBytes), OpenFiles: machine.LogFiles(), Events: told})
	if err != nil {
		return nil, err
	}
	return &Log{Log: l, Closer: l, Groups: l, Kind: "embedded", place: dir}, nil
}

// Status says where the topics live.
func (t *Log) Status() api.LogStatus {
	return api.LogStatus{Kind: t.Kind, Place: t.place, Cluster: t.Cluster}
}

// Identity tells this log from others, for states that are kept beside it.
func (t *Log) Identity() string {
	if t.Cluster != nil {
		return t.Cluster.ID
	}
	return t.Kind
}

// Holding says who holds the stable end of a topic, as a refusal; nil: nobody.
func (t *Log) Holding(ctx context.Context, topic string) error {
	if t.Kafka == nil {
		return nil
	}
	found, err := t.Kafka.Stuck(ctx, 0, topic)
	if err != nil || len(found) == 0 {
		return err
	}
	return found[0].Refusal()
}

// index puts a key index over a log that has none of its own: capture fills
// values from it that a source did not send (I5).
func (t *Log) index(dir string, maxBytes int64) error {
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
