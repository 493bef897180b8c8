package configs

import "time"

// A View is the result of a query, kept current.
type View struct {
	// The columns that key the view.
	Key []string `yaml:"key" format:"column" required:"true"`
	// Lists of columns that reads may filter and order by.
	Indexes [][]string `yaml:"indexes" format:"column"`
	// The query, in Postgres's dialect; tables are <source>.<schema>.<table>.
	SQL string `yaml:"sql" format:"text" required:"true"`
	// Under load an epoch follows at most this often.
	EpochInterval time.Duration `yaml:"epoch_interval" default:"50ms" min:"1ms" max:"10m"`
}

// A Sink is an outside system that a table or view is delivered to. Exactly one
// of its kinds is set.
type Sink struct {
	// A view, or a table as <source>.<schema>.<table>.
	From string `yaml:"from" format:"text" required:"true"`
	// An OpenSearch index.
	OpenSearch *OpenSearch `yaml:"opensearch"`
	// An embedded full-text index, served over HTTP under the sink's name.
	Bleve *Bleve `yaml:"bleve"`
	// A table of a Postgres database.
	Postgres *PostgresSink `yaml:"postgres"`
	// What happens to a rejected document: the sink stops, or it goes to the dead-letter topic.
	OnReject string `yaml:"on_reject" enum:"stop,dead_letter" default:"stop"`
}

// OpenSearch is an index of an OpenSearch cluster.
type OpenSearch struct {
	// Its address, as https://host:port.
	URL Secret `yaml:"url" required:"true"`
	// The index, or the alias that is switched between versions of it.
	Index string `yaml:"index" format:"topic" required:"true"`
	// The user of basic authentication.
	Username string `yaml:"username" format:"text"`
	// The password of basic authentication.
	Password Secret `yaml:"password"`
	// TLS of an https address.
	TLS *TLS `yaml:"tls"`
	// Allows credentials over plain http, and a tls.mode weaker than verify-full, to a cluster that is not on this machine.
	Insecure bool `yaml:"insecure"`
}

// Bleve is an embedded full-text index.
type Bleve struct{}

// PostgresSink is a table that holds what a table topic or view holds.
type PostgresSink struct {
	// As for a source.
	URL Secret `yaml:"url" required:"true"`
	// The password, instead of one inside url; it needs no percent-encoding.
	Password Secret `yaml:"password"`
	// Allows an sslmode weaker than verify-full to a server that is not on this machine.
	Insecure bool `yaml:"insecure"`
	// The table, as schema.table.
	Table TablePattern `yaml:"table" required:"true"`
}
