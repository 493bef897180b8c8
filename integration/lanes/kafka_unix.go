//go:build unix

package main

import (
	"context"
	"fmt"
	"os"
	"strings"

	"github.com/evertdb/evert/pipeline/log/kafka/kafkaserver"
	"github.com/evertdb/evert/sinks/opensearch/opensearchserver"
)

// prepareKafka lets Maven bring the brokers, and OpenSearch, before a test has to
// wait for them.
func prepareKafka(ctx context.Context, r *report) (tally, error) {
	missing := kafkaserver.Missing()
	if missing != nil && (os.Geteuid() != 0 || !r.has("apt-get")) {
		return tally{}, cannot{"Apache Kafka for tests needs " + strings.Join(missing, " and "), kafkaserver.InstallHint()}
	}
	if missing != nil {
		if err := r.install(ctx, missing...); err != nil {
			return tally{failed: 1}, err
		}
	}
	d, err := kafkaserver.Fetch(ctx)
	if err != nil {
		return tally{}, cannot{err.Error(), kafkaserver.InstallHint()}
	}
	fmt.Fprintf(r.out, "ok  Apache Kafka %s on %s\n", d.Version, d.Java)
	s, err := opensearchserver.Fetch(ctx)
	if err != nil {
		return tally{}, cannot{err.Error(), opensearchserver.InstallHint()}
	}
	fmt.Fprintf(r.out, "ok  OpenSearch %s\n", s.Version)
	return tally{passed: 2}, nil
}
