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
//	1  sinks/KIND            a type that implements deliver.Target, made by New(Config): Config is the
//	                         folder's own struct, so that it imports neither configs nor cmd. Its doc.go says
//	                         what readers see when, and what the system cannot do
//	2  sinks/KIND            a test that runs sinktest.RunTarget over the real system, with the Powers it has.
//	                         A kind without all of them has its line in integration/lanes/optin.go. One that
//	                         takes several tables (pipeline.Batch.Topic) runs sinktest.RunSeveral too; one that
//	                         does not is refused them by configs/sink.go
//	3  configs/sinkKIND.go   the settings: a comment, a default and bounds on each; secrets are configs.Secret. A field of
//	                         configs.Sink and a word in its sinkKinds; then `make schema`
//	4  cmd/evert/outlets     a file with an outlet that makes a Config of the settings, and a line in Connectors
//	5  cmd/evert/codes       a page for each pipeline.Code, and its line in integration/mends/testdata/codes.txt
//	6  `make golden`         the imports of the new packages, and the licences of a new library
//	7  configs/recipes       a file that runs; ARCHITECTURE.md and CHANGELOG.md a line each
//
// A system that has no room for the position gets it kept by deliver.Keeper. What
// it does not take goes to deliver.Rejects, as a Refusal without row values. A
// sink that tells of changes, rather than hold rows, says them as deliver/event
// does; the JSON of rows is pipeline/document. A client library is imported by its
// one folder; no sink imports another. Errors name what mends them; one that goes
// away by itself has a code that its page calls passing, and is tried again by the
// daemon, so that a target itself waits no longer than a commit may.
package sinks
