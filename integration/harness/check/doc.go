// Package check compares what lies in the topics with what happened in the
// database.
//
//	evert tail ──► Facts ──┐
//	frontier   ──► cuts ───┼──► History: each transaction exactly once, whole at
//	workload's history ────┘             every cut, in order per key
//	evert tail ──► fold by key ──► Tables: equal to SELECT * of each table
//
// # The rules
//
//   - A record of another incarnation than the frontier's is void: a snapshot
//     that did not end left it below where its table's rows count.
//   - Rows of the snapshot are the state after a set of transactions that is a
//     prefix of each session; the others, and only they, are in the stream.
//   - The records of one Seq are exactly the changes of one transaction of the
//     history, in their order; of a session, Seq rises as it committed.
//   - In a partition (Seq, Row) never falls, and no place repeats.
//   - At a frontier record every record below its offsets has a Seq up to its
//     position's, every other one a higher one; so every cut is a prefix of whole
//     transactions (I3).
//   - Each row holds the large values that its seed says (I5), and every column.
//   - Tombstones that were owed for void rows have no place of their own; they
//     are judged by the fold.
package check
