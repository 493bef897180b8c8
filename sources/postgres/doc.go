// Package postgres captures a Postgres database, version 12 or newer: first a
// snapshot of its tables, then every transaction in commit order, by logical
// replication with the pgoutput plugin.
//
// # Who owns what
//
//	          replication connection                  queue (bounded)
//	Postgres ═══════════════════════► owner goroutine ═══════════════► Next
//	   ║  ◄─── status: durable LSN ──     │   ▲                          │
//	   ║                                  │   └──────── durable ◄────── Ack
//	   ║  COPY, n connections             ▼
//	   ╚═══════════════════════► snapshot workers ═══► the same queue
//	   ╚═══ side connection: catalog, slot statistics, single rows
//
// The owner alone reads and writes the replication connection. While the queue is
// full it stops reading and goes on answering, so that a slow consumer never costs
// the connection (P31). It reconnects by itself, with a fresh password each time,
// and goes on at the last transaction it handed over; a refusal ends it.
//
// # Positions
//
// Native positions are LSNs: the end of a commit record, or a keepalive's place
// in an idle stretch of the log. A transaction whose commit record begins before
// the position is done, and is skipped when the server sends it again (P07).
// receivedLSN and durableLSN are different types: only Ack makes a durableLSN,
// and only a durableLSN is told to the server (P06). Seq counts transactions that
// have rows; an idle movement keeps it. Inside a transaction that is larger than
// a batch, Tx.Position names the beginning of the commit record, because its end
// is not known yet.
//
// Resume.State says what the columns of each table were at its place. A start
// compares them with the catalog, and so does every new shape in the log: what
// changes earlier rows without a word in the log is refused, today and after a
// restart (P21).
//
// # Start
//
// Everything that would go wrong later is looked at before the first row, and
// told all at once: see check.go. The publication is made before the slot (P34).
// The intent to make a slot is committed downstream before the slot is made, so
// that a slot left behind by a crash is known to be ours and is dropped.
//
// # Memory
//
// Batches are recycled; a row's values lie in the batch's slab and arena. The
// queue is bounded in batches and bytes; transactions that the server streams
// before their commit are kept in memory up to SpillBytes in all and beyond that
// in files.
package postgres
