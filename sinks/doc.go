// Package sinks is the room of the systems that Evert delivers to, one folder
// each.
//
// # What a sink is
//
// A sink takes batches and makes them durable at commit points, together with
// the position they reach. The contract is pipeline.Sink; what an outside system
// gets beyond it, and that it can begin anew, is pipeline/deliver.Target. The
// clauses of both are numbered in sinks/sinktest, which every sink passes over the
// real system.
//
//	Open ──► Write, Write, Commit, Write, Commit, … ──► Close
//	 │         │              └─ effect and position durable in one step (I1)
//	 │         └─ where the system is atomic, nothing of it is visible yet
//	 └─ older holders are fenced; where do the committed effects end?
//
// # How to add one
//
// Make a folder with a type that implements deliver.Target, run
// sinktest.RunTarget over it, and add one line to the map of connectors in
// cmd/evert. A client library is imported by its one folder; no sink imports
// another.
package sinks
