// Package pipeline is the domain of Evert: what a change is, what its place in
// a source is, and the loop that carries it.
//
//	source ──► transforms ──► sink          one Stage: capture, or deliver
//	   ▲                        │
//	   └───────── Ack ──────────┘           only after Commit (I1)
//
// A Stage reads batches from a Source, passes them through Transforms, writes
// them to a Sink, and at a commit point lets the sink commit what was written
// together with the position that was reached; only then is the source told
// that it may forget. Everything else in Evert is one of these four things, or
// serves them.
//
// # The promises
//
// They are cited where they are upheld and named where they are tested.
//
//   - I1: The position lives with the effect. What was written and how far was
//     read are committed in one atomic step: one Kafka transaction for the log,
//     one batch for local state, one database transaction for a SQL sink, the
//     external version for a search index. The upstream is acknowledged after
//     that, never before.
//   - I2: Nothing committed upstream is lost; nothing appears twice to a
//     read_committed reader. Without broker support for that this is said at
//     start, and our own readers drop duplicates by position. A snapshot that
//     has to start again repeats its rows as reads; keys gone meanwhile get
//     tombstones.
//   - I3: A frontier record lies between source transactions, never inside one.
//     A transaction too large for one commit goes in parts, each with a resume
//     record and no frontier record; only the last writes it.
//   - I4: Per key, the order downstream is the order of commit upstream.
//   - I5: A record in a compacted topic is a whole row. Unknown is not NULL and
//     never reaches a topic or an operator: it is filled before writing, or the
//     table stops.
//   - I6: A row is read with the table version of its own position; the row
//     encodes to the same bytes from snapshot and from stream (operation and
//     times differ).
//   - I7: A view read equals the view's SQL over some prefix of the transactions
//     of each source, says which, and never goes back for a client that sends
//     back the position it was given.
//   - I8: Never silent. What cannot be kept stops that table, view or sink and
//     nothing else, with a code, a log line, a metric and a red health. Idle and
//     stuck look different.
//   - I9: Every queue, buffer, cursor and state is bounded, by a named field of
//     the configuration.
//   - I10: SIGTERM drains; kill -9 at any instruction loses nothing and needs no
//     operator.
package pipeline
