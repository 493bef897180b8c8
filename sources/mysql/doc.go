// Package mysql captures MySQL, 8.0 or newer, and MariaDB, 10.6 or newer: first a
// snapshot of the tables, then every transaction in commit order, from the binary log.
// The flavour is detected.
//
// # Who owns what
//
//	        replication connection                        queue (bounded)
//	MySQL ═══════════════► client ── events (budget) ──► owner ═══════════════► Next
//	  ║                    frames them                    ▲ │  takes them in order
//	  ║                                              rows │ ▼ stretches of row events (bounded)
//	  ║                                             decoders, n: whoever is free
//	  ║  SELECT, n connections, each with a snapshot of its own
//	  ╚═══════════════════════► snapshot workers ═══► the same queue
//	  ║                                        copies ▲ chunks, when the stream has passed them
//	  ╠═══ SELECT, n connections, a snapshot for each chunk ══╝
//	  ╚═══ side connection: catalog, columns that came
//
// The client library connects, reads and frames events. Rows it leaves alone: they are read
// from the event's bytes, by the columns that the log describes. Decoders read those of
// events that lie ahead, if nobody has batches waiting; what they mean, and whether the table
// is by then what it was taken for, the owner alone sees, one event after the other, and it
// reads what nobody has: see decoders. It
// reconnects by itself and goes on behind the last transaction that was read; a refusal
// ends it.
//
// # Positions
//
// Native positions are places (see gtid.go): everything that was read, as MariaDB's
// position or MySQL's set, or as file and position where MySQL's transactions have no GTIDs
// (gtid_mode is not ON; see logPosition and openLocked). Seq counts transactions that have rows of captured tables; an
// idle movement keeps it. Inside a transaction that is larger than a batch,
// Tx.Position names its own GTID, because a place behind it does not exist yet.
//
// Nothing is acknowledged upstream: a server keeps its log for as long as it is set to.
//
// # Shapes
//
// Resume.State holds what the columns of each table were at its place, so that a row is
// read with the columns of its own position, also today from an old log (I6). The log
// describes them before each statement's rows (binlog_row_metadata=FULL). A change that
// earlier rows do not follow without a word in the log stops the table: see shape.follows.
//
// # Copies
//
// The first snapshot copies small tables before there is a first place. Large ones, those
// that are captured later, and those that somebody asks for are copied in chunks while
// the stream goes on, and go on where they were after a restart: see copies and chunk.
// SnapshotWorkers chunks are read at a time, of one table or of several: see span. Chunks
// are read at the times and on the conditions of SnapshotDaytimes and Pause, and no faster
// than MaxRate: see chunkPace.
//
// Config.Where chooses the rows that a copy has. The server parses such a condition before
// anything is copied, and it may name no function that is not known to be steady (see
// unsteady); that a TIME which is compared with a date takes today's is not seen. A start
// looks at the conditions of what it copies first, every later copy at its own: one that a
// table does not fit any more stops that table when it is copied again. A state has its
// fingerprint: under another condition a copy begins again.
//
// # Tables that stop
//
// What concerns one table stops that table alone (I8): a definition that its earlier rows
// do not follow, rows changed without a word in the log, a value that cannot be kept.
// Resume.State remembers it, so that no restart brings back a table with a hole. It goes
// on from a copy of it, in the shape that it has by then.
//
// # What the log does not say
//
// A table that gh-ost or pt-online-schema-change puts in another's place is copied, without
// a stop: it may have other rows. What leaves no rows in the log (partitions that are
// dropped or exchanged, with the table that they are exchanged with; ALTER IGNORE; a column
// that is renamed, becomes generated, or comes again under a name that was dropped; a
// foreign key that cascades; binlog_format=STATEMENT; a table put in another's place) stops
// the table, to be copied again; nothing is synthesised. A new table that may have rows
// which the log lacks is copied before it is captured.
//
// # Servers that are not at hand
//
// testdata/recorded has files of the logs of servers, with the text that is read from
// them; TestRecorded reads them again, whichever server is installed.
//
// # Where a snapshot of MariaDB lies
//
// binlog_snapshot_file and binlog_snapshot_position were taken for exact. They are, for one
// session alone: MariaDB fills variables that all its sessions share, and reads them again
// a moment later for the answer. Whoever asks for its status meanwhile puts its own place
// there. Of 16,631 snapshots on a busy server, beside three other readers, 15 had a wrong
// one: rows of a chunk, and of a first copy, covered later changes. So the answer has to be
// the same three times in a row, and readers of one source ask one after the other.
//
// # What is weaker than it should be
//
// Changes by triggers under binlog_format=STATEMENT in another database than the
// statement's are not seen. A file and position holds on the server alone that it is of: a
// failover is a refusal, a copy of all tables its mend, and so is gtid_mode turned on, since
// positions are not translated. A log that was reset within the second in which the file of
// the position was made is not told from it. A transaction of more than 4 GiB ends where no
// server sends its log from, until the next file begins; a start just there is refused.
// How far a copy in chunks is stands in Resume.State as keys of
// rows; of a table with masked columns it does not, so that such a copy begins again
// after a restart.
package mysql
