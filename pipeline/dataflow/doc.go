// Package dataflow maintains the result of a plan incrementally: rows of tables
// go in as upserts and deletes, changed rows of the result come out, exactly
// once per key and epoch. It does no I/O and knows neither SQL nor logs.
//
// # Deltas
//
// A collection is a multiset of rows, a Z-set (Budiu et al., DBSP, VLDB 2023):
// a change is rows with weights, −1 for a row that went and +1 for one that
// came. Map, Filter and Union pass deltas on; Join is bilinear; Aggregate keeps
// what it needs to retract exactly. A table's scan makes deltas of upserts: the
// old row always comes from our own state, never from the event (R18), so a row
// that is said twice is no change (R10).
//
// # An epoch
//
//	upserts ─► Scan ─► stateless ─► │ sort by key │ ─► Join, Aggregate ─► … ─► │ sort │ ─► Output ─► changes
//	            │                                          │                              │
//	            └──────── reads the state of the epoch's beginning; writes go aside ──────┘
//
// Every stateful operator takes its deltas sorted by its key and consolidated,
// one key after the other, together with the group that the state had before
// the epoch. No operator reads what the epoch itself wrote, so all writes of an
// epoch may wait in a batch, or in sorted files that are ingested in one step,
// until the output is committed (R02); and filling an empty view is the same
// code over an epoch that holds everything, where no group needs to be read.
// Deltas lie in Sorters, which spill past a bound (I9).
//
// A join gives, key by key, only pairs of which a side changed, each once, with
// the difference of its weights after and before:
//
//	Δ(L ⋈ R)  =  Σ (l.after · r.after − l.before · r.before) · (l, r)
//
// and not the sum ΔL ⋈ R + L ⋈ ΔR + ΔL ⋈ ΔR, whose terms cancel out and hold
// pairs that were never together: an expression above would meet them, and a
// division by zero that SQL does not have would stop the view. So every delta
// that an operator meets, but for those that a Union or a Map makes equal, is of
// a row that is in the collection before or after the epoch.
//
// # State
//
// One ordered key space. A key begins with the number of its collection, two
// bytes, big endian; they are given out in the order of the plan, so the same
// plan always has the same numbers (Engine.Layout):
//
//	0             output       key tuple                          → row
//	1 … n         index        index tuple, key tuple             → length of the index tuple
//	then          input        primary key tuple                  → row; one for each input of the plan
//	then, by node: join        join key tuple, identity           → row
//	                           join key tuple, row                → weight, if nothing identifies a row
//	               group       group tuple                        → result row, rows, accumulators
//	               values      group tuple, order tuple           → weights and values
//
// A join's identity are the columns of a unique set that are not in its key. A
// side that is a table by its primary key, or an aggregate by its group, has no
// collection of its own: it reads theirs.
//
// Tuples are those of pipeline/state/tuple: their byte order is SQL's order, and
// their equality SQL's equality; lengths and weights are varints. The state after
// an epoch depends on the rows alone, never on the epochs in which they came
// (R14): the tests compare it byte by byte.
//
// An aggregate's scalars (count, sum, avg, bool_and, bool_or) lie in its group's
// entry; min and max know their first value from the result row there, and look
// for the next one only when it goes; string_agg and its like go over all values
// of the group whenever one changes.
//
// # What runs when
//
// Steps (tables, joins, aggregates, the output) run one after the other, each
// over all its deltas; Map, Filter and Union run within the step before. An epoch
// that fills an empty view reads nothing, so there the steps that share no rows
// and no node run beside each other, if Env.Workers says so. The bytes are the
// same.
//
// # Values that are equal and look different
//
// 1.0 and 1.00 are one group, and one of a DISTINCT. Postgres shows whichever it
// met first; a view has to say the same every time, so the one whose bytes
// (tuple.AppendRow) come first stands for all.
//
// # Views on views
//
// A view in another's FROM is expanded in place, as SQL views are: the plan has
// base tables at its leaves and nothing else, so each source is read at one cut
// and a diamond can never mix two.
package dataflow
