package log

import (
	"context"
	"time"
)

// A Log is a set of topics. Its methods may be called from any goroutine.
type Log interface {
	// Writer makes a writer under a stable id. It fences every older writer of
	// that id, here and in other processes, and returns when what that left
	// open is settled: committed or gone (K05, K07). ctx bounds the opening.
	Writer(ctx context.Context, id string) (Writer, error)

	// Reader makes a reader of committed records only (K10).
	Reader(ctx context.Context) (Reader, error)

	// Join takes part in a group whose members share out the partitions of
	// topics among them.
	Join(ctx context.Context, group string, topics []string) (Membership, error)

	// Admin manages topics.
	Admin() Admin
}

// A Writer appends records in commits. One goroutine uses it. After an error
// other than ErrFull it can only be closed; a Writer with the same id then
// finds out what became of the commit.
type Writer interface {
	// Append adds records to the open commit, opening one if there is none. It
	// copies what it keeps, and waits while the log cannot take more, until ctx
	// ends. Within a partition, records lie in the order of appending (I4).
	Append(ctx context.Context, recs ...Record) error

	// Flush waits until all that was appended is stored, still uncommitted, and
	// gives the next offset of each partition that the open commit touched.
	Flush(ctx context.Context) (Offsets, error)

	// Commit makes the open commit durable and visible in one step, together
	// with in's offsets if in is not nil. It is decided when Commit returns; on
	// Kafka readers see it a moment later, when the stable end passes what Flush
	// gave. Without an open commit and inputs it
	// does nothing. An error leaves the outcome open.
	Commit(ctx context.Context, in *Inputs) error

	// Abort drops the open commit. Its offsets are never used again.
	Abort(ctx context.Context) error

	// Close aborts what is open and frees the writer. It may be called again.
	Close() error
}

// Inputs are what a commit consumed: offsets of a group, fenced by its
// generation, so that a member that lost its partitions commits nothing.
type Inputs struct {
	Generation Generation
	Offsets    Offsets
}

// A Reader reads committed records of the partitions it is assigned. One
// goroutine uses it, but for Close.
type Reader interface {
	// Assign replaces the assignment: read on from these offsets. Offsets below
	// a partition's start begin at its start.
	Assign(from Offsets) error

	// Limit bounds the reading, exclusively, per partition; partitions without
	// an entry have no limit. On the embedded log the limits are pinned until
	// the next Limit, Assign or Close.
	Limit(to Offsets)

	// Next waits for progress on any partition and gives it: at most max
	// records. It is io.EOF when every partition has reached its limit, and
	// ErrGap when records at the reader's place are gone that it had to see.
	// The records are valid until the next call.
	Next(ctx context.Context, max int) (Fetch, error)

	// Close frees the reader and ends a waiting Next.
	Close() error
}

// A Fetch is progress on one partition.
type Fetch struct {
	TopicPartition
	Records []Record // may be empty: gaps are progress too
	Next    int64    // where reading goes on; everything below has been seen
	Stable  int64    // the end of what is committed
	Start   int64    // the offset of the oldest record that can exist
}

// A Membership is a place in a group.
type Membership interface {
	// Events tells of partitions given and taken. A revoked partition must be
	// released before others get it. The channel is closed when the membership
	// ends.
	Events() <-chan Event
	// Generation is the fence of the present assignment.
	Generation() Generation
	// Release says that work on revoked partitions has stopped.
	Release(ps []TopicPartition) error
	// Close leaves the group.
	Close() error
}

// An Event is a change of a member's partitions.
type Event struct {
	Kind       EventKind
	Partitions []TopicPartition
}

// EventKind says what happened to the partitions of an Event.
type EventKind uint8

// Partitions are assigned; revoked, until Release; or lost: somebody else has
// them already.
const (
	Assigned EventKind = iota + 1
	Revoked
	Lost
)

// Generation identifies an assignment of a group.
type Generation struct {
	Group  string
	Member string
	ID     int32
}

// Admin manages topics. Its methods may be called from any goroutine.
type Admin interface {
	// Ensure creates the topics that are missing and verifies the others:
	// partition count, cleanup policy and the settings that correctness needs.
	// A difference is a Refusal (K13, K14, K15, K18). It gives the topics in
	// the order of specs.
	Ensure(ctx context.Context, specs ...TopicSpec) ([]TopicInfo, error)

	// Topics describes topics as they are; with no names, all of them. A topic
	// that does not exist is left out.
	Topics(ctx context.Context, names ...string) ([]TopicInfo, error)

	// Sound reports whether a reader may stop at cut, which was committed at
	// written by the log's clock: nothing below it can have been compacted away
	// because of a record above it (K16).
	Sound(ctx context.Context, cut Offsets, written time.Time) (bool, error)

	// Compact starts a compaction of the topic now, where the log lets one; on
	// the embedded log it returns when done.
	Compact(ctx context.Context, topic string) error

	// Delete removes topics and everything in them.
	Delete(ctx context.Context, names ...string) error
}

// An Index finds the newest record of a key. A Writer may offer it; the open
// commit's records count.
type Index interface {
	// Latest gives the newest record of key: its value, which is valid until
	// the next call and nil for a tombstone, and its offset; ok is false if
	// there is none.
	Latest(ctx context.Context, tp TopicPartition, key []byte) (value []byte, offset int64, ok bool, err error)

	// Stale gives up to max keys, in byte order and after the given one, whose
	// newest record lies below the given offset and is no tombstone. The keys
	// are valid until the next call.
	Stale(ctx context.Context, tp TopicPartition, below int64, after []byte, max int) ([][]byte, error)
}
