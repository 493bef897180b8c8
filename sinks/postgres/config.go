package postgres

import (
	"context"
	"log/slog"
	"time"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/deliver"
)

// A TableName names a table in the catalog's exact case.
type TableName struct{ Schema, Name string }

func (n TableName) sql() string { return quoteIdent(n.Schema) + "." + quoteIdent(n.Name) }

// String is the name as a person writes it.
func (n TableName) String() string { return n.Schema + "." + n.Name }

// Config says what is delivered to which table, and within which bounds. Zero
// fields take the value of DefaultConfig, except where noted.
type Config struct {
	Name  string // of the sink, with its deployment; no two sinks of a database have the same
	Group string // the sink that keeps this table beside others, in one session; empty: Name
	Topic string // where the rows come from, for the places of rejected ones

	// URL gives the connection string; it is called at every connect, so that a
	// secret may change. It must name a database.
	URL func(ctx context.Context) (string, error)

	Table     TableName // that is kept equal to the topic
	Positions TableName // that holds where each sink stands; evert_sinks in the schema of Table

	Adopt       bool // take over a table that holds rows of somebody else: they are replaced
	DropColumns bool // drop a column that is gone from the topic; else it stays, and is NULL in rows written from then on
	Foreign     bool // the types of the topic are not named as Postgres names them

	Captures []Capture // the Postgres sources of the same deployment

	BufferBytes int           // rows in memory; what a transaction has beyond goes to a temporary table at the server; 16 MiB
	SmallRows   int           // a step of at most so many goes by INSERT, a larger one by COPY; 10,000
	Retries     int           // how often a step is tried again after a deadlock or serialization failure; 10
	LockWait    time.Duration // how long a lock is waited for before the attempt ends; 10 s

	Rejects deliver.Rejects // takes the rows that the server does not; deliver.Stop
	Log     *slog.Logger    // discarded if nil
}

// DefaultConfig has every default.
func DefaultConfig() Config {
	return Config{
		BufferBytes: 16 << 20,
		SmallRows:   10_000,
		Retries:     10,
		LockWait:    10 * time.Second,
		Rejects:     deliver.Stop{},
		Log:         slog.New(slog.DiscardHandler),
	}
}

// withDefaults fills in what is zero.
func (c Config) withDefaults() Config {
	d := DefaultConfig()
	or(&c.BufferBytes, d.BufferBytes)
	or(&c.SmallRows, d.SmallRows)
	or(&c.Retries, d.Retries)
	or(&c.LockWait, d.LockWait)
	or(&c.Rejects, d.Rejects)
	or(&c.Log, d.Log)
	or(&c.Positions, TableName{c.Table.Schema, "evert_sinks"})
	or(&c.Group, c.Name)
	return c
}

func or[T comparable](field *T, otherwise T) {
	var zero T
	if *field == zero {
		*field = otherwise
	}
}

// where begins a refusal.
func (c *Config) where() string { return "table " + c.Table.String() }

// refuse makes a refusal about the table.
func (c *Config) refuse(code pipeline.Code, what, mend string) *pipeline.Refusal {
	return &pipeline.Refusal{Code: code, Where: c.where(), What: what, Mend: mend}
}
