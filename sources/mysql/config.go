package mysql

import (
	"context"
	"hash/fnv"
	"log/slog"
	"strings"
	"time"

	"github.com/evertdb/evert/pipeline/handover"
	"github.com/evertdb/evert/sources/mysql/binlogvalue"
)

// A TableName names a table in the catalog's exact case.
type TableName struct{ Database, Table string }

func (t TableName) String() string { return t.Database + "." + t.Table }

// Config says what to capture and within which bounds. Zero fields take the value of
// DefaultConfig, except where noted.
type Config struct {
	Name string // of the source, for messages

	// URL gives the connection string; it is called at every connect, so that a
	// secret may change.
	URL func(ctx context.Context) (string, error)

	Match func(database, table string) bool           // which tables are captured, save those that online schema changes work with; nil: those Named
	Named []TableName                                 // tables that must exist and be capturable; captured as well
	Keys  func(database, table string) []string       // key columns that override the primary key; nil or empty: none
	Rank  func(database, table string) int            // tables of a lower rank are copied earlier, among those of one snapshot and among those of chunks; nil: all have the same
	Where func(database, table string) handover.Where // which rows of a table are copied; nil: all
	// Hidden are tables of which no value may lie anywhere as the server has it, because
	// something behind the source masks it. How far a copy of one is is not stored: after a
	// restart it begins again. Nil: none.
	Hidden func(database, table string) bool

	reads      func()         // called by each reader of a chunk before it reads rows; for tests
	decodes    func(*stretch) // called by whoever reads a stretch, before; for tests
	byPosition bool           // places are files and positions although there are GTIDs; for tests: MariaDB has them always

	ServerID       uint32                 // under which we replicate; 0: worked out from Name
	ZeroDates      binlogvalue.ZeroPolicy // what becomes of a date that the calendar does not have
	AcceptCascades bool                   // capture tables whose rows foreign keys change without a word in the log

	SnapshotWorkers int   // connections that copy at the same time; 2
	MaxRate         int64 // bytes per second of the snapshot over all workers; 0: unlimited
	PieceRows       int64 // a table of more rows is copied in pieces of about so many; 500,000
	ChunkAbove      int64 // a table of more bytes is copied while its changes are streamed, and goes on after a restart; 1 GiB
	NoSnapshot      bool  // tables are not copied when they are first captured: only what changes from then on is

	SnapshotDaytimes handover.Daytimes // chunks are read in these alone, by the local clock
	Pause            Pause             // and not while it says so
	PausePoll        time.Duration     // how often a copy that rests for these reasons looks whether it may go on; 10 s

	ChunkRows  int // a table that is copied while its changes are streamed comes in chunks of at most so many rows; 8192
	ChunkBytes int // or about so many bytes, for each worker; 4 MiB
	WindowKeys int // changes of a table that are remembered while a chunk of it is read, for each; with more it is read again, smaller; 65,536
	CopyTries  int // how often in a row a chunk may fail, or a copy begin again by itself, before the table stops; 10

	BatchRows    int   // a batch ends at this many rows; 2048
	BatchBytes   int   // or at this many bytes; 512 KiB
	QueueBatches int   // batches waiting for Next; 8
	QueueBytes   int64 // or this many bytes of them; 16 MiB
	EventsAhead  int   // events of the log read ahead; 512
	EventBytes   int64 // or this many bytes of them; 8 MiB
	Decoders     int   // goroutines that read rows ahead of the one that takes the events, which reads as well; 0: one for each processor but one, 3 at most; negative: none
	StretchLeast int   // bytes of row events that are worth handing to one of them; 8 KiB
	StretchBytes int   // or about so many at a time, as they are unpacked; 64 KiB
	DecodedBytes int   // and what the rows of them may take, with what is unpacked for them; those beyond are read when it is their turn, and so is an event of more bytes; 512 KiB
	XABytes      int64 // what prepared XA transactions may occupy in memory before they go to disk; 64 MiB

	SpillDir  string // for those; this source's own, made and emptied by Open; empty: one that needs more memory ends the source
	SpillMost int64  // what they may occupy there; one that needs more ends the source; 64 GiB

	ConnectTimeout time.Duration // 10 s
	IdleInterval   time.Duration // how often an idle source moves on; 1 s (250 ms after Hasten)
	DeadAfter      time.Duration // a server that says nothing for so long is given up; 30 s
	ServerIDWait   time.Duration // how long a server_id held by another reader is waited for; 1 min
	BackoffMax     time.Duration // longest pause between connects; 30 s

	CopyCommand  string // copies one table again, for messages, which put its name behind it: evert snapshot NAME.
	ResetCommand string // copies the source again, for messages: evert reset NAME --resnapshot

	Now func() time.Time // time.Now
	Log *slog.Logger     // discarded if nil
}

// DefaultConfig has every default.
func DefaultConfig() Config {
	return Config{
		Name: "mysql", SnapshotWorkers: 2, PieceRows: 500_000, ChunkAbove: 1 << 30,
		ChunkRows: 8192, ChunkBytes: 4 << 20, WindowKeys: 1 << 16, CopyTries: 10, PausePoll: 10 * time.Second,
		BatchRows: 2048, BatchBytes: 512 << 10, QueueBatches: 8, QueueBytes: 16 << 20, EventsAhead: 512, EventBytes: 8 << 20, StretchLeast: 8 << 10, StretchBytes: 64 << 10, DecodedBytes: 512 << 10, XABytes: 64 << 20, SpillMost: 64 << 30,
		ConnectTimeout: 10 * time.Second, IdleInterval: time.Second, DeadAfter: 30 * time.Second, ServerIDWait: time.Minute, BackoffMax: 30 * time.Second,
		Now: time.Now, Log: slog.New(slog.DiscardHandler),
	}
}

// withDefaults fills in what is zero.
func (c Config) withDefaults() Config {
	d := DefaultConfig()
	or(&c.Name, d.Name)
	or(&c.SnapshotWorkers, d.SnapshotWorkers)
	or(&c.PieceRows, d.PieceRows)
	or(&c.ChunkAbove, d.ChunkAbove)
	or(&c.ChunkRows, d.ChunkRows)
	or(&c.ChunkBytes, d.ChunkBytes)
	or(&c.WindowKeys, d.WindowKeys)
	or(&c.CopyTries, d.CopyTries)
	or(&c.PausePoll, d.PausePoll)
	or(&c.BatchRows, d.BatchRows)
	or(&c.BatchBytes, d.BatchBytes)
	or(&c.QueueBatches, d.QueueBatches)
	or(&c.QueueBytes, d.QueueBytes)
	or(&c.EventsAhead, d.EventsAhead)
	or(&c.EventBytes, d.EventBytes)
	or(&c.StretchLeast, d.StretchLeast)
	or(&c.StretchBytes, d.StretchBytes)
	or(&c.DecodedBytes, d.DecodedBytes)
	or(&c.XABytes, d.XABytes)
	or(&c.SpillMost, d.SpillMost)
	or(&c.ConnectTimeout, d.ConnectTimeout)
	or(&c.IdleInterval, d.IdleInterval)
	or(&c.DeadAfter, d.DeadAfter)
	or(&c.ServerIDWait, d.ServerIDWait)
	or(&c.BackoffMax, d.BackoffMax)
	or(&c.ServerID, serverIDOf(c.Name))
	or(&c.CopyCommand, "evert snapshot "+c.Name+".")
	or(&c.ResetCommand, "evert reset "+c.Name+" --resnapshot --yes")
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

// serverIDOf gives a server_id from a range that people do not number their servers
// in (M19).
func serverIDOf(name string) uint32 {
	h := fnv.New32a()
	_, _ = h.Write([]byte(name))
	return 1<<31 | h.Sum32()>>1
}

// wants reports whether a table is to be captured, and whether it was named.
func (c *Config) wants(t TableName) (wanted, named bool) {
	for _, n := range c.Named {
		if n == t {
			return true, true
		}
	}
	return c.Match != nil && !t.isHelper() && c.Match(t.Database, t.Table), false
}

func (c *Config) hides(t TableName) bool { return c.Hidden != nil && c.Hidden(t.Database, t.Table) }

func (c *Config) keyOf(t TableName) []string {
	if c.Keys == nil {
		return nil
	}
	return c.Keys(t.Database, t.Table)
}

func (c *Config) rank(t TableName) int {
	if c.Rank == nil {
		return 0
	}
	return c.Rank(t.Database, t.Table)
}

// reset is the mend of what only a new copy of all tables repairs.
func (c *Config) reset(first ...string) string {
	return strings.Join(append(first, c.ResetCommand), "\n")
}

// again is the mend of what a new copy of one table repairs.
func (c *Config) again(t TableName, first ...string) string {
	return strings.Join(append(first, c.CopyCommand+t.String()), "\n")
}
