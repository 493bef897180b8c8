// Package deliver carries a table or a view from the log to an outside system.
//
//	topic, frontier ──► Source ──► transforms ──► Target ──► the outside system
//	      ▲                                          │
//	      └── position, kept by the system itself ◄──┘        (I1)
//
// It is a pipeline.Stage like capture, with the log as its source: the same
// loop, the same order of write, commit and acknowledge.
//
// # What a Source reads
//
// The newest sound cut of the topic's frontier, and exactly the rows between the
// last cut and that one: a sink that fell behind jumps, as one step. A goroutine
// reads and decodes ahead of the target, within Limits.Bytes (I9). A table that is
// being copied or has stopped holds the sink at its last cut (Status.Held). A cut
// at which no row differs is shown at once, so that readers can wait for it, and
// committed with the next rows or after Limits.IdleCommit.
//
// The frontier is followed whether the target is there or not: how far a sink is
// behind is known while its system is away (S07).
//
// It reads one topic, or several of one source (Config.Topics). Several move from cut
// to cut together: a step has the rows of all of them, and its end is one place, so an
// atomic target shows a transaction in all its tables or in none. What holds, stops or
// voids one of them does so to the sink. A batch is of one topic, Batch.Topic, and a
// Change names its own.
//
// # What a Target gets
//
// Changes of rows, in the order of the log per key of a topic (I4), each
// with its own place: Change.Partition and Change.Offset are those of its record.
// Op is Update for a row that is there now and Delete for one that is gone;
// whether a row was there before is for the target to know, so every write is an
// upsert, and a delete of nothing is nothing. Rows are whole (I5), but for those of
// a Delete, in which the key alone is known. There is no Truncate: rows that became void mean that the target begins anew, see below.
// An append-only topic has no void rows, and gives each of its records, a Truncate too, which has
// neither row. Only targets that tell of changes are filled from one; records that went by
// age before they were read have such a target begin anew.
//
// Rows come in one shape, the newest that the registry has, and Batch.Tables names
// it in the first batch and whenever it changes, before its first row: a batch is
// of one shape. A record of an earlier shape is read by its columns' names; what it
// does not have is NULL. A target whose system cannot follow to a new shape fails
// with a Renewal.
//
// A commit place is a cut, between transactions of the source, where a target is
// atomic (a SQL database); where it is not (a search index, which knows no
// transactions) it may lie anywhere, and Resume.Rows is not 0 inside.
// Resume.State is the Source's own: the cut, how far each partition was read, what
// the target was made from. A target keeps the Resume as it is, bytes for bytes, in
// one step with the effects where its system can do that, else behind them: all
// that was written and not yet kept is written again after a crash, and every
// effect is idempotent by its place.
//
// # Filling and beginning anew
//
// A target that holds nothing is filled from the topic's beginning. Meanwhile
// Resume.At is zero, as in a snapshot, and what was written lies beside what
// readers see; the first commit at a whole place (Resume.Whole) puts it in its
// place, in one step:
//
//	a target is   Open gives                          what is written goes
//	new           the zero Resume                     beside, and is not seen
//	filling       At zero, State of the last commit   beside, and is not seen
//	whole         At of the last commit               into what readers see
//
// What is held can become worthless: the topic has another incarnation or was
// made anew, rows became void (TRUNCATE), a view's log was put back to an older copy
// and its sources are as far again (O16), the reader fell so far behind that
// tombstones are gone (K17), the sink's definition changed, a column's new type
// does not fit what the target holds, or the target itself is gone or torn. Then
// Source or Target fail with a Renewal; Run calls Renew on a new target, and fills
// it. Readers see the old rows until the switch (R16). A type that rows written
// before do not fit, and filling would not mend, stops the sink.
//
// # Versions
//
// Where a system keeps a version with each document, it is Place.Version: higher
// for every later record of a key, in one incarnation of the topic, whatever was
// replayed or delayed by whom (S03). Another incarnation is never written into the
// same index, so versions of two never meet.
//
// # Old rows
//
// Where transforms have to know what a row was (Config.OldRows), the newest record
// of each row that the target was given lies in a store of the sink's own, a cache
// of the log. Then a step gives each row that differs between two cuts once:
//
//	read up to the cut ─► what changes, durably ─► taking: what rows were ─► putting: what they are ─► commit ─► what was given
//
// Update has its old row, Create has none, Delete has a whole one. Of the first half
// the Deletes count that come out of the transforms, of the second all else: so rows
// may exchange what becomes their keys, in any order and over partitions, because
// at a cut a key belongs to one of them. Between the halves, in a system that is not
// atomic, such a row is away for a moment. No place lies inside a step. Changes have
// a Rank, for the offsets of different rows do not order what becomes one row
// (VersionOf).
//
// A step that was cut off, and of which a system that is not atomic may hold some,
// is taken away as well before the next one is given. Where the target tells of changes
// (OldRows.Repeats) nothing can be taken away: there the step lies in the store as it is
// given, and is given again, event for event, before the next one. A store that is not at the
// place of the target (it is gone, or the sink was elsewhere) is worth nothing: the
// target is filled anew.
//
// # Rows that the system does not take
//
// A target that is told by its system that one row is wrong (and not: that the
// system is away, full or busy) hands it to Rejects, which either keeps it in the
// sink's dead-letter topic, durably, and says go on, or says stop (I8). The rows
// around it are not held back by it in the first case; and what the system holds of
// an earlier record of the row goes, for it says what the topic does not say any more.
package deliver
