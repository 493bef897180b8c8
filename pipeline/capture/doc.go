// Package capture is the sink of a capture stage: it writes the changes of one
// source into its table topics, and how far they reach into the frontier topic,
// in one commit (I1).
//
//	batch ─► table (topic, codec, state) ─► fill unknown values ─► encode ─► Append
//	commit ─► Flush ─► frontier record ─► Commit
//
// # A commit
//
// The rows of whole source transactions are appended as they come. At a commit
// point Flush gives the next offset of every partition they touched; the
// frontier record with these offsets and the position is appended to the same
// commit, and the commit makes both visible in one step (I1, I3). A commit
// inside a transaction, or inside a snapshot, writes a resume record instead,
// which is no cut.
//
// Every frontier record carries the whole state of its source, which grows with the
// number of tables. A record that referred to an earlier one for it would have to
// keep that one from compaction, which goes by key and knows of no references.
//
// What a row that names its topic began during a copy, and keys whose change a copy
// waits for, are known to the run that saw them alone: a sink that is made anew
// inside such a copy may call a topic OK before the copy is done.
//
// # Whose topic
//
// Before a table's first record its topic is claimed for this source, in a topic
// that all deployments of a log share (log.Claim). A topic of another source is
// refused, and so is one with records that nobody is known to have written:
// they would be taken for rows that are gone, and be buried under tombstones.
// A reset that deletes topics gives them up; one that keeps them keeps the claim.
//
// # Beginning anew
//
// Rows of a table can become void: by TRUNCATE, and when a snapshot begins
// again over what an earlier attempt left. Then the table's state in the
// frontier says from which offsets its rows count. Our readers are done with
// that; for others, tombstones follow for the keys that have no newer row. They
// are owed until they are written, and the frontier remembers that.
//
// # Copying a table again
//
// A pipeline.Copier copies one table while it streams. Where that begins, the table's
// state turns Copying, and From moves to the end of its topic: what lies below is
// superseded, and a value that is unknown is never filled from there (I5).
//
//	      OK or Stopped          Copying                  Copying, owed        OK
//	──────────────────────┬──────────────────────────┬──────────────────────┬───────
//	 older rows           │ chunks, and the stream   │ tombstones: keys with │ stream
//	                   begin, From                  done  no record from From on
//
// The state turns OK in the commit that holds the last tombstone, and not before: a
// reader that goes from its last cut to the next one finds in between a record for
// every key that changed, so it keeps what it has, and the copy is one step for it. It
// reads what is superseded too, since a tombstone may lie there; who begins reads from
// From on (intake.Counts). What is owed is paid when the sink opens, too. The
// generation stays, unlike in a TRUNCATE. After a crash, Copying is a copy that the
// source goes on with, and Copying with Owed one that is being paid for.
//
// A topic that a row is the first of while a copy of this run may send rows there is
// Copying too, until that one is done; a table that was given up before it had a topic
// comes back so. A copy that adds to what other tables wrote supersedes nothing.
//
// The place of a chunk's row lies behind all rows of the transaction before it, as that
// of an owed tombstone does, and both grow from commit to commit.
//
// While the chunk of a row was not read, a change of it that has unknown values, and
// whose row the source has no more, is left out: what took the row away follows. It may
// come behind the last chunk, so the table stays Copying until the key changes again;
// only a sink that is made anew meanwhile does not know of it. A change of key is not: its new key may lie in a chunk that was read before.
//
// Why a table stopped is in its state, and for which errors it was copied again by
// itself, so that the same one does not have it copied for ever; a copy that people
// asked for clears that. A schema that the registry or the topic refuses is refused
// again where the copy would begin, and the table stays as it is.
//
// # Append-only topics
//
// A topic with Topic.Append is deleted by age and never compacted: it says what happened,
// for as long as Topic.Retention, and not what is. Its table has a key all the same, which
// orders the changes of a row.
//
//	insert       c; a row of a copy r. What a snapshot or a copy repeats lies there twice
//	update       u, with the old row where the source sends it (REPLICA IDENTITY FULL)
//	change key   d of the old key, with header __debezium.newkey, and c of the new one
//	delete       d, and no tombstone
//	TRUNCATE     t without a key, in each partition; under envelope row it stops the table,
//	             because there a record without a row is the delete of a key
//	a gap        header evert-gap on the first record behind it: why and when the table
//	             stopped, or its source was reset with its topic kept (SOURCE_RESET). What
//	             was missed is nowhere; a copy gives the rows as they are now
//
// Nothing in it becomes void or superseded, so From stays and nothing is owed; a copy is
// done when its rows are here. No row is looked up in it: an unknown value is filled from
// the old row, else from the source, else the table stops. A row that is too large is cut,
// or stops the table: pieces and dead letters would leave a hole. Why a table stopped stays
// in its state while it is copied, until a record tells of the gap. What a reset leaves
// lies in the control topic (control.Reset), from before anything is removed, until a
// frontier speaks of the topic. A topic that was begun compacted is refused as an
// append-only one, and the other way round.
//
// # Rows that are too large
//
// A record above the limit of its topic, or a value above the limit of values,
// follows the table's policy (K03). First the old row goes, whatever the policy:
// it is provenance, and header evert-cut says that it is missing. Then
//
//	stop_table    the table stops, and nothing else (I8). Its offsets stay in the
//	              frontier where they were, so our readers see no part of the
//	              transaction in it; the other tables go on.
//	truncate      texts and byte strings are cut to one length, between characters,
//	              so that the row fits; evert-cut has column, size and SHA-256 of
//	              each. Keys, JSON and arrays are never cut: if that does not do,
//	              the table stops.
//	offload       the largest values go into <topic>.offload, in pieces and in the
//	              same commit; Debezium's placeholder stands for them, and header
//	              evert-offload says where they are (log.Restore reads them). Their
//	              pieces are buried when the row changes, shrinks or goes.
//	dead_letter   the encoded record goes into <topic>.dlq, in pieces, and the table
//	              topic gets a tombstone. A record of a compacted topic is a whole
//	              row (I5); the old row would be a lie, and no row, marked by header
//	              evert-dead-letter, sends the reader to where it is. The next
//	              change that fits brings the row back.
//
// What a row's records lack is marked in the frontier's table state, because the
// log is read back: a value that may have been cut is not trusted when an unknown
// one is filled, and one that lies in pieces is put together.
//
// limits.value_bytes bounds what is written, and what is made of a row here: one
// with a larger text, byte string or JSON is not encoded to find that out. Where the
// source leaves such a value outside of memory (pipeline.Aside), or the log has it in
// pieces (laid.go), it stays outside: its size is known, its sum is worked out and its
// pieces are written while it is read. A dead letter is the record around such values,
// which are encoded while they are read: bytes in hex or base64 too, and arrays, of which
// one element at a time is in memory. In memory is, of such a row, a text that is written
// as what it stands for (an hstore or bits), for a dead letter; and what a change of key
// moves. A value that did not change stays in its pieces where they lie.
//
// # Unknown values
//
// A value that the source did not send is filled from the old row, else from
// the key's newest record in the log, which includes the open commit and so
// earlier changes of the same transaction, else by reading the row again at the
// source. If none of them has it, the table stops with UNKNOWN_VALUE (I5, I8).
package capture
