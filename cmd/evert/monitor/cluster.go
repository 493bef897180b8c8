package monitor

import "github.com/prometheus/client_golang/prometheus"

// A ClusterStatus is the Kafka cluster that holds the topics, as it was when it
// was opened.
type ClusterStatus struct {
	ID      string `json:"id"`
	Version string `json:"version"` // guessed from the requests it knows
	Brokers int    `json:"brokers"`
	// TransactionVersion is its finalized transaction.version. Below 2 a late end
	// of a transaction is not fenced (K06, I2).
	TransactionVersion int `json:"transaction_version"`
}

func transactionVersionDesc() *prometheus.Desc {
	return prometheus.NewDesc("evert_kafka_transaction_version", "The cluster's transaction.version when it was opened; below 2 exactly-once is not the cluster's promise to foreign readers. Absent for the embedded log.", nil, nil)
}

func collectCluster(ch chan<- prometheus.Metric, c *ClusterStatus) {
	if c != nil {
		level(ch, transactionVersionDesc(), float64(c.TransactionVersion))
	}
}
