// Package transform holds the stateless steps that changes pass on their way: at
// a source before they are written, at a sink before they are delivered.
//
//	change ─► Chain: filled from its old row ─► step ─► step ─► … ─► what is written
//	           │                                 ▲
//	           └─ first sight of a table ─► Bind ┘   once per version of a table
//
// A Step is what the file says, a Bound is a step compiled for one version of a
// table. What comes out of a Bound has tables of its own, made when it is bound
// and never again: rows of one version in are rows of one version out, so that
// codecs and schema ids are kept, and the same change gives the same bytes
// whenever it is read (I6). No step has state, asks a clock, or draws lots.
//
// # Expressions
//
// Expressions are those of views (package sql), over the columns of one row. What
// there is to say of the change itself stands behind the name change:
//
//	change.op           r c u d
//	change.position     the place of its transaction in the source's log, as the source writes it; NULL in a snapshot
//	change.sequence     the same as Evert counts it; NULL in a snapshot
//	change.transaction  the source's number of the transaction; NULL in a snapshot
//	change.time         when it was committed, by the source's clock; of a snapshot, when that was taken
//	change.schema       of its table
//	change.table        its table
//
// A row that shows them differs between snapshot and stream.
//
// # Unknown values
//
// A source need not send every value: a large one that did not change is unknown
// (P13). The chain first takes it from the old row, if that was sent. Behind that:
//
//   - What passes a value on passes on that it is unknown, and so does a value
//     that is made of unknown ones alone (a masked column, an expression of it): it
//     did not change either. The sink fills it from the newest record of the key,
//     which holds what the same steps made of it; or from the source, by Reread,
//     through the same steps.
//   - A condition, and a value that is made of more than that, needs it. It is not
//     guessed, nor read again: the row may have changed since, and what was written
//     would depend on when it was read. The table stops with TRANSFORM_UNKNOWN, whose
//     mend is REPLICA IDENTITY FULL; below a sink, rows are whole.
//
// # Large values
//
// A value above limits.value_bytes is not in memory (pipeline.Aside; aside.go). Steps pass
// it on from where it lies, drop_unchanged compares it there, and masks read it piece by
// piece: hmac-sha256 hashes it, partial counts its characters, the others do not look.
// Another step that needs it, in an expression or a script, cannot have it, and neither can
// on_oversize, which is for rows that were made: the table stops with TRANSFORM_LIMIT,
// whatever on_oversize is. A mask or a drop before the step mends that.
//
// # Old rows
//
// Of an old row often only the key is sent. Steps that have to know what was
// written for it (another key, another topic) stop the table with
// TRANSFORM_OLD_ROW if they cannot. Below a sink whose steps need them, old rows are
// whole (deliver.OldRows).
//
// # What is hidden
//
// Masks stand first, and act on new rows and old ones: what is hidden never comes
// to a topic, a key, a dead letter or an offloaded piece, because all of them are
// made of what the chain gives; nor to a log line, because no error holds a value
// (X12). A value that is read again at the source passes the chain too. What the
// source itself holds, before the chain, is in memory.
//
// # Faults
//
// What cannot be transformed stops its table and nothing else (I8), with all that
// the table becomes; Config.Fault may decide otherwise, as a sink does that keeps
// dead letters. A table whose steps do not fit it stops at its first sight.
package transform
