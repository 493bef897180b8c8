package configs

import "time"

// A Config is one file of Evert, checked and with its defaults filled in. It is
// immutable after Load and may be shared.
//
// The comment above a field is its description in the JSON Schema; its tags are
// the grammar: yaml (key), default, enum, min, max, format, keys (format of the
// keys of a map), required.
type Config struct {
	// The deployment's name. It prefixes groups, transactional ids, view and internal topics, and slots; a deployment that changes its name starts anew.
	Name string `yaml:"name" format:"name" required:"true"`
	// The directory of the embedded log, local state, spilled transactions and the control socket; relative to the working directory.
	DataDir string `yaml:"data_dir" format:"path" default:"./data"`
	// What is logged, and how.
	Logging Logging `yaml:"logging"`
	// The Kafka cluster that holds the log. Without this section the log is embedded and lies in data_dir.
	Kafka *Kafka `yaml:"kafka"`
	// The schema registry. Without this section the embedded registry is used.
	Registry *Registry `yaml:"registry"`
	// The databases to capture, by name.
	Sources map[string]*Source `yaml:"sources" keys:"name" required:"true"`
	// Views over tables and other views, by name.
	Views map[string]*View `yaml:"views" keys:"name"`
	// Outside systems that tables and views are delivered to, by name.
	Sinks map[string]*Sink `yaml:"sinks" keys:"name"`
	// The addresses that Evert listens on.
	Serve Serve `yaml:"serve"`
	// The bounds of queues, buffers, caches and waits that are not named beside what they bound.
	Limits Limits `yaml:"limits"`

	file     string
	warnings []string
}

// File is the path that the configuration was loaded from.
func (c *Config) File() string { return c.file }

// SourceNames lists the sources in the order of their names.
func (c *Config) SourceNames() []string { return sortedKeys(c.Sources) }

// TopicPrefixes are those of the sources, in the same order.
func (c *Config) TopicPrefixes() (all []string) {
	for _, name := range c.SourceNames() {
		all = append(all, c.Sources[name].TopicPrefix)
	}
	return all
}

// SinkNames are the names of the sinks, sorted.
func (c *Config) SinkNames() []string { return sortedKeys(c.Sinks) }

// Warnings are sentences to be logged at each start: weakened TLS, secrets that
// others on this machine can read, settings without effect. None holds a secret.
func (c *Config) Warnings() []string { return c.warnings }

// Logging says what is logged, and how.
type Logging struct {
	// The least severe level that is written.
	Level string `yaml:"level" enum:"debug,info,warn,error" default:"info"`
	// One JSON object a line, or text for people; auto is text on a terminal and json elsewhere.
	Format string `yaml:"format" enum:"auto,json,text" default:"auto"`
}

// Limits bound what is not bounded beside its own section (I9).
type Limits struct {
	// Memory for data that the process aims to stay below: the soft limit of the garbage collector. The program itself, some 45 MiB, comes on top.
	Memory Size `yaml:"memory" default:"136MiB" min:"64MiB" max:"4TiB"`
	// The largest column value that is written into a record; a larger one follows on_oversize. A Postgres source does not hold it in memory, but below data_dir meanwhile; masks hide it there, and a transform that needs its value stops the table.
	ValueBytes Size `yaml:"value_bytes" default:"16MiB" min:"1KiB" max:"1GiB"`
	// The largest encoded record of a topic, if the topic does not take less (max.message.bytes); a larger one follows on_oversize.
	RecordBytes Size `yaml:"record_bytes" default:"16MiB" min:"1KiB" max:"1GiB"`
	// Rows that may wait between a source and its log, per source.
	QueueRows int `yaml:"queue_rows" default:"16384" min:"1" max:"10000000"`
	// Bytes of rows that may wait between a source and its log, per source.
	QueueBytes Size `yaml:"queue_bytes" default:"16MiB" min:"64KiB" max:"64GiB"`
	// Rows that a source hands on in one piece.
	BatchRows int `yaml:"batch_rows" default:"2048" min:"1" max:"1000000"`
	// Bytes of rows that a source hands on in one piece; a larger row goes alone.
	BatchBytes Size `yaml:"batch_bytes" default:"512KiB" min:"4KiB" max:"1GiB"`
	// Memory for transactions in progress, per source; what is above it spills to data_dir.
	TransactionBytes Size `yaml:"transaction_bytes" default:"16MiB" min:"64KiB" max:"64GiB"`
	// Disk for spilled transactions, per source, and as much again for values above value_bytes; what needs more stops the source.
	SpillBytes Size `yaml:"spill_bytes" default:"64GiB" min:"1MiB" max:"1024TiB"`
	// Disk for the state of each view; above it that view stops and shows what it had. Built anew beside the old state, and for what an epoch overwrites, it has as much again.
	ViewStateBytes Size `yaml:"view_state_bytes" default:"64GiB" min:"1MiB" max:"1024TiB"`
	// Disk for the old rows of each sink whose transforms need them; above it that sink stops, and its system keeps what it has.
	SinkRowsBytes Size `yaml:"sink_rows_bytes" default:"64GiB" min:"1MiB" max:"1024TiB"`
	// Disk for the cache from which unknown column values are filled when the log is on Kafka, per source.
	FillCacheBytes Size `yaml:"fill_cache_bytes" default:"4GiB" min:"1MiB" max:"1024TiB"`
	// Memory for the block cache of the embedded log.
	LogCacheBytes Size `yaml:"log_cache_bytes" default:"8MiB" min:"1MiB" max:"1TiB"`
	// Bytes written to the log and not yet acknowledged by it.
	WriteBytes Size `yaml:"write_bytes" default:"16MiB" min:"1MiB" max:"64GiB"`
	// Bytes that one fetch from the log may return.
	FetchBytes Size `yaml:"fetch_bytes" default:"4MiB" min:"64KiB" max:"1GiB"`
	// HTTP requests in progress at one time; more are answered with 503.
	Requests int `yaml:"requests" default:"256" min:"1" max:"100000"`
	// Connections of Kafka clients to serve.kafka open at one time; one more is closed at once.
	KafkaConnections int `yaml:"kafka_connections" default:"64" min:"1" max:"100000"`
	// The largest request of a Kafka client; a larger one closes its connection.
	KafkaRequestBytes Size `yaml:"kafka_request_bytes" default:"1MiB" min:"1KiB" max:"100MiB"`
	// Answers to Kafka clients with records that are made or on their way at one time; each takes about twice kafka_fetch_bytes.
	KafkaFetches int `yaml:"kafka_fetches" default:"8" min:"1" max:"10000"`
	// Bytes of records in one answer to a Kafka client; a larger record goes alone, and one such at a time.
	KafkaFetchBytes Size `yaml:"kafka_fetch_bytes" default:"1MiB" min:"64KiB" max:"100MiB"`
	// How long a Kafka client may take for each 64 KiB of an answer; one that takes longer is cut off.
	KafkaSendTimeout time.Duration `yaml:"kafka_send_timeout" default:"10s" min:"100ms" max:"10m"`
	// Streams of live changes open at one time; more are answered with 503.
	Streams int `yaml:"streams" default:"256" min:"1" max:"100000"`
	// Bytes of changes held for the streams of one view; a client that falls further behind is cut off.
	StreamBytes Size `yaml:"stream_bytes" default:"16MiB" min:"64KiB" max:"64GiB"`
	// Bytes of rows in one answer of a paged read; what is above it comes with the next page.
	PageBytes Size `yaml:"page_bytes" default:"16MiB" min:"1KiB" max:"1GiB"`
	// Memory that a comparison (evert verify) sorts rows in; what is above it spills to data_dir.
	VerifyBytes Size `yaml:"verify_bytes" default:"32MiB" min:"64KiB" max:"64GiB"`
	// Cursors of paged reads open at one time; the oldest ends when another is needed.
	Cursors int `yaml:"cursors" default:"1000" min:"1" max:"1000000"`
	// How long a read with wait_for may wait when it names no timeout, and at most.
	WaitTimeout time.Duration `yaml:"wait_timeout" default:"30s" min:"1ms" max:"1h"`
	// How long a stopping daemon may take for its last commits; a second signal ends it at once.
	DrainTimeout time.Duration `yaml:"drain_timeout" default:"10s" min:"100ms" max:"10m"`
}
