package kafka

import (
	"context"
	"crypto/tls"
	"log/slog"
	"net"
	"time"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/log"
	"github.com/twmb/franz-go/pkg/kgo"
)

// Config says how to reach a cluster and how to use it. Brokers and Deployment
// are required, the zero value of everything else is its default.
type Config struct {
	Brokers    []string // host:port; some are enough
	SASL       *SASL    // nil is no authentication
	Deployment string   // prefixes transactional ids and groups
	Prefixes   []string // with which names of table topics begin; for Rights
	ClientID   string   // in the brokers' logs and quotas; "evert"

	// TLS gives the settings of one connection, which are its own from then on;
	// it is called for each, so that files are read anew (K28). nil is plaintext.
	TLS func() (*tls.Config, error)
	// Insecure allows plaintext to other machines.
	Insecure bool

	// TransactionTimeout is when the cluster aborts a transaction on its own;
	// 60 s. The brokers' transaction.max.timeout.ms bounds it.
	TransactionTimeout time.Duration
	// SessionTimeout is when a silent member of a group is taken for dead; 10 s.
	SessionTimeout time.Duration

	// RetryFor is how long a request is repeated while the cluster does not
	// answer it, before it is an error; 30 s. Records are repeated for as long
	// as their transaction lives.
	RetryFor time.Duration

	// DialTimeout bounds one connection with its TLS handshake; 10 s.
	DialTimeout time.Duration
	// Dial makes connections, over which TLS is put; nil is a plain dialer.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)

	Topics Topics
	Limits Limits

	Logger *slog.Logger // the client's own words; nil is silence
	Events Events
}

// Topics says what Ensure may do.
type Topics struct {
	Manage            Manage            // Create
	ReplicationFactor int16             // 0 is the cluster's default
	Settings          map[string]string // further settings of new topics, by Kafka's names
}

// Manage says who looks after topics: Evert; people, and Evert verifies; or
// people alone.
type Manage uint8

// Create makes missing topics and verifies the others, Verify never makes one,
// Never looks at the identity and the partition count only.
const (
	Create Manage = iota
	Verify
	Never
)

// Limits bound buffers. Each is per writer or reader.
type Limits struct {
	WriteRecords int // records not yet acknowledged; 16,384
	WriteBytes   int // keys, values and headers not yet acknowledged; 16 MiB
	ReadBytes    int // one fetch response of one broker, compressed; 4 MiB
}

// Events are told what happens below the interface. They may be called from any
// goroutine and must not block. Any of them may be nil.
type Events struct {
	Stuck    func(s Stuck)                   // a transaction holds a partition's stable end (K09)
	Retrying func(where string, cause error) // a request failed and is repeated
	// Ended: the cluster had decided the transaction of one of our transactional
	// ids and forgotten to end it in a partition, where it is ended now (K07).
	Ended func(id string, tp log.TopicPartition, committed bool)
	// Finding tells what of a topic is not as the file says, where that stops
	// nothing: a setting that the cluster refused, or that it has otherwise.
	Finding func(r *pipeline.Refusal)
	// Certificate tells of each certificate of each new connection (K28).
	Certificate func(c Certificate)
}

func (c Config) withDefaults() Config {
	setDefault(&c.ClientID, "evert")
	setDefault(&c.TransactionTimeout, time.Minute)
	setDefault(&c.SessionTimeout, 10*time.Second)
	setDefault(&c.RetryFor, 30*time.Second)
	setDefault(&c.DialTimeout, 10*time.Second)
	setDefault(&c.Limits.WriteRecords, 16<<10)
	setDefault(&c.Limits.WriteBytes, 16<<20)
	setDefault(&c.Limits.ReadBytes, 4<<20)
	return c
}

func setDefault[T comparable](v *T, to T) {
	var zero T
	if *v == zero {
		*v = to
	}
}

// fixedSettings must not be set by hand: records would vanish by age or lose
// their order in time (K18).
var fixedSettings = [...]string{"cleanup.policy", "message.timestamp.type"}

func (c *Config) validate() error {
	switch {
	case len(c.Brokers) == 0:
		return &pipeline.Refusal{Code: codeConfig, Where: "kafka.brokers", What: "no broker is named", Mend: "brokers: [host:9092]"}
	case c.Deployment == "":
		return &pipeline.Refusal{Code: codeConfig, Where: "name", What: "the deployment has no name", Mend: "name: shop"}
	}
	for _, k := range fixedSettings {
		if v, ok := c.Topics.Settings[k]; ok {
			return &pipeline.Refusal{
				Code: codeConfig, Where: "kafka.topics.config", What: k + "=" + v + " is not for choice: records would be lost by it",
				Mend: "remove " + k + " from kafka.topics.config",
			}
		}
	}
	return nil
}

// What the brokers' metrics call the client. Both must not be empty.
const (
	software        = "evert"
	softwareVersion = "1"
)

// options are what all clients have in common.
func (c *Config) options() ([]kgo.Opt, error) {
	opts := []kgo.Opt{
		kgo.SeedBrokers(c.Brokers...),
		kgo.ClientID(c.ClientID),
		kgo.SoftwareNameAndVersion(software, softwareVersion),
		kgo.DisableClientMetrics(),
		kgo.MetadataMinAge(250 * time.Millisecond),
		kgo.RetryBackoffFn(backoff),
		kgo.RetryTimeout(c.RetryFor),
		kgo.RequestTimeoutOverhead(silence),
		kgo.Dialer(c.dial),
	}
	if c.Logger != nil {
		opts = append(opts, kgo.WithLogger(clientLogger{c.Logger}))
	}
	if c.SASL != nil {
		m, err := c.SASL.mechanism()
		if err != nil {
			return nil, err
		}
		opts = append(opts, kgo.SASL(m))
	}
	return opts, nil
}

// silence is how long a broker may be silent under a request, beyond what the
// request itself allows, before its connection is given up and another broker
// asked. A paused broker costs a commit about four of these, so that it stays
// well below the transaction timeout (K01, K08).
const silence = 5 * time.Second

// backoff is the wait before the nth repetition: 50 ms, doubling to 2 s.
func backoff(n int) time.Duration {
	return min(50*time.Millisecond<<min(max(n-1, 0), 10), 2*time.Second)
}

// clientLogger passes the client's log on. What the client calls information is
// of use to its developers only.
type clientLogger struct{ to *slog.Logger }

func (l clientLogger) Level() kgo.LogLevel {
	if l.to.Enabled(context.Background(), slog.LevelDebug) {
		return kgo.LogLevelInfo
	}
	return kgo.LogLevelWarn
}

func (l clientLogger) Log(level kgo.LogLevel, msg string, keyvals ...any) {
	to := slog.LevelDebug
	switch level {
	case kgo.LogLevelError, kgo.LogLevelWarn:
		to = slog.LevelWarn
	}
	l.to.Log(context.Background(), to, msg, keyvals...)
}
