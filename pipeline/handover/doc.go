// Package handover is what lies between the goroutines of a source, which read a
// database at the database's pace, and the caller of Next, who takes changes at
// the consumer's.
//
//	owner of the stream ─┐         ┌──────── Queue ────────┐
//	workers of the       ├─► Put ─►│ Batch │ Batch │ Batch │─► Next ─► pipeline.Batch
//	snapshot            ─┘         └───────────────────────┘
//	         ▲                                                    │
//	         └────────── Get: a Batch that was given back ◄───────┘
//
// A Queue is bounded in number and bytes (I9). A producer that waits for room may
// keep a Heartbeat meanwhile, so that a full queue is never silence towards the
// server. A Pace holds producers to a rate, Daytimes to a part of the day, a Where to some
// rows of a table. A Lifecycle is how the source around it opens, fails and closes.
package handover
