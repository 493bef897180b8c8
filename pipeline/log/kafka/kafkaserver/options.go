//go:build unix

package kafkaserver

import (
	"maps"
	"strconv"
)

// Options of a cluster. The zero value is one broker, which is its own
// controller, in a temporary directory.
type Options struct {
	// Dir holds the cluster and stays after Close; one made by an earlier cluster
	// is started again, on other ports. Empty: temporary, removed by Close.
	Dir string
	// Brokers is their number; 0 is 1.
	Brokers int
	// Controllers is the number of those in processes of their own. 0: every
	// broker is a controller too.
	Controllers int
	// Config is added to every node's server.properties, over DefaultConfig.
	Config map[string]string
	// NodeConfig is added to that of single nodes, by their id.
	NodeConfig map[int]map[string]string
	// Listeners of every broker, beside PLAINTEXT.
	Listeners []Listener
	// Users are known by SCRAM from the first start on.
	Users []User
	// Features are finalized levels, such as transaction.version: 1; what is not
	// named is the version's default.
	Features map[string]int
	// Heap of a node, as Java writes sizes; "" is 320m.
	Heap string
	// Java are further flags of the nodes' virtual machines, such as
	// -Dorg.apache.kafka.sasl.oauthbearer.allowed.urls=URL.
	Java []string
}

// A Listener is a port of every broker.
type Listener struct {
	Name     string // in capitals, such as SECURE
	Protocol string // PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL
	// Config is written below listener.name.<name>, such as
	// "ssl.keystore.location" or "scram-sha-512.sasl.jaas.config".
	Config map[string]string
}

// A User is a SCRAM credential, made when the storage is formatted.
type User struct {
	Name, Password string
	Mechanism      string // SCRAM-SHA-256 or SCRAM-SHA-512
}

const (
	plaintext  = "PLAINTEXT"  // the listener that every broker has
	controller = "CONTROLLER" // the listener that every controller has
)

// DefaultConfig are the settings of a cluster of so many brokers, before
// Options.Config: small buffers, few internal partitions, quick heartbeats, and
// replicas as in production where there are three.
func DefaultConfig(brokers int) map[string]string {
	replicas, insync := strconv.Itoa(min(brokers, 3)), strconv.Itoa(min(max(brokers-1, 1), 2))
	return map[string]string{
		"auto.create.topics.enable":                                   "false",
		"default.replication.factor":                                  replicas,
		"min.insync.replicas":                                         insync,
		"offsets.topic.num.partitions":                                "4",
		"offsets.topic.replication.factor":                            replicas,
		"transaction.state.log.num.partitions":                        "4",
		"transaction.state.log.replication.factor":                    replicas,
		"transaction.state.log.min.isr":                               insync,
		"share.coordinator.state.topic.num.partitions":                "1",
		"group.initial.rebalance.delay.ms":                            "0",
		"group.min.session.timeout.ms":                                "500",
		"num.network.threads":                                         "2",
		"num.io.threads":                                              "4",
		"background.threads":                                          "2",
		"log.index.size.max.bytes":                                    "1048576",
		"log.cleaner.dedupe.buffer.size":                              "4194304",
		"log.cleaner.io.buffer.size":                                  "131072",
		"log.initial.task.delay.ms":                                   "500",
		"replica.fetch.backoff.ms":                                    "100",
		"broker.heartbeat.interval.ms":                                "300",
		"broker.session.timeout.ms":                                   "3000",
		"controller.quorum.election.timeout.ms":                       "500",
		"controller.quorum.election.backoff.max.ms":                   "500",
		"controlled.shutdown.enable":                                  "true",
		"transaction.abort.timed.out.transaction.cleanup.interval.ms": "500",
		"transaction.max.timeout.ms":                                  "900000",
	}
}

func (o *Options) brokers() int { return max(o.Brokers, 1) }

// config is what a node has beside its place in the cluster.
func (o *Options) config(id int) map[string]string {
	c := DefaultConfig(o.brokers())
	maps.Copy(c, o.Config)
	maps.Copy(c, o.NodeConfig[id])
	return c
}

func (o *Options) heap() string {
	if o.Heap != "" {
		return o.Heap
	}
	return "320m"
}
