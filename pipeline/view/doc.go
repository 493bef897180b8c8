// Package view maintains views: the results of plans over table topics, each a
// compacted topic of its own and a state that can be asked.
//
//	own ─► open ─► take up the state ─► ┌─► wait for cuts ─► read up to them ─► operators ─► commit ─► apply ─► show ─┐
//	       writer, topics, frontier     └─────────────────────────────────────────────────────────────────────────────┘
//
// A Task is one view. One goroutine runs it, and one writer, whose id is the
// view's, so that there is never a second one (K05).
//
// # An epoch
//
// Each source's frontier topic is followed; the newest cut of each, if it is
// sound, makes a vector. The task reads the rows between the last vector and
// this one, gives them to the plan's operators, and appends each changed row of
// the result to the view's topic, once, and behind them the view's own frontier
// record, which holds the vector. One commit makes both visible (I1). Only then
// is the state's batch applied, with the same record as its progress: the state
// can be behind the log, never ahead (R02).
//
//	log    ── commit 6 ── rows of 7 ── frontier 7 ── commit 7 ──────────────
//	state  ── applied 6 ─────────────────────────────────────── applied 7 ──
//	                                        crash here ▲: the tail of the view's
//	                                        topic says what readers were told
//
// Only the newest sound cut counts: a view that fell behind jumps, as one epoch,
// and shows the old one meanwhile. An input whose rows became void (TRUNCATE,
// re-creation) is cleared first. A source whose table is being copied, or has
// stopped, holds the view at its last vector (Held says why).
//
// When no input's rows moved, only the vector did: an idle source's heartbeat.
// Then there is nothing to compute, and the vector is shown at once and
// committed with the next rows, or after IdleCommit. A commit for each heartbeat
// of each source would cost every view one transaction a second for nothing; a
// reader that sends back a position it was given waits for it after a crash.
//
// # Who waits for an epoch
//
// An epoch begins at most every Limits.Interval, so that many views are not many
// small transactions. A reader that waits for a position (Task.Hasten) need not wait
// for that pause: the epoch comes as soon as a cut has what he waits for. Hastened
// epochs take a fifth of the time at most, however many readers wait (I9).
//
// # Large epochs
//
// Rows above MaxCommitRows or MaxCommitBytes go in several commits; only the
// last has the frontier record, by which readers of the topic go (I3). A crash
// between two leaves rows that the state does not know: they are in the tail.
//
// # Taking up the state
//
//	state's progress            topic behind it       what is done
//	none, another's, ahead      anything              hydrate: all rows to one cut, into an empty state
//	of the frontier record      nothing               go on
//	of it, or an earlier one    rows                  go on, and compare: each key of the tail, and each
//	                                                  changed one, is emitted if it differs from what the
//	                                                  topic says
//
// Hydration compares in the same way, with all that the topic holds, so a view
// that is built again emits what differs and tombstones for keys that are gone,
// and nothing else (R16). The comparison lies in a Sorter (I9). The next vector
// is never below the committed one, so nothing goes back (I7).
//
// # An older log
//
// A log that was put back to an older copy goes on under the same numbers and offsets, in
// other epochs than before. So each Run of a view is a term, and a frontier record names
// the newest terms: who holds an earlier record sees by Compare whether it is of the same
// history (O16). What has delivered the other one is filled anew.
//
// # Versions
//
// The state lies in a folder named by the plan's hash: that of another
// definition is never mixed in (R15). While a new version is hydrated the old
// one is shown as it last was, and says that it is old; it is removed when the new
// one has committed. Where the new one cannot even be compiled there is no Task, and
// a Still shows the newest state.
// Columns of the topic outside the key are nullable, whatever the query says, so
// that columns can come and go without a registry's refusal.
//
// # The size of a state
//
// Joins and groups keep what may match or change later, so a state grows with its
// tables (I9). Its size is looked at when it was taken up and after each epoch:
// above the limit the view stops by itself, alone, and shows the last epoch (R17).
// A hydration or an epoch that would go beyond is given up inside, see bound.go. What
// compaction has yet to free counts: a view that it brings below the limit goes on at
// the next try.
//
// # Partitions
//
// A task reads all partitions of all its tables, so tables that are joined need
// neither as many partitions as each other nor the same partitioner. What the rows
// of a table need is that a key stays where it is: a topic whose number of
// partitions is not the one that its source writes stops the view (R12).
//
// # What stops a view
//
// A record that cannot be read, a column that the plan needs and that is gone or
// has another type, an error of SQL, a topic that is gone: the view stops alone,
// with a code, and is tried again slowly; its state stays as it is, and so does
// what it shows (I8, R09). A damaged state is put aside and built again once; the
// second time is for a person (R07).
package view
