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
// one key after the other, together with the group that the state had *before*
// the epoch. No operator reads what the epoch itself wrote:
//
//	Δ(L ⋈ R)  =  ΔL ⋈ R  +  L ⋈ ΔR  +  ΔL ⋈ ΔR        L, R: as the epoch found them
//
// so all writes of an epoch may wait in a batch, or in sorted files that are
// ingested in one step, until the output is committed (R02); and filling an
// empty view is the same code over an epoch that holds everything, where no
// group needs to be read. Deltas lie in Sorters, which spill past a bound (I9).
//
// # State
//
// One ordered key space. A key begins with the number of its collection, two
// bytes, big endian; they are given out in the order of the plan's nodes, so
// the same plan always has the same numbers:
//
//	0             output       key tuple                        → row
//	1 … n         index        index tuple, key tuple           → nothing
//	then, by node: input       primary key tuple                → row
//	               arrangement join key tuple, row's identity   → weight, row
//	               group       group tuple                      → accumulators, result row
//	               multiset    group tuple, order tuple, …      → weight, value
//
// Tuples are those of pipeline/state/tuple: their byte order is SQL's order, and
// their equality SQL's equality.
//
// # Views on views
//
// A view in another's FROM is expanded in place, as SQL views are: the plan has
// base tables at its leaves and nothing else, so each source is read at one cut
// and a diamond can never mix two.
package dataflow
