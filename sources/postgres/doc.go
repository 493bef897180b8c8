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
//	   ║  FETCH, one connection ────► chunks, between two transactions; of a standby, if one is named
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
// have rows, and drains; an idle movement keeps it. Inside a transaction that is larger than
// a batch, Tx.Position names the beginning of the commit record, because its end
// is not known yet.
//
// # Tables that change
//
// Resume.State says what the columns of each table were at its place, and what the
// catalog said of its files. A start compares that with the catalog, so does every new
// shape in the log, and so does a look at the catalog every PollInterval: what happens
// to earlier rows without a word in the log stops that table alone (P20, P21, P22).
//
//	a column is added, nullable and without a default           goes on; NULL in earlier rows
//	a column is dropped                                         goes on without it
//	varchar becomes longer                                      goes on
//	a default is set, NOT NULL, CHECK, an index, a trigger, …   goes on
//	replica identity becomes FULL, or an index over the key     goes on
//	an empty partition is made or attached                      goes on
//	a row moves to another partition                            goes on: a delete and an insert (P23)
//	TRUNCATE of the table                                       goes on (P19)
//	VACUUM FULL, CLUSTER of a table without partitions          goes on
//	a column is added with a default, constant or volatile      the table stops
//	a column is added NOT NULL                                  the table stops
//	a column is renamed, or gets another type                   the table stops
//	a column is dropped and one of its name added (numbers.go)  the table stops
//	values are rewritten (ALTER COLUMN TYPE … USING), or cut    the table stops
//	the key becomes another, or is not carried by old rows      the table stops
//	it is renamed, moved to another schema, dropped, made anew  the table stops
//	it leaves the publication, or becomes a partition           the table stops
//	filter or column list of the publication change             the table stops (P24)
//	a partition is attached with rows, detached, dropped,       the table stops (P22)
//	truncated by itself, or rewritten by VACUUM FULL
//	a value cannot be read                                      the table stops
//
// A table that has stopped is told of by Batch.Stopped, and its rows are left out from
// there on, also after a restart, until its copy begins. A stop that only the look at
// the catalog found counts from the place in the log where the server was then.
//
// # Copies while streaming
//
// Copy lets a table be copied beside the stream, in chunks (P12): ranges of where its
// rows lie, each read in a REPEATABLE READ transaction of its own that lasts for one
// chunk (P11). Package window says which of a chunk's rows come out and which lose to the
// stream, chunk.go how a chunk is read, copying.go what happens when. A chunk comes
// out between two transactions, once the stream has passed every transaction that its
// snapshot shows, so that a key never goes back (I4).
//
//	bounded                        by                    beyond it
//	rows of a chunk                ChunkRows, ChunkBytes the chunk ends
//	keys changed while it is read  WindowBytes           the stream waits for the chunk
//	transactions not shown yet     WindowTransactions    who wrote and is open is waited for
//
// A change of the stream may lack values that its chunk row has (P13). It is handed over
// before, at once, and is filled as every change is: from the log, or by reading the
// row again. To fill it from the chunk the stream would have to wait for each chunk.
//
// Where Config.SnapshotURL names a standby, chunks are read there, and all tables are
// copied in chunks. standby.go says how visibility is told by what it has replayed. One
// that is behind, of another cluster or timeline, away or promoted holds up the copy and
// nothing else; what a chunk may not be read for is told (Stats.WaitingFor).
//
// Tables are copied one after the other, a chunk at a time, on one connection. The next
// chunk is not read while one waits for the stream: its place is given by the one before.
//
// Config.Where chooses the rows that are copied, and nothing of the stream: the topic
// has those rows of the table as it was, and every row that changed since. A copy that is
// asked for begins so again, and keys that it does not choose are gone. The condition is
// immutable, so that a chunk that is read again has the same rows; the server says so, by
// the parse tree that it prints to whoever asks (where.go). State has its fingerprint: a
// copy goes on under the condition that it began with, and begins again under another. A
// start looks at the conditions of what it copies first, every later copy at its own.
// Config.Rank orders the tables, under one snapshot and in chunks.
//
// A table that comes later is put into the publication and copied by itself. Chunks are
// read at the times and on the conditions of SnapshotDaytimes and Pause; the exported
// snapshot of smaller tables keeps to MaxRate alone.
//
// A copy waits until the transactions have ended that have written to the table and
// were open when it began. It writes nothing; where no commit lets the server flush its
// log, a transaction that has a number and nothing else does (Source.nudge), for a copy
// and for a reader who waits on an idle server.
//
// # Upgrades
//
// A major upgrade drops the slot, or leaves it where nothing vouches for it. Drain ends
// the source at a place behind which nothing is left to read, and says so in Resume.State;
// Open goes on from there on the new server alone: with a new slot, or with the one that
// pg_upgrade brought, with tables told by their names, and without a copy (P41). Between
// the two nobody may write. That the database is read-only by a setting of its own is what
// vouches for it: the setting comes along with pg_upgrade and with pg_dump --create, so
// that both servers are asked for it. Who says READ WRITE writes all the same; he is seen
// only while he does, and is read if the drain lasts until the server is shut down. Subscriptions and Evert's own sinks are known to, and are to rest. See fence.go, drain.go and cross.go. LSNs go on behind pg_upgrade;
// after a dump they may be less than before, and who waits for an older one waits in vain.
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
//
// A value above ValueBytes is in memory nowhere: it goes from the connection into a file
// of SpillDir, and its row has the first bytes of it. What a connection sends passes a
// shortener first, which sees to that for everyone behind it, pgconn included.
//
//	server ═══ shortener ═══ pgconn, or the stream ═══ row: first bytes, Aside ═══ capture
//	               ║                                               ║
//	               ╚═══════ N.value, until the batch is taken back ╝
//
// An array is read element by element, up to where it is above ValueBytes however it is
// written, and again by whoever writes all of it. In memory are all the same: a value of
// less than 4 MiB as it is sent; an element of an array that is written; an hstore or bits
// that a dead letter has as what they stand for; and a value of a type that the server
// alone can print, while it is asked to.
package postgres
