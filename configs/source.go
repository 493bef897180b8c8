package configs

import "time"

// Envelope is the shape of a record's value.
type Envelope string

// The envelopes.
const (
	EnvelopeDebezium Envelope = "debezium" // before, after, source, op
	EnvelopeRow      Envelope = "row"      // the after-image alone
)

// Partitioner is how a record's key chooses its partition.
type Partitioner string

// The partitioners.
const (
	PartitionerWire      Partitioner = "wire"      // murmur2 of the key bytes as sent, like a Java producer
	PartitionerCanonical Partitioner = "canonical" // murmur2 of the key bytes without the schema id
)

// Policies of a table.
const (
	StopTable  = "stop_table"
	StopSource = "stop_source"
	Resnapshot = "resnapshot"
	Truncate   = "truncate"
	Offload    = "offload"
	DeadLetter = "dead_letter"
	Apply      = "apply"
)

// Never is the mode of a snapshot that copies nothing.
const Never = "never"

// Release is the policy that gives up a slot which holds back too much.
const Release = "release"

// Policies of a MySQL source.
const (
	Accept    = "accept"
	ZeroEpoch = "epoch"
)

// A Source is a database whose changes are captured. Exactly one of Postgres and
// MySQL is set.
type Source struct {
	// A Postgres database.
	Postgres *Postgres `yaml:"postgres"`
	// A MySQL or MariaDB server; the flavour is detected.
	MySQL *MySQL `yaml:"mysql"`

	// Topics are <topic_prefix>.<schema>.<table>; the source's name by default.
	TopicPrefix string `yaml:"topic_prefix" format:"topic"`
	// The shape of records: Debezium's envelope, or the row alone.
	Envelope Envelope `yaml:"envelope" enum:"debezium,row" default:"debezium"`
	// How keys choose partitions: wire is what a Java producer does (the default), canonical leaves the schema id out.
	Partitioner Partitioner `yaml:"partitioner" enum:"wire,canonical" default:"wire"`
	// What happens when a table cannot go on. resnapshot: it is copied again while the others go on, once for each error code, and stops when the same error returns, until `evert snapshot TABLE`; stop_table: it stops at once; stop_source: the whole source stops, and nothing of it goes on.
	OnTableError string `yaml:"on_table_error" enum:"resnapshot,stop_table,stop_source" default:"resnapshot"`
	// What happens to a row above limits.value_bytes or limits.record_bytes. stop_table: the table stops, and nothing else; truncate: its texts and byte strings are cut to fit; offload: they go into <topic>.offload; dead_letter: the row goes into <topic>.dlq. Headers say what and where.
	OnOversize string `yaml:"on_oversize" enum:"stop_table,truncate,offload,dead_letter" default:"stop_table"`
	// What a TRUNCATE does: apply voids the rows at once for Evert's readers, with tombstones behind; stop_table stops the table, whose topic keeps them, until `evert snapshot TABLE`.
	OnTruncate string `yaml:"on_truncate" enum:"apply,stop_table" default:"apply"`

	// Under load a commit follows at most this often; an idle source commits at once.
	CommitInterval time.Duration `yaml:"commit_interval" default:"100ms" min:"1ms" max:"30s"`
	// Rows of one commit; a larger transaction goes in several parts.
	MaxCommitRows int `yaml:"max_commit_rows" default:"100000" min:"1" max:"100000000"`
	// Bytes of one commit; a larger transaction goes in several parts.
	MaxCommitBytes Size `yaml:"max_commit_bytes" default:"32MiB" min:"64KiB" max:"4GiB"`
	// How soon the frontier follows the server's end while the captured tables are idle.
	IdleInterval time.Duration `yaml:"idle_interval" default:"1s" min:"10ms" max:"10m"`
	// The longest pause between two attempts to reconnect; the first ones are short.
	ReconnectMax time.Duration `yaml:"reconnect_max" default:"30s" min:"100ms" max:"1h"`

	// How the values of some types are written, by the names of Debezium's settings. The defaults lose nothing.
	Handling Handling `yaml:"handling"`
	// What differs for some tables, by table name or pattern. Several may match one table: the more exact one wins, field by field.
	Overrides map[TablePattern]*Override `yaml:"overrides"`
	// What changes have to pass before they are written, step by step.
	Transforms []Transform `yaml:"transforms"`
}

// Postgres is a Postgres database, version 12 or newer.
type Postgres struct {
	// postgres://user:password@host:port/database?sslmode=…; verify-full is the default, and plaintext to a loopback address or unix socket.
	URL Secret `yaml:"url" required:"true"`
	// The password, instead of one inside url; it needs no percent-encoding.
	Password Secret `yaml:"password"`
	// Allows an sslmode weaker than verify-full to a server that is not on this machine.
	Insecure bool `yaml:"insecure"`
	// Tables to capture, as schema.table in the catalog's exact case; * matches within one part.
	Tables []TablePattern `yaml:"tables" required:"true"`
	// Tables to leave out of those.
	ExcludeTables []TablePattern `yaml:"exclude_tables"`
	// How the tables are copied before their changes are streamed.
	Snapshot Snapshot `yaml:"snapshot"`
	// The replication slot; evert_<deployment>_<source> by default.
	Slot string `yaml:"slot" format:"slot"`
	// From version 17 on: make a slot that standbys with sync_replication_slots keep up to date, so that capture goes on when one is promoted.
	Failover bool `yaml:"failover" default:"true"`
	// The publication; evert_<deployment>_<source> by default.
	Publication string `yaml:"publication" format:"identifier"`
	// What a text that is not UTF-8 becomes, in a database of encoding SQL_ASCII: stop refuses such a database, latin1 reads the whole text as ISO 8859-1, replace puts U+FFFD for each byte that fits nothing.
	InvalidText string `yaml:"invalid_text" enum:"stop,latin1,replace" default:"stop"`
	// How long connecting may take.
	ConnectTimeout time.Duration `yaml:"connect_timeout" default:"10s" min:"100ms" max:"10m"`
	// How much log the slot may hold back on the server; unlimited by default.
	MaxRetainedWAL Size `yaml:"max_retained_wal" min:"0B" max:"1024TiB"`
	// What happens beyond that. warn: it is told; release: the slot is dropped, so that the server's disk does not run full, and the source stops until it is copied again.
	OnMaxRetainedWAL string `yaml:"on_max_retained_wal" enum:"warn,release" default:"warn"`
	// How long a slot held by another process, such as our own dying predecessor, is waited for.
	SlotWait time.Duration `yaml:"slot_wait" default:"1m" min:"0s" max:"1h"`
}

// MySQL is a MySQL or MariaDB server.
type MySQL struct {
	// mysql://user:password@host:port/database?tls=verify-full|verify-ca|insecure|disable.
	URL Secret `yaml:"url" required:"true"`
	// The password, instead of one inside url; it needs no percent-encoding.
	Password Secret `yaml:"password"`
	// Allows a tls mode weaker than verify-full to a server that is not on this machine.
	Insecure bool `yaml:"insecure"`
	// Tables to capture, as database.table in the catalog's exact case; * matches within one part, but none of the tables that gh-ost and pt-online-schema-change work with (_t_gho, _t_old).
	Tables []TablePattern `yaml:"tables" required:"true"`
	// Tables to leave out of those.
	ExcludeTables []TablePattern `yaml:"exclude_tables"`
	// How the tables are copied before their changes are streamed.
	Snapshot MySQLSnapshot `yaml:"snapshot"`
	// What a date that the calendar does not have (0000-00-00) becomes in a column that may not be NULL: stop ends the source, epoch writes 1970-01-01. In other columns it becomes NULL.
	ZeroDates string `yaml:"zero_dates" enum:"stop,epoch" default:"stop"`
	// What to do with a table whose rows a foreign key changes (ON DELETE CASCADE), which the server does not log: refuse it, or accept that such changes are missing.
	FKCascades string `yaml:"fk_cascades" enum:"refuse,accept" default:"refuse"`
	// The id under which we replicate; derived from deployment and source by default.
	ServerID int `yaml:"server_id" min:"1" max:"4294967295"`
	// How long connecting may take.
	ConnectTimeout time.Duration `yaml:"connect_timeout" default:"10s" min:"100ms" max:"10m"`
}

// Snapshot says how tables are copied.
type Snapshot struct {
	// initial: copy every table once, then stream; never: stream only, from now on.
	Mode string `yaml:"mode" enum:"initial,never" default:"initial"`
	// Connections that copy at one time.
	Workers int `yaml:"workers" default:"2" min:"1" max:"64"`
	// The most that is read from the server per second, all workers together; unlimited by default.
	MaxRate Rate `yaml:"max_rate" min:"1KiB/s" max:"1TiB/s"`
	// Larger tables are copied in chunks while the source streams: a crash costs a chunk and not the copy, and no transaction on the server lasts long.
	ChunksAbove Size `yaml:"chunks_above" default:"1GiB" min:"1B" max:"1024TiB"`
	// A standby of the server, as url; it is given postgres.password if it holds none. All tables are copied from there, in chunks, while changes are streamed from the server itself; a chunk waits until the standby is as far as the stream. The user needs the same rights and lines of pg_hba.conf there.
	URL Secret `yaml:"url"`
	// Which tables are copied first: those that match the first name or pattern, then those of the next, then the others. Tables of one place go largest first; tables in chunks behind all others, one after the other.
	Order []TablePattern `yaml:"order"`
	// Which rows of a table are copied, by table name or pattern: an SQL condition as behind WHERE, immutable, with qualified names of what is not in pg_catalog. Of several that match the more exact one holds. Changes are streamed of all rows; one that was left out is there from its first change on.
	Where map[TablePattern]Text `yaml:"where" format:"text"`
	// The part of the day in which chunks are read, by the local clock; always by default.
	Window string `yaml:"window" format:"daytimes"`
	// When no chunks are read meanwhile, for the sake of others on the server.
	Pause Pause `yaml:"pause"`
}

// MySQLSnapshot says how tables of a MySQL or MariaDB server are copied.
type MySQLSnapshot struct {
	// initial: copy every table once, then stream; never: stream only, from now on.
	Mode string `yaml:"mode" enum:"initial,never" default:"initial"`
	// Connections that copy at one time, several tables or ranges of one.
	Workers int `yaml:"workers" default:"2" min:"1" max:"64"`
	// The most that is read from the server per second, all workers together; unlimited by default.
	MaxRate Rate `yaml:"max_rate" min:"1KiB/s" max:"1TiB/s"`
	// Larger tables are copied in chunks while the source streams: a crash costs a chunk and not the copy, and no transaction on the server lasts long.
	ChunksAbove Size `yaml:"chunks_above" default:"1GiB" min:"1B" max:"1024TiB"`
	// Which tables are copied first: those that match the first name or pattern, then those of the next, then the others. Tables of one place go largest first; tables in chunks behind all others, where one that is earlier has the workers first.
	Order []TablePattern `yaml:"order"`
	// Which rows of a table are copied, by table name or pattern: an SQL condition as behind WHERE, of the table's columns, constants and functions that always give the same, read with sql_mode NO_BACKSLASH_ESCAPES and time_zone +00:00. Of several that match the more exact one holds. Changes are streamed of all rows; one that was left out is there from its first change on.
	Where map[TablePattern]Text `yaml:"where" format:"text"`
	// The part of the day in which chunks are read, by the local clock; always by default.
	Window string `yaml:"window" format:"daytimes"`
	// When no chunks are read meanwhile, for the sake of others on the server.
	Pause MySQLPause `yaml:"pause"`
}

// A MySQLPause says when copying in chunks waits. Reading writes nothing to the log, so that
// it holds up the server that is read and none of that one's replicas.
type MySQLPause struct {
	// While the server, being a replica, is further behind its primary than this (Seconds_Behind_Source), or does not replicate.
	ReplicaLag time.Duration `yaml:"replica_lag" min:"0s" max:"24h"`
	// While more statements run on the server than this (Threads_running).
	ThreadsRunning int `yaml:"threads_running" min:"0" max:"1000000"`
	// While InnoDB has to keep more transactions for those who read an old state (the length of its history list).
	HistoryList int `yaml:"history_list" min:"0" max:"2000000000"`
}

// A Pause says when copying in chunks waits.
type Pause struct {
	// While a standby replays its log later than this.
	ReplicaLag time.Duration `yaml:"replica_lag" min:"0s" max:"24h"`
	// While the slot holds back more log than this.
	RetainedWAL Size `yaml:"retained_wal" min:"0B" max:"1024TiB"`
	// While vacuum is held back by more transactions than this.
	OldestXmin int `yaml:"oldest_xmin" min:"0" max:"2000000000"`
}

// Handling says how the values of some types are written.
type Handling struct {
	// decimal.handling.mode: precise as a decimal of any size, string as text, double as a rounded number.
	Decimal string `yaml:"decimal" enum:"precise,string,double" default:"precise"`
	// interval.handling.mode: string as ISO 8601 with months, days and microseconds, numeric as microseconds, in which months and days are lost.
	Interval string `yaml:"interval" enum:"string,numeric" default:"string"`
	// hstore.handling.mode, in Debezium's envelope: json as an object, map as a map of Avro.
	HStore string `yaml:"hstore" enum:"json,map" default:"json"`
	// binary.handling.mode: bytes, or text of this encoding.
	Binary string `yaml:"binary" enum:"bytes,base64,base64-url-safe,hex" default:"bytes"`
	// time.precision.mode, in Debezium's envelope, of types without a zone: adaptive as coarse as the type allows; nanoseconds hold the years 1677 to 2262; isostring is text; connect is Kafka Connect's own types in milliseconds, for which finer digits are cut off, and in a key stop the table.
	Time string `yaml:"time" enum:"adaptive,adaptive_time_microseconds,microseconds,nanoseconds,connect,isostring" default:"adaptive"`
	// Of Postgres: array as arrays of one dimension that begin at 1, and a table with others stops; text as the server prints them, with any dimensions and bounds.
	Arrays string `yaml:"arrays" enum:"array,text" default:"array"`
}

// An Override is what differs for some tables of a source.
type Override struct {
	// The columns that key the topic, instead of the primary key.
	Key []string `yaml:"key" format:"column"`
	// What happens to single columns, by name.
	Columns map[string]*Column `yaml:"columns" keys:"column"`
	// The table's topic.
	Topic Topic `yaml:"topic"`
	// As handling.arrays of the source.
	Arrays string `yaml:"arrays" enum:"array,text"`
	// As for the source; an append-only table is copied again by itself only if it is written here.
	OnTableError string `yaml:"on_table_error" enum:"resnapshot,stop_table,stop_source"`
	// As for the source; an append-only table knows stop_table and truncate.
	OnOversize string `yaml:"on_oversize" enum:"stop_table,truncate,offload,dead_letter"`
	// As for the source.
	OnTruncate string `yaml:"on_truncate" enum:"apply,stop_table"`
}

// A Column is what happens to one column, in every path: snapshot, stream,
// before-images and dead letters.
type Column struct {
	// Hide the value. hmac-sha256: 64 hexadecimal digits, equal for equal values; redact: the word [redacted]; nullify: NULL; partial: * and the last characters. NULL stays NULL.
	Mask string `yaml:"mask" enum:"hmac-sha256,redact,nullify,partial"`
	// The key of hmac-sha256.
	Key Secret `yaml:"key"`
	// The characters that partial shows of a text that is at least twice as long.
	Keep int `yaml:"keep" default:"4" min:"1" max:"1000"`
	// Leave the column out.
	Drop bool `yaml:"drop"`

	at text // of its name
}

// At is where the column's name stands; its text is empty.
func (c *Column) At() Text { return Text{at: c.at} }

// A Topic is what differs for a table's topic.
type Topic struct {
	// Partitions of a new topic. The number of an existing topic cannot change.
	Partitions int `yaml:"partitions" min:"1" max:"10000"`
	// compact keeps the newest record of each key; delete makes the topic append-only: every change stays, for the time of the topic setting retention.ms (7 days; -1: for ever). Its table needs a key all the same; views, and sinks that hold rows, need compact.
	Cleanup string `yaml:"cleanup" enum:"compact,delete"`
	// Topic settings by Kafka's names, over those of kafka.topics.config.
	Config map[string]string `yaml:"config" keys:"setting"`
}
