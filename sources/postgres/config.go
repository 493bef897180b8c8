package postgres

import (
	"context"
	"log/slog"
	"time"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/handover"
	"github.com/evertdb/evert/sources/postgres/pgsql"
	"github.com/evertdb/evert/sources/postgres/pgvalue"
	"github.com/evertdb/evert/sources/postgres/preflight"
)

// Config says what to capture and within which bounds. Zero fields take the
// value of DefaultConfig, except where noted.
type Config struct {
	Name string // of the source, for messages and application_name

	// URL gives the connection string; it is called at every connect, so that a
	// secret may change (P33, P36). It must name a database.
	URL func(ctx context.Context) (string, error)

	// SnapshotURL gives the connection string of a standby of that server, from which
	// all tables are copied, in chunks; nil: they are copied from the server itself.
	SnapshotURL func(ctx context.Context) (string, error)

	Match func(schema, table string) bool     // which tables are captured; nil: those Named
	Named []pgsql.TableName                   // tables that must exist and be capturable; captured as well
	Keys  func(schema, table string) []string // key columns that override the catalog's; nil or empty: none

	TextArrays func(schema, table string) bool // whose arrays are carried as text, in which any dimensions and bounds are kept; nil: none
	Text       bool                            // let the server print all values, where it could send them in binary form too

	InvalidText pgvalue.Invalid // what becomes of texts that are not UTF-8, for a database of encoding SQL_ASCII, which is refused otherwise

	asideAbove int // for tests: values of more bytes than this, as they are sent, are set aside; 4 MiB or ValueBytes

	ask bool // for tests: have binary values printed by the server that are not read here

	NoFailover  bool   // make a slot that standbys do not keep up to date; before version 17 none is
	Slot        string // replication slot, [a-z0-9_]{1,63}
	Publication string

	SnapshotWorkers int   // connections that copy at the same time; 2
	MaxRate         int64 // bytes per second of the snapshot over all workers; 0: unlimited

	ChunkAbove         int64 // tables above this many bytes are copied in chunks while the source streams; 1 GiB
	ChunkRows          int   // a chunk ends at this many rows, which are in memory; 8192
	ChunkBytes         int   // or at about this many bytes; 4 MiB
	WindowBytes        int   // of the keys that change while a chunk is read; then the stream waits for it; 8 MiB
	WindowTransactions int   // that changed a table being copied, and no snapshot has shown yet; 65,536

	Where func(schema, table string) handover.Where // which rows of a table are copied; nil: all
	Rank  func(schema, table string) int            // tables of a lower rank are copied earlier, among those of one snapshot and among those of chunks; nil: all have the same

	NoSnapshot       bool              // nothing is copied by itself: rows from before the source began, or a table came, stay away until that is asked for
	SnapshotDaytimes handover.Daytimes // chunks are read in these alone, by the local clock
	Pause            Pause             // and not while one of these is so

	MaxRetainedWAL int64 // when the slot holds back more bytes of log than this, it is told; 0: never
	ReleaseSlot    bool  // the slot is dropped then, and the source ends

	BatchRows    int   // a batch ends at this many rows; 2048
	BatchBytes   int   // or at this many bytes; 512 KiB
	QueueBatches int   // batches waiting for Next; 8
	QueueBytes   int64 // or this many bytes of them; 16 MiB

	SpillDir    string // for transactions in progress; this source's own, made and emptied by Open
	SpillBytes  int64  // what they may occupy in memory before they go there; 16 MiB
	SpillMost   int64  // what they may occupy on disk; one that needs more stops the source; 64 GiB
	NoStreaming bool   // let the server spill instead

	ValueBytes int // a larger value is in no row (pipeline.Aside): it lies in SpillDir meanwhile, within SpillMost; 16 MiB. Without SpillDir all are in memory

	IdleInterval time.Duration // how often an idle source moves on; 1 s (250 ms after Hasten)
	PollInterval time.Duration // how often slot statistics are read; 10 s
	WaitNotice   time.Duration // how often a waiting slot creation says for whom; 10 s
	SlotWait     time.Duration // how long a slot held by another process is waited for; 1 min
	BackoffMax   time.Duration // longest pause between connects; 30 s

	OldTransaction time.Duration // Check tells of transactions that are open for longer; 1 min
	OldCatalog     int64         // and of a slot that holds back the catalog by more transactions; 50,000,000

	asides   *asides            // likewise; nil: messages are read as they come
	platform preflight.Platform // set by Open before anything else runs; OwnMachine until then

	CopyCommand  string // copies one table again, for messages, which put its name behind it: evert snapshot NAME.
	ResetCommand string // copies the source again, for messages: evert reset NAME --resnapshot

	Now func() time.Time // time.Now
	Log *slog.Logger     // discarded if nil
}

// DefaultConfig has every default.
func DefaultConfig() Config {
	return Config{
		Name:               "postgres",
		Slot:               "evert",
		Publication:        "evert",
		SnapshotWorkers:    2,
		ChunkAbove:         1 << 30,
		ChunkRows:          8192,
		ChunkBytes:         4 << 20,
		WindowBytes:        8 << 20,
		WindowTransactions: 65536,
		BatchRows:          2048,
		BatchBytes:         512 << 10,
		QueueBatches:       8,
		QueueBytes:         16 << 20,
		SpillBytes:         16 << 20,
		SpillMost:          64 << 30,
		ValueBytes:         16 << 20,
		IdleInterval:       time.Second,
		PollInterval:       10 * time.Second,
		WaitNotice:         10 * time.Second,
		SlotWait:           time.Minute,
		BackoffMax:         30 * time.Second,
		OldTransaction:     time.Minute,
		OldCatalog:         50_000_000,
		Now:                time.Now,
		Log:                slog.New(slog.DiscardHandler),
	}
}

// withDefaults fills in what is zero.
func (c Config) withDefaults() Config {
	d := DefaultConfig()
	or(&c.Name, d.Name)
	or(&c.Slot, d.Slot)
	or(&c.Publication, d.Publication)
	or(&c.SnapshotWorkers, d.SnapshotWorkers)
	or(&c.ChunkAbove, d.ChunkAbove)
	or(&c.ChunkRows, d.ChunkRows)
	or(&c.ChunkBytes, d.ChunkBytes)
	or(&c.WindowBytes, d.WindowBytes)
	or(&c.WindowTransactions, d.WindowTransactions)
	or(&c.BatchRows, d.BatchRows)
	or(&c.BatchBytes, d.BatchBytes)
	or(&c.QueueBatches, d.QueueBatches)
	or(&c.QueueBytes, d.QueueBytes)
	or(&c.SpillBytes, d.SpillBytes)
	or(&c.SpillMost, d.SpillMost)
	or(&c.ValueBytes, d.ValueBytes)
	or(&c.IdleInterval, d.IdleInterval)
	or(&c.PollInterval, d.PollInterval)
	or(&c.WaitNotice, d.WaitNotice)
	or(&c.SlotWait, d.SlotWait)
	or(&c.BackoffMax, d.BackoffMax)
	or(&c.OldTransaction, d.OldTransaction)
	or(&c.OldCatalog, d.OldCatalog)
	or(&c.CopyCommand, "evert snapshot "+c.Name+".")
	or(&c.ResetCommand, "evert reset "+c.Name+" --resnapshot")
	or(&c.Log, d.Log)
	if c.Now == nil {
		c.Now = time.Now
	}
	return c
}

func or[T comparable](field *T, otherwise T) {
	var zero T
	if *field == zero {
		*field = otherwise
	}
}

// wants reports whether a table is to be captured, and whether it was named.
func (c *Config) wants(t pgsql.TableName) (wanted, named bool) {
	for _, n := range c.Named {
		if n == t {
			return true, true
		}
	}
	return c.Match != nil && c.Match(t.Schema, t.Name), false
}

func (c *Config) keyOf(t pgsql.TableName) []string {
	if c.Keys == nil {
		return nil
	}
	return c.Keys(t.Schema, t.Name)
}

func (c *Config) rank(t pgsql.TableName) int {
	if c.Rank == nil {
		return 0
	}
	return c.Rank(t.Schema, t.Name)
}

// printsArrays reports whether the arrays of a table are carried as text.
func (c *Config) printsArrays(t pgsql.TableName) bool {
	return c.TextArrays != nil && c.TextArrays(t.Schema, t.Name)
}

// check refuses a configuration that no server could serve.
func (c *Config) check() error {
	switch {
	case c.URL == nil:
		return &pipeline.Refusal{Code: CodeConfig, What: "the source has no connection string", Mend: "url: postgres://user:password@host:port/database"}
	case !pgsql.ValidSlotName(c.Slot):
		return &pipeline.Refusal{Code: CodeConfig, What: "slot " + c.Slot + " is not a name that Postgres takes", Mend: "slot: a name of at most 63 of the characters a-z, 0-9 and _"}
	case c.Publication == "" || len(c.Publication) > 63:
		return &pipeline.Refusal{Code: CodeConfig, What: "publication " + c.Publication + " is not a name that Postgres takes", Mend: "publication: a name of at most 63 bytes"}
	}
	return nil
}
