// Package sinks is the room of the systems that Evert delivers to, one folder
// each. None stands here yet; what every sink keeps to is written down and
// tested already, because the log itself is one: pipeline/capture writes table
// topics through the same contract.
//
// # What a sink is
//
// A sink takes batches and makes them durable at commit points, together with
// the position they reach. The contract is pipeline.Sink; its clauses are
// numbered in sinks/sinktest, which every sink passes over the real system.
//
//	Open ──► Write, Write, Commit, Write, Commit, … ──► Close
//	 │         │              └─ effect and position durable in one step (I1)
//	 │         └─ nothing of it is visible yet
//	 └─ older holders are fenced; where do the committed effects end?
//
// # How to add one
//
// Make a folder with a type that implements pipeline.Sink, run sinktest.Run over
// it, and add one line to the map of connectors in cmd/evert. A client library
// is imported by its one folder; no sink imports another.
package sinks
