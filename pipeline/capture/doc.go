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
// # Unknown values
//
// A value that the source did not send is filled from the old row, else from
// the key's newest record in the log, which includes the open commit and so
// earlier changes of the same transaction, else by reading the row again at the
// source. If none of them has it, the source stops with UNKNOWN_VALUE (I5).
package capture
