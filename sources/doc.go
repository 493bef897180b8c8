// Package sources holds one folder per kind of database that Evert reads.
//
// # What a source is
//
// A source turns one database's log into pipeline.Batches, in commit order, and
// tells the database how far it may forget. The contract is pipeline.Source; its
// clauses are numbered in sources/sourcetest, which every source passes, over a
// scripted fake as over the real server.
//
//	Open ──► Next, Ack, Next, Ack, … ──► Close
//	 │         │     └─ what is durable downstream: only this may be forgotten
//	 │         └─ batches: tables first, then a snapshot's rows, then transactions
//	 └─ identity and gap checked, refusals told, before the first row
//
// # How to add one
//
// Make a folder with a type that implements pipeline.Source, run
// sourcetest.Run over it with a real server, and add one line to the map of
// connectors in cmd/evert/databases. A client library is imported by its one folder; no
// source imports another. Between the goroutines that read and Next lies
// pipeline/handover.
//
// What every source here keeps to:
//
//   - One private goroutine owns the connection and keeps answering the server
//     while nobody calls Next. What was received and what is durable are two types
//     that cannot be assigned to each other.
//   - A place is valid only for the server it came from. Resume.State holds that
//     identity; Open compares, and refuses rather than guesses.
//   - A value that was not sent is schema.Unknown and never NULL (I5).
//   - The same row has the same values from snapshot and from stream (I6).
//   - Every buffer is bounded by a field of the Config (I9).
package sources
